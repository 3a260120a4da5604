"""Runs that are put away and come back: nobody can tell, however few of them fit in memory."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from greenroom import Runtime, workflow
from greenroom.runtime.activity import defn as activity_defn
from greenroom.runtime.model.errors import ApplicationError
from greenroom.runtime.shell.directory import Directory
from greenroom.testing import TestRuntime
from tests.runtime.rig import WAIT, python

RING = 7


@activity_defn
def stamp(text: str) -> str:
    return f"{text}!"


@workflow.defn
class Node:
    """Passes a token to the next of the ring until it has gone round often enough, then ends."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.misses = 0

    @workflow.run
    async def run(self, number: int, rounds: int) -> tuple[list[int], int]:
        after = workflow.get_external_workflow_handle(f"node-{(number + 1) % RING}")
        taken = 0
        while taken < rounds:
            await workflow.wait_condition(partial(self._has_more_than, taken))
            token = self.tokens[taken]
            taken += 1
            try:
                await after.signal("token", token + 1)
            except ApplicationError:
                self.misses += 1
        return self.tokens, self.misses

    def _has_more_than(self, taken: int) -> bool:
        return len(self.tokens) > taken

    @workflow.signal
    def token(self, token: int) -> None:
        self.tokens.append(token)


@workflow.defn
class Mailer:
    """Tells somebody who may be ending just now, and says whether that was heard."""

    @workflow.run
    async def run(self, to: str, number: int) -> bool:
        try:
            await workflow.get_external_workflow_handle(to).signal("hello", number)
        except ApplicationError:
            return False
        return True


@workflow.defn
class Listener:
    """Hears a few, then ends."""

    def __init__(self) -> None:
        self.heard: list[int] = []

    @workflow.run
    async def run(self, enough: int) -> list[int]:
        await workflow.wait_condition(lambda: len(self.heard) >= enough)
        return self.heard

    @workflow.signal
    def hello(self, number: int) -> None:
        self.heard.append(number)


@workflow.defn
class Poker:
    """Passes on what it is told, and counts."""

    def __init__(self) -> None:
        self.poked = 0

    @workflow.run
    async def run(self, enough: int) -> int:
        await workflow.wait_condition(lambda: self.poked >= enough)
        return self.poked

    @workflow.signal
    async def poke(self, to: str, number: int) -> None:
        if to:
            await workflow.get_external_workflow_handle(to).signal("hello", number)
        self.poked += 1


@workflow.defn
class Worker:
    @workflow.run
    async def run(self, name: str) -> list[str]:
        done: list[str] = []
        while len(done) < 3:
            done.append(await workflow.execute_activity(stamp, f"{name}{len(done)}"))
            await workflow.sleep(60)
        return done


def make(**options: Any) -> TestRuntime:
    return TestRuntime(workflows=[Node, Mailer, Listener, Poker, Worker], activities=[stamp], **options)


def steps(runtime: TestRuntime) -> Callable[[], bool]:
    return runtime.hands.dispatcher.step


def sweeps(runtime: TestRuntime) -> Callable[[], bool]:
    return runtime.hands.dispatcher.sweep


DRIVERS = pytest.mark.parametrize("driver", [steps, sweeps])


@DRIVERS
@pytest.mark.parametrize("max_residents", [1, 2, 3, 5, 1000])
def test_tokens_go_round_a_ring_of_runs_that_do_not_fit_in_memory(
    max_residents: int, driver: Callable[[TestRuntime], Callable[[], bool]]
) -> None:
    rounds = 5
    with make(max_residents=max_residents) as runtime:
        nodes = [runtime.start_workflow(Node.run, n, rounds, id=f"node-{n}") for n in range(RING)]
        drive = driver(runtime)
        while drive():
            pass
        # Two tokens go round at a time, so that several runs take a turn in one sweep.
        clients = [nodes[place].get().signal("token", 0) for place in (0, 3)]
        while drive():
            pass
        clients += [nodes[0].get().signal("token", 0) for _ in range(rounds)]
        while drive():
            pass

        results = [runtime.wait(node.get().result()) for node in nodes]

        sent = rounds * RING + sum(client.exception() is None for client in clients)
        heard = sum(len(tokens) for tokens, _ in results)
        missed = sum(misses for _, misses in results)
        assert heard + missed + len(runtime.hands.journal.dead_letters()) == sent
        assert all(len(tokens) >= rounds for tokens, _ in results)


@DRIVERS
@pytest.mark.parametrize("max_residents", [1, 2, 3, 1000])
def test_who_is_told_that_a_run_heard_it_was_heard(
    max_residents: int, driver: Callable[[TestRuntime], Callable[[], bool]]
) -> None:
    with make(max_residents=max_residents) as runtime:
        listeners = [runtime.start_workflow(Listener.run, 3, id=f"listener-{n}") for n in range(3)]
        drive = driver(runtime)
        mailers = [runtime.start_workflow(Mailer.run, f"listener-{n % 3}", n, id=f"mailer-{n}") for n in range(24)]
        while drive():
            pass

        heard = [number for listener in listeners for number in runtime.wait(listener.get().result())]
        told = [n for n, mailer in enumerate(mailers) if runtime.wait(mailer.get().result())]
        dead = runtime.hands.journal.dead_letters()

        assert len(heard) == 9
        assert set(heard) <= set(told)
        assert len(told) == len(heard) + len(dead)


def test_a_run_with_mail_that_is_not_on_disk_yet_stays_in_memory() -> None:
    pokes = ["listener-0", "", "", "", "", "listener-1", "listener-0", "", "", "", "listener-2", "listener-0"]
    with make(max_residents=1) as runtime:
        listeners = [runtime.wait(runtime.start_workflow(Listener.run, 4, id=f"listener-{n}")) for n in range(3)]
        poker = runtime.wait(runtime.start_workflow(Poker.run, len(pokes), id="poker"))
        for number, to in enumerate(pokes):
            poker.signal(Poker.poke, to, number)

        while runtime.hands.dispatcher.sweep():
            pass
        runtime.wait(listeners[0].signal("hello", 99))

        assert runtime.wait(poker.result()) == len(pokes)
        heard = runtime.wait(listeners[0].result())
        assert sorted(heard) == [0, 6, 11, 99]


def test_a_run_that_ends_in_the_open_sweep_is_known_to_have_ended() -> None:
    with make(max_residents=1) as runtime:
        ending = runtime.wait(runtime.start_workflow(Listener.run, 1, id="ending"))
        runtime.wait(runtime.start_workflow(Listener.run, 1, id="other"))
        poker = runtime.wait(runtime.start_workflow(Poker.run, 99, id="poker"))
        ending.signal("hello", 0)
        for number, to in enumerate(["", "", "", "", "", "other", "ending", ""]):
            poker.signal(Poker.poke, to, number)

        while runtime.hands.dispatcher.sweep():
            pass

        # Nobody heard the last one, and the sender, who did not expect that, is told so.
        assert runtime.wait(ending.result()) == [0]
        assert not runtime.hands.journal.waiting()
        assert not runtime.hands.journal.dead_letters()


@pytest.mark.parametrize("max_residents", [1, 2, 3])
def test_many_runs_take_turns_in_a_memory_for_few(max_residents: int) -> None:
    with make(max_residents=max_residents) as runtime:
        workers = [runtime.start_workflow(Worker.run, f"w{n}-", id=f"w{n}") for n in range(40)]

        results = [runtime.wait(runtime.wait(worker).result()) for worker in workers]

        assert results == [[f"w{n}-{turn}!" for turn in range(3)] for n in range(40)]
        assert runtime.performed == 120


def test_idle_runs_beyond_the_limit_are_not_in_memory() -> None:
    with make(max_residents=16) as runtime:
        for n in range(100):
            runtime.wait(runtime.start_workflow(Listener.run, 1, id=f"listener-{n}"))
        runtime.run_until_idle()

        assert len(runtime.hands.directory) <= 16


@DRIVERS
def test_runs_that_come_together_leave_no_more_in_memory_than_may_be(
    driver: Callable[[TestRuntime], Callable[[], bool]],
) -> None:
    with make(max_residents=3) as runtime:
        drive = driver(runtime)
        started = [runtime.start_workflow(Listener.run, 2, id=f"listener-{n}") for n in range(40)]
        while drive():
            pass
        residents_once_born = len(runtime.hands.directory)
        told = [each.get().signal("hello", 0) for each in started]
        while drive():
            pass

        assert all(each.done() for each in told)
        assert residents_once_born <= 3
        assert len(runtime.hands.directory) <= 3


PUT_AWAY = threading.Semaphore(0)


@workflow.defn(name="eviction.telling", static_check=False)
class Telling:
    """Tells when it is put away."""

    @workflow.run
    async def run(self) -> None:
        try:
            await workflow.wait_condition(lambda: False)
        finally:
            PUT_AWAY.release()


def test_what_a_hasty_search_does_not_find_is_put_away_once_there_is_nothing_else_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Directory, "patience", 0)
    with Runtime.in_memory(workflows=[Telling], max_residents=3) as runtime:
        started = [runtime.start_workflow(Telling.run) for _ in range(8)]

        assert all(each.get(timeout=30) for each in started)
        assert all(PUT_AWAY.acquire(timeout=30) for _ in range(5))


def test_a_run_whose_turn_could_not_be_written_is_not_put_away_before_it_is_back() -> None:
    with make(max_residents=1, auto_skip=False) as runtime:
        first = runtime.wait(runtime.start_workflow(Listener.run, 2, id="first"))
        runtime.store.fail_commit(1)
        refused = first.signal("hello", 0)
        runtime.run_until_idle()
        for n in range(5):
            runtime.wait(runtime.start_workflow(Listener.run, 1, id=f"other-{n}"))
        accepted = first.signal("hello", 1)
        runtime.advance(5)
        runtime.wait(accepted)
        runtime.wait(first.signal("hello", 2))

        assert refused.exception() is not None
        assert runtime.wait(first.result()) == [1, 2]


async def clings() -> None:
    while True:
        try:
            await asyncio.Event().wait()
        except BaseException:
            continue


@workflow.defn(name="eviction.stubborn")
class Stubborn:
    def __init__(self) -> None:
        self.heard: list[int] = []

    @workflow.run
    async def run(self) -> list[int]:
        self.tasks = [asyncio.create_task(clings())]
        await workflow.wait_condition(lambda: len(self.heard) == 2)
        return self.heard

    @workflow.signal
    def hear(self, number: int) -> None:
        self.heard.append(number)


def test_code_that_would_not_end_is_told_with_its_place_and_its_run_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    told = caplog.at_level(logging.WARNING, "greenroom")
    with TestRuntime(workflows=[Stubborn], evict_after_every_turn=True, check_leaks=False) as runtime, told:
        handle = runtime.wait(runtime.start_workflow(Stubborn.run, id="s"))
        for number in (1, 2):
            runtime.wait(handle.signal(Stubborn.hear, number))

        assert runtime.wait(handle.result()) == [1, 2]

    messages = [record.getMessage() for record in caplog.records]
    assert messages
    for message in messages:
        assert message.startswith("workflow 's' (run ")
        assert " would not end when it was put away: <coroutine object clings at " in message
        assert re.search(r" waits at tests/runtime/test_runtime_eviction\.py:\d+ \(clings\)$", message)


@pytest.mark.slow
def test_code_that_would_not_end_does_not_keep_the_process_from_ending() -> None:
    # The interpreter let go of the code at its end, which went round for ever: what it waits for was gone already.
    one = f"{__file__}::test_code_that_would_not_end_is_counted"
    process = python("import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))", "-q", "-p", "no:cacheprovider", one)

    out, _ = process.communicate(timeout=WAIT)

    assert process.returncode == 0
    assert "1 passed" in out


def test_code_that_would_not_end_is_counted() -> None:
    with TestRuntime(workflows=[Stubborn], check_leaks=False) as runtime:
        handle = runtime.wait(runtime.start_workflow(Stubborn.run, id="s"))
        before = runtime.coroutines_abandoned
        runtime.wait(handle.terminate(reason="it is enough"))
        # It is put away in a step behind the one that has ended it.
        runtime.run_until_idle()

        assert (before, runtime.coroutines_abandoned) == (0, 1)
