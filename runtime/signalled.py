"""Waiting until the process is told to end: for services that have nothing else to do in their main thread."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from types import FrameType

__all__ = ["wait_for_signal"]


def wait_for_signal(signals: tuple[int, ...]) -> signal.Signals:
    """Block the main thread until the process gets one of the signals; gives that one.

    Raises:
        RuntimeError: the caller is another thread.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(
            "only the main thread hears signals; call run_until_signalled() there, and on a loop wait for an "
            "asyncio.Event that loop.add_signal_handler() sets"
        )
    # A lock can be released where an event cannot be set: in a handler, in the middle of anything.
    gate = threading.Lock()
    gate.acquire()
    heard: list[int] = []

    def hear(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        if gate.locked():
            gate.release()

    with _handling(signals, hear):
        gate.acquire()
    return signal.Signals(heard[0])


@contextmanager
def _handling(signals: tuple[int, ...], hear: Callable[[int, FrameType | None], None]) -> Generator[None]:
    with ExitStack() as restoring:
        for number in signals:
            before = signal.signal(number, hear)
            # None is one that was not installed by Python, and cannot be put back.
            restoring.callback(signal.signal, number, signal.SIG_DFL if before is None else before)
        yield
