"""The dispatcher that actors share which name none."""

from __future__ import annotations

import os
import threading

from .dispatcher import Dispatcher

__all__ = ["default_dispatcher"]


class _Default:
    """The dispatcher of actors that name none: made when the first of them starts."""

    lock = threading.Lock()
    dispatcher: Dispatcher | None = None

    @classmethod
    def forget(cls) -> None:
        # In a forked child the thread is gone, and the lock may have been held.
        cls.lock = threading.Lock()
        cls.dispatcher = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Default.forget)


def default_dispatcher() -> Dispatcher:
    """Return the started dispatcher that actors without one of their own share."""
    with _Default.lock:
        if _Default.dispatcher is None or _Default.dispatcher.is_closed:
            _Default.dispatcher = Dispatcher(name="greenroom-actors")
            _Default.dispatcher.start()
        return _Default.dispatcher
