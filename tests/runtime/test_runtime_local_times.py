"""Times of day at a place: instants, whatever the clocks there do meanwhile and whatever its rules are later."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest

from greenroom import workflow
from greenroom.actors import ManualClock
from greenroom.storage import MemoryStore
from greenroom.testing import TestRuntime

BERLIN = ZoneInfo("Europe/Berlin")
rules: dict[str, tzinfo] = {"Berlin": BERLIN}


@workflow.defn
async def mornings(days: int) -> list[str]:
    woken: list[str] = []
    for _ in range(days):
        day = workflow.now().astimezone(rules["Berlin"]).date() + timedelta(days=1)
        await workflow.sleep_until(datetime.combine(day, time(9), rules["Berlin"]))
        woken.append(f"{workflow.now():%d %H:%M}")
    return woken


@workflow.defn
async def at(when: datetime) -> str:
    await workflow.sleep_until(when)
    return workflow.now().astimezone(when.tzinfo).isoformat()


def on(day: datetime, store: MemoryStore | None = None) -> TestRuntime:
    clock = ManualClock(int(day.timestamp()) * 10**9)
    return TestRuntime(store, clock=clock, workflows=[mornings, at], evict_after_every_turn=True)


@pytest.mark.parametrize(
    ("begins", "woken"),
    [
        (datetime(2026, 3, 27, tzinfo=UTC), ["28 08:00", "29 07:00", "30 07:00"]),
        (datetime(2026, 10, 23, tzinfo=UTC), ["24 07:00", "25 08:00", "26 08:00"]),
    ],
    ids=["summer begins", "summer ends"],
)
def test_a_run_wakes_at_nine_of_a_place_whatever_its_clocks_do(begins: datetime, woken: list[str]) -> None:
    with on(begins) as runtime:
        assert runtime.wait(runtime.execute_workflow(mornings, 3)) == woken


@pytest.mark.parametrize(
    ("when", "is_at"),
    [
        (datetime(2026, 3, 29, 2, 30, tzinfo=BERLIN), "2026-03-29T03:30:00+02:00"),
        (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN), "2026-10-25T02:30:00+02:00"),
        (datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=BERLIN), "2026-10-25T02:30:00+01:00"),
    ],
    ids=["which is left out", "which comes twice", "which comes again"],
)
def test_a_time_of_day_is_the_instant_that_python_takes_it_for(when: datetime, is_at: str) -> None:
    with on(datetime(2026, 3, 1, tzinfo=UTC)) as runtime:
        assert runtime.wait(runtime.execute_workflow(at, when)) == is_at


def test_a_timer_stays_where_it_was_set_when_the_rules_of_a_place_are_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = MemoryStore()
    with on(datetime(2026, 6, 1, 12, tzinfo=UTC), store) as runtime:
        runtime.wait(runtime.start_workflow(mornings, 2, id="mornings"))
        runtime.run_until_idle()
    monkeypatch.setitem(rules, "Berlin", timezone(timedelta(hours=3)))

    with on(datetime(2026, 6, 1, 13, tzinfo=UTC), store) as runtime:
        assert runtime.wait(runtime.get_workflow_handle("mornings").result()) == ["02 07:00", "03 06:00"]
