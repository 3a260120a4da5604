"""Exceptions as values that can be stored."""

# No `from __future__ import annotations`: each annotation of a struct would be compiled whenever this is imported.

from enum import Enum
from typing import Protocol, Self

import msgspec

from .work_errors import TimeoutType

__all__ = ["ArgumentConverter", "Facts", "Failure", "FailureKind"]

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
    cause: "Failure | None" = None
    next_retry_delay_ns: int | None = None
    category: int = 0
    facts: Facts = {}

    @property
    def headline(self) -> str:
        """Its type and its message, in a line; what kind it is if it has neither."""
        return f"{self.type}: {self.message}" if self.type else self.message or self.kind.value

    @property
    def is_cancellation(self) -> bool:
        """Whether it says that something was cancelled, or that an activity or child was."""
        if self.kind in (FailureKind.ACTIVITY, FailureKind.CHILD_WORKFLOW):
            return self.cause is not None and self.cause.kind is FailureKind.CANCELLED
        return self.kind is FailureKind.CANCELLED

    def because(self, reason: str) -> Self:
        """The same failure, with why that was wished where it says of itself or of its cause that it was cancelled, and
        no more than that."""
        if self.kind is FailureKind.CANCELLED and self.message in _ONLY_CANCELLED:
            return msgspec.structs.replace(self, message=f"cancelled: {reason}")
        if self.cause is None:
            return self
        return msgspec.structs.replace(self, cause=self.cause.because(reason))

    def with_details(self, details: bytes) -> Self:
        """The same failure, with the payload of other details."""
        return msgspec.structs.replace(self, details=details)

    def without_stack(self) -> Self:
        """The same failure, wherever in the code it and its causes came about."""
        cause = None if self.cause is None else self.cause.without_stack()
        return msgspec.structs.replace(self, stack="", cause=cause)

    def final(self) -> Self:
        """The same failure, of an attempt that is the last whatever a policy says."""
        return msgspec.structs.replace(self, non_retryable=True)

    @property
    def timeout_type(self) -> TimeoutType | None:
        """Which time limit passed, if that is what happened."""
        return _TIMEOUTS.get(self.facts.get("type")) if self.kind is FailureKind.TIMEOUT else None


_TIMEOUTS: dict[object, TimeoutType] = {int(kind): kind for kind in TimeoutType}

# What Python's own says, and what ours does that nobody has given a message.
_ONLY_CANCELLED = "", "cancelled"
