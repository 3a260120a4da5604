"""Random updates to runs whose commits and reads fail, that are stopped, put away and crashed: everybody is told, and
each id has one outcome."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from greenroom import (
    ApplicationError,
    Future,
    GreenroomError,
    Supervision,
    WorkflowNotFoundError,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
    activity,
    workflow,
)
from greenroom.runtime.core.messages import MessageSkipped, UpdateReceived, decode_message
from greenroom.runtime.model.options import WorkflowExecutionStatus
from greenroom.storage import MemoryStore, check
from greenroom.testing import TestRuntime

SEEDS = 60
STEPS = 60
WAYS = ("at once", "an activity", "a sleep", "fails", "refused", "a bug", "a late bug", "the end")
WEIGHTS = (4, 4, 2, 1, 1, 1, 1, 0.3)

broken: set[str] = set()
"""Which bugs are in the code now."""


@activity.defn(name="failing updates: echo")
def echo(token: str) -> str:
    return token


@workflow.defn(name="failing updates")
class Booking:
    def __init__(self) -> None:
        if "start" in broken:
            raise LookupError("a bug in the start")
        self.taken: list[str] = []
        self.is_over = False

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.is_over)

    @workflow.update
    async def book(self, way: str, token: str) -> str:
        self.taken.append(token)
        match way:
            case "a bug":
                raise LookupError("in the first turn")
            case "fails":
                raise ApplicationError("no")
            case "an activity" | "a late bug":
                token = await workflow.execute_activity(echo, token)
                if way == "a late bug" and "late" in broken:
                    raise LookupError("in a later turn")
            case "a sleep":
                await asyncio.sleep(5)
            case "the end":
                self.is_over = True
            case _:
                pass
        return token

    @book.validator
    def check(self, way: str, token: str) -> None:
        if way == "refused":
            raise ValueError(f"refused {token}")

    @workflow.signal
    def poison(self) -> None:
        if "signal" in broken:
            raise LookupError("in a signal")

    @workflow.query
    def tokens(self) -> list[str]:
        return list(self.taken)


class Program:
    """One random program: what it asks of a runtime, and what it is told."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        broken.clear()
        self.asked: list[tuple[str, str, Future[Any]]] = []
        self.ways: dict[str, str] = {}
        self.told: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        self.runtime = TestRuntime(
            MemoryStore(),
            workflows=[Booking],
            activities=[echo],
            supervision=Supervision(max_restarts=self.random.choice([0, 1, 3])),
            evict_after_every_turn=seed % 2 == 0,
            shuffle=seed,
        )

    def take_a_step(self, number: int) -> None:
        """Do one of the things that can be done, the likely ones more often."""
        actions: list[tuple[Callable[[int], None], float]] = [
            (self._update, 30),
            (self._ask_for_an_outcome, 8),
            (self._poison, 4),
            (self._mend_or_break, 4),
            (self._resume, 3),
            (self._skip, 1),
            (self._terminate, 0.5),
            (self._fail_a_commit, 5),
            (self._fail_a_read, 2),
            (self._crash, 2),
            (self._let_time_pass, 2),
            (self._go_on, 30),
        ]
        chosen = self.random.choices([action for action, _ in actions], [weight for _, weight in actions])[0]
        chosen(number)
        self._hear()

    def _workflow(self) -> tuple[str, Any]:
        name = self.random.choice("ab")
        return name, self.runtime.get_workflow_handle(name)

    def _update(self, number: int) -> None:
        name, handle = self._workflow()
        if self.ways and self.random.random() < 0.5:
            update_id = self.random.choice(list(self.ways))
        else:
            update_id = f"u{number}"
            self.ways[update_id] = self.random.choices(WAYS, WEIGHTS)[0]
        call = ("book", self.ways[update_id], update_id)
        if self.random.random() < 0.5:
            self.asked.append((name, update_id, handle.execute_update(*call, id=update_id)))
            return
        stage = self.random.choice(list(WorkflowUpdateStage))
        started = handle.start_update(*call, id=update_id, wait_for_stage=stage)
        self.asked.append((name, "", started))

    def _ask_for_an_outcome(self, number: int) -> None:
        name, handle = self._workflow()
        if self.ways:
            update_id = self.random.choice(list(self.ways))
            self.asked.append((name, update_id, handle.get_update_handle(update_id).result()))

    def _poison(self, number: int) -> None:
        self._workflow()[1].signal("poison")

    def _mend_or_break(self, number: int) -> None:
        (broken.add if self.random.random() < 0.4 else broken.discard)(self.random.choice(["late", "signal", "start"]))

    def _resume(self, number: int) -> None:
        self._workflow()[1].resume()

    def _skip(self, number: int) -> None:
        self._workflow()[1].resume(skip=True)

    def _terminate(self, number: int) -> None:
        self._workflow()[1].terminate()

    def _fail_a_commit(self, number: int) -> None:
        self.runtime.store.fail_commit(self.random.randint(1, 3))

    def _fail_a_read(self, number: int) -> None:
        self.runtime.store.fail_read(self.random.randint(1, 5))

    def _crash(self, number: int) -> None:
        self._hear()
        self.runtime.crash()
        # Whoever waited has gone with the process.
        self._hear()
        self.asked.clear()

    def _let_time_pass(self, number: int) -> None:
        self.runtime.advance(self.random.choice([1, 6]))

    def _go_on(self, number: int) -> None:
        for _ in range(self.random.randint(1, 6)):
            if not self.runtime.step():
                self.runtime.perform_activity()

    def _hear(self) -> None:
        """Note what has been told, and by whom nothing is heard yet."""
        waiting: list[tuple[str, str, Future[Any]]] = []
        for name, update_id, future in self.asked:
            if not future.done():
                waiting.append((name, update_id, future))
            elif update_id:
                self._note(name, update_id, future)
        self.asked = waiting

    def _note(self, name: str, update_id: str, future: Future[Any]) -> None:
        error = future.exception()
        if error is None:
            self.told[name, update_id].add(f"gave {future.get()}")
        elif isinstance(error, WorkflowUpdateFailedError):
            self.told[name, update_id].add(f"failed: {error.cause}")
        else:
            assert isinstance(error, GreenroomError), error

    # How it ends.

    def settle(self) -> None:
        """Mend everything, and let all that is under way come to its end."""
        broken.clear()
        self.runtime.store.revive()
        for _ in range(12):
            for name in "ab":
                self.runtime.get_workflow_handle(name).resume()
            self.runtime.advance(200)
        self._hear()

    def judge(self) -> None:
        """Hold what was told against what the journal has."""
        for run in self.runtime.recorded():
            messages = [decode_message(turn.message) for turn in run.turns]
            if not any(isinstance(message, MessageSkipped) for message in messages):
                # What waited for a message that was skipped waits on.
                assert [each for each in self.asked if each[0] == run.header.workflow_id] == []
            ids = Counter(message.update_id for message in messages if isinstance(message, UpdateReceived))
            assert [update_id for update_id, turns in ids.items() if turns > 1] == []
        for (name, update_id), told in self.told.items():
            self._judge_update(name, update_id, told)
        assert check(self.runtime.hands.journal) == []

    def _judge_update(self, name: str, update_id: str, told: set[str]) -> None:
        handle = self.runtime.get_workflow_handle(name)
        described = self.runtime.wait(handle.describe())
        assert described.status is not WorkflowExecutionStatus.SUSPENDED
        gave = {outcome for outcome in told if outcome.startswith("gave")}
        # One that is refused may be sent again, and then be refused for something else; nothing else changes its mind.
        assert len(told) == 1 or self.ways[update_id] in ("refused", "a bug"), told
        if gave:
            again = handle.get_update_handle(update_id).result()
            self.runtime.run_until_idle()
            assert {f"gave {again.get()}"} == gave


def run_program(seed: int) -> None:
    """Run one, and judge it."""
    program = Program(seed)
    with program.runtime:
        try:
            for name in "ab":
                program.runtime.start_workflow(Booking.run, id=name)
            for number in range(STEPS):
                program.take_a_step(number)
            program.settle()
            program.judge()
        except WorkflowNotFoundError:
            # Neither of its starts got to disk.
            assert not program.told


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_update_is_answered_and_has_one_outcome_whatever_fails(seed: int) -> None:
    run_program(seed)
