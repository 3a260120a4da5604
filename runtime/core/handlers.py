"""Who hears which signal: a registered handler first, else the mailbag, where channels and later handlers find it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from ..model.errors import PayloadError, ReadOnlyContextError
from ..model.handler_definitions import HandlerDefinition
from ..model.payload_converter import PayloadConverter
from .at_work import AtWork
from .handler_table import HandlerTable
from .loop import WorkflowLoop
from .mailbag import Mailbag
from .messages import SignalReceived
from .tasks import RunPutAway

__all__ = ["Signals"]


class Hearer(Protocol):
    """The execution whose signals these are."""

    def raised(self, error: BaseException) -> None:
        """A handler let out ``error``."""
        ...

    def dead_letter(self, signal: SignalReceived, reason: str) -> None:
        """Put a signal aside that cannot be taken."""
        ...


class _Nobody:
    """Whose signals they are once the run is put away."""

    def raised(self, error: BaseException) -> None:
        """Nobody is there to be told."""

    def dead_letter(self, signal: SignalReceived, reason: str) -> None:
        raise RunPutAway("putting a signal aside")


_NOBODY = _Nobody()


class Signals(HandlerTable):
    """The signal handlers and the unread signals of one run.

    Args:
        run: told what handlers raise and what cannot be taken.
        loop: where handlers run, each as a task of its own.
        converter: gives a signal's arguments, as their types say.
        at_work: knows which handlers are at work.
    """

    __slots__ = ("_at_work", "_converter", "_loop", "_readers", "_run", "bag")

    def __init__(self, run: Hearer, loop: WorkflowLoop, converter: PayloadConverter, at_work: AtWork) -> None:
        super().__init__()
        self.bag = Mailbag()
        self._at_work = at_work
        self._run: Hearer = run
        self._loop = loop
        self._converter = converter
        self._readers: dict[str, deque[asyncio.Future[None]]] = {}

    def deliver(self, signal: SignalReceived) -> None:
        """Give a signal to its handler, or keep it for a channel or a handler yet to come."""
        handler = self.hearing(signal.name)
        if handler is not None:
            self._spawn(handler, signal)
            return
        self.bag.put(signal)
        self.wake_reader(signal.name)

    def put_away(self) -> None:
        """The run hears nothing any more; what refers to it in a circle would wait for the collector."""
        self._run = _NOBODY

    def set_handler(self, name: str | None, handler: HandlerDefinition | None) -> None:
        """Set, replace or (with None) remove a handler; what was kept for it is delivered in the order it came."""
        super().set_handler(name, handler)
        if handler is not None:
            for signal in self.bag.take_all(name):
                self._spawn(handler, signal)

    def wait(self, name: str) -> asyncio.Future[None]:
        """A future that is done when a signal of that name may lie in the bag."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._readers.setdefault(name, deque()).append(future)
        return future

    def stop_waiting(self, name: str, future: asyncio.Future[None]) -> None:
        """A reader went away; if it was woken already, the next one is woken in its place."""
        readers = self._readers.get(name)
        if readers is not None and future in readers:
            readers.remove(future)
            if not readers:
                del self._readers[name]
        elif self.bag.has(name):
            self.wake_reader(name)

    def wake_reader(self, name: str) -> None:
        """Wake the reader of that name that has waited longest."""
        readers = self._readers.get(name)
        if readers is None:
            return
        while readers:
            future = readers.popleft()
            # One that was cancelled in this turn has not yet said so.
            if not future.done():
                future.set_result(None)
                break
        if not readers:
            del self._readers[name]

    def take(self, name: str, hints: tuple[Any, ...] | None) -> list[Any] | None:
        """The arguments of the oldest signal of that name, or None; undecodable ones are put aside on the way."""
        if self._loop.read_only:
            raise ReadOnlyContextError("taking a signal", self._loop.read_only)
        while (signal := self.bag.take(name)) is not None:
            values = self._decoded(signal, hints)
            if values is not None:
                return values
        return None

    def _decoded(self, signal: SignalReceived, hints: tuple[Any, ...] | None) -> list[Any] | None:
        try:
            return self._converter.decode_args(signal.args, hints)
        except Exception as error:  # a user's converter may raise anything
            self._run.dead_letter(signal, str(error) if isinstance(error, PayloadError) else repr(error))
            return None

    def _spawn(self, handler: HandlerDefinition, signal: SignalReceived) -> None:
        values = self._decoded(signal, handler.arg_types)
        if values is None:
            return
        problem = handler.problem_with(values)
        if problem is not None:
            # The sender's mistake must not stop the run, as an error in the handler would.
            self._run.dead_letter(signal, f"the handler {problem}")
            return
        if handler.dynamic:
            values = [signal.name, *values]
        number = self._at_work.begin(handler, what := f"signal {signal.name}")
        self._loop.create_task(self._handle(handler.fn, values, number), name=what)

    async def _handle(self, function: Callable[..., Any], values: list[Any], number: int) -> None:
        try:
            outcome = function(*values)
            if isinstance(outcome, Coroutine):
                await outcome
        except BaseException as error:
            self._run.raised(error)
        finally:
            self._at_work.end(number)
