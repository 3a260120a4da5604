"""An activity that has got another name: what was scheduled under the old one is the same activity."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from greenroom import NondeterminismError, activity, workflow
from greenroom.runtime.core.commands import ScheduleActivity
from greenroom.runtime.model.activity_definition import ActivityDefinition, definitions_of
from greenroom.runtime.model.registry import Registry
from tests.core.driving import Drive

Start = Callable[..., Drive]


@activity.defn(name="renamed.charge")
def charge(cents: int) -> int:
    return cents


@activity.defn(name="renamed.charge_card", aliases=["renamed.pay", "renamed.charge"])
def charge_card(cents: int) -> int:
    return cents


NOTHING: Registry[ActivityDefinition] = Registry("activity")
KNOWN: Registry[ActivityDefinition] = Registry("activity", definitions_of(charge_card))


def asking(called: Any, *, takes_back: bool = False) -> Any:
    @workflow.defn(name="renamed.workflow")
    async def ask() -> list[int]:
        first = workflow.start_activity(called, 0, result_type=int) if takes_back else None
        handles = [workflow.start_activity(called, number, result_type=int) for number in range(3)]
        if first is not None:
            first.cancel()
        return list(await asyncio.gather(*handles))

    return ask


@pytest.mark.parametrize("takes_back", [False, True])
@pytest.mark.parametrize("called", [charge_card, "renamed.charge_card", "renamed.pay"], ids=str)
def test_what_was_scheduled_under_an_alias_is_the_same_under_each_other_name(
    drive: Start, called: Any, takes_back: bool
) -> None:
    run = drive(asking(charge, takes_back=takes_back))
    run.activities = KNOWN

    replayed = run.replayed(target=asking(called, takes_back=takes_back))

    assert replayed.asked() == run.last
    assert {each.name for each in run.all_of(ScheduleActivity)} == {"renamed.charge"}
    run.put_away(replayed)
    run.activities = None


def test_a_reference_knows_its_aliases_where_nobody_performs_it(drive: Start) -> None:
    run = drive(asking(charge))
    run.activities = NOTHING

    run.put_away(run.replayed(target=asking(charge_card)))

    run.activities = None


def test_what_is_scheduled_now_is_recorded_under_the_new_name(drive: Start) -> None:
    run = drive(asking(charge_card), activities=KNOWN)

    assert {each.name for each in run.all_of(ScheduleActivity)} == {"renamed.charge_card"}


def test_another_name_that_is_no_alias_is_a_difference(drive: Start) -> None:
    run = drive(asking("renamed.refund"))
    run.activities = KNOWN

    with pytest.raises(NondeterminismError):
        run.replayed(target=asking(charge_card))

    run.activities = None
