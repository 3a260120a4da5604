"""Waiting until the process is told to end: for services that have nothing else to do in their main thread."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from queue import SimpleQueue
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
    # It can be put into where an event cannot be set: in a handler, in the middle of anything, of another handler too.
    heard: SimpleQueue[int] = SimpleQueue()

    def hear(number: int, frame: FrameType | None) -> None:
        heard.put(number)

    with _handling(signals, hear):
        return signal.Signals(heard.get())


@contextmanager
def _handling(signals: tuple[int, ...], hear: Callable[[int, FrameType | None], None]) -> Generator[None]:
    with ExitStack() as restoring:
        for number in signals:
            before = signal.signal(number, hear)
            # None is one that was not installed by Python, and cannot be put back.
            restoring.callback(signal.signal, number, signal.SIG_DFL if before is None else before)
        yield
