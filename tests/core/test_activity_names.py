"""Two activities under one name: if nobody has listed which one is meant, a reference to the other is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from greenroom.runtime import workflow
from greenroom.runtime.core.bugs import WorkflowBugError
from greenroom.runtime.core.commands import ScheduleActivity
from greenroom.runtime.model.activity_definition import ActivityDefinition, declare, define_activity, definitions_of
from greenroom.runtime.model.errors import NotRegisteredError
from greenroom.runtime.model.registry import Registry
from tests.core.driving import Drive

Start = Callable[..., Drive]


def send(text: str) -> str:
    return f"by mail: {text}"


class Sms:
    """What sends otherwise."""

    def send(self, text: str) -> str:
        return f"by sms: {text}"


BY_MAIL, BY_SMS = define_activity(send), define_activity(Sms.send)
declare(send, BY_MAIL)
declare(Sms.send, BY_SMS)


def declared(*definitions: ActivityDefinition) -> Registry[ActivityDefinition]:
    """Everything that was declared, in this order."""
    registry: Registry[ActivityDefinition] = Registry("activity", is_listed=False)
    for each in definitions:
        registry.add(each)
    return registry


BY_SMS_LAST = declared(BY_MAIL, BY_SMS)
BY_SMS_OF_ONE = declared(*definitions_of(Sms()))


@workflow.defn
async def sending() -> None:
    await workflow.execute_activity(send, "x")


@workflow.defn
async def swallowing() -> None:
    try:
        await workflow.execute_activity(send, "x")
    except ValueError:
        await workflow.sleep(1)


@workflow.defn
async def sending_by_sms() -> None:
    await workflow.execute_activity(Sms().send, "x")


@workflow.defn
async def sending_by_name() -> None:
    await workflow.execute_activity("send", "x")


def test_a_reference_to_one_that_another_has_taken_the_name_of_is_a_bug_that_names_both_places(drive: Start) -> None:
    run = drive(sending, start=False, activities=BY_SMS_LAST)

    with pytest.raises(WorkflowBugError) as caught:
        run.send(run.started)

    assert str(caught.value) == (
        f"the workflow refers to activity 'send' of {__name__}.send, and what would be performed under that name is "
        f"{__name__}.Sms.send; give one of the two another name with @activity.defn(name=…), or list those that belong "
        "to the runtime with activities=[…]"
    )


@pytest.mark.parametrize("target", [sending, swallowing])
def test_it_is_a_bug_whatever_the_code_catches_and_whatever_fails_a_run(drive: Start, target: Any) -> None:
    run = drive(target, start=False, activities=BY_SMS_LAST, failure_types=(Exception,))

    with pytest.raises(WorkflowBugError, match="refers to activity 'send'"):
        run.send(run.started)


@pytest.mark.parametrize(
    ("target", "activities"),
    [
        (sending, declared(BY_SMS, BY_MAIL)),
        (sending, declared(BY_MAIL, define_activity(send))),
        (sending, None),
        (sending_by_sms, BY_SMS_OF_ONE),
        (sending_by_name, BY_SMS_OF_ONE),
    ],
    ids=["the last", "a reloaded one", "not known", "of an instance", "by name"],
)
def test_a_reference_to_what_will_be_performed_is_scheduled(drive: Start, target: Any, activities: Any) -> None:
    run = drive(target, activities=activities)

    assert [each.name for each in run.all_of(ScheduleActivity)] == ["send"]


@pytest.mark.parametrize("target", [sending, sending_by_name])
@pytest.mark.parametrize("activities", [declared(), Registry("activity"), declared(BY_SMS)])
def test_what_nobody_would_perform_is_a_bug_that_names_what_there_is(
    drive: Start, target: Any, activities: Registry[ActivityDefinition]
) -> None:
    run = drive(target, start=False, activities=activities, failure_types=(Exception,))

    with pytest.raises(WorkflowBugError) as caught:
        run.send(run.started)

    assert "'send'" in str(caught.value)
    assert isinstance(caught.value.__cause__, (NotRegisteredError, ValueError))


def test_what_the_history_has_is_repeated_though_nobody_would_perform_it(drive: Start) -> None:
    run = drive(sending)
    run.activities = declared()

    again = run.replayed()

    assert sorted(again.pending) == [1]
    run.put_away(again)
    run.activities = None


def test_what_the_history_has_is_repeated_though_another_has_taken_the_name(drive: Start) -> None:
    run = drive(sending)
    run.activities = BY_SMS_LAST

    again = run.replayed()

    assert sorted(again.pending) == [1]
    run.put_away(again)
    run.activities = None
