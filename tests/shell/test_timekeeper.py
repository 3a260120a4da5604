"""What is due fires at its time however much of it there is, and little of it is in memory."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom import RetryPolicy, activity, workflow
from greenroom.actors import Dispatcher, ManualClock
from greenroom.runtime.shell import recovery, timekeeper
from greenroom.runtime.shell.pace import Pace
from greenroom.runtime.shell.retries import AGAIN_AFTER_NS
from greenroom.runtime.shell.timekeeper import HORIZON_NS, Timekeeper
from greenroom.storage import Due, DueKind, Journal, MemoryStore, StorageError, Tree
from greenroom.storage.keys import BLOCK
from greenroom.testing import TestRuntime

SECOND = 1_000_000_000
PAGE, MOST_NEAR = 4, 10


@contextmanager
def small_pages() -> Generator[None]:
    """Little of what is due goes into a page, and into memory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timekeeper, "PAGE", PAGE)
        patch.setattr(timekeeper, "MOST_NEAR", MOST_NEAR)
        patch.setattr(recovery, "PAGE", PAGE)
        yield


class Disk(MemoryStore):
    """A store that refuses to be read for a while.

    Attributes:
        refuses: asked at each reading of what is due.
    """

    refuses: Callable[[], bool] | None = None

    def scan(
        self, tree: Tree, start: bytes, stop: bytes, *, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        if tree is Tree.DUE and self.refuses is not None and self.refuses():
            raise StorageError("the disk refuses")
        return super().scan(tree, start, stop, limit=limit, reverse=reverse)


class Rig:
    """A timekeeper on a journal in memory: what fires is dropped there, as by the turn that it wakes.

    Attributes:
        refuses_until_ns: neither is the disk read nor anything fired before that.
        stumbles: how many times more nothing is fired.
        refused_ns: when something was refused last.
    """

    def __init__(self, store: Disk, clock: ManualClock) -> None:
        self.clock = clock
        self.store = store
        self.journal = Journal.on(store)
        self.refuses_until_ns = self.stumbles = self.refused_ns = 0
        self.fired: list[Due] = []
        self.most_near = 0
        self.dispatcher = Dispatcher(clock=clock)
        self.timekeeper = Timekeeper(
            self.dispatcher, self.journal, Pace(self.dispatcher), self._fire, lambda error: pytest.fail(str(error))
        )
        self.dispatcher.call_soon(self.timekeeper.start)

    def _fire(self, due: Due) -> None:
        assert due.at_ns <= self.clock.now_ns()
        if self._refuses() or self.stumbles:
            self.stumbles = max(0, self.stumbles - 1)
            self.refused_ns = self.clock.now_ns()
            raise StorageError("the disk refuses")
        self.fired.append(due)
        self.drop(due)

    def _refuses(self) -> bool:
        if self.clock.now_ns() >= self.refuses_until_ns:
            return False
        self.refused_ns = self.clock.now_ns()
        return True

    def put(self, run_no: int, at_ns: int) -> None:
        batch = self.journal.batch()
        batch.put_timer(run_no, DueKind.TIMER, 1, at_ns)
        self.journal.commit(batch)

    def arm(self, run_no: int, at_ns: int) -> None:
        self.put(run_no, at_ns)
        self.timekeeper.arm(run_no, DueKind.TIMER, 1, at_ns)
        self.most_near = max(self.most_near, len(self.timekeeper))

    def drop(self, due: Due) -> None:
        batch = self.journal.batch()
        batch.drop_timer(due.run_no, DueKind.TIMER, 1, due.at_ns)
        self.journal.commit(batch)

    def run(self) -> None:
        """Until nothing is left to do at this time, which comes soon: nothing goes round and round."""
        self.store.refuses = self._refuses
        for _ in range(10_000):
            if not self.dispatcher.sweep():
                break
            self.most_near = max(self.most_near, len(self.timekeeper))
        else:
            pytest.fail("there is always more to do")
        self.store.refuses = None

    def left(self) -> list[Due]:
        return self.journal.due(until_ns=2**63 - 1, limit=1 << 20)

    def overdue(self) -> list[Due]:
        """What should have fired by now."""
        now_ns = self.clock.now_ns()
        is_to_be_tried_again = now_ns < self.refused_ns + AGAIN_AFTER_NS
        return [] if is_to_be_tried_again else [due for due in self.left() if due.at_ns <= now_ns]


times = st.integers(0, 3) | st.integers(0, 150)
steps = st.lists(
    st.tuples(st.just("arm"), times)
    | st.tuples(st.just("flood"), times)
    | st.tuples(st.just("disarm"), st.integers(0, 40))
    | st.tuples(st.just("advance"), st.integers(0, 90))
    | st.tuples(st.just("refuse"), st.integers(1, 3))
    | st.tuples(st.just("stumble"), st.integers(1, 6))
    | st.tuples(st.just("reopen"), st.just(0)),
    max_size=25,
)


@given(steps)
@settings(max_examples=300, deadline=None)
def test_all_that_is_due_fires_and_nothing_before_its_time(steps: list[tuple[str, int]]) -> None:
    store, clock = Disk(), ManualClock()
    number = 0
    with small_pages():
        rig = Rig(store, clock)
        rig.run()
        for what, value in steps:
            if what in ("arm", "flood"):
                for _ in range(1 if what == "arm" else 13):
                    number += 1
                    rig.arm(number, clock.now_ns() + value * SECOND)
            elif what == "disarm":
                for due in rig.left()[value : value + 1]:
                    rig.drop(due)
                    rig.timekeeper.disarm(due.run_no, due.kind, due.item)
            elif what == "advance":
                clock.advance(value)
                rig.run()
                assert rig.overdue() == []
            elif what == "refuse":
                rig.refuses_until_ns = clock.now_ns() + value * SECOND
            elif what == "stumble":
                rig.stumbles = value
            else:
                rig = Rig(store, clock)
                rig.run()
            assert rig.most_near <= MOST_NEAR + 1
        # What is due last stumbles as often as may be.
        for seconds in (200, *[1] * 7):
            clock.advance(seconds)
            rig.run()

    assert rig.left() == []
    assert len(set(rig.fired)) == len(rig.fired)


def test_what_was_due_while_nobody_looked_fires_in_order() -> None:
    store, clock = Disk(), ManualClock()
    before = Rig(store, clock)
    for number in range(50):
        before.put(number, clock.now_ns() + (number * 7 % 50) * SECOND)
    clock.advance(60)

    with small_pages():
        rig = Rig(store, clock)
        rig.run()

    assert len(rig.fired) == 50
    assert rig.fired == sorted(rig.fired)


def test_a_timer_that_is_tried_again_is_not_lost_among_many_that_are_due_before_that() -> None:
    rig = Rig(Disk(), ManualClock())
    with small_pages():
        rig.run()
        rig.stumbles = 1
        rig.arm(1, rig.clock.now_ns())
        rig.run()
        for number in range(2, 2 + MOST_NEAR):
            rig.arm(number, rig.clock.now_ns() + SECOND // 2)
        rig.clock.advance(1)
        rig.run()

        assert rig.left() == []


def test_what_is_overdue_when_nobody_can_be_told_of_it_fires_once_they_can() -> None:
    rig = Rig(Disk(), ManualClock())
    with small_pages():
        for number in range(5 * MOST_NEAR):
            rig.put(number, rig.clock.now_ns() - SECOND)
        rig.stumbles = 1000
        rig.run()
        assert rig.fired == []
        rig.stumbles = 0
        rig.clock.advance(1)
        rig.run()

        assert rig.left() == []


def test_what_is_armed_again_for_later_fires_at_the_later_time_only() -> None:
    rig = Rig(Disk(), ManualClock())
    rig.run()
    soon = rig.clock.now_ns() + SECOND
    rig.arm(1, soon)
    rig.drop(Due(soon, 1, DueKind.TIMER, 1))
    far = soon + 2 * HORIZON_NS
    rig.arm(1, far)

    rig.clock.advance(30)
    rig.run()
    assert rig.fired == []

    rig.clock.advance(2 * HORIZON_NS / SECOND)
    rig.run()
    assert rig.fired == [Due(far, 1, DueKind.TIMER, 1)]


def test_a_timer_that_is_set_beside_a_crowd_does_not_wait_for_the_crowd() -> None:
    rig = Rig(Disk(), ManualClock())
    with small_pages():
        for number in range(40):
            rig.put(number, rig.clock.now_ns())
        rig.dispatcher.sweep()
        assert 0 < len(rig.fired) < 40
        rig.arm(100, rig.clock.now_ns())
        rig.dispatcher.sweep()

        assert len(rig.fired) < 41
        assert 100 in {due.run_no for due in rig.fired}


@workflow.defn
class Sleeper:
    @workflow.run
    async def run(self, seconds: float) -> None:
        await workflow.sleep(seconds)


@activity.defn
def fail() -> None:
    raise ValueError("not today")


@workflow.defn
class Waiting:
    @workflow.run
    async def run(self, seconds: float) -> None:
        await workflow.execute_activity(fail, retry_policy=RetryPolicy(initial_interval=timedelta(days=1)))


@pytest.mark.aside
@pytest.mark.parametrize(("which", "count", "page"), [(Sleeper, 60, PAGE), (Waiting, 1200, BLOCK)])
def test_runs_are_woken_no_faster_than_they_take_their_turns(
    which: type[Sleeper | Waiting], count: int, page: int
) -> None:
    store, clock = MemoryStore(), ManualClock()
    with TestRuntime(store, clock=clock, workflows=[which], activities=[fail]) as runtime:
        for _ in range(count):
            runtime.wait(runtime.start_workflow(which.run, 10))
        runtime.run_until_idle()
    clock.advance(20)

    most = 0
    with small_pages(), TestRuntime(store, clock=clock, workflows=[which], activities=[fail]) as runtime:
        while runtime.step():
            busy = sum(not actor.is_idle for actor in runtime.hands.directory.residents())
            most = max(most, busy)

    # A run takes a few turns to come back, and the next page is read after the first of them.
    assert 0 < most <= 4 * page
