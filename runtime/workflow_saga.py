"""Sagas: what undoes each step of a workflow is named beside it, and is done backwards if a later step fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from inspect import isawaitable
from types import TracebackType
from typing import Any, Self, TypeVarTuple, Unpack, overload

from .activity_calls import start_activity
from .core.context import current
from .model.activity_definition import definition_of
from .model.mistakes import refuse_a_call
from .model.values import Value
from .workflow_gathering import wait
from .workflow_logging import logger
from .workflow_options import ActivityCallOptions

__all__ = ["Saga"]

Ts = TypeVarTuple("Ts")


class _Compensation(Value, frozen=True):
    name: str
    call: Callable[..., Any]
    args: tuple[object, ...]
    options: dict[str, Any]


class Saga:
    """Steps that are undone together: ``async with workflow.Saga() as saga``, and ``saga.add(undo, ...)`` at each step.

    If the block ends by a failure or a cancellation, what was added is done, last first, and the block's error is
    raised again. A cancellation that comes meanwhile waits until all is done. One that fails does not keep the others
    from being done; the error has a note of it, and the log a line. A bug undoes nothing: the run is suspended, and
    goes on inside the block once its code is mended. Nor does going on as a new run, which is no failure. What is added
    may be done although its step was not: add it before a step that may have been done when it fails, and let it pass
    over what is not there.

    Args:
        parallel: whether compensations are begun together, last first, instead of each after the end of the one before.

    Attributes:
        failures: what compensations have failed with so far, in the order in which they were begun.
    """

    __slots__ = ("_compensations", "_is_parallel", "failures")

    def __init__(self, *, parallel: bool = False) -> None:
        self._compensations: list[_Compensation] = []
        self._is_parallel = parallel
        self.failures: list[BaseException] = []

    @overload
    def add(
        self, compensation: Callable[[*Ts], object], /, *args: *Ts, **options: Unpack[ActivityCallOptions]
    ) -> None: ...
    @overload
    def add(self, compensation: str, /, *args: Any, **options: Unpack[ActivityCallOptions]) -> None: ...
    def add(self, compensation: Any, /, *args: object, **options: Any) -> None:
        """Name what undoes a step.

        Args:
            compensation: a declared activity, or the name of one; or a function of the workflow's own, which may be
                ``async``.
            *args: its arguments.
            **options: those of ``start_activity``, if it is an activity.

        Raises:
            TypeError: it cannot be called, or is no activity and has been given options of one.
        """
        call: Callable[..., Any]
        definition = None if isinstance(compensation, str) else definition_of(compensation)
        if isinstance(compensation, str) or definition is not None:
            name = compensation if definition is None else definition.name
            call = partial(start_activity, compensation)
        else:
            refuse_a_call("compensation", compensation)
            if not callable(compensation):
                raise TypeError(f"a compensation is an activity or a function, and this is {compensation!r}")
            name = getattr(compensation, "__qualname__", repr(compensation))
            if options:
                raise TypeError(f"{name} is no activity and takes no options ({', '.join(options)})")
            call = compensation
        self._compensations.append(_Compensation(name, call, args, options))

    async def compensate(self) -> None:
        """Undo by hand what has been added and is not undone yet; after that nothing is left to be undone.

        Raises:
            BaseExceptionGroup: what has failed, once all is done; ``ExceptionGroup`` if none of it is a cancellation.
            asyncio.CancelledError: the caller was cancelled meanwhile; all is done.
        """
        before = len(self.failures)
        cancelled = await self._undo_all()
        if cancelled is not None:
            raise cancelled
        failures = self.failures[before:]
        if failures:
            raise BaseExceptionGroup(f"{len(failures)} of the compensations failed", failures)

    async def __aenter__(self) -> Self:
        current()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None and self._compensations and current().is_failure(error):
            await self._undo_all(noting=error.add_note)

    async def _undo_all(self, noting: Callable[[str], None] = lambda note: None) -> asyncio.CancelledError | None:
        """Undo all; gives the cancellation that has come meanwhile and was not let through."""
        cancelled: asyncio.CancelledError | None = None
        undoing = asyncio.get_running_loop().create_task(self._undo(noting))
        while not undoing.done():
            try:
                await wait([undoing])
            except asyncio.CancelledError as error:
                cancelled = error
        undoing.result()
        return cancelled

    async def _undo(self, noting: Callable[[str], None]) -> None:
        loop = asyncio.get_running_loop()
        while self._compensations:
            if not self._is_parallel:
                await self._attempt(self._compensations.pop(), noting)
                continue
            tasks = [loop.create_task(self._attempt(each, noting)) for each in reversed(self._compensations)]
            self._compensations.clear()
            # Only a bug gets out of one, and must not be kept from stopping the run by those that are still at work.
            for task in (await wait(tasks, return_when=asyncio.FIRST_EXCEPTION))[0]:
                task.result()

    async def _attempt(self, compensation: _Compensation, noting: Callable[[str], None]) -> None:
        try:
            answer = compensation.call(*compensation.args, **compensation.options)
            if isawaitable(answer):
                await answer
        except BaseException as error:
            # A bug, or the end of the run's stay in memory, is nothing that the others could be done after.
            if not current().is_failure(error):
                raise
            self.failures.append(error)
            told = f"the compensation {compensation.name!r} failed: {type(error).__name__}: {error}"
            noting(told)
            logger.error("%s", told)
