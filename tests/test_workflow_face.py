"""The face that workflows are written against says where it can be used."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from greenroom.runtime import activity, workflow
from greenroom.runtime.model.errors import NotInWorkflowError
from greenroom.runtime.workflow_options import ActivityCallOptions


class Nothing:
    """Something to be awaited, of which Python does not warn if nobody does."""

    def __await__(self) -> Any:
        yield


OUTSIDE: dict[str, Callable[[], Any]] = {
    "start_activity": lambda: workflow.start_activity("a"),
    "info": workflow.info,
    "instance": workflow.instance,
    "memo": workflow.memo,
    "memo_value": lambda: workflow.memo_value("a", 1),
    "upsert_memo": lambda: workflow.upsert_memo({}),
    "upsert_search_attributes": lambda: workflow.upsert_search_attributes([]),
    "set_current_details": lambda: workflow.set_current_details("a"),
    "get_current_details": workflow.get_current_details,
    "now": workflow.now,
    "payload_converter": workflow.payload_converter,
    "time_ns": workflow.time_ns,
    "random": workflow.random,
    "uuid4": workflow.uuid4,
    "uuid7": workflow.uuid7,
    "side_effect": lambda: workflow.side_effect(int),
    "signal_channel": workflow.signal_channel,
    "set_signal_handler": lambda: workflow.set_signal_handler("a", print),
    "get_signal_handler": lambda: workflow.get_signal_handler("a"),
    "set_dynamic_signal_handler": lambda: workflow.set_dynamic_signal_handler(None),
    "get_dynamic_signal_handler": workflow.get_dynamic_signal_handler,
    "all_handlers_finished": workflow.all_handlers_finished,
    "as_completed": lambda: workflow.as_completed([Nothing()]),
    "gather": workflow.gather,
    "race": lambda: workflow.race(Nothing()),
    "resolved": lambda: workflow.resolved(1),
    "rejected": lambda: workflow.rejected(ValueError()),
    "new_lock": workflow.new_lock,
    "timeout": lambda: workflow.timeout(5),
}

AWAITED: dict[str, Callable[[], Any]] = {
    "execute_activity": lambda: workflow.execute_activity("a"),
    "sleep": lambda: workflow.sleep(1),
    "sleep_until": lambda: workflow.sleep_until(datetime.now(UTC)),
    "wait_condition": lambda: workflow.wait_condition(lambda: True),
    "wait": lambda: workflow.wait(list[asyncio.Future[None]]()),
    "wait_for": lambda: workflow.wait_for(Nothing(), 5),
    "timeout_at": lambda: workflow.timeout_at(datetime.now(UTC)).__aenter__(),
    "external signal": lambda: workflow.get_external_workflow_handle("other").signal("greet"),
}


@pytest.mark.parametrize("name", sorted(OUTSIDE))
def test_outside_a_workflow_it_says_so(name: str) -> None:
    with pytest.raises(NotInWorkflowError, match="no workflow is running here"):
        OUTSIDE[name]()


@pytest.mark.parametrize("name", sorted(AWAITED))
def test_in_another_event_loop_it_says_so(name: str) -> None:
    async def ask() -> None:
        assert not workflow.in_workflow()
        await AWAITED[name]()

    with pytest.raises(NotInWorkflowError, match="no workflow is running here"):
        asyncio.run(ask())


def test_nothing_here_is_a_workflow() -> None:
    assert not workflow.in_workflow()


def test_an_external_handle_needs_a_workflow_id() -> None:
    with pytest.raises(ValueError, match="workflow id is empty"):
        workflow.get_external_workflow_handle("")


def test_what_a_call_of_an_activity_can_say_its_declaration_can_say_too() -> None:
    # Which code it is, where that can run and what its failures mean are no options of a call.
    of_the_code = {"fn", "name", "aliases", "executor", "is_retryable", "no_thread_cancel_exception"}
    declared = set(inspect.signature(activity.defn).parameters) - of_the_code

    assert declared == set(ActivityCallOptions.__annotations__)
