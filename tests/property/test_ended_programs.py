"""However a program is ended, in whatever state it stands and whatever fails meanwhile: its history is what it was with
the end behind it, everyone who asked is answered, and the journal is sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, ClassVar

import pytest

from greenroom.actors import Future
from greenroom.runtime.core.messages import Message, RunTerminated, RunTimedOut
from greenroom.runtime.model.errors import GreenroomError
from greenroom.runtime.model.options import WorkflowExecutionStatus
from greenroom.storage import Turn, check
from greenroom.testing import TestRuntime, replay_every_prefix
from tests.property.programs import Program, case, mend

FEW = range(80)
MANY = range(len(FEW), 1100)
MOST_EVENTS = 14
ENDS: dict[type[Message], WorkflowExecutionStatus] = {
    RunTerminated: WorkflowExecutionStatus.TERMINATED,
    RunTimedOut: WorkflowExecutionStatus.TIMED_OUT,
}


@pytest.fixture(autouse=True)
def _leave_the_code_as_it_was() -> Iterator[None]:
    yield
    mend(mended=False)


class Ordeal:
    """A program and what is done to it, all of it decided by a seed."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)
        self.seed = seed
        self.runtime = TestRuntime(seed=seed, evict_after_every_turn=self.dice.random() < 0.4)
        self.futures: list[Future[Any]] = []
        self.turns: list[Turn] = []
        self.is_closed = False

    def run(self) -> None:
        """Start the program, do things to it, and see it ended."""
        dice = self.dice
        mend(mended=False)
        with self.runtime as runtime:
            timeout = round(dice.uniform(0.01, 40), 3) if dice.random() < 0.5 else None
            program = case(self.seed).program
            start = runtime.start_workflow(Program.run, program, id="program", run_timeout=timeout)
            self.ask(start)
            runtime.wait(start)
            self.handle = runtime.get_workflow_handle("program")
            for _ in range(dice.randint(2, MOST_EVENTS)):
                dice.choice(self.EVENTS)(self)
                self.go_on()
                self.look()
            self.end()
            self.judge()

    def ask(self, future: Future[Any]) -> None:
        self.futures.append(future)

    def go_on(self) -> None:
        """Let everything that can happen now happen, or a few turns in a commit each or together, or nothing."""
        runtime, dice = self.runtime, self.dice
        match dice.choice(("idle", "idle", "steps", "sweep", "nothing")):
            case "idle":
                runtime.run_until_idle()
            case "steps":
                for _ in range(dice.randint(1, 3)):
                    runtime.step()
            case "sweep":
                runtime.hands.dispatcher.sweep()
            case _:
                pass

    # What is done to it.

    def signal(self) -> None:
        name = self.dice.choice(("nudge", "nudge", "mail", "post"))
        self.ask(self.handle.signal(name, self.dice.randrange(100)))

    def break_down(self) -> None:
        self.ask(self.handle.signal("break_down", self.dice.choice((0, 0, self.dice.randrange(100)))))

    def break_and_terminate(self) -> None:
        self.break_down()
        self.go_on()
        self.terminate()

    def terminate(self) -> None:
        self.ask(self.handle.terminate(reason="it is enough"))

    def pass_time(self) -> None:
        self.runtime.advance(round(self.dice.uniform(0, 20), 3))

    def evict(self) -> None:
        self.runtime.hands.directory.evict()

    def fail_to_write(self) -> None:
        error = OSError(24, "too many open files") if self.dice.random() < 0.5 else None
        self.runtime.store.fail_commit(self.dice.randint(1, 3), error)

    def resume(self) -> None:
        self.ask(self.handle.resume())

    def mend_and_resume(self) -> None:
        mend(mended=True)
        self.resume()

    def wait_for_it(self) -> None:
        self.ask(self.handle.result())

    def look_at_it(self) -> None:
        self.ask(self.handle.describe())

    EVENTS: ClassVar[list[Callable[[Ordeal], None]]] = [
        *(signal, signal, break_down, break_and_terminate, terminate, pass_time, pass_time, evict),
        *(fail_to_write, fail_to_write, resume, mend_and_resume, wait_for_it, look_at_it),
    ]

    # How it ends.

    def look(self) -> None:
        """What was recorded stays recorded; an ended run gets no further turn."""
        (run,) = self.runtime.recorded()

        assert run.turns[: len(self.turns)] == self.turns
        assert not self.is_closed or run.turns == self.turns
        self.turns, self.is_closed = run.turns, run.header.closed_ns is not None

    def end(self) -> None:
        """Terminate it, as often as it takes if the disk refuses; it may also be ended already."""
        self.wait_for_it()
        while not self.is_closed:
            self.terminate()
            # As long as a run waits after a commit that failed, and more.
            self.runtime.advance(1)
            self.look()
        self.runtime.advance(3600)

    def judge(self) -> None:
        self.look()
        (run,) = self.runtime.recorded()
        status = WorkflowExecutionStatus(run.header.status)
        last = type(run.messages()[-1])

        assert status is ENDS.get(last, status)
        assert status not in ENDS.values() or last in ENDS
        assert run.header.turns == len(run.turns)
        assert [future for future in self.futures if not future.done()] == []
        for future in self.futures:
            error = future.exception()
            assert error is None or isinstance(error, GreenroomError), error
        assert check(self.runtime.hands.journal) == []
        mend(mended=True)
        assert replay_every_prefix(self.runtime) == len(run.turns) + 1


@pytest.mark.parametrize("seed", FEW)
def test_a_program_that_is_ended_in_any_state_keeps_its_history_and_answers_everyone(seed: int) -> None:
    Ordeal(seed).run()


@pytest.mark.slow
@pytest.mark.aside
def test_over_a_thousand_programs_ended_in_any_state_keep_their_histories() -> None:
    for seed in MANY:
        Ordeal(seed).run()
