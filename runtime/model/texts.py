"""Words for people that are written into a history: reasons, summaries, what objects of the user say of themselves."""

from __future__ import annotations

from .articles import with_article

__all__ = ["clipped", "note", "reason_line", "text_of", "writable"]

MAX_REASON = 20_000


def writable(text: object, what: str) -> str:
    """A line as it can be written.

    Args:
        text: the line.
        what: what it is, for the message.

    Raises:
        TypeError: it is no string.
    """
    if not isinstance(text, str):
        raise TypeError(f"{what} is {with_article(type(text).__name__)}; give a string")
    # A file name may bring lone surrogates into it, and those cannot be written.
    return text.encode("utf-8", "backslashreplace").decode()


def note(text: object, what: str, most: int) -> str:
    """A note of at most so many characters, as it can be written.

    Raises:
        TypeError: it is no string.
        ValueError: it is too long.
    """
    written = writable(text, what)
    if len(written) > most:
        raise ValueError(f"{what} has {len(written):,} characters, allowed are {most:,}; shorten it")
    return written


def reason_line(text: object) -> str:
    """Why somebody asks for something, of at most 20,000 characters, as it can be written.

    Raises:
        TypeError: it is no string.
        ValueError: it is too long.
    """
    return note(text, "the reason", MAX_REASON)


def text_of(words: object) -> str:
    """What ``str()`` makes of something of the user's, whatever comes of it."""
    try:
        return str(words)
    except BaseException as err:  # the user's __str__, which may raise anything
        return f"(str() of this {type(words).__name__} raised {type(err).__name__})"


def clipped(text: str, most: int) -> str:
    """A text as it can be written, of which so many characters are kept."""
    text = text.encode("utf-8", "backslashreplace").decode()
    if len(text) <= most:
        return text
    return f"{text[:most]} [cut: {len(text):,} characters in all]"
