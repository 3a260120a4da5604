"""Lines for people that are written into a history: reasons and summaries."""

from __future__ import annotations

__all__ = ["writable"]


def writable(text: object, what: str) -> str:
    """A line as it can be written.

    Args:
        text: the line.
        what: what it is, for the message.

    Raises:
        TypeError: it is no string.
    """
    if not isinstance(text, str):
        raise TypeError(f"{what} is a {type(text).__name__}; give a string")
    # A file name may bring lone surrogates into it, and those cannot be written.
    return text.encode("utf-8", "backslashreplace").decode()
