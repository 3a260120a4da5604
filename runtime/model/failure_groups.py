"""What a group of exceptions means for a workflow, such as a ``TaskGroup`` raises: if all of it are failures, one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from .work_errors import ApplicationError, is_cancelled_exception

__all__ = ["is_cancellation", "leaves", "one_failure"]


def one_failure(error: BaseException, kinds: tuple[type[BaseException], ...]) -> BaseException:
    """The failure that a group stands for: its only exception, or one that names all of them and has the first as its
    cause. The error itself if it is no group, or if some of it is no failure, and so a bug.

    Args:
        error: what was raised; groups in a group count as what is in them.
        kinds: the exceptions that are failures.
    """
    found = list(leaves(error))
    if not all(isinstance(leaf, kinds) for leaf in found):
        return error
    first = found[0]
    if len(found) == 1:
        return first
    whole = ApplicationError(f"{len(found)} failures: " + "; ".join(map(_line, found)), type=type(error).__name__)
    whole.__cause__ = first
    return whole.with_traceback(error.__traceback__)


def is_cancellation(error: BaseException) -> bool:
    """Whether an exception says that something was cancelled, or that a piece of work failed because it was; a group of
    nothing but these does."""
    return all(map(is_cancelled_exception, leaves(error)))


def leaves(error: BaseException) -> Iterator[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        yield error
        return
    for each in cast("BaseExceptionGroup[BaseException]", error).exceptions:
        yield from leaves(each)


def _line(error: BaseException) -> str:
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:  # the user's __str__
        text = ""
    return f"{name}: {text}" if text else name
