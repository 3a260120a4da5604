"""What people write workflows against: everything here speaks to the execution running now, by ``core.context``."""

from __future__ import annotations

import asyncio
import uuid as _uuid
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Generic, ParamSpec, TypeVar, overload

from .activity_calls import execute_activity, execute_activity_method, start_activity, start_activity_method
from .core.channels import SignalChannel, wait_ns
from .core.context import Info, current, current_or_none
from .core.handles import ActivityHandle
from .model import definitions
from .model.definitions import WorkflowDefinition, define_class, define_function, mark, signal_name
from .model.durations import to_ns
from .model.errors import InvalidWorkflowError
from .model.ids import check_id
from .model.registry import workflows
from .model.signatures import Signature

__all__ = [
    "ActivityHandle",
    "ExternalWorkflowHandle",
    "FunctionWorkflow",
    "Info",
    "SignalChannel",
    "all_handlers_finished",
    "defn",
    "execute_activity",
    "execute_activity_method",
    "get_dynamic_signal_handler",
    "get_external_workflow_handle",
    "get_signal_handler",
    "in_workflow",
    "info",
    "init",
    "now",
    "random",
    "run",
    "set_dynamic_signal_handler",
    "set_signal_handler",
    "side_effect",
    "signal",
    "signal_channel",
    "sleep",
    "sleep_until",
    "start_activity",
    "start_activity_method",
    "time_ns",
    "uuid4",
    "uuid7",
    "wait_condition",
]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
C = TypeVar("C", bound=type)
F = TypeVar("F", bound=Callable[..., Any])

Duration = timedelta | float


# Declaring.


class FunctionWorkflow(Generic[P, R]):
    """A workflow written as a function: pass it to ``start_workflow``, or call it in a unit test of its own."""

    def __init__(self, definition: WorkflowDefinition) -> None:
        self.definition = definition
        self.__name__ = definition.target.__name__
        self.__doc__ = definition.target.__doc__
        self.__wrapped__ = definition.target

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        outcome: Coroutine[Any, Any, R] = self.definition.run(*args, **kwargs)
        return outcome

    def __repr__(self) -> str:
        return f"<workflow {self.definition.name!r}>"


@overload
def defn(target: C, /) -> C: ...
@overload
def defn(target: Callable[P, Coroutine[Any, Any, R]], /) -> FunctionWorkflow[P, R]: ...
@overload
def defn(*, name: str | None = None, failure_exception_types: tuple[type[BaseException], ...] = ()) -> _Declare: ...
def defn(
    target: Any = None,
    /,
    *,
    name: str | None = None,
    failure_exception_types: tuple[type[BaseException], ...] = (),
) -> Any:
    """Declare a workflow: a class with one ``@workflow.run`` method, or one ``async def`` function.

    Args:
        name: the name it is registered and recorded under; the class's or function's own name if not given. It is part
            of the contract with runs that are under way: keep it when the code is renamed.
        failure_exception_types: exceptions that close a run as failed. Failures (``ApplicationError`` and its kin) and
            timeouts always do; any other exception is a bug and suspends the run until the code is mended.

    Raises:
        InvalidWorkflowError: it cannot be a workflow; every reason is listed.
    """
    declare = _Declare(name, failure_exception_types)
    return declare if target is None else declare(target)


class _Declare:
    """``@workflow.defn(...)`` with its options, waiting for the class or function."""

    def __init__(self, name: str | None, failure_exception_types: tuple[type[BaseException], ...]) -> None:
        if name is not None:
            check_id(name, "workflow name")
        self._name = name
        self._failures = tuple(failure_exception_types)

    @overload
    def __call__(self, target: C, /) -> C: ...
    @overload
    def __call__(self, target: Callable[P, Coroutine[Any, Any, R]], /) -> FunctionWorkflow[P, R]: ...
    def __call__(self, target: Any, /) -> Any:
        if isinstance(target, type):
            definition = define_class(target, name=self._name, failure_exception_types=self._failures)
            setattr(target, definitions.DEFINITION, definition)
            setattr(definition.run, definitions.DEFINITION, definition)
            workflows.add(definition)
            return target
        if not callable(target):
            raise InvalidWorkflowError(repr(target), ["decorate a class or an async function with @workflow.defn"])
        definition = define_function(target, name=self._name, failure_exception_types=self._failures)
        declared: FunctionWorkflow[Any, Any] = FunctionWorkflow(definition)
        setattr(declared, definitions.DEFINITION, definition)
        workflows.add(definition)
        return declared


def run(method: F) -> F:
    """Mark the method of a workflow class that is the workflow."""
    mark(method, "run")
    return method


def init(method: F) -> F:
    """Mark the ``__init__`` that takes the same arguments as the run method, before any signal is handled."""
    mark(method, "init")
    return method


@overload
def signal(method: F, /) -> F: ...
@overload
def signal(*, name: str | None = None, dynamic: bool = False, description: str | None = None) -> Callable[[F], F]: ...
def signal(
    method: Any = None, /, *, name: str | None = None, dynamic: bool = False, description: str | None = None
) -> Any:
    """Mark a method as a signal handler; it may be ``async`` and wait.

    Args:
        name: the signal's name, the method's own if not given.
        dynamic: hear every signal that no other handler hears; the method gets the signal's name before its arguments.
        description: a line for people and tools.
    """
    if dynamic and name is not None:
        raise ValueError("a dynamic handler hears every name: leave out name= or dynamic=True")
    if name is not None:
        check_id(name, "signal name")

    def note(function: F) -> F:
        mark(
            function,
            "signal",
            name=None if dynamic else name or function.__name__,
            description=description,
            signature=Signature(function, skip=1),
        )
        return function

    return note if method is None else note(method)


# Handlers and channels at run time.


def set_signal_handler(name: str, handler: Callable[..., Any] | None) -> None:
    """Set, replace or (with None) remove the handler of one signal; what was kept for it is delivered in its order."""
    current().set_signal_handler(check_id(name, "signal name"), _callable(handler))


def get_signal_handler(name: str) -> Callable[..., Any] | None:
    """The handler of a signal, or None."""
    return current().get_signal_handler(name)


def set_dynamic_signal_handler(handler: Callable[..., Any] | None) -> None:
    """Set, replace or remove the handler of every signal without one; it gets the signal's name, then its arguments."""
    current().set_signal_handler(None, _callable(handler))


def get_dynamic_signal_handler() -> Callable[..., Any] | None:
    """The handler of every signal that has none, or None."""
    return current().get_signal_handler(None)


def _callable(handler: Any) -> Any:
    if handler is None or callable(handler):
        return handler
    raise TypeError(f"a signal handler is a {type(handler).__name__}; give a function, or None to remove the handler")


def signal_channel() -> SignalChannel:
    """A channel on the signals that no handler takes."""
    return current().signal_channel()


def all_handlers_finished() -> bool:
    """Whether no signal handler is at work; ``await wait_condition(all_handlers_finished)`` lets them end first."""
    return current().all_handlers_finished()


# Waiting.


async def wait_condition(predicate: Callable[[], object], *, timeout: Duration | None = None) -> None:
    """Wait until ``predicate()`` is true; it is asked again after whatever happens in the run. It may only read.

    Args:
        predicate: called without arguments; an exception of it is raised here.
        timeout: how long to wait, as a durable timer; None waits for ever, zero or less only asks once.

    Raises:
        TimeoutError: it did not become true in time.
    """
    context = current()
    timeout_ns = wait_ns(timeout)
    if timeout_ns == 0:
        if not context.is_condition_met(predicate):
            raise TimeoutError("the condition is not met")
        return
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    context.add_condition(predicate, future)
    if timeout_ns is None:
        await future
        return
    limit = asyncio.timeout(timeout_ns / 1e9)
    try:
        async with limit:
            await future
    except TimeoutError:
        if limit.expired():
            raise TimeoutError(f"the condition was not met within {timeout}") from None
        raise


async def sleep(duration: Duration, *, summary: str = "") -> None:
    """Wait, as a durable timer: a restart does not shorten or lengthen it.

    Args:
        duration: seconds or timedelta; zero is a timer too, one that is due at once.
        summary: a line for people.
    """
    nanoseconds = to_ns(duration, "duration")
    await _until(current().now_ns() + (nanoseconds or 0), summary)


async def sleep_until(when: datetime, *, summary: str = "") -> None:
    """Wait until an instant, as a durable timer.

    Args:
        when: an aware datetime; one that has passed is due at once.
        summary: a line for people.
    """
    if when.tzinfo is None:
        raise ValueError("sleep_until needs an aware datetime: which time zone is meant?")
    context = current()
    at_ns = (when - _EPOCH) // timedelta(microseconds=1) * 1000
    await _until(max(at_ns, context.now_ns()), summary)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def _until(at_ns: int, summary: str) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    timer = current().start_timer(at_ns, _wake, future, summary=summary)
    try:
        await future
    finally:
        timer.cancel()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


# Recorded and repeatable values.


@overload
def side_effect(function: Callable[[], T], /) -> T: ...
@overload
def side_effect(function: Callable[[], Any], /, *, result_type: type[T]) -> T: ...
def side_effect(function: Callable[[], Any], /, *, result_type: Any = Any) -> Any:
    """Call ``function`` once and record what it gives; a replay takes the recorded value.

    For a quick local call (a configuration value, a reading of the machine's clock). What can fail or take time is an
    activity. The value comes back as the journal keeps it: pass ``result_type`` for what is not plain data.

    Raises:
        ApplicationError: ``function`` raised, or asked the workflow for something that changes it; that is recorded
            too.
    """
    return current().side_effect(function, result_type)


def now() -> datetime:
    """The run's time (aware, UTC): that of the turn, the same in each replay, never going back."""
    at_ns = current().now_ns()
    return _EPOCH + timedelta(microseconds=at_ns // 1000)


def time_ns() -> int:
    """The run's time in ns since 1970 (UTC)."""
    return current().now_ns()


def random() -> Random:
    """The run's own random generator, the same in each replay."""
    return current().random()


def uuid4() -> _uuid.UUID:
    """A random UUID from the run's own generator."""
    return _uuid.UUID(int=current().random().getrandbits(128), version=4)


def uuid7() -> _uuid.UUID:
    """A UUID that sorts by the run's time.

    **Source:** RFC 9562, section 5.7.
    """
    context = current()
    milliseconds = context.now_ns() // 1_000_000 & (1 << 48) - 1
    bits = context.random().getrandbits(74)
    high, low = bits >> 62, bits & (1 << 62) - 1
    return _uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)


def info() -> Info:
    """What the run knows of itself."""
    return current().info()


def in_workflow() -> bool:
    """Whether the caller is workflow code."""
    return current_or_none() is not None


# Other workflows.


class ExternalWorkflowHandle:
    """Another workflow, by id."""

    def __init__(self, workflow_id: str, run_id: str) -> None:
        self._workflow_id = workflow_id
        self._run_id = run_id

    @property
    def id(self) -> str:
        """The workflow id."""
        return self._workflow_id

    @property
    def run_id(self) -> str | None:
        """The run meant, or None for the current one."""
        return self._run_id or None

    async def signal(self, signal: str | Callable[..., Any], *args: Any) -> None:
        """Put a signal in the other workflow's mailbox; returns when it is there. It is delivered exactly once.

        Args:
            signal: the signal's name, or a reference to its handler.
            *args: its arguments.

        Raises:
            ApplicationError: type ``ExternalWorkflowExecutionNotFound``: there is no such workflow, or it has ended.
        """
        await current().signal_external(self._workflow_id, self._run_id, signal_name(signal), args)

    def __repr__(self) -> str:
        return f"<workflow {self._workflow_id!r}{' run ' + self._run_id if self._run_id else ''}>"


def get_external_workflow_handle(workflow_id: str, *, run_id: str | None = None) -> ExternalWorkflowHandle:
    """A handle of another workflow: its current run, or the one given."""
    return ExternalWorkflowHandle(check_id(workflow_id, "workflow id"), run_id or "")
