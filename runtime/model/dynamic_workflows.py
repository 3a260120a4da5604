"""A workflow that runs every type which has no definition of its own: what it must take, and what a start of it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, Unpack, get_args, get_origin

from .lazy import lazy
from .payload_codecs import RawValue
from .signatures import Signature

__all__ = ["RawSignature", "problems_of_dynamic"]


class RawSignature(Signature):
    """A call with any number of arguments, all of them unread."""

    @lazy
    def arg_types(self) -> tuple[Any, ...]:
        """Each of them as its payload."""
        return (Unpack[tuple[RawValue, ...]],)

    @lazy
    def arity(self) -> tuple[int, int]:
        """None is too many."""
        return 0, sys.maxsize


def problems_of_dynamic(
    function: Callable[..., Any], what: str, *, skip: int = 0, name: str | None, aliases: tuple[str, ...] = ()
) -> list[str]:
    """Why a run function cannot be that of a workflow which runs every type.

    Args:
        what: the function, as messages name it.
        skip: how many leading parameters are not the workflow's (``self``).
        name: the name that was asked for.
        aliases: the other names that were.
    """
    problems: list[str] = []
    if name is not None:
        problems.append("it is dynamic and runs every type that nobody else runs: leave out name=, or dynamic=")
    if aliases:
        problems.append("it is dynamic and has no name that it could have had before: leave out aliases=, or dynamic=")
    signature = Signature(function, skip=skip)
    taken = signature.arg_types
    if len(taken) != 1 or signature.arity[1] != 1 or not _is_raw(taken[0]):
        problems.append(f"{what} runs every workflow type and must take one argument: args: Sequence[RawValue]")
    return problems


def _is_raw(hint: Any) -> bool:
    return get_origin(hint) is Sequence and get_args(hint) == (RawValue,)
