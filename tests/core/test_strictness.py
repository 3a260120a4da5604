"""A run under a strict net, with a net that only counts: when it is spread, and what becomes of what it catches."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from greenroom import workflow
from greenroom.runtime.core.bugs import WorkflowBugError
from greenroom.runtime.core.execution import Execution
from greenroom.runtime.core.handler_table import HandlerError
from greenroom.runtime.core.strictness import StrictExecution, StrictLoop
from greenroom.runtime.model.errors import NondeterminismError, NondeterministicCallError
from tests.core.driving import Drive

CAUGHT = NondeterministicCallError("time.time", "app.py:7", "reads the clock", "workflow.now()")


class Net:
    """A net that watches nothing."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def know(self, module: str) -> None:
        self.log.append(f"know {module}")

    def spread(self, loop: StrictLoop) -> None:
        self.log.append("spread")

    def fold(self) -> None:
        self.log.append("fold")


def catch() -> None:
    """What the net does when workflow code calls what it must not."""
    loop = asyncio.get_running_loop()
    if isinstance(loop, StrictLoop) and not loop.is_open:
        loop.caught(CAUGHT)
        raise CAUGHT


@workflow.defn(name="strictness.flow")
class Flow:
    @workflow.run
    async def run(self, what: str) -> str:
        try:
            WAYS[what]()
        except NondeterministicCallError:
            await workflow.sleep(1)
        return "done"

    @workflow.query
    def ask(self) -> str:
        catch()
        return "asked"


def nothing() -> None:
    """Nothing is called."""


def unrestricted() -> None:
    with workflow.unsafe.sandbox_unrestricted():
        catch()


WAYS = {
    "catch": catch,
    "nothing": nothing,
    "side effect": lambda: workflow.side_effect(catch),
    "unrestricted": unrestricted,
}


class StrictDrive(Drive):
    """A drive of a run under a net."""

    net = Net()

    def fresh(self, target: Any = None) -> Execution:
        self.net = Net()
        return StrictExecution(self.started, self.definition, self.converter, self.failure_types, net=self.net)


def test_the_net_is_spread_for_each_turn_and_knows_whose_code_it_is() -> None:
    drive = StrictDrive(Flow, "nothing")

    drive.send(drive.started)

    assert drive.net.log == [f"know {__name__}", "spread", "fold"]
    assert drive.result == "done"


def test_the_net_stays_spread_for_many_turns_in_a_row() -> None:
    drive = StrictDrive(Flow, "nothing")

    with drive.execution.at_work():
        drive.send(drive.started)

    assert drive.net.log[1:] == ["spread", "fold"]


def test_what_it_catches_is_a_bug_though_the_code_catches_it_too() -> None:
    drive = StrictDrive(Flow, "catch")

    with pytest.raises(WorkflowBugError) as caught:
        drive.send(drive.started)

    assert caught.value.__cause__ is CAUGHT
    drive.put_away(drive.execution)


@pytest.mark.parametrize("what", ["side effect", "unrestricted"])
def test_what_is_recorded_or_opened_is_let_through(what: str) -> None:
    drive = StrictDrive(Flow, what)

    drive.send(drive.started)

    assert drive.result == "done"


def test_a_query_that_is_caught_is_the_callers_error_and_no_bug_of_the_run() -> None:
    drive = StrictDrive(Flow, "nothing")
    drive.send(drive.started)

    with pytest.raises(HandlerError) as caught:
        drive.execution.query("ask", drive.converter.encode_args(()))

    assert caught.value.__cause__ is CAUGHT
    assert not drive.execution.is_marred


def test_a_replay_that_differs_because_of_a_call_says_the_call() -> None:
    drive = StrictDrive(Flow, "catch")
    recorded = Drive(Flow, "nothing")
    turn = recorded.send(recorded.started)

    with pytest.raises(WorkflowBugError) as caught:
        drive.execution.replay(drive.started, drive.now_ns, turn)

    assert caught.value.__cause__ is CAUGHT
    drive.put_away(drive.execution)


def test_a_replay_that_differs_for_another_reason_says_the_difference() -> None:
    drive = StrictDrive(Flow, "nothing")

    with pytest.raises(NondeterminismError):
        drive.execution.replay(drive.started, drive.now_ns, [])
