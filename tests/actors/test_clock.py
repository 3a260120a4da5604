from __future__ import annotations

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
