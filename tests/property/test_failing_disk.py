"""Random programs whose commits and reads fail, whose runs are suspended, put away and crashed: nothing is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from greenroom import activity, workflow
from greenroom.actors import Future
from greenroom.runtime.core.commands import CancelActivity, Command, ScheduleActivity
from greenroom.runtime.core.messages import ActivityCompleted, ActivityFailed, Message, SignalReceived, decode_message
from greenroom.runtime.model.errors import GreenroomError
from greenroom.runtime.model.options import WorkflowExecutionStatus
from greenroom.runtime.model.payloads import Converter
from greenroom.runtime.model.retry import RetryPolicy
from greenroom.runtime.shell.dead_letters import UNREAD, UNSURE
from greenroom.storage import MemoryStore, check
from greenroom.testing import RecordedRun, TestRuntime

SEEDS = 60
STEPS = 150
MOST_WORKFLOWS = 6

dice = Random()
counted: Counter[tuple[str, int]] = Counter()
"""How often each attempt that is counted was made."""


@activity.defn(name="failing commits: at will")
def at_will() -> None:
    if dice.random() < 0.3:
        raise OSError("no luck")


@activity.defn(name="failing commits: three times", retry_policy=RetryPolicy(maximum_attempts=3))
def three_times() -> None:
    info = activity.info()
    counted[info.idempotency_key, info.attempt] += 1
    at_will()


@workflow.defn(name="failing commits")
class Busy:
    """Performs activities, some with a limit, naps, and stops at some signals until it is mended."""

    is_mended = False

    def __init__(self) -> None:
        self.pokes = 0

    @workflow.run
    async def run(self, rounds: int) -> None:
        for number in range(rounds):
            chosen = at_will if number % 2 else three_times
            try:
                await asyncio.wait_for(workflow.execute_activity(chosen), 3 if number % 3 == 0 else None)
            except Exception:
                # Out of attempts, or out of time: both are part of the programs.
                pass
            await workflow.sleep(1)
        try:
            await workflow.wait_condition(lambda: self.pokes >= 2, timeout=50)
        except TimeoutError:
            pass

    @workflow.signal
    def poke(self, token: str, hurts: bool) -> None:
        if hurts and not Busy.is_mended:
            raise KeyError(token)
        self.pokes += 1


class Program:
    """One random program: what it does to a runtime, and what it was promised."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        dice.seed(seed)
        counted.clear()
        Busy.is_mended = False
        self.ids: list[str] = []
        self.sent: dict[str, Future[Any]] = {}
        self.runtime = TestRuntime(
            MemoryStore(),
            workflows=[Busy],
            activities=[at_will, three_times],
            max_residents=2,
            evict_after_every_turn=seed % 2 == 0,
        )

    def take_a_step(self, number: int) -> None:
        """Do one of the things that can be done, the likely ones more often."""
        actions: list[tuple[Callable[[int], None], int]] = [
            (self._start, 10),
            (self._signal, 10),
            (self._resume, 5),
            (self._terminate, 2),
            (self._fail_the_next_commit, 13),
            (self._fail_a_read, 6),
            (self._crash, 3),
            (self._put_away, 3),
            (self._let_time_pass, 9),
            (self._perform, 10),
            (self._take_a_turn, 25),
            (self._take_a_sweep, 10),
            (self._close, 3),
        ]
        chosen = self.random.choices([action for action, _ in actions], [weight for _, weight in actions])[0]
        chosen(number)

    def _start(self, number: int) -> None:
        if len(self.ids) < MOST_WORKFLOWS:
            self.ids.append(f"w{len(self.ids)}")
            timeout = self.random.choice([None, 30])
            self.runtime.start_workflow(Busy.run, self.random.randint(0, 3), id=self.ids[-1], run_timeout=timeout)

    def _signal(self, number: int) -> None:
        if self.ids:
            handle = self.runtime.get_workflow_handle(self.random.choice(self.ids))
            self.sent[f"token {number}"] = handle.signal("poke", f"token {number}", self.random.random() < 0.3)

    def _resume(self, number: int) -> None:
        Busy.is_mended = self.random.random() < 0.5
        if self.ids:
            self.runtime.get_workflow_handle(self.random.choice(self.ids)).resume()

    def _terminate(self, number: int) -> None:
        if self.ids:
            self.runtime.get_workflow_handle(self.random.choice(self.ids)).terminate(reason="enough")

    def _fail_the_next_commit(self, number: int) -> None:
        self.runtime.store.fail_commit()

    def _fail_a_read(self, number: int) -> None:
        self.runtime.store.fail_read(self.random.randint(1, 3))

    def _crash(self, number: int) -> None:
        # A journal that cannot be read is not opened: that is another test.
        self.runtime.store.revive()
        self.runtime.crash()

    def _put_away(self, number: int) -> None:
        self.runtime.hands.directory.evict()

    def _let_time_pass(self, number: int) -> None:
        self.runtime.advance(self.random.choice([0.3, 1, 5]))

    def _perform(self, number: int) -> None:
        self.runtime.perform_activity()

    def _take_a_turn(self, number: int) -> None:
        self.runtime.step()

    def _take_a_sweep(self, number: int) -> None:
        # All that waits is in one commit, or in none.
        self.runtime.hands.dispatcher.sweep()

    def _close(self, number: int) -> None:
        # A journal that cannot be read is not checked: that is another test.
        self.runtime.store.revive()
        if self.random.random() < 0.5:
            self.runtime.store.fail_commit()
        self.runtime.close()
        self.runtime.store.revive()
        self.runtime.open()

    def acknowledged(self) -> list[str]:
        """The tokens of signals that somebody was told are safe."""
        return [token for token, future in self.sent.items() if future.done() and future.exception() is None]

    def end(self) -> None:
        """Mend everything, and let all go on until nothing is left to do."""
        Busy.is_mended = True
        self.runtime.store.revive()
        for each in self.ids:
            self.runtime.get_workflow_handle(each).resume()
        self.runtime.advance(400)


def token_of(message: Message) -> str | None:
    if not isinstance(message, SignalReceived):
        return None
    return str(Converter().decode_args(message.args, None)[0])


def tokens(runtime: TestRuntime, runs: list[RecordedRun]) -> Counter[str | None]:
    """Where each token lies: in a history, in a mailbox on disk or among the dead letters."""
    journal = runtime.hands.journal
    messages = [message for run in runs for message in run.messages()]
    messages += [decode_message(mail.message) for run in runs for mail in journal.mail(run.run_no)]
    # A signal that its run was told of and never read stands in the history too.
    letters = [
        letter for letter in journal.dead_letters() if not letter.reason.endswith((UNREAD.reason, UNSURE.reason))
    ]
    messages += [decode_message(letter.message) for letter in letters]
    return Counter(map(token_of, messages))


def must_be_marked(run: RecordedRun) -> bool:
    """Whether opening the journal has to bring the run back."""
    if run.header.closed_ns is not None:
        return False
    under_way: set[int] = set()
    for message, commands in zip(run.messages(), run.commands(), strict=True):
        if isinstance(message, ActivityCompleted | ActivityFailed):
            under_way.discard(message.id)
        for command in commands:
            _follow(command, under_way)
    return bool(under_way) or run.header.status == WorkflowExecutionStatus.SUSPENDED


def _follow(command: Command, under_way: set[int]) -> None:
    if isinstance(command, ScheduleActivity):
        under_way.add(command.id)
    elif isinstance(command, CancelActivity):
        under_way.discard(command.id)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_nothing_acknowledged_is_lost_and_nothing_is_there_twice(seed: int) -> None:
    program = Program(seed)
    with program.runtime as runtime:
        for number in range(STEPS):
            program.take_a_step(number)
        promised = program.acknowledged()
        program.end()

        runs = runtime.recorded()
        found = tokens(runtime, runs)
        marked = {run_no for _, run_no in runtime.hands.journal.active()}

        assert check(runtime.hands.journal) == []
        assert set(counted.values()) <= {1}
        assert {token: found[token] for token in promised} == dict.fromkeys(promised, 1)
        assert marked == {run.run_no for run in runs if must_be_marked(run)}
        assert [run.header.workflow_id for run in runs if run.header.closed_ns is None] == []


def test_the_programs_fail_commits_suspend_runs_and_acknowledge_signals(caplog: pytest.LogCaptureFixture) -> None:
    promised = 0
    for seed in range(10):
        program = Program(seed)
        with program.runtime:
            for number in range(STEPS):
                program.take_a_step(number)
            promised += len(program.acknowledged())
            program.end()

    assert "is suspended" in caplog.text
    assert "could not be written" in caplog.text
    assert promised > 10


def test_only_our_own_errors_are_told_to_callers() -> None:
    for seed in range(10):
        program = Program(seed)
        with program.runtime:
            for number in range(STEPS):
                program.take_a_step(number)
            program.end()

        errors = [future.exception() for future in program.sent.values() if future.done()]
        assert [error for error in errors if error is not None and not isinstance(error, GreenroomError)] == []
