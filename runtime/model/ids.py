"""Ids: what a user may choose, and what we make."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from hmac import compare_digest

from .articles import with_article

__all__ = ["MAX_ID_BYTES", "check_aliases", "check_id", "check_run_id", "is_run_id_of", "run_id_of", "run_no_of"]

MAX_ID_BYTES = 480  # an id is part of an LMDB key, which holds 511 bytes


def check_id(value: object, what: str) -> str:
    """Return an id that a user chose if it can be one.

    Args:
        value: the id.
        what: what it is the id of, such as "workflow id", for the message.

    Raises:
        TypeError: it is not a string.
        ValueError: it is empty, longer than 480 bytes of UTF-8, or has control characters or lone surrogates.
    """
    if not isinstance(value, str):
        raise TypeError(f"{what} is {with_article(type(value).__name__)}; give a string")
    if value.isascii() and value.isprintable() and 0 < len(value) <= MAX_ID_BYTES:
        return value
    if not value:
        raise ValueError(f"{what} is empty; give at least one character")
    for place, char in enumerate(value):
        if char < " " or "\x7f" <= char <= "\x9f" or "\ud800" <= char <= "\udfff":
            raise ValueError(f"{what} has {char!r} at place {place}; leave out control characters and lone surrogates")
    size = len(value.encode())
    if size > MAX_ID_BYTES:
        raise ValueError(f"{what} has {size} bytes in UTF-8; {MAX_ID_BYTES} is the most (it starts {value[:40]!r})")
    return value


def check_run_id(value: object, what: str = "run id") -> str:
    """Return which run a user means, "" if that was left open.

    Args:
        value: the run id; None or "" for whichever run there is.
        what: as for ``check_id``.

    Raises:
        TypeError, ValueError: as for ``check_id``.
    """
    return "" if value is None or value == "" else check_id(value, what)


def check_aliases(aliases: Iterable[str], kind: str) -> tuple[str, ...]:
    """Return the names that something had before, each once.

    Args:
        aliases: the names.
        kind: what it is, with its article ("a workflow").

    Raises:
        TypeError: they are one string, or one of them is none.
        ValueError: one cannot be a name.
    """
    if isinstance(aliases, str):
        raise TypeError(f"aliases is {aliases!r}; give a list of names, as in aliases=[{aliases!r}]")
    return tuple(dict.fromkeys(check_id(alias, f"alias of {kind}") for alias in aliases))


def run_id_of(store_uuid: bytes, run_no: int) -> str:
    """The id of a run: its number in hex and a seal of 16 hex digits that no other journal gives to this number."""
    number = run_no.to_bytes(8, "big")
    return f"{number.hex()}-{blake2b(store_uuid + number, digest_size=8).hexdigest()}"


def run_no_of(run_id: str) -> int | None:
    """The number that a run id carries, or None if it has not the form of one; compare with `is_run_id_of`."""
    if len(run_id) != 33 or run_id[16] != "-" or not _HEX.issuperset(run_id[:16] + run_id[17:]):
        return None
    return int(run_id[:16], 16)


def is_run_id_of(store_uuid: bytes, run_id: str) -> bool:
    """Whether this journal gave out the run id, as far as the seal can tell."""
    run_no = run_no_of(run_id)
    return run_no is not None and compare_digest(run_id_of(store_uuid, run_no), run_id)


_HEX = frozenset("0123456789abcdef")
