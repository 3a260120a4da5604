"""What stands in a test for the real activities: a fake derived from their class, and one that fails for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from greenroom import ActivityError, RetryPolicy, WaitTimeoutError, activity, workflow
from greenroom.testing import StuckError, TestRuntime


@dataclass
class Parcel:
    grams: int


@dataclass
class Label:
    text: str


class Post:
    @activity.defn(name="fakes.label")
    def label(self, parcel: Parcel) -> Label:
        raise AssertionError("a test must not send anything")


@workflow.defn(name="fakes.send")
async def send(parcel: Parcel) -> str:
    label = await workflow.execute_activity_method(Post.label, parcel)
    return label.text


class PlainPost(Post):
    def label(self, parcel: Any):  # type: ignore[no-untyped-def]  # that is the claim
        return Label(f"{type(parcel).__name__} of {parcel['grams']} g")


class BarePost(Post):
    def label(self, *things):  # type: ignore[no-untyped-def]  # that is the claim
        return Label(f"{things}")


def test_an_override_without_annotations_gets_what_its_base_declares() -> None:
    with TestRuntime(workflows=[send], activities=[BarePost()]) as runtime:
        assert runtime.execute_workflow(send, Parcel(5)).get() == "(Parcel(grams=5),)"


def test_an_override_that_is_annotated_gets_what_it_says() -> None:
    with TestRuntime(workflows=[send], activities=[PlainPost()]) as runtime:
        assert runtime.execute_workflow(send, Parcel(5)).get() == "dict of 5 g"


@activity.defn(name="fakes.fails")
def fails() -> None:
    raise AssertionError("a fake that was called wrongly")


@activity.defn(name="fakes.limited", retry_policy=RetryPolicy(maximum_attempts=300))
def limited() -> None:
    raise AssertionError("not yet")


@activity.defn(name="fakes.late")
def late() -> int:
    if activity.info().attempt < 250:
        raise ConnectionError("not yet")
    return activity.info().attempt


CALLED: dict[str, Callable[[], Any]] = {"fails": fails, "late": late, "limited": limited}


@workflow.defn(name="fakes.calls")
async def calls(name: str, patience: float | None) -> str:
    try:
        return str(await asyncio.wait_for(workflow.execute_activity(CALLED[name]), patience))
    except TimeoutError:
        return "out of patience"
    except ActivityError:
        return "given up"


def test_a_fake_that_fails_for_ever_ends_the_test_with_what_it_failed_of(caplog: pytest.LogCaptureFixture) -> None:
    with TestRuntime(workflows=[calls], activities=[fails]) as runtime, pytest.raises(StuckError) as stuck:
        runtime.execute_workflow(calls, "fails", None, id="it").get()

    assert "activity 'fakes.fails' of workflow 'it' has failed 100 times" in stuck.value.why
    assert "(last failure: AssertionError: a fake that was called wrongly)" in stuck.value.open_workflows[0]
    assert len(caplog.records) == 100


@pytest.mark.parametrize(
    ("name", "patience", "told"), [("limited", None, "given up"), ("fails", 86400.0, "out of patience")]
)
def test_one_that_is_given_up_some_day_is_waited_for(name: str, patience: float | None, told: str) -> None:
    with TestRuntime(workflows=[calls], activities=[fails, limited]) as runtime:
        assert runtime.execute_workflow(calls, name, patience).get() == told


def test_one_that_works_at_last_is_waited_for_by_whoever_says_so() -> None:
    with TestRuntime(workflows=[calls], activities=[late]) as runtime:
        assert runtime.wait(runtime.execute_workflow(calls, "late", None), most_skips=1000) == "250"
        with pytest.raises(WaitTimeoutError):  # and not before
            runtime.execute_workflow(calls, "late", None).get(timeout=100 * 150)
