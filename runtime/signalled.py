"""Waiting until the process is told to end: for services that have nothing else to do in their main thread."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import FrameType

__all__ = ["wait_for_signal"]

_UNHEARD = (signal.SIGKILL, signal.SIGSTOP)


def wait_for_signal(signals: tuple[int, ...]) -> signal.Signals:
    """Block the main thread until the process gets one of the signals; gives that one.

    Raises:
        RuntimeError: the caller is another thread.
        TypeError: one is no number of a signal.
        ValueError: there is no such signal, or no process hears it.
    """
    for each in signals:
        _check(each)
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(
            "only the main thread hears signals; call run_until_signalled() there, and on a loop wait for an "
            "asyncio.Event that loop.add_signal_handler() sets"
        )
    with _numbers_of_signals() as (numbers, heard_enough), _handling(signals):
        try:
            while True:
                number = os.read(numbers, 1)[0]
                if number in signals:
                    return signal.Signals(number)
        finally:
            # Before the handlers of the caller are back: one of them may raise what it likes.
            heard_enough()


def _check(number: object) -> None:
    if not isinstance(number, int):
        raise TypeError(f"{number!r} is no signal; give those of the signal module, such as signal.SIGTERM")
    if number not in signal.valid_signals():
        raise ValueError(f"there is no signal {number}; give those of the signal module, such as signal.SIGTERM")
    if number in _UNHEARD:
        raise ValueError(
            f"{signal.Signals(number).name} cannot be waited for: no process hears of it; give another, such as "
            "signal.SIGTERM"
        )


@contextmanager
def _numbers_of_signals() -> Generator[tuple[int, Callable[[], object]]]:
    """A pipe into which the interpreter writes the number of each signal that has a handler, at the moment at which it
    comes, until the function beside it is called. A handler itself is called a little later, and never while the main
    thread has just begun to wait for it, or if another thread is interrupted."""
    receiving, sending = os.pipe()
    os.set_blocking(sending, False)
    # A full pipe has enough to wake whoever reads it.
    before = signal.set_wakeup_fd(sending, warn_on_full_buffer=False)
    restore = partial(signal.set_wakeup_fd, before)
    try:
        yield receiving, restore
    finally:
        try:
            restore()
        finally:
            os.close(receiving)
            os.close(sending)


@contextmanager
def _handling(signals: tuple[int, ...]) -> Generator[None]:
    with ExitStack() as restoring:
        for number in signals:
            before = signal.signal(number, _hear)
            # None is one that was not installed by Python, and cannot be put back.
            restoring.callback(signal.signal, number, signal.SIG_DFL if before is None else before)
        yield


def _hear(number: int, frame: FrameType | None) -> None:
    """Its number stands in the pipe."""
