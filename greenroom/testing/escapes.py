"""What the code of workflows and activities raises that is meant for whoever runs the test: Ctrl-C, an exit, and what
pytest's ``fail`` and ``skip`` raise. The runtime would take it for a failure or a bug like others; a test must stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from ..runtime.core.execution import Execution
from ..runtime.core.handler_table import HandlerError
from ..runtime.core.handling import UpdateRejectedError
from ..runtime.core.messages import UpdateReceived
from ..runtime.core.strictness import StrictExecution
from ..runtime.model.payload_converter import PayloadConverter
from ..runtime.shell.calling import Caller
from ..runtime.shell.strict_net import StrictNet
from ..runtime.shell.task import Failed, Task

__all__ = ["Escaped", "WatchedCaller", "meant_for_the_test", "watched_executions"]

Escaped = Callable[[BaseException], object]
"""Told what is to come out of whoever drives the runtime."""


def meant_for_the_test(error: BaseException | None) -> BaseException | None:
    """What of an exception must not stay within the runtime, or None."""
    if isinstance(error, BaseExceptionGroup):
        parts = cast("BaseExceptionGroup[BaseException]", error).exceptions
        return next(filter(None, map(meant_for_the_test, parts)), None)
    # By name: pytest need not be there. Its outcomes say that they are builtins, and their base does not.
    is_outcome = any(base.__module__ == "_pytest.outcomes" for base in type(error).__mro__)
    return error if is_outcome or isinstance(error, (KeyboardInterrupt, SystemExit)) else None


class WatchedCaller(Caller):
    """Calls attempts as others do; each has an outcome besides.

    Args:
        converter, clock: those of ``Caller``.
        escaped: told what is meant for the test.
    """

    __slots__ = ("_escaped",)

    def __init__(self, converter: PayloadConverter, clock: Callable[[], int], escaped: Escaped) -> None:
        super().__init__(converter, clock)
        self._escaped = escaped

    def _raised(self, error: BaseException, task: Task, args: list[Any] | None, result: object) -> Failed:
        if (found := meant_for_the_test(error)) is not None:
            self._escaped(found)
        return super()._raised(error, task, args, result)


class _Watched(Execution):
    """A run as others are; what its code raises is a failure or a bug besides."""

    __slots__ = ("escaped",)

    escaped: Escaped

    def _failure_in(self, error: BaseException) -> BaseException | None:
        if not self.put_away:
            self._watch(error)
        return super()._failure_in(error)

    def query(self, name: str, args: bytes) -> bytes:
        try:
            return super().query(name, args)
        except HandlerError as error:
            self._watch(error.__cause__)
            raise

    def validate(self, update: UpdateReceived, time_ns: int) -> None:
        try:
            super().validate(update, time_ns)
        except UpdateRejectedError as error:
            self._watch(error.reason)
            raise

    def _watch(self, error: BaseException | None) -> None:
        if (found := meant_for_the_test(error)) is not None:
            self.escaped(found)


class _WatchedStrictly(_Watched, StrictExecution):
    """The same under the strict net."""


def watched_executions(escaped: Escaped) -> Callable[[bool], Callable[..., Execution]]:
    """What makes runs, once it knows whether they are under the strict net."""

    def maker(is_strict: bool) -> Callable[..., Execution]:
        net = StrictNet() if is_strict else None

        def make(*arguments: Any, **options: Any) -> Execution:
            if net is None:
                execution = _Watched(*arguments, **options)
            else:
                execution = _WatchedStrictly(*arguments, net=net, **options)
            execution.escaped = escaped
            return execution

        return make

    return maker
