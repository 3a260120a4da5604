"""The handlers of one run, of every kind: who is set, who is at work, and what they are asked outside a turn."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ..model.errors import NondeterministicCallError, ReadOnlyContextError
from ..model.handler_definitions import HandlerDefinition
from ..model.payload_converter import PayloadConverter
from .at_work import AtWork
from .handler_table import HandlerError, HandlerTable
from .handlers import Hearer, Signals
from .loop import WorkflowLoop
from .messages import UpdateReceived
from .queries import Queries
from .updates import Updater, Updates, ValidatorError

__all__ = ["Handling", "UpdateRejectedError"]


class UpdateRejectedError(Exception):
    """The run does not take an update, for a reason that is an exception itself.

    Attributes:
        reason: what the validator has raised, or why there is nobody to ask.
        is_bug: whether the validator has done what it may not: that is no answer.
    """

    def __init__(self, reason: BaseException, *, is_bug: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_bug = is_bug


_FORBIDDEN = (NondeterministicCallError, ReadOnlyContextError, ValidatorError)

_TABLES = {"query": "queries", "signal": "signals", "update": "updates"}


class Run(Hearer, Updater, Protocol):
    """The execution whose handlers these are."""


class Handling:
    """All handlers of one run. Most runs have none of some kinds, and no table for these.

    Args:
        run: told what handlers raise, and how updates end.
        loop: where handlers run.
        converter: values to payloads and back.
        context: the run's context variables.

    Attributes:
        at_work: which signal and update handlers are at work.
    """

    __slots__ = ("_context", "_converter", "_loop", "_queries", "_run", "_updates", "at_work", "signals")

    def __init__(self, run: Run, loop: WorkflowLoop, converter: PayloadConverter, context: contextvars.Context) -> None:
        self._run: Run | None = run
        self._loop = loop
        self._converter = converter
        self._context = context
        self.at_work = AtWork()
        self.signals = Signals(run, loop, converter, self.at_work)
        self._updates: Updates | None = None
        self._queries: Queries | None = None

    @property
    def updates(self) -> Updates:
        """The update handlers."""
        if self._updates is None:
            self._updates = Updates(self._run, self._loop, self._converter, self.at_work)
        return self._updates

    @property
    def queries(self) -> Queries:
        """The query handlers."""
        if self._queries is None:
            self._queries = Queries(self._converter)
        return self._queries

    def table(self, kind: str) -> HandlerTable:
        """The handlers of one kind: "signal", "update" or "query"."""
        table: HandlerTable = getattr(self, _TABLES[kind])
        return table

    def bind(self, declared: Mapping[str, Mapping[str | None, HandlerDefinition]], instance: object) -> None:
        """Set the handlers that a class declares; what its ``__init__`` has set goes before."""
        for kind, handlers in declared.items():
            for name, handler in handlers.items():
                table = self.table(kind)
                if table.handler(name) is None:
                    table.set_handler(name, handler.bound_to(instance))

    def put_away(self) -> None:
        """The run hears nothing any more; what refers to it in a circle would wait for the collector."""
        self.signals.put_away()
        if self._updates is not None:
            self._updates.put_away()
        self._run = None

    def query(self, name: str, args: bytes) -> bytes:
        """Have a query answered; errors are those of ``Queries.answer``."""
        answer: bytes = self._read("a query", self.queries.hearing(name), self.queries.answer, name, args)
        return answer

    def validate(self, update: UpdateReceived, time_ns: int) -> None:
        """Have an update looked at, with the run's clock at ``time_ns``.

        Raises:
            UpdateRejectedError: it is not to be taken.
        """
        loop = self._loop
        now_ns, loop.now_ns = loop.now_ns, max(time_ns, loop.now_ns)
        try:
            handler = self.updates.hearing(update.name)
            self._read("an update validator", handler, self.updates.validate, update)
        except HandlerError as error:
            reason = error.__cause__ or error
            raise UpdateRejectedError(reason, is_bug=isinstance(reason, _FORBIDDEN)) from None
        except Exception as error:
            raise UpdateRejectedError(error) from None
        finally:
            # A replay sees nothing of an update that was not taken.
            loop.now_ns = now_ns
        if loop.is_marred:
            change = "waking a task, or cancelling or starting something,"
            raise UpdateRejectedError(ReadOnlyContextError(change, "an update validator"), is_bug=True)

    def _read(self, what: str, handler: HandlerDefinition | None, function: Callable[..., Any], *args: Any) -> Any:
        """Call what may only read.

        Args:
            what: what it is, in words.
            handler: whose code is called by it, if anybody's.
        """
        loop, order = self._loop, self._loop.order
        before = loop.enter()
        loop.read_only, loop.is_marred = what, False
        try:
            # What it sets of context variables stays behind with it.
            return self._context.copy().run(function, *args)
        finally:
            loop.read_only = ""
            # A replay asks nothing: what the function has made is not counted.
            loop.order = order
            loop.leave(before)
