"""What stands in a test for the real activities: a fake derived from their class, and one that fails for ever."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from greenroom import activity, workflow
from greenroom.testing import TestRuntime


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
