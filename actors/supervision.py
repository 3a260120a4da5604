"""What a supervisor is told: which actors it keeps, what becomes of one that ends, and who ends with it.

**Source:** Erlang/OTP, ``supervisor``: strategies, restart types, intensity and period; Akka: directives and backoff.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

from .articles import with_article
from .durations import limit_ns

if TYPE_CHECKING:
    from .actor import Actor

__all__ = ["Backoff", "ChildSpec", "Directive", "Restart", "Strategy"]

Duration = timedelta | float

_LONGEST_NS = 24 * 3600 * 1_000_000_000


class Strategy(Enum):
    """Who is restarted when a child is."""

    ONE_FOR_ONE = "one for one"
    """That child alone."""

    ONE_FOR_ALL = "one for all"
    """Every child: they need each other."""

    REST_FOR_ONE = "rest for one"
    """That child and those that were started after it: they need it."""


class Restart(Enum):
    """Which ends of a child are followed by a restart. A child that its supervisor stops is never restarted."""

    PERMANENT = "permanent"
    """Each: it is wanted as long as its supervisor lives, even if somebody tells it to stop."""

    TRANSIENT = "transient"
    """A failure; one that was told to stop has done its work."""

    TEMPORARY = "temporary"
    """None."""


class Directive(Enum):
    """What becomes of a child that has failed."""

    RESUME = "resume"
    """It goes on with the state that it has; the message that it failed at is skipped."""

    RESTART = "restart"
    """A new instance takes its place and its mailbox; the message that it failed at is skipped."""

    STOP = "stop"
    """It stops for good."""

    ESCALATE = "escalate"
    """Its supervisor fails of it: it and all its children end, and its own supervisor decides."""


class Backoff:
    """How long a supervisor waits before it restarts a child that keeps failing.

    Args:
        initial: before the first restart (seconds or timedelta).
        factor: each wait is this many times the one before; at least 1.
        maximum: no wait is longer (seconds or timedelta; at most a day).
        jitter: each wait is longer or shorter by up to this share of it, 0 to 1, so that children that fail together
            do not come back together.
        reset_after: a child that has run for so long begins with the first wait again (seconds or timedelta).

    Raises:
        TypeError, ValueError: an argument is of the wrong kind, or out of range.
    """

    __slots__ = ("_factor", "_initial_ns", "_jitter", "_maximum_ns", "reset_after_ns")

    def __init__(
        self,
        initial: Duration = 0.1,
        *,
        factor: float = 2.0,
        maximum: Duration = 10.0,
        jitter: float = 0.0,
        reset_after: Duration = 60.0,
    ) -> None:
        if not 1 <= factor < float("inf"):
            raise ValueError(f"factor is {factor}; give a finite number of 1 or more")
        if not 0 <= jitter <= 1:
            raise ValueError(f"jitter is {jitter}; give 0 to 1")
        self._initial_ns = limit_ns(initial, "initial")
        self._factor = float(factor)
        self._maximum_ns = limit_ns(maximum, "maximum")
        self._jitter = jitter
        self.reset_after_ns = limit_ns(reset_after, "reset_after")
        if self._maximum_ns > _LONGEST_NS:
            raise ValueError(f"maximum is {maximum}; the longest wait is a day")

    def wait_ns(self, restarts: int) -> int:
        """Nanoseconds before the next restart, after so many in a row."""
        try:
            wait_ns = min(self._initial_ns * self._factor**restarts, self._maximum_ns)
        except OverflowError:
            wait_ns = self._maximum_ns if self._initial_ns else 0
        if self._jitter:
            wait_ns = min(wait_ns * random.uniform(1 - self._jitter, 1 + self._jitter), self._maximum_ns)
        return round(wait_ns)


class ChildSpec:
    """An actor that a supervisor keeps.

    Args:
        name: what it is called among its siblings.
        make: its class, or what makes one: called with the arguments; the actor gets the dispatcher of its supervisor.
        args: positional arguments, the same for each instance.
        kwargs: keyword arguments, likewise.
        restart: which of its ends are followed by a restart.
        shutdown: how long it may handle the mail that it has before its supervisor ends it (seconds or timedelta); 0
            ends it after the message that it is at, None lets it take as long as that takes.

    Raises:
        TypeError, ValueError: an argument is of the wrong kind, or out of range.
    """

    __slots__ = ("args", "kwargs", "make", "name", "restart", "shutdown_ns")

    def __init__(
        self,
        name: str,
        make: Callable[..., Actor],
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        restart: Restart = Restart.PERMANENT,
        shutdown: Duration | None = 5.0,
    ) -> None:
        if not isinstance(name, str) or not name:  # pyright: ignore[reportUnnecessaryIsInstance]  # callers are not all checked
            raise TypeError(f"the name of a child is {name!r}; give a text")
        if not callable(make):
            raise TypeError(f"child {name!r} is made by {make!r}; give a class of actors, or a function that makes one")
        if isinstance(args, (str, bytes)):
            raise TypeError(
                f"the arguments of child {name!r} are {with_article(type(args).__name__)}; give a tuple: "
                f"args=({args!r},)"
            )
        self.name = name
        self.make = make
        self.args = tuple(args)
        self.kwargs = dict(kwargs or {})
        self.restart = Restart(restart)
        self.shutdown_ns = None if shutdown is None else limit_ns(shutdown, "shutdown")

    def __repr__(self) -> str:
        return f"<ChildSpec {self.name!r} {getattr(self.make, '__name__', self.make)} {self.restart.value}>"
