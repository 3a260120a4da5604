"""``workflow.unsafe``: what a workflow can ask of the way in which it is run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from greenroom import NotInWorkflowError, workflow
from greenroom.testing import TestRuntime

SEEN: list[tuple[bool, bool]] = []


@workflow.defn(name="unsafe.asks")
class Asks:
    @workflow.run
    async def run(self) -> list[bool]:
        with workflow.unsafe.imports_passed_through():
            import colorsys
        assert colorsys.rgb_to_hsv(0, 0, 0) == (0, 0, 0)
        SEEN.append((workflow.unsafe.is_replaying(), workflow.unsafe.is_replaying_history_events()))
        condition: list[bool] = []

        def ask() -> bool:
            condition.append(workflow.unsafe.is_read_only())
            return True

        await workflow.wait_condition(ask)
        effect = workflow.side_effect(workflow.unsafe.is_read_only)
        await workflow.signal_channel().receive("go on")
        return [workflow.unsafe.is_read_only(), *condition, effect]

    @workflow.query
    def asked(self) -> list[bool]:
        unsafe = workflow.unsafe
        return [unsafe.is_replaying(), unsafe.is_replaying_history_events(), unsafe.is_read_only()]


def test_a_workflow_can_tell_whether_it_is_replayed_and_a_query_is_no_part_of_that() -> None:
    SEEN.clear()
    with TestRuntime(evict_after_every_turn=True) as runtime:
        run = runtime.start_workflow(Asks.run).get()

        assert run.query(Asks.asked).get() == [False, False, True]

    assert SEEN[:2] == [(False, False), (True, True)]


def test_a_workflow_can_tell_whether_it_may_only_read() -> None:
    with TestRuntime() as runtime:
        run = runtime.start_workflow(Asks.run).get()
        run.signal("go on").get()

        assert run.result().get() == [False, True, True]


@pytest.mark.parametrize(
    "ask", [workflow.unsafe.is_replaying, workflow.unsafe.is_replaying_history_events, workflow.unsafe.is_read_only]
)
def test_outside_a_workflow_there_is_nothing_to_ask(ask: Callable[[], bool]) -> None:
    with pytest.raises(NotInWorkflowError):
        ask()
