"""When a failed attempt is followed by another: a pure function of the policy and the facts."""

# No `from __future__ import annotations`: each annotation of a struct would be compiled whenever this is imported.

import hashlib
import math
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import msgspec
from msgspec.structs import force_setattr

from .durations import MAX_NS, to_ns, to_timedelta
from .failures import Failure, FailureKind
from .work_errors import RetryState, TimeoutType

__all__ = ["Retry", "RetryPolicy", "Stop", "check_policy", "decide"]

_SECOND = timedelta(seconds=1)
_MOST_ATTEMPTS = 2**63 - 1  # what can be stored
_NEVER_RETRIED = frozenset({FailureKind.CANCELLED, FailureKind.TERMINATED})
_FINAL_TIMEOUTS = frozenset({TimeoutType.SCHEDULE_TO_START, TimeoutType.SCHEDULE_TO_CLOSE})


class RetryPolicy(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How often and how soon a failed attempt is repeated.

    Args:
        initial_interval: wait before the second attempt (seconds if a number).
        backoff_coefficient: each wait is this many times the one before; at least 1.
        maximum_interval: no wait is longer; None for 100 times the initial interval.
        maximum_attempts: how many attempts in all, the first included; 0 for no limit. With 1 nothing is retried, and
            lengths of waits that make no sense are let be.
        non_retryable_error_types: exception classes, or their names, after which there is no other attempt. A name
            matches the class of the exception, a base class of it, or the ``type`` of an `ApplicationError`.
        jitter: each wait is shorter by up to this share of it, 0 to 1, so that those that failed together do not all
            come again together. How much it is follows from what is repeated and the attempt, and so is the same
            whenever it is asked for.

    Raises:
        TypeError, ValueError: a field is of the wrong kind or out of range.

    **Source:** Temporal, retry policies; matching of base classes is ours.
    """

    initial_interval: timedelta = _SECOND
    backoff_coefficient: float = 2.0
    maximum_interval: timedelta | None = None
    maximum_attempts: int = 0
    non_retryable_error_types: tuple[str, ...] = ()
    jitter: float = 0.0

    if TYPE_CHECKING:  # what a caller may pass is wider than what the fields hold

        def __init__(
            self,
            initial_interval: timedelta | float = _SECOND,
            backoff_coefficient: float = 2.0,
            maximum_interval: timedelta | float | None = None,
            maximum_attempts: int = 0,
            non_retryable_error_types: Sequence[str | type[BaseException]] = (),
            jitter: float = 0.0,
        ) -> None: ...

    def __post_init__(self) -> None:
        if type(self.maximum_attempts) is not int:
            raise TypeError(f"maximum_attempts is {self.maximum_attempts!r}; give a whole number, 0 for no limit")
        if not 0 <= self.maximum_attempts <= _MOST_ATTEMPTS:
            raise ValueError(f"maximum_attempts is {self.maximum_attempts}; give 0 for no limit, or 1 or more")
        coefficient = self.backoff_coefficient
        if type(coefficient) not in (int, float):
            raise TypeError(f"backoff_coefficient is {coefficient!r}; give a number of 1 or more")
        # An int may be too large to be stored.
        force_setattr(self, "backoff_coefficient", _floated(coefficient))
        force_setattr(self, "non_retryable_error_types", _names(self.non_retryable_error_types))
        if type(self.jitter) not in (int, float):
            raise TypeError(f"jitter is {self.jitter!r}; give a number from 0 to 1")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter is {self.jitter}; give 0 to 1")
        force_setattr(self, "jitter", float(self.jitter))
        is_final = self.maximum_attempts == 1
        for name, default in (("initial_interval", _SECOND), ("maximum_interval", None)):
            force_setattr(self, name, _interval(getattr(self, name), name, default, is_final=is_final))
        if is_final:
            return
        if not self.initial_interval:
            raise ValueError("initial_interval is zero; the shortest wait is a microsecond")
        if not 1 <= self.backoff_coefficient < math.inf:
            raise ValueError(f"backoff_coefficient is {coefficient}; give a finite number of 1 or more")
        if self.maximum_interval is not None and self.maximum_interval < self.initial_interval:
            raise ValueError(
                f"maximum_interval ({self.maximum_interval}) is shorter than initial_interval ({self.initial_interval})"
            )

    def interval_ns(self, attempt: int, what: str = "") -> int:
        """Nanoseconds from the failure of this attempt (the first is 1) to the next, by the policy alone.

        Args:
            attempt: the one that failed.
            what: names what is repeated, for the jitter; the same name gives the same waits.
        """
        first = to_ns(self.initial_interval, "initial_interval") or 0
        most = to_ns(self.maximum_interval, "maximum_interval") or min(first * 100, MAX_NS)
        try:
            wait = min(round(first * self.backoff_coefficient ** (attempt - 1)), most)
        except OverflowError:
            wait = most
        # Rounded up: what is not to wait at all would come at once, and all of it.
        return math.ceil(wait * (1 - self.jitter * _share(what, attempt))) if self.jitter else wait

    def is_non_retryable(self, failure: Failure) -> bool:
        """Whether the policy names the class of the failure, one of its bases or its ``type``."""
        names = self.non_retryable_error_types
        return bool(names) and (failure.type in names or any(name in names for name in failure.types))


def check_policy(given: object) -> RetryPolicy | None:
    """An option that is a policy, or None for none.

    Raises:
        TypeError: it is something else.
    """
    if given is None or isinstance(given, RetryPolicy):
        return given
    raise TypeError(f"retry_policy is {given!r}; give a RetryPolicy, or None")


class Retry(msgspec.Struct, frozen=True):
    """There is another attempt, this long after the failure."""

    delay_ns: int


class Stop(msgspec.Struct, frozen=True):
    """There is no other attempt, and why."""

    retry_state: RetryState


def decide(
    policy: RetryPolicy | None,
    attempt: int,
    failure: Failure,
    elapsed_ns: int = 0,
    schedule_to_close_ns: int | None = None,
    what: str = "",
) -> Retry | Stop:
    """Whether a failed attempt is followed by another, and when.

    Args:
        policy: None means that nothing is retried.
        attempt: the attempt that failed; the first is 1.
        failure: how it failed; only the outermost failure counts, never its causes.
        elapsed_ns: from the scheduling of the first attempt to this failure.
        schedule_to_close_ns: the limit on all attempts together. A wait that would pass it is not begun.
        what: names what is repeated, for the jitter.

    **Source:** Temporal server, ``retry.go``.
    """
    if failure.kind in _NEVER_RETRIED:
        cancelled = failure.kind is FailureKind.CANCELLED
        return Stop(RetryState.CANCEL_REQUESTED if cancelled else RetryState.NON_RETRYABLE_FAILURE)
    if failure.timeout_type in _FINAL_TIMEOUTS:
        return Stop(RetryState.TIMEOUT)
    if policy is None:
        return Stop(RetryState.RETRY_POLICY_NOT_SET)
    if failure.non_retryable or policy.is_non_retryable(failure):
        return Stop(RetryState.NON_RETRYABLE_FAILURE)
    if policy.maximum_attempts and attempt >= policy.maximum_attempts:
        return Stop(RetryState.MAXIMUM_ATTEMPTS_REACHED)
    delay_ns = failure.next_retry_delay_ns
    if delay_ns is None:
        delay_ns = policy.interval_ns(attempt, what)
    if schedule_to_close_ns is not None and elapsed_ns + delay_ns >= schedule_to_close_ns:
        return Stop(RetryState.TIMEOUT)
    return Retry(delay_ns)


def _share(what: str, attempt: int) -> float:
    """A number from 0 to 1, as if drawn by lot: in every process and at any time the same for the same attempt."""
    digest = hashlib.blake2b(f"{what} {attempt}".encode(), digest_size=7).digest()
    return int.from_bytes(digest) / 2**56


def _floated(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf


def _interval(value: object, name: str, default: timedelta | None, *, is_final: bool) -> timedelta | None:
    if value is None and default is None:
        return None
    try:
        ns = to_ns(value, name)  # type: ignore[arg-type]  # it is what to_ns is there to check
    except ValueError:
        if is_final:
            return default
        raise
    if ns is None:
        raise TypeError(f"{name} is None; give a timedelta or a number of seconds")
    return to_timedelta(ns)


def _names(types: object) -> tuple[str, ...]:
    if types is None:
        return ()
    if isinstance(types, str) or not isinstance(types, Sequence):
        raise TypeError(f"non_retryable_error_types is {types!r}; give a list of exception classes or their names")
    names: list[str] = []
    for entry in cast("Sequence[object]", types):
        if isinstance(entry, type) and issubclass(entry, BaseException):
            names.append(entry.__name__)
        elif isinstance(entry, str):
            names.append(entry)
        else:
            raise TypeError(f"non_retryable_error_types has {entry!r}; give exception classes or their names")
    return tuple(names)
