"""Failures of exceptions: whatever a user raises, one comes out that can be stored."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import msgspec

from .durations import to_ns
from .failures import ArgumentConverter, Failure, FailureKind
from .texts import clipped, text_of
from .work_errors import (
    ActivityError,
    ApplicationError,
    ApplicationErrorCategory,
    CancelledError,
    ChildWorkflowError,
    FailureError,
    TerminatedError,
    TimeoutError,
    WorkflowAlreadyStartedError,
)

__all__ = ["own_frames", "to_failure"]

MAX_CAUSES = 16
MAX_MESSAGE = 16_384
MAX_STACK = 16_384
MAX_TYPE = 1_000
_encode = msgspec.msgpack.Encoder().encode
_CATEGORIES = frozenset(map(int, ApplicationErrorCategory))


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
                f"(this {type(link).__name__} cannot be described: {clipped(text_of(err), 500)})",
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
    message = clipped(_message(exc), min(MAX_MESSAGE, room))
    room = max(room - len(message), 0)
    stack = clipped(_stack(exc), min(MAX_STACK, room))
    details, why_not = _details(exc, converter, max(room - len(stack), 0))
    failure = Failure(
        kind,
        message + why_not,
        type=clipped(_type(exc), MAX_TYPE),
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
        return clipped(value, MAX_TYPE)
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
        return b"", f" [details left out: {clipped(text_of(err), 500)}]"
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
        theirs = [frame for frame, own in zip(report.stack, own_frames(exc.__traceback__), strict=True) if not own]
        if theirs:
            report.stack = traceback.StackSummary.from_list(theirs)
        lines = list(report.format(chain=False))
    except BaseException as err:  # notes, source lines and subclasses of SyntaxError are the user's
        return f"(the traceback cannot be shown: {type(err).__name__})"
    return "".join(lines)


def own_frames(tb: TracebackType | None) -> Iterator[bool]:
    """Of each frame of a traceback, the outermost first, whether it is the library's own."""
    while tb is not None:
        yield str(tb.tb_frame.f_globals.get("__name__", "")).startswith(_PACKAGE)
        tb = tb.tb_next


_PACKAGE = __name__.partition(".")[0] + "."
