"""What does not fit its annotation, in words: which workflow or activity, which value, which annotation."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from typing import Any

from .articles import with_article
from .payload_errors import PayloadError
from .payload_fits import label

__all__ = ["argument_contract", "result_contract", "result_misfit"]

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80


def result_misfit(kind: str, name: str, value: object, hint: Any, error: Exception) -> str:
    """Why a result cannot be one.

    Args:
        kind: of what it is the result ("activity").
        name: the name of that.
        value: the result.
        hint: the annotation.
        error: what came of decoding the result as the annotation says.
    """
    return f"{kind} {name!r} returned {_shown(value)}, which does not fit its annotation, {label(hint)}: {error}"


def argument_contract(
    what: str, names: Sequence[str], hints: Sequence[Any] | None, values: Sequence[object] | None, reason: object
) -> str:
    """Which argument in a history does not fit what the code takes now.

    Args:
        what: whose argument it is ("signal 'add' of workflow 'cart'").
        names: the parameters that the code has.
        hints: their annotations, if they are known.
        values: what the history has, as plain data, if that can be read.
        reason: what came of reading it, or in words why it cannot be taken.
    """
    text = str(reason)
    path = reason.path if isinstance(reason, PayloadError) else text
    place = path.removeprefix("args[").partition("]")[0] if path.startswith("args[") else ""
    number = int(place) if place.isdecimal() else -1
    if not 0 <= number < len(values or ()) or values is None:
        has = "arguments that cannot be read" if values is None else f"the arguments {_shown(values)}"
        return f"the history has {has} for {what}, and the code takes ({', '.join(names)}): {text}; {_CURE}"
    name = f" {names[number]!r}" if number < len(names) else f" {number + 1}"
    wanted = f", and the code wants {label(hints[number])}" if hints and number < len(hints) else ""
    return f"the history has {_shown(values[number])} for the argument{name} of {what}{wanted}: {text}; {_CURE}"


def result_contract(what: str, hint: Any, value: object, error: Exception) -> str:
    """Why a result in a history is not what the code expects now.

    Args:
        what: whose result it is ("activity 'charge'").
        hint: what the code expects.
        value: what the history has, as plain data.
        error: what came of reading it.
    """
    has = f"the history has {_shown(value)} for the result of {what}"
    return f"{has}, and the code wants {label(hint)}: {error}; {_CURE}"


_CURE = (
    "let the code read the old form too (a default for a new field, an annotation that allows both), or keep the old "
    'code for old runs in the else branch of `if workflow.patched("…"):`; then resume the run'
)


def _shown(value: object) -> str:
    try:
        return _SHORT.repr(value)
    except Exception:  # the user's __repr__, or an int with too many digits
        return with_article(type(value).__name__)
