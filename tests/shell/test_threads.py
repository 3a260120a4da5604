"""Daemon threads: as many as the work needs, one called at a time, and no item is left lying while one is idle."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from greenroom.runtime.shell.threads import DaemonThreads

Work = Callable[[], object]
Make = Callable[[int], DaemonThreads[Work]]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[DaemonThreads[Work]] = []

    def threads(limit: int) -> DaemonThreads[Work]:
        made.append(DaemonThreads(lambda work: work(), limit=limit, name="worker"))
        return made[-1]

    yield threads
    for each in made:
        each.close(1)


def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so, which it will be in a moment."""
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.0001)


def idle(threads: DaemonThreads[Work]) -> list[threading.Lock]:
    """The threads that have nothing to do."""
    found: list[threading.Lock] = getattr(threads, "_idle")  # noqa: B009  # nobody else asks
    return found


def test_items_that_wait_for_each_other_are_all_begun(make: Make) -> None:
    threads, meet, met = make(8), threading.Barrier(8), threading.Semaphore(0)

    def work() -> None:
        meet.wait(10)
        met.release()

    for _ in range(8):
        threads.put(work)

    assert all(met.acquire(timeout=10) for _ in range(8))


def test_idle_threads_are_used_again_before_others_are_made(make: Make) -> None:
    threads, done, names = make(8), threading.Semaphore(0), set[str]()

    def work() -> None:
        names.add(threading.current_thread().name)
        done.release()

    for _ in range(50):
        threads.put(work)
        assert done.acquire(timeout=10)
        until(lambda: bool(idle(threads)))

    assert names <= {"worker-1", "worker-2"}


def test_items_beyond_the_limit_wait_for_a_thread(make: Make) -> None:
    threads, go, done = make(2), threading.Event(), threading.Semaphore(0)
    begun: list[int] = []

    def work(number: int) -> None:
        begun.append(number)
        go.wait(10)
        done.release()

    for number in range(5):
        threads.put(partial(work, number))
    until(lambda: len(begun) == 2)
    at_first = sorted(begun)
    go.set()

    assert at_first == [0, 1]
    assert all(done.acquire(timeout=10) for _ in range(5))
    assert begun[2:] == [2, 3, 4]


def test_no_item_is_left_lying_however_they_come(make: Make) -> None:
    threads, counted = make(4), threading.Semaphore(0)

    def put() -> None:
        for number in range(2000):
            threads.put(counted.release)
            if number % 7 == 0:
                time.sleep(0)

    putters = [threading.Thread(target=put) for _ in range(4)]
    for putter in putters:
        putter.start()
    for putter in putters:
        putter.join()

    assert all(counted.acquire(timeout=10) for _ in range(8000))
    until(
        lambda: len(idle(threads)) == len([each for each in threading.enumerate() if each.name.startswith("worker-")])
    )


class Robbed(DaemonThreads[Work]):
    """Threads to which an item comes when they are about to be idle, and which lose it to another at once."""

    __slots__ = ()

    def _work_off(self) -> None:
        super()._work_off()
        if not self._closed:
            self._items.append(lambda: None)

    def _is_back(self, mine: threading.Lock) -> bool:
        is_back = super()._is_back(mine)
        self._items.clear()
        return is_back


def test_a_thread_whose_item_another_has_taken_does_not_end() -> None:
    threads, done = Robbed(lambda work: work(), limit=1, name="robbed"), threading.Semaphore(0)
    threads.put(done.release)
    assert done.acquire(timeout=10)
    time.sleep(0.01)
    alive = [each for each in threading.enumerate() if each.name.startswith("robbed-")]
    threads.close(1)

    assert len(alive) == 1


def test_a_fault_ends_no_thread(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    threads, done = make(1), threading.Event()

    def fail() -> None:
        raise SystemExit("not this thread")

    threads.put(fail)
    threads.put(done.set)

    assert done.wait(10)
    assert "a fault in worker-1, which goes on" in caplog.text


def test_what_is_left_is_worked_off_before_closing_ends_the_threads(make: Make) -> None:
    threads, go, done = make(1), threading.Event(), list[int]()
    threads.put(partial(go.wait, 10))
    for number in range(3):
        threads.put(partial(done.append, number))
    go.set()
    threads.close(10)

    assert done == [0, 1, 2]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("worker-")]


def test_after_closing_nothing_is_taken(make: Make) -> None:
    threads, done = make(2), threading.Event()
    threads.close(1)
    threads.put(done.set)
    threads.close(1)

    assert not done.is_set()


def test_an_item_for_which_the_system_grants_no_thread_is_refused(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    threads, done = make(2), list[str]()

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start"):
            threads.put(lambda: done.append("refused"))
    threads.put(lambda: done.append("taken"))
    threads.close(10)

    assert done == ["taken"]


def test_the_threads_there_are_do_when_the_system_grants_no_more(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    threads, begun, go, done = make(8), threading.Event(), threading.Event(), threading.Semaphore(0)

    def wait() -> None:
        begun.set()
        go.wait(10)
        done.release()

    threads.put(wait)
    until(lambda: begun.is_set())

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for _ in range(4):
            threads.put(wait)
    go.set()

    assert all(done.acquire(timeout=10) for _ in range(5))
