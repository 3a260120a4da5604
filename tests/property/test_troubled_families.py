"""Families of workflows whose commits and reads fail, that are suspended, put away, crashed and closed: nothing is lost
between them, and nothing is there twice."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Any, ClassVar

import pytest

from greenroom import Future, GreenroomError, ParentClosePolicy, WorkflowExecutionStatus
from greenroom.runtime.core.commands import RecordSideEffect, SignalExternal, SignalWithStart, StartChild
from greenroom.runtime.core.messages import (
    ActivityCompleted,
    ActivityFailed,
    CancelRequested,
    ChildCancelRequested,
    ChildCompleted,
    ChildFailed,
    ChildStarted,
    ChildStartFailed,
    ExternalCancelResolved,
    ExternalSignalResolved,
    Message,
    RunTerminated,
    RunTimedOut,
    SignalReceived,
    TimerFired,
    UpdateReceived,
    WorkflowStarted,
    decode_message,
)
from greenroom.runtime.model.payloads import Converter
from greenroom.runtime.model.run_facts import decode_facts
from greenroom.runtime.shell.outcomes import Outcome
from greenroom.storage import check
from greenroom.testing import Crash, RecordedRun, TestRuntime
from greenroom.testing.faults import When
from tests.property.families import IDS, MAIL, ROOTS, Event, case, mend, replay_all, send, start

FEW = range(60)
MANY = range(len(FEW), 200 * int(os.environ.get("FUZZ", "1")))
SWEPT = range(12)
MOST_STEPS = 60
SECOND_NS = 1_000_000_000
ENDS = RunTerminated, RunTimedOut
OUTCOMES = (
    *(ActivityCompleted, ActivityFailed, TimerFired, ExternalSignalResolved, ExternalCancelResolved),
    *(ChildStarted, ChildStartFailed, ChildCompleted, ChildFailed, ChildCancelRequested),
)
COMPLETED = WorkflowExecutionStatus.COMPLETED

converter = Converter()


@pytest.fixture(autouse=True)
def _leave_the_code_as_it_was() -> Iterator[None]:
    yield
    mend(mended=False)


class Ordeal:
    """Workflows and what is done to them, all of it decided by a seed."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)
        self.roots = list(case(seed).roots)
        self.numbers = iter(range(10_000))
        self.asked: list[Future[Any]] = []
        self.sent: dict[str, Future[Any]] = {}
        self.runtime = TestRuntime(seed=seed, evict_after_every_turn=seed % 3 == 0)
        mend(mended=False)

    def run(self) -> None:
        """Do things to the workflows, and see all of them end."""
        with self.runtime:
            for _ in range(self.dice.randint(10, MOST_STEPS)):
                self.dice.choice(self.STEPS)(self)
            self.settle()
            Verdict(self.runtime, self.sent).judge()

    def ask(self, future: Future[Any]) -> None:
        self.asked.append(future)

    # What is done.

    def start(self) -> None:
        if self.roots:
            self.ask(start(self.runtime, self.roots.pop()))

    def send(self, *kinds: str) -> None:
        kind, number = self.dice.choice(kinds), next(self.numbers)
        future = send(self.runtime, Event(0, kind, self.dice.choice(IDS), number))
        self.ask(future)
        if kind not in ("cancel", "terminate", "query"):
            self.sent[f"client {number:04}"] = future

    def say(self) -> None:
        self.send("note", *MAIL, *MAIL, "renew", "later")

    def book(self) -> None:
        self.send("book", "query", "with_start")

    def stop(self) -> None:
        self.send("cancel", "cancel", "terminate")

    def break_down(self) -> None:
        # Only one that is open has a bug: most often these are.
        number = next(self.numbers)
        future = send(self.runtime, Event(0, "break_down", self.dice.choice(ROOTS), number))
        self.ask(future)
        self.sent[f"client {number:04}"] = future

    def suspend(self) -> None:
        self.ask(self.handle().suspend("for a while"))

    def resume(self) -> None:
        mend(mended=self.dice.random() < 0.5)
        self.ask(self.handle().resume())

    def wait_for_it(self) -> None:
        self.ask(self.handle().result())

    def handle(self) -> Any:
        return self.runtime.get_workflow_handle(self.dice.choice(IDS))

    def take_turns(self) -> None:
        for _ in range(self.dice.randint(1, 8)):
            if not self.runtime.step():
                self.runtime.perform_activity()

    def take_a_sweep(self) -> None:
        # All that waits is in one commit, or in none.
        self.runtime.hands.dispatcher.sweep()

    def let_time_pass(self) -> None:
        self.runtime.advance(self.dice.choice((0.1, 1, 4)))

    def evict(self) -> None:
        self.runtime.hands.directory.evict()

    def fail_to_write(self) -> None:
        self.runtime.store.fail_commit(self.dice.randint(1, 3))

    def fail_to_read(self) -> None:
        self.runtime.store.fail_read(self.dice.randint(1, 5))

    def crash(self) -> None:
        # A journal that cannot be read is not opened: that is another test.
        self.runtime.store.revive()
        self.runtime.crash()
        # Whoever waited has gone with the process.
        self.asked = [future for future in self.asked if future.done()]

    def close(self) -> None:
        self.runtime.store.revive()
        if self.dice.random() < 0.3:
            self.runtime.store.fail_commit()
        self.runtime.close()
        self.runtime.store.revive()
        self.runtime.open()

    STEPS: ClassVar[list[Callable[[Ordeal], None]]] = [
        *(
            start,
            start,
            say,
            say,
            say,
            say,
            say,
            book,
            book,
            stop,
            break_down,
            break_down,
            suspend,
            resume,
            resume,
            wait_for_it,
        ),
        *(take_turns, take_turns, take_turns, take_turns, take_a_sweep, take_a_sweep, take_a_sweep),
        *(let_time_pass, let_time_pass, let_time_pass, evict, fail_to_write, fail_to_write, fail_to_read, crash, close),
    ]

    # How it ends.

    def settle(self) -> None:
        """Mend everything, and let all that is under way come to its end."""
        self.runtime.store.revive()
        self.runtime.run_until_idle()
        mend(mended=True)
        for _ in range(20):
            waiting = [run.header for run in self.runtime.recorded() if run.header.closed_ns is None]
            if not waiting:
                break
            for header in waiting:
                self.ask(self.runtime.get_workflow_handle(header.workflow_id, run_id=header.run_id).resume())
            self.runtime.advance(1000)
        self.runtime.run_until_idle()
        assert [future for future in self.asked if not future.done()] == []
        errors = [error for future in self.asked if (error := future.exception()) is not None]
        # A suspended run cannot be suspended: that is a ValueError.
        assert [error for error in errors if not isinstance(error, (GreenroomError, ValueError))] == []


class Verdict:
    """Holds what was told against what the journal has."""

    def __init__(self, runtime: TestRuntime, sent: dict[str, Future[Any]]) -> None:
        self.runtime = runtime
        self.sent = sent
        self.runs = runtime.recorded()
        self.messages = {run.run_no: run.messages() for run in self.runs}
        self.commands = {run.run_no: [each for turn in run.commands() for each in turn] for run in self.runs}
        self.read = self.tokens_read()
        self.lost = self.dead_letters()

    def judge(self) -> None:
        assert check(self.runtime.hands.journal) == []
        assert [run.header.workflow_id for run in self.runs if run.header.closed_ns is None] == []
        self.judge_outcomes()
        self.judge_chains()
        self.judge_children()
        self.judge_messages()
        self.judge_order()
        replay_all(self.runtime)

    # Words.

    def tokens_read(self) -> Counter[str]:
        """How often each token was taken or read by the code of a run."""
        commands = (command for commands in self.commands.values() for command in commands)
        values = (command.value for command in commands if isinstance(command, RecordSideEffect))
        return Counter(converter.decode(value, list[str])[1] for value in values)

    def dead_letters(self) -> Counter[str]:
        letters = (decode_message(letter.message) for letter in self.runtime.hands.journal.dead_letters())
        return Counter(token_of(letter) for letter in letters)

    def judge_messages(self) -> None:
        """What somebody was told is safe was taken once, or is a dead letter."""
        told_last = self.told_last()
        for token, future in self.sent.items():
            found = self.read[token] + self.lost[token]
            assert found <= 1, token
            if future.done() and future.exception() is None:
                assert found == 1 or token in told_last, token
        for run in self.runs:
            messages = self.messages[run.run_no]
            answers = {each.id: each for each in messages if isinstance(each, ExternalSignalResolved)}
            for command in self.commands[run.run_no]:
                if not isinstance(command, (SignalExternal, SignalWithStart)):
                    continue
                token = converter.decode_args(command.args, None)[0]
                found = self.read[token] + self.lost[token]
                answer = answers.get(command.id)
                assert found <= 1, token
                if answer is not None:
                    assert found == (answer.failure is None) or token in told_last, (token, answer)

    def told_last(self) -> set[str]:
        """What runs were told that were then ended without their code: nobody knows what it has not read."""
        ended = (messages for messages in self.messages.values() if messages and isinstance(messages[-1], ENDS))
        return {token_of(message) for messages in ended for message in messages if isinstance(message, SignalReceived)}

    def judge_order(self) -> None:
        """What one sender says by one name is read in the order in which it was said, by whatever run of a chain."""
        said: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
        for run in self.runs:
            for command in self.commands[run.run_no]:
                if isinstance(command, RecordSideEffect):
                    name, token = converter.decode(command.value, list[str])
                    if name in MAIL:
                        said[run.header.first_run_id, name, token.split()[0]].append(token)
        for words in said.values():
            assert words == sorted(words)

    # Runs.

    def judge_outcomes(self) -> None:
        """A run begins once, and hears once of each thing that it has asked for."""
        for messages in self.messages.values():
            assert not any(isinstance(each, WorkflowStarted) for each in messages[1:])
            heard = Counter((type(each), each.id) for each in messages if isinstance(each, OUTCOMES))
            assert set(heard.values()) <= {1}

    def judge_chains(self) -> None:
        """Each run is followed by one other, or by none; an id has one open run at a time."""
        following = Counter(
            each.origin.continued_run_id
            for messages in self.messages.values()
            for each in messages[:1]
            if isinstance(each, WorkflowStarted) and each.origin is not None and each.origin.continued_run_id
        )
        for run in self.runs:
            next_run_id = decode_facts(run.header.facts).next_run_id
            is_continued = run.header.status == WorkflowExecutionStatus.CONTINUED_AS_NEW
            assert following[run.header.run_id] <= bool(next_run_id)
            assert not is_continued or next_run_id
        last: dict[str, RecordedRun] = {}
        for run in self.runs:
            before = last.get(run.header.workflow_id)
            assert before is None or (before.header.closed_ns or 0) <= run.header.started_ns
            last[run.header.workflow_id] = run

    def judge_children(self) -> None:
        chains: defaultdict[tuple[int, int], list[RecordedRun]] = defaultdict(list)
        for run in self.runs:
            facts = decode_facts(run.header.facts)
            if facts.parent_run_no:
                chains[facts.parent_run_no, facts.parent_item].append(run)
        for parent in self.runs:
            for command in self.commands[parent.run_no]:
                if isinstance(command, StartChild):
                    self.judge_child(parent, command, chains.pop((parent.run_no, command.id), []))
        assert chains == {}

    def judge_child(self, parent: RecordedRun, command: StartChild, chain: list[RecordedRun]) -> None:
        """A child was started once or not at all, was heard once, and went the way of its parent."""
        told = [each for each in self.messages[parent.run_no] if getattr(each, "id", None) == command.id]
        ends = [each for each in told if isinstance(each, (ChildCompleted, ChildFailed))]
        failed = any(isinstance(each, ChildStartFailed) for each in told)
        assert len({run.header.first_run_id for run in chain}) <= (not failed)
        assert len(ends) <= len(chain[:1])
        if not chain:
            return
        last, parent_closed_ns = chain[-1], parent.header.closed_ns or 0
        outcome, closed_ns = Outcome.decode(last.header.outcome), last.header.closed_ns or 0
        for end in ends:
            assert isinstance(end, ChildCompleted) is (last.header.status == COMPLETED)
            assert not isinstance(end, ChildCompleted) or end.result == outcome.result
        if closed_ns < parent_closed_ns + SECOND_NS:
            return
        heard = [each for run in chain for each in self.messages[run.run_no]]
        match command.options.parent_close_policy:
            case ParentClosePolicy.TERMINATE:
                raise AssertionError(f"{last.header.workflow_id} is left behind by {parent.header.workflow_id}")
            case ParentClosePolicy.REQUEST_CANCEL:
                # One that ends in its first turn has not come to it.
                assert len(last.turns) == 1 or any(isinstance(each, (CancelRequested, *ENDS)) for each in heard)
            case ParentClosePolicy.ABANDON:
                pass


def token_of(message: Message) -> str:
    """What a signal or an update says first."""
    assert isinstance(message, (SignalReceived, UpdateReceived))
    return str(converter.decode_args(message.args, None)[0])


def go_through(runtime: TestRuntime, seed: int) -> dict[str, Future[Any]]:
    """Run the workflows of a seed to their ends, and go on where a crash comes in between."""
    roots, events = case(seed)
    sent: dict[str, Future[Any]] = {}

    def do(event: Event) -> None:
        runtime.advance(event.seconds)
        future = send(runtime, event)
        if event.kind not in ("cancel", "terminate", "query"):
            sent[f"client {event.value:04}"] = future
        runtime.run_until_idle()

    # Whoever has started a workflow and was not answered does it again.
    steps = [partial(start, runtime, root) for root in (*roots, *roots)] + [partial(do, event) for event in events]
    for step in (*steps, partial(runtime.advance, 10_000)):
        try:
            step()
            runtime.run_until_idle()
        except Crash:
            runtime.crash()
    runtime.advance(10_000)
    return sent


def is_sound_after_a_crash(seed: int, commit: int, when: When) -> bool:
    """Crash at a commit and judge what comes of it; False if there are not so many commits."""
    with TestRuntime(seed=seed) as runtime:
        runtime.leave_unwatched()
        runtime.store.crash_at_commit(commit, when)
        sent = go_through(runtime, seed)
        Verdict(runtime, sent).judge()
        return runtime.crashes > 0


@pytest.mark.parametrize("seed", FEW)
def test_whatever_fails_families_end_with_every_word_heard_once_and_in_order(seed: int) -> None:
    Ordeal(seed).run()


@pytest.mark.slow
@pytest.mark.aside
def test_hundreds_of_families_end_so() -> None:
    for seed in MANY:
        Ordeal(seed).run()


@pytest.mark.slow
@pytest.mark.aside
def test_families_that_crash_at_any_commit_end_so() -> None:
    points = 0
    for seed in SWEPT:
        commit = 1
        while is_sound_after_a_crash(seed, commit, "before"):
            assert is_sound_after_a_crash(seed, commit, "after")
            commit += 1
            points += 2
    assert points > 100


def test_the_ordeals_lose_commits_suspend_runs_and_bring_them_back(caplog: pytest.LogCaptureFixture) -> None:
    crashes = evictions = acknowledged = 0
    for seed in range(15, 30):
        ordeal = Ordeal(seed)
        ordeal.run()
        crashes += ordeal.runtime.crashes
        evictions += ordeal.runtime.evictions
        acknowledged += sum(future.done() and future.exception() is None for future in ordeal.sent.values())

    assert "could not be written" in caplog.text
    assert "is suspended" in caplog.text
    assert min(crashes, evictions, acknowledged) > 10
