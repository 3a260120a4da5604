"""A service waits in its main thread until it is told to end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Any

import pytest

from greenroom import Runtime, RuntimeClosedError
from tests.runtime.rig import WAIT

SOON = 0.005

TraceFunction = Callable[[FrameType, str, Any], Any]


def ring_again(number: int, frame: FrameType | None) -> None:
    signal.setitimer(signal.ITIMER_REAL, SOON)


@pytest.fixture
def bell() -> Iterator[None]:
    """The process gets SIGALRM again and again, until somebody else hears it."""
    before = signal.signal(signal.SIGALRM, ring_again)
    signal.setitimer(signal.ITIMER_REAL, SOON)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_it_waits_for_a_signal_and_puts_back_what_was_there(bell: None) -> None:
    with Runtime.in_memory(workflows=[], activities=[]) as runtime:
        on_interrupt = signal.getsignal(signal.SIGINT)

        heard = runtime.run_until_signalled(signal.SIGALRM, signal.SIGINT)

        assert heard is signal.SIGALRM
        assert signal.getsignal(signal.SIGALRM) is ring_again
        assert signal.getsignal(signal.SIGINT) is on_interrupt
        assert runtime.is_open


def test_one_that_breaks_in_on_the_handling_of_another_is_no_error(bell: None) -> None:
    broken_in: list[int] = []

    def at_line(frame: FrameType, event: str, arg: object) -> TraceFunction:
        if frame.f_lineno == max(line or 0 for *_, line in frame.f_code.co_lines()) and not broken_in:
            broken_in.append(frame.f_lineno)
            signal.raise_signal(signal.SIGUSR2)
        return at_line

    def in_handler(frame: FrameType, event: str, arg: object) -> TraceFunction | None:
        return at_line if frame.f_code.co_name == "hear" else None

    with Runtime.in_memory(workflows=[], activities=[]) as runtime:
        before = sys.gettrace()
        sys.settrace(in_handler)
        try:
            heard = runtime.run_until_signalled(signal.SIGALRM, signal.SIGUSR2)
        finally:
            sys.settrace(before)

    assert broken_in != []
    assert heard in (signal.SIGALRM, signal.SIGUSR2)


def test_only_the_main_thread_of_an_open_runtime_can_wait_for_signals() -> None:
    with Runtime.in_memory(workflows=[], activities=[]) as runtime, ThreadPoolExecutor(1) as pool:
        waited = pool.submit(runtime.run_until_signalled)

        assert "only the main thread hears signals" in str(waited.exception(timeout=WAIT))

    with pytest.raises(RuntimeClosedError):
        runtime.run_until_signalled()
