"""A service waits in its main thread until it is told to end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

import pytest

from greenroom import Runtime, RuntimeClosedError
from tests.runtime.rig import WAIT

SOON = 0.005


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


def test_only_the_main_thread_of_an_open_runtime_can_wait_for_signals() -> None:
    with Runtime.in_memory(workflows=[], activities=[]) as runtime, ThreadPoolExecutor(1) as pool:
        waited = pool.submit(runtime.run_until_signalled)

        assert "only the main thread hears signals" in str(waited.exception(timeout=WAIT))

    with pytest.raises(RuntimeClosedError):
        runtime.run_until_signalled()
