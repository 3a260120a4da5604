"""Exceptions as values that can be stored, and back; whatever a user raises, a failure comes out."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterator
from enum import Enum
from types import TracebackType
from typing import Any, Protocol

import msgspec

from .durations import to_ns, to_timedelta
from .work_errors import (
    ActivityError,
    ApplicationError,
    ApplicationErrorCategory,
    CancelledError,
    ChildWorkflowError,
    FailureError,
    RetryState,
    TerminatedError,
    TimeoutError,
    TimeoutType,
    WorkflowAlreadyStartedError,
)

__all__ = ["Failure", "FailureKind", "text_of", "to_exception", "to_failure"]

MAX_CAUSES = 16
MAX_MESSAGE = 16_384
MAX_STACK = 16_384
MAX_TYPE = 1_000
_encode = msgspec.msgpack.Encoder().encode
_STACK_NOTE = "Where it was raised:\n"

Facts = dict[str, str | int | None]


class ArgumentConverter(Protocol):
    """What is needed of a converter: `payloads.Converter` and any that a user writes."""

    def encode_args(self, args: tuple[object, ...]) -> bytes: ...

    def decode_args(self, data: bytes, hints: None) -> list[object]: ...


class FailureKind(Enum):
    """Which exception a failure stands for; the values are stored."""

    APPLICATION = "application"
    ACTIVITY = "activity"
    CHILD_WORKFLOW = "child"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"
    TIMEOUT = "timeout"
    ALREADY_STARTED = "already started"


class Failure(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An exception as a stored value; fields are only added at the end, with a default.

    Args:
        kind: which exception it becomes.
        message: what happened.
        type: the class name of a user's exception or the ``type`` of an `ApplicationError`; "" for none.
        types: names of the exception's class and its bases up to ``Exception``, nearest first.
        non_retryable: no further attempt, whatever the policy.
        details: payload of an argument list; b"" for none. The last heartbeat's details for a timeout.
        stack: traceback text of the user's frames.
        cause: what led to it.
        next_retry_delay_ns: wait before the next attempt instead of what the policy says.
        category: an `ApplicationErrorCategory`.
        facts: what only this kind has, by attribute name.
    """

    kind: FailureKind
    message: str
    type: str = ""
    types: tuple[str, ...] = ()
    non_retryable: bool = False
    details: bytes = b""
    stack: str = ""
    cause: Failure | None = None
    next_retry_delay_ns: int | None = None
    category: int = 0
    facts: Facts = {}

    @property
    def headline(self) -> str:
        """Its type and its message, in a line."""
        return f"{self.type}: {self.message}" if self.type else self.message

    @property
    def is_cancellation(self) -> bool:
        """Whether it says that something was cancelled, or that an activity or child was."""
        if self.kind in (FailureKind.ACTIVITY, FailureKind.CHILD_WORKFLOW):
            return self.cause is not None and self.cause.kind is FailureKind.CANCELLED
        return self.kind is FailureKind.CANCELLED

    def with_details(self, details: bytes) -> Failure:
        """The same failure, with the payload of other details."""
        return msgspec.structs.replace(self, details=details)

    def final(self) -> Failure:
        """The same failure, of an attempt that is the last whatever a policy says."""
        return msgspec.structs.replace(self, non_retryable=True)

    @property
    def timeout_type(self) -> TimeoutType | None:
        """Which time limit passed, if that is what happened."""
        return _TIMEOUTS.get(self.facts.get("type")) if self.kind is FailureKind.TIMEOUT else None


def to_failure(exc: BaseException, converter: ArgumentConverter, *, limit: int = 1 << 20) -> Failure:
    """Turn any exception into a value.

    What is too deep, too long or cannot be encoded is cut, and the message says so: to lose a detail is better than to
    lose the outcome.

    Args:
        exc: the exception; its causes, and contexts that are not suppressed, come along.
        converter: encodes details.
        limit: bytes that all texts and details together may take, about.
    """
    chain, note = _chain(exc)
    links: list[Failure] = []
    for link in chain:
        try:
            failure = _alone(link, converter, limit)
            _encode(failure)  # what can only be seen later to be no value would lose the outcome
        except BaseException as err:  # a subclass of ours that never called our constructor, or worse
            failure = Failure(
                FailureKind.APPLICATION,
                f"(this {type(link).__name__} cannot be described: {_clip(text_of(err), 500)})",
                type=type(link).__name__,
                types=_names(type(link)),
                non_retryable=getattr(link, "non_retryable", False) is True,
            )
        limit = max(limit - len(failure.message) - len(failure.stack) - len(failure.details), 0)
        links.append(failure)
    cause = Failure(FailureKind.APPLICATION, note, type="CausesLeftOut") if note else None
    for failure in reversed(links[1:]):
        cause = msgspec.structs.replace(failure, cause=cause)
    return msgspec.structs.replace(links[0], cause=cause)


def _alone(exc: BaseException, converter: ArgumentConverter, room: int) -> Failure:
    """One link of a chain, cut to the room that is left."""
    kind = _kind(exc)
    message = _clip(_message(exc), min(MAX_MESSAGE, room))
    room = max(room - len(message), 0)
    stack = _clip(_stack(exc), min(MAX_STACK, room))
    details, why_not = _details(exc, converter, max(room - len(stack), 0))
    failure = Failure(
        kind,
        message + why_not,
        type=_clip(_type(exc), MAX_TYPE),
        types=_types(exc),
        details=details,
        stack=stack,
        facts={name: _fact(getattr(exc, name)) for name in _FACTS[kind]},
    )
    if not isinstance(exc, ApplicationError):
        return failure
    return msgspec.structs.replace(
        failure,
        non_retryable=bool(exc.non_retryable),
        next_retry_delay_ns=_delay_ns(exc),
        category=int(exc.category) if exc.category in _CATEGORIES else 0,
    )


def _fact(value: Any) -> str | int | None:
    """What can be stored of an attribute that anybody may have set."""
    if isinstance(value, str):
        return _clip(value, MAX_TYPE)
    return value if isinstance(value, int) and abs(value) < 2**63 else None


_KINDS: dict[type[BaseException], FailureKind] = {
    ActivityError: FailureKind.ACTIVITY,
    ApplicationError: FailureKind.APPLICATION,
    CancelledError: FailureKind.CANCELLED,
    ChildWorkflowError: FailureKind.CHILD_WORKFLOW,
    TerminatedError: FailureKind.TERMINATED,
    TimeoutError: FailureKind.TIMEOUT,
    WorkflowAlreadyStartedError: FailureKind.ALREADY_STARTED,
    asyncio.CancelledError: FailureKind.CANCELLED,
}
_FACTS: dict[FailureKind, tuple[str, ...]] = {
    FailureKind.APPLICATION: (),
    FailureKind.ACTIVITY: ("activity_type", "activity_id", "attempt", "retry_state"),
    FailureKind.CHILD_WORKFLOW: ("workflow_type", "workflow_id", "run_id", "attempt", "retry_state"),
    FailureKind.CANCELLED: (),
    FailureKind.TERMINATED: (),
    FailureKind.TIMEOUT: ("type",),
    FailureKind.ALREADY_STARTED: ("workflow_id", "run_id", "workflow_type"),
}


def _kind(exc: BaseException) -> FailureKind:
    for cls in type(exc).__mro__:
        kind = _KINDS.get(cls)
        if kind is not None:
            return kind
    return FailureKind.APPLICATION


def _type(exc: BaseException) -> str:
    if isinstance(exc, ApplicationError):
        if exc.type is not None:
            return str(exc.type)
        return "" if type(exc) is ApplicationError else type(exc).__name__
    return "" if _kind(exc) is not FailureKind.APPLICATION else type(exc).__name__


def _types(exc: BaseException) -> tuple[str, ...]:
    if isinstance(exc, FailureError) and exc.types:
        return exc.types
    return _names(type(exc))


def _names(cls: type[BaseException]) -> tuple[str, ...]:
    return tuple(base.__name__ for base in cls.__mro__ if base not in (object, BaseException))


def _details(exc: BaseException, converter: ArgumentConverter, room: int) -> tuple[bytes, str]:
    """The payload of an exception's details, or none and why not."""
    details: tuple[object, ...] = ()
    if isinstance(exc, TimeoutError):
        details = exc.last_heartbeat_details
    elif isinstance(exc, (ApplicationError, CancelledError, TerminatedError)):
        details = exc.details
    if not details:
        return b"", ""
    try:
        data = converter.encode_args(details)
    except BaseException as err:  # a user's converter may raise anything, and the outcome must not be lost
        return b"", f" [details left out: {_clip(text_of(err), 500)}]"
    if len(data) > room:
        return b"", f" [details left out: {len(data):,} bytes are too many]"
    return data, ""


def _delay_ns(exc: ApplicationError) -> int | None:
    try:
        return to_ns(exc.next_retry_delay, "next_retry_delay")
    except (TypeError, ValueError):  # a nonsensical wait is no wait of its own; the policy's then holds
        return None


def _message(exc: BaseException) -> str:
    return text_of(exc.message if isinstance(exc, FailureError) else exc)


def text_of(words: object) -> str:
    """What ``str()`` makes of something of the user's, whatever comes of it."""
    try:
        return str(words)
    except BaseException as err:  # the user's __str__, which may raise anything
        return f"(str() of this {type(words).__name__} raised {type(err).__name__})"


def _clip(text: str, most: int) -> str:
    text = text.encode("utf-8", "backslashreplace").decode()
    if len(text) <= most:
        return text
    return f"{text[:most]} [cut: {len(text):,} characters in all]"


def _chain(exc: BaseException) -> tuple[list[BaseException], str]:
    """The exception and its causes, outermost first, and a note on what was left out."""
    links: list[BaseException] = []
    seen: set[int] = set()
    link: BaseException | None = exc
    while link is not None:
        if id(link) in seen:
            return links, "the chain of causes is a circle"
        if len(links) == MAX_CAUSES:
            return links, f"causes beyond {MAX_CAUSES} were left out"
        seen.add(id(link))
        links.append(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return links, ""


def _stack(exc: BaseException) -> str:
    """Traceback text of one exception, without its causes and without greenroom's own frames."""
    if isinstance(exc, FailureError) and exc.stack:
        return exc.stack
    if exc.__traceback__ is None:
        return ""
    try:
        report = traceback.TracebackException.from_exception(exc, compact=True, max_group_width=8, max_group_depth=4)
        theirs = [frame for frame, own in zip(report.stack, _is_own(exc.__traceback__), strict=True) if not own]
        if theirs:
            report.stack = traceback.StackSummary.from_list(theirs)
        lines = list(report.format(chain=False))
    except BaseException as err:  # notes, source lines and subclasses of SyntaxError are the user's
        return f"(the traceback cannot be shown: {type(err).__name__})"
    return "".join(lines)


def _is_own(tb: TracebackType | None) -> Iterator[bool]:
    while tb is not None:
        yield str(tb.tb_frame.f_globals.get("__name__", "")).startswith(_PACKAGE)
        tb = tb.tb_next


_PACKAGE = __name__.partition(".")[0] + "."


def to_exception(failure: Failure, converter: ArgumentConverter) -> FailureError:
    """The exception of a failure; a user's class comes back as an `ApplicationError` with its name as ``type``.

    It never fails: a fact that this release does not know is left out.
    """
    first = exc = _alone_again(failure, converter)
    while failure.cause is not None:
        failure = failure.cause
        exc.__cause__ = exc = _alone_again(failure, converter)
    return first


def _alone_again(failure: Failure, converter: ArgumentConverter) -> FailureError:
    exc = _MAKERS[failure.kind](failure, converter)
    exc.types = failure.types
    if failure.stack:
        exc.stack = failure.stack
        exc.add_note(_STACK_NOTE + failure.stack.rstrip("\n"))
    return exc


_CATEGORIES = frozenset(map(int, ApplicationErrorCategory))
_RETRY_STATES = frozenset(map(int, RetryState))
_TIMEOUTS: dict[object, TimeoutType] = {int(kind): kind for kind in TimeoutType}


def _decoded(failure: Failure, converter: ArgumentConverter) -> list[object]:
    if not failure.details:
        return []
    try:
        return converter.decode_args(failure.details, None)
    except BaseException as err:  # a user's converter may raise anything, and the outcome must not be lost
        return [f"(details that cannot be decoded: {_clip(text_of(err), 500)})"]


def _application(failure: Failure, converter: ArgumentConverter) -> FailureError:
    delay = failure.next_retry_delay_ns
    return ApplicationError(
        failure.message,
        *_decoded(failure, converter),
        type=failure.type or None,
        non_retryable=failure.non_retryable,
        next_retry_delay=None if delay is None or not 0 <= delay < 2**62 else to_timedelta(delay),
        category=ApplicationErrorCategory(failure.category if failure.category in _CATEGORIES else 0),
    )


def _activity(failure: Failure, converter: ArgumentConverter) -> FailureError:
    facts = failure.facts
    return ActivityError(
        failure.message,
        activity_type=_str(facts, "activity_type"),
        activity_id=_str(facts, "activity_id"),
        attempt=_int(facts, "attempt"),
        retry_state=_retry_state(facts),
    )


def _child(failure: Failure, converter: ArgumentConverter) -> FailureError:
    facts = failure.facts
    return ChildWorkflowError(
        failure.message,
        workflow_type=_str(facts, "workflow_type"),
        workflow_id=_str(facts, "workflow_id"),
        run_id=_str(facts, "run_id") or None,
        attempt=_int(facts, "attempt"),
        retry_state=_retry_state(facts),
    )


def _timeout(failure: Failure, converter: ArgumentConverter) -> FailureError:
    details = _decoded(failure, converter)
    return TimeoutError(failure.message, type=failure.timeout_type, last_heartbeat_details=details)


def _already_started(failure: Failure, converter: ArgumentConverter) -> FailureError:
    facts = failure.facts
    return WorkflowAlreadyStartedError(
        _str(facts, "workflow_id"), _str(facts, "run_id") or None, _str(facts, "workflow_type") or None
    )


def _cancelled(failure: Failure, converter: ArgumentConverter) -> FailureError:
    return CancelledError(failure.message or "cancelled", *_decoded(failure, converter))


def _terminated(failure: Failure, converter: ArgumentConverter) -> FailureError:
    return TerminatedError(failure.message, *_decoded(failure, converter))


_MAKERS: dict[FailureKind, Callable[[Failure, ArgumentConverter], FailureError]] = {
    FailureKind.APPLICATION: _application,
    FailureKind.ACTIVITY: _activity,
    FailureKind.CHILD_WORKFLOW: _child,
    FailureKind.CANCELLED: _cancelled,
    FailureKind.TERMINATED: _terminated,
    FailureKind.TIMEOUT: _timeout,
    FailureKind.ALREADY_STARTED: _already_started,
}


def _str(facts: Facts, name: str) -> str:
    value = facts.get(name)
    return value if isinstance(value, str) else ""


def _int(facts: Facts, name: str) -> int:
    value = facts.get(name)
    return value if isinstance(value, int) else 1


def _retry_state(facts: Facts) -> RetryState | None:
    value = facts.get("retry_state")
    return RetryState(value) if isinstance(value, int) and value in _RETRY_STATES else None
