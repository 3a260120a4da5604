"""Who takes which update: its validator looks at it first and may only read, then its handler is a task of its own.

A validator runs once, when the update comes in; a replay does not ask it, since the history has accepted updates only.
"""

# No `from __future__ import annotations`: each annotation of a struct would be compiled whenever this is imported.

from collections.abc import Callable
from contextvars import ContextVar
from inspect import isawaitable, iscoroutine
from typing import Any, Protocol

import msgspec

from ..model.errors import NotRegisteredError
from ..model.handler_definitions import HandlerDefinition
from ..model.payload_converter import PayloadConverter
from .at_work import AtWork
from .handler_table import HandlerError, HandlerTable
from .loop import WorkflowLoop
from .messages import UpdateReceived

__all__ = ["UpdateInfo", "Updates", "ValidatorError", "current_update"]


class UpdateInfo(msgspec.Struct, frozen=True):
    """The update that a handler or a validator is called for.

    Attributes:
        id: the update's id, by which the run knows it from others.
        name: its name.
        identity: on whose behalf its client has said to ask for it; empty if it has not.
    """

    id: str
    name: str
    identity: str = ""


class ValidatorError(TypeError):
    """A validator cannot be one."""


_CURRENT: ContextVar[UpdateInfo | None] = ContextVar("greenroom_current_update", default=None)

current_update = _CURRENT.get
"""The update that the running code was called for, or None."""


class Updater(Protocol):
    """The execution whose updates these are."""

    def update_returned(self, update: UpdateReceived, result: object, result_type: Any) -> None:
        """The handler of an update gave its result."""
        ...

    def update_raised(self, update: UpdateReceived, error: BaseException) -> None:
        """The handler of an update let out ``error``."""
        ...


class _Nobody:
    """Whose updates they are once the run is put away."""

    def update_returned(self, update: UpdateReceived, result: object, result_type: Any) -> None:
        """Nobody is there to be told."""

    def update_raised(self, update: UpdateReceived, error: BaseException) -> None:
        """Nobody is there to be told."""


_NOBODY = _Nobody()


class Updates(HandlerTable):
    """The update handlers of one run.

    Args:
        run: told how handlers end; None if it is put away.
        loop: where handlers run.
        converter: gives an update's arguments, as their types say.
        at_work: knows which handlers are at work.
    """

    __slots__ = ("_at_work", "_converter", "_loop", "_run")

    def __init__(self, run: Updater | None, loop: WorkflowLoop, converter: PayloadConverter, at_work: AtWork) -> None:
        super().__init__()
        self._run: Updater = run or _NOBODY
        self._loop = loop
        self._converter = converter
        self._at_work = at_work

    def put_away(self) -> None:
        """The run takes nothing any more; what refers to it in a circle would wait for the collector."""
        self._run = _NOBODY

    def validate(self, update: UpdateReceived) -> None:
        """Look whether an update can be taken.

        Raises:
            NotRegisteredError: nobody takes updates of that name.
            PayloadError: the arguments do not fit the handler's annotations.
            TypeError: the number of arguments does not fit.
            HandlerError: the validator has raised something, whatever that is, or gives something to be awaited.
        """
        handler, values = self._addressed(update)
        validator = handler.validator
        if validator is None:
            return
        _CURRENT.set(UpdateInfo(update.update_id, update.name, update.identity))
        try:
            answer = validator(*values)
        except BaseException as error:
            # User code: whatever it raises is for who has asked, and must not end more than this.
            raise HandlerError from error
        if isawaitable(answer):
            if iscoroutine(answer):
                answer.close()
            why = "its validator gives something to be awaited, and a validator cannot wait"
            raise HandlerError from ValidatorError(why)

    def start(self, update: UpdateReceived) -> None:
        """Have the handler take an update.

        Raises:
            NotRegisteredError, PayloadError, TypeError: as ``validate`` does.
        """
        # Decoded anew: what the validator has done to its arguments is not to be seen.
        handler, values = self._addressed(update)
        number = self._at_work.begin(handler, f"update {update.name!r} ({update.update_id})")
        task = self._handle(handler, update, values, number)
        self._loop.create_task(task, name=f"update {update.name}")

    def _addressed(self, update: UpdateReceived) -> tuple[HandlerDefinition, list[Any]]:
        """Who hears an update, and the arguments of the call."""
        handler = self.hearing(update.name)
        if handler is None:
            raise NotRegisteredError("update", update.name, self.names())
        values = handler.decoded(update.args, self._converter)
        problem = handler.problem_with(values)
        if problem is not None:
            raise TypeError(f"its handler {problem}")
        return handler, [update.name, *values] if handler.dynamic else values

    async def _handle(self, handler: HandlerDefinition, update: UpdateReceived, values: list[Any], number: int) -> None:
        # A task has a context of its own, and so have the tasks that it makes.
        _CURRENT.set(UpdateInfo(update.update_id, update.name, update.identity))
        function: Callable[..., Any] = handler.fn
        try:
            outcome: Any = function(*values)
            if iscoroutine(outcome):
                outcome = await outcome
            self._run.update_returned(update, outcome, handler.result_type)
        except BaseException as error:
            self._run.update_raised(update, error)
        finally:
            self._at_work.end(number)
