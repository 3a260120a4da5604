"""A service waits in its main thread until it is told to end."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import FrameType
from typing import Any

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


@contextmanager
def interrupted_elsewhere(*signals: signal.Signals) -> Generator[list[int]]:
    """A thread sends itself signals again and again; gives those that have come to handlers of ours."""

    def hear(number: int, frame: FrameType | None) -> None:
        heard.append(number)

    def interrupt_myself() -> None:
        while not is_over.wait(SOON):
            for number in signals:
                signal.pthread_kill(threading.get_ident(), number)

    heard, is_over = list[int](), threading.Event()
    before = {number: signal.signal(number, hear) for number in signals}
    other = threading.Thread(target=interrupt_myself)
    other.start()
    try:
        yield heard
    finally:
        is_over.set()
        other.join()
        for number, handler in before.items():
            signal.signal(number, handler)


def test_it_waits_for_a_signal_and_puts_back_what_was_there(bell: None) -> None:
    with Runtime.in_memory(workflows=[], activities=[]) as runtime:
        on_interrupt = signal.getsignal(signal.SIGINT)

        heard = runtime.run_until_signalled(signal.SIGALRM, signal.SIGINT)

        assert heard is signal.SIGALRM
        assert signal.getsignal(signal.SIGALRM) is ring_again
        assert signal.getsignal(signal.SIGINT) is on_interrupt
        assert runtime.is_open


def test_who_was_told_of_signals_before_is_told_of_them_again(bell: None) -> None:
    with Runtime.in_memory(workflows=[], activities=[]) as runtime, socket.socket() as theirs:
        theirs.setblocking(False)
        before = signal.set_wakeup_fd(theirs.fileno())
        try:
            runtime.run_until_signalled(signal.SIGALRM)
        finally:
            after = signal.set_wakeup_fd(before)

        assert after == theirs.fileno()


class EnoughError(BaseException):
    pass


def give_up(number: int, frame: FrameType | None) -> None:
    raise EnoughError


def test_a_handler_that_raises_at_the_end_of_the_wait_leaves_no_pipe_to_be_written_to(
    bell: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def after_one_more(fd: int, *, warn_on_full_buffer: bool = True) -> int:
        if fd == -1:
            signal.raise_signal(signal.SIGUSR1)
        return set_wakeup_fd(fd, warn_on_full_buffer=warn_on_full_buffer)

    set_wakeup_fd, before = signal.set_wakeup_fd, signal.signal(signal.SIGUSR1, give_up)
    monkeypatch.setattr(signal, "set_wakeup_fd", after_one_more)
    try:
        with Runtime.in_memory(workflows=[], activities=[]) as runtime, contextlib.suppress(EnoughError):
            runtime.run_until_signalled(signal.SIGALRM, signal.SIGUSR1)

        assert set_wakeup_fd(-1) == -1
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_signal_that_comes_to_another_thread_ends_the_wait() -> None:
    with interrupted_elsewhere(signal.SIGUSR1), Runtime.in_memory(workflows=[], activities=[]) as runtime:
        assert runtime.run_until_signalled(signal.SIGUSR1) is signal.SIGUSR1


def test_a_signal_that_is_not_waited_for_goes_to_its_handler_alone() -> None:
    both = interrupted_elsewhere(signal.SIGUSR2, signal.SIGUSR1)
    with both as others, Runtime.in_memory(workflows=[], activities=[]) as runtime:
        assert runtime.run_until_signalled(signal.SIGUSR1) is signal.SIGUSR1
        assert signal.SIGUSR2 in others


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        ("TERM", TypeError, "'TERM' is no signal; give those of the signal module, such as signal.SIGTERM"),
        (0, ValueError, "there is no signal 0"),
        (signal.SIGKILL, ValueError, "SIGKILL cannot be waited for: no process hears of it"),
    ],
)
def test_what_is_no_signal_to_wait_for_is_refused(given: Any, error: type[Exception], told: str) -> None:
    with Runtime.in_memory(workflows=[], activities=[]) as runtime, pytest.raises(error, match=told):
        runtime.run_until_signalled(signal.SIGUSR1, given)


def test_only_the_main_thread_of_an_open_runtime_can_wait_for_signals() -> None:
    with Runtime.in_memory(workflows=[], activities=[]) as runtime, ThreadPoolExecutor(1) as pool:
        waited = pool.submit(runtime.run_until_signalled)

        assert "only the main thread hears signals" in str(waited.exception(timeout=WAIT))

    with pytest.raises(RuntimeClosedError):
        runtime.run_until_signalled()
