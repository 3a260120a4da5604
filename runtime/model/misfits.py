"""What does not fit its annotation, in words: which workflow or activity, which value, which annotation."""

from __future__ import annotations

import reprlib
from typing import Any

from .payload_fits import label

__all__ = ["result_misfit"]

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


def _shown(value: object) -> str:
    try:
        return _SHORT.repr(value)
    except Exception:  # the user's __repr__, or an int with too many digits
        return f"a {type(value).__name__}"
