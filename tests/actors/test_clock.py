from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from greenroom.actors import Clock, ManualClock, SystemClock


@pytest.mark.parametrize("clock", [SystemClock(), ManualClock()])
def test_a_clock_tells_nanoseconds_of_this_century(clock: Clock) -> None:
    assert 1_600_000_000 * 10**9 < clock.now_ns() < 4_000_000_000 * 10**9


def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    clock = ManualClock(start_ns=100)

    assert clock.now_ns() == 100

    clock.advance(1.5)
    clock.advance(timedelta(days=1, microseconds=3))
    assert clock.now_ns() == 100 + 1_500_000_000 + 86_400 * 10**9 + 3_000


def test_advance_refuses_to_go_back() -> None:
    with pytest.raises(ValueError, match="use jump"):
        ManualClock().advance(-1)


def test_advance_to_a_time_that_has_passed_changes_nothing() -> None:
    clock = ManualClock(start_ns=100)

    clock.advance_to(50)
    assert clock.now_ns() == 100

    clock.advance_to(250)
    assert clock.now_ns() == 250


def test_jump_may_go_back() -> None:
    clock = ManualClock(start_ns=10**10)

    clock.jump(timedelta(seconds=-1))

    assert clock.now_ns() == 9 * 10**9


AGES = timedelta(days=366 * 300)
TOO_FAR: dict[str, Callable[[ManualClock], None]] = {
    "forward": lambda clock: clock.advance(AGES),
    "to a time": lambda clock: clock.advance_to(2**63),
    "by a step": lambda clock: clock.jump(AGES),
    "by a step back": lambda clock: clock.jump(-AGES),
}


@pytest.mark.parametrize("move", TOO_FAR.values(), ids=TOO_FAR)
def test_a_time_that_cannot_be_stored_is_refused_and_the_clock_stands(move: Callable[[ManualClock], None]) -> None:
    clock = ManualClock(start_ns=100)

    with pytest.raises(ValueError, match="keep to times from 1970-01-01 to 2262-04-11"):
        move(clock)

    assert (clock.now_ns(), clock.elapsed_ns()) == (100, 0)


def test_a_clock_cannot_begin_where_no_time_can_be_stored() -> None:
    with pytest.raises(ValueError, match="keep to times"):
        ManualClock(start_ns=-1)


def test_time_that_has_passed_is_not_changed_by_a_step() -> None:
    clock = ManualClock()

    clock.advance(2)
    clock.jump(-1)
    clock.advance_to(clock.now_ns() + 3 * 10**9)
    clock.jump(3600)

    assert clock.elapsed_ns() == 5 * 10**9


def test_subscribers_hear_of_each_move_though_one_of_them_raises(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock(start_ns=0)
    heard: list[int] = []

    def fail() -> None:
        raise RuntimeError("mine")

    clock.subscribe(fail)
    unsubscribe = clock.subscribe(lambda: heard.append(clock.now_ns()))

    clock.advance(1)
    clock.jump(-1)
    unsubscribe()
    unsubscribe()
    clock.advance(1)

    assert heard == [10**9, 0]
    assert "subscriber of the clock" in caplog.text
