"""The collector's threshold is the largest that the open runtimes ask for, and in the end what it was."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest

from greenroom.runtime.shell.collecting import CollectorThreshold


@pytest.fixture(autouse=True)
def before() -> Iterator[tuple[int, int, int]]:
    earlier = gc.get_threshold()
    gc.set_threshold(700, 11, 12)
    yield 700, 11, 12
    gc.set_threshold(*earlier)


def test_the_largest_threshold_that_is_asked_for_holds(before: tuple[int, int, int]) -> None:
    CollectorThreshold.hold(5000)
    CollectorThreshold.hold(9000)
    both = gc.get_threshold()
    CollectorThreshold.release(9000)
    one = gc.get_threshold()
    CollectorThreshold.release(5000)

    assert (both, one, gc.get_threshold()) == ((9000, 11, 12), (5000, 11, 12), before)


def test_the_threshold_is_never_made_smaller(before: tuple[int, int, int]) -> None:
    CollectorThreshold.hold(100)
    held = gc.get_threshold()
    CollectorThreshold.release(100)

    assert (held, gc.get_threshold()) == (before, before)


def test_a_collector_that_is_turned_off_stays_off() -> None:
    gc.set_threshold(0)
    CollectorThreshold.hold(5000)
    held = gc.get_threshold()[0]
    CollectorThreshold.release(5000)

    assert (held, gc.get_threshold()[0]) == (0, 0)


def test_what_the_application_sets_meanwhile_is_left_alone() -> None:
    CollectorThreshold.hold(5000)
    gc.set_threshold(50_000, 20, 30)
    CollectorThreshold.hold(9000)
    held = gc.get_threshold()
    CollectorThreshold.release(9000)
    CollectorThreshold.release(5000)
    left = gc.get_threshold()
    CollectorThreshold.hold(60_000)
    held_again = gc.get_threshold()
    CollectorThreshold.release(60_000)

    assert held == left == gc.get_threshold() == (50_000, 20, 30)
    assert held_again == (60_000, 20, 30)


def test_a_forked_child_has_the_threshold_that_was_there_before(before: tuple[int, int, int]) -> None:
    CollectorThreshold.hold(5000)
    child = os.fork()
    if child == 0:
        os._exit(0 if gc.get_threshold() == before else 1)
    _, status = os.waitpid(child, 0)
    held = gc.get_threshold()[0]
    CollectorThreshold.release(5000)

    assert (os.waitstatus_to_exitcode(status), held) == (0, 5000)
