"""What people are told of a run: what it waits for and until when, how it fails, what it has returned."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest

from greenroom import activity, workflow
from greenroom.testing import StuckError, TestRuntime


@dataclass
class Listing:
    title: str
    photos: list[int]


@workflow.defn(name="standings.listing")
async def listing(days: float, photos: int) -> Listing:
    await workflow.sleep(timedelta(days=days), summary="the reminder")
    return Listing("Attic", list(range(photos)))


@workflow.defn(name="standings.timers")
async def timers(count: int) -> None:
    await workflow.gather(*(workflow.sleep(100 * (count - number)) for number in range(count)))


@activity.defn(name="standings.fails")
def fails(message: str) -> None:
    raise AssertionError(message)


@workflow.defn(name="standings.failing")
async def failing(message: str) -> None:
    await workflow.execute_activity(fails, message)


@pytest.mark.parametrize(
    ("days", "told"),
    [
        (12, "2023-11-26T22:13:20Z (in 12 days)"),
        (1, "2023-11-15T22:13:20Z (in 24 hours)"),
        (1 / 48, "2023-11-14T22:43:20Z (in 30 minutes)"),
        (1 / 8640, "2023-11-14T22:13:30Z (in 10 s)"),
        (1 / 86400_000, "2023-11-14T22:13:20.001Z (in 0.001 s)"),
    ],
)
def test_a_timer_is_told_with_its_summary_and_when_it_is_due(days: float, told: str) -> None:
    with TestRuntime(workflows=[listing]) as runtime:
        runtime.start_workflow(listing, days, 0, id="flat").get()

        assert runtime.account() == [
            f"workflow 'flat' (standings.listing) waits for timer 'the reminder' until {told}",
        ]


def test_of_many_timers_the_next_ones_are_told() -> None:
    with TestRuntime(workflows=[timers]) as runtime:
        runtime.start_workflow(timers, 5, id="five").get()
        (told,) = runtime.account()

    assert told.endswith(
        "(in 100 s), a timer until 2023-11-14T22:16:40Z (in 3.33 minutes), "
        "a timer until 2023-11-14T22:18:20Z (in 5 minutes), 2 more timers"
    )


def test_a_run_that_has_ended_is_told_with_its_result_as_plain_data() -> None:
    with TestRuntime(workflows=[listing]) as runtime:
        runtime.execute_workflow(listing, 1, 2, id="flat").get()

        assert runtime.account() == [
            "workflow 'flat' (standings.listing) has ended: completed with {'photos': [0, 1], 'title': 'Attic'}",
        ]


def test_a_long_result_is_shortened() -> None:
    with TestRuntime(workflows=[listing]) as runtime:
        runtime.execute_workflow(listing, 1, 1000, id="flat").get()

        assert "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...]" in runtime.account()[0]


def test_an_activity_is_told_with_its_last_failure_in_a_short_line() -> None:
    with TestRuntime(workflows=[failing]) as runtime:
        for id, message in (("short", "no\nmoney"), ("long", "x" * 1000)):
            runtime.start_workflow(failing, message, id=id).get()
        runtime.run_until_idle()
        short, long = runtime.account()

    assert short == (
        "workflow 'short' (standings.failing) waits for activity 'standings.fails' at attempt 2 "
        "(last failure: AssertionError: no)"
    )
    assert long.endswith("xxx…)")
    assert len(long) < 500


def test_who_is_stuck_is_told_so_too() -> None:
    with TestRuntime(workflows=[failing]) as runtime, pytest.raises(StuckError) as stuck:
        runtime.wait(runtime.execute_workflow(failing, "no money", id="it"), most_skips=20)

    assert "at attempt 14 (last failure: AssertionError: no money)" in str(stuck.value)
