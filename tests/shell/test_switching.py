"""Python's switch interval is what the open runtimes ask for, less while one commits, and in the end what it was."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from greenroom.runtime.shell.switching import COMMITTING_SECONDS, Committing, SwitchInterval


@pytest.fixture(autouse=True)
def before() -> Iterator[float]:
    earlier = sys.getswitchinterval()
    sys.setswitchinterval(0.004)
    yield 0.004
    sys.setswitchinterval(earlier)


def test_the_shortest_interval_that_is_asked_for_holds(before: float) -> None:
    SwitchInterval.hold(0.002)
    SwitchInterval.hold(0.001)
    both = sys.getswitchinterval()
    SwitchInterval.release(0.001)
    one = sys.getswitchinterval()
    SwitchInterval.release(0.002)

    assert (both, one, sys.getswitchinterval()) == pytest.approx((0.001, 0.002, before))


def test_the_interval_is_never_made_longer(before: float) -> None:
    SwitchInterval.hold(1.0)
    held = sys.getswitchinterval()
    SwitchInterval.release(1.0)

    assert (held, sys.getswitchinterval()) == pytest.approx((before, before))


def test_a_commit_shortens_the_interval_until_the_last_one_is_written() -> None:
    SwitchInterval.hold(0.001)
    with Committing():
        with Committing():
            pass
        first_of_two = sys.getswitchinterval()
    after = sys.getswitchinterval()
    SwitchInterval.release(0.001)

    assert (first_of_two, after) == pytest.approx((COMMITTING_SECONDS, 0.001))


def test_a_commit_that_fails_leaves_the_interval_as_it_was() -> None:
    SwitchInterval.hold(0.001)
    with pytest.raises(OSError, match="full"), Committing():
        raise OSError("full")
    after = sys.getswitchinterval()
    SwitchInterval.release(0.001)

    assert after == pytest.approx(0.001)


def test_a_shorter_interval_than_that_of_commits_is_left_alone() -> None:
    sys.setswitchinterval(0.00001)
    SwitchInterval.hold(0.001)
    with Committing():
        committing = sys.getswitchinterval()
    SwitchInterval.release(0.001)

    assert committing == pytest.approx(0.00001)


def test_an_interval_that_python_refuses_leaves_nothing_behind(before: float) -> None:
    SwitchInterval.hold(0.001)
    with pytest.raises(ValueError, match="positive"):
        SwitchInterval.hold(-1.0)
    with Committing():
        pass
    SwitchInterval.release(0.001)

    assert sys.getswitchinterval() == pytest.approx(before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_forked_in_the_middle_of_a_commit_holds_nothing(before: float) -> None:
    SwitchInterval.hold(0.001)
    with Committing():
        child = os.fork()
        if not child:
            try:
                inherited = sys.getswitchinterval()
                SwitchInterval.hold(0.002)
                own = sys.getswitchinterval()
                SwitchInterval.release(0.002)
                found = (inherited, own, sys.getswitchinterval())
                os._exit(0 if found == pytest.approx((before, 0.002, before)) else 1)
            finally:
                os._exit(2)
        status = os.waitpid(child, 0)[1]
    SwitchInterval.release(0.001)

    assert os.waitstatus_to_exitcode(status) == 0
