"""Families of workflows whose commits and reads fail, that are suspended, put away, crashed and closed: nothing is lost
between them, and nothing is there twice."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Any, ClassVar

import pytest

from greenroom import Future, GreenroomError
from greenroom.testing import Crash, TestRuntime
from greenroom.testing.faults import When
from tests.property.families import mend, send, start
from tests.property.family_programs import IDS, MAIL, ROOTS, Event, case
from tests.property.family_verdicts import Verdict, token_of_event

FEW = range(60)
MANY = range(len(FEW), 200 * int(os.environ.get("FUZZ", "1")))
SWEPT = range(12)
MOST_STEPS = 60


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
        self.keyed: dict[Event, list[Future[Any]]] = {}
        self.runtime = TestRuntime(seed=seed, evict_after_every_turn=seed % 3 == 0)
        mend(mended=False)

    def run(self) -> None:
        """Do things to the workflows, and see all of them end."""
        with self.runtime:
            for _ in range(self.dice.randint(10, MOST_STEPS)):
                self.dice.choice(self.STEPS)(self)
            self.settle()
            Verdict(self.runtime, self.sent, self.keyed).judge()

    def ask(self, future: Future[Any]) -> None:
        self.asked.append(future)

    # What is done.

    def start(self) -> None:
        if self.roots:
            self.ask(start(self.runtime, self.roots.pop()))

    def send(self, kind: str, target: str) -> None:
        event = Event(0, kind, target, next(self.numbers))
        future = send(self.runtime, event)
        self.ask(future)
        if kind == "keyed":
            self.keyed[event] = [future]
        elif kind not in ("cancel", "terminate", "query"):
            self.sent[token_of_event(event)] = future

    def any_of(self, *kinds: str) -> None:
        self.send(self.dice.choice(kinds), self.dice.choice(IDS))

    def say(self) -> None:
        self.any_of("note", *MAIL, *MAIL, "renew", "later")

    def say_with_key(self) -> None:
        # Few live long enough to hear it again as another run of their chain: one that has just begun does.
        self.start()
        root = self.dice.choice(ROOTS)
        self.send("keyed", root)
        if self.dice.random() < 0.5:
            self.send("renew", root)
            self.say_again()

    def say_again(self) -> None:
        if self.keyed:
            event = self.dice.choice(list(self.keyed)[-2:])
            future = send(self.runtime, event)
            self.keyed[event].append(future)
            self.ask(future)

    def book(self) -> None:
        self.any_of("book", "query", "with_start")

    def stop(self) -> None:
        self.any_of("cancel", "cancel", "terminate")

    def break_down(self) -> None:
        # Only one that is open has a bug: most often these are.
        self.send("break_down", self.dice.choice(ROOTS))

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
            say_with_key,
            say_with_key,
            say_again,
            say_again,
            say_again,
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


def go_through(runtime: TestRuntime, seed: int) -> Verdict:
    """Run the workflows of a seed to their ends, and go on where a crash comes in between."""
    roots, events = case(seed)
    sent: dict[str, Future[Any]] = {}
    keyed: dict[Event, list[Future[Any]]] = {event: [] for event in events if event.kind == "keyed"}

    def do(event: Event) -> None:
        runtime.advance(event.seconds)
        future = send(runtime, event)
        if event in keyed:
            keyed[event].append(future)
        elif event.kind not in ("cancel", "terminate", "query"):
            sent[token_of_event(event)] = future
        runtime.run_until_idle()

    # Whoever has started a workflow, or sent with a key, and was not answered does it again.
    starts = [partial(start, runtime, root) for root in (*roots, *roots)]
    sends = [partial(do, event) for event in (*events, *keyed)]
    steps: list[Callable[[], object]] = [*starts, *sends, partial(runtime.advance, 10_000)]
    for step in steps:
        try:
            step()
            runtime.run_until_idle()
        except Crash:
            runtime.crash()
    runtime.advance(10_000)
    return Verdict(runtime, sent, keyed)


def is_sound_after_a_crash(seed: int, commit: int, when: When) -> bool:
    """Crash at a commit and judge what comes of it; False if there are not so many commits."""
    with TestRuntime(seed=seed) as runtime:
        runtime.leave_unwatched()
        runtime.store.crash_at_commit(commit, when)
        go_through(runtime, seed).judge()
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
    for seed in range(15, 36):
        ordeal = Ordeal(seed)
        ordeal.run()
        crashes += ordeal.runtime.crashes
        evictions += ordeal.runtime.evictions
        acknowledged += sum(future.done() and future.exception() is None for future in ordeal.sent.values())

    assert "could not be written" in caplog.text
    assert "is suspended" in caplog.text
    assert min(crashes, evictions, acknowledged) > 10
