"""An executor that performs nothing until it is told to: one call at a time, on the caller's thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from random import Random
from typing import Any, ParamSpec, TypeVar

from .escapes import meant_for_the_test

__all__ = ["ManualExecutor"]

P = ParamSpec("P")
T = TypeVar("T")


class ManualExecutor(Executor):
    """Queues calls, and performs them when it is asked.

    Args:
        chooser: picks which of the waiting calls is next; None performs them in the order they came.
    """

    def __init__(self, chooser: Random | None = None) -> None:
        self._chooser = chooser
        self._queue: list[tuple[Future[Any], Callable[[], Any]]] = []
        self._is_shut_down = False

    def __len__(self) -> int:
        return len(self._queue)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue a call.

        Args:
            fn: what is called.
            *args: its arguments.
            **kwargs: its keyword arguments.

        Raises:
            RuntimeError: it has been shut down.
        """
        if self._is_shut_down:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future: Future[T] = Future()
        self._queue.append((future, partial(fn, *args, **kwargs)))
        return future

    def perform_next(self) -> bool:
        """Perform one call; False if none waits.

        Raises:
            BaseException: what the call has raised, if that is meant for the test: Ctrl-C, an exit, an outcome of
                pytest. Anything else is for the future alone.
        """
        while self._queue:
            place = 0 if self._chooser is None else self._chooser.randrange(len(self._queue))
            future, call = self._queue.pop(place)
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = call()
            except BaseException as error:
                # As every executor does: the error belongs to the future.
                future.set_exception(error)
                if meant_for_the_test(error) is not None:
                    raise
            else:
                future.set_result(result)
            return True
        return False

    def clear(self) -> None:
        """Forget what waits."""
        for future, _ in self._queue:
            future.cancel()
        self._queue.clear()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more.

        Args:
            wait: perform now what is queued.
            cancel_futures: cancel it instead.
        """
        self._is_shut_down = True
        if cancel_futures:
            self.clear()
        while wait and self.perform_next():
            pass
