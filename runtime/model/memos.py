"""The memo of a run: notes by name that are shown and not searched; stored as a msgpack map, name → payload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from .articles import with_article
from .payload_converter import PayloadConverter
from .payload_errors import PayloadEncodeError

__all__ = [
    "MEMO_LIMIT",
    "Memo",
    "check_memo",
    "decode_memo",
    "decode_memo_changes",
    "encode_memo",
    "encode_start_memo",
    "memo_changes",
    "merged_memo",
]

MEMO_LIMIT = 256 * 1024
"""Most bytes of a run's memo."""

Memo = dict[str, bytes]
"""Name → payload."""

_KEY_LIMIT = 480


def memo_changes(changes: Mapping[Any, Any], converter: PayloadConverter, what: str) -> dict[str, bytes | None]:
    """Notes as they are stored: name → payload, None for one that is taken away.

    Args:
        changes: name → any value that can be stored, or None.
        converter: stores the values.
        what: who was given it, for the message.

    Raises:
        TypeError: it is no mapping from names.
        ValueError: a name is empty or too long, or cannot be written in UTF-8.
        PayloadError: a value cannot be stored.
    """
    if not isinstance(changes, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{what} is given {with_article(type(changes).__name__)}; give a dict of names and values")
    return {_checked_key(key, what): _encoded(key, value, converter, what) for key, value in changes.items()}


def encode_start_memo(given: Mapping[Any, Any], converter: PayloadConverter) -> bytes:
    """The memo of a new run as bytes; raises what ``memo_changes`` and ``check_memo`` do."""
    memo = merged_memo({}, memo_changes(given, converter, "memo"))
    check_memo(memo)
    return encode_memo(memo)


def merged_memo(memo: Memo, changes: Mapping[str, bytes | None]) -> Memo:
    """The memo once the changes are made."""
    return {key: payload for key, payload in {**memo, **changes}.items() if payload is not None}


def check_memo(memo: Memo) -> None:
    """See that a run may keep so much.

    Raises:
        ValueError: it is too large.
    """
    size = len(encode_memo(memo))
    if size > MEMO_LIMIT:
        raise ValueError(
            f"the memo of the run would take {size:,} bytes, allowed are {MEMO_LIMIT:,}; it is written anew with each "
            "change: keep large values elsewhere, and note where"
        )


def encode_memo(memo: Mapping[str, bytes | None]) -> bytes:
    """A memo, or changes of one, as bytes; none for an empty one."""
    return _encode(memo) if memo else b""


def decode_memo(data: bytes | None) -> Memo:
    """Read a memo that ``encode_memo`` made.

    Raises:
        ValueError: the bytes are no memo.
    """
    return merged_memo({}, decode_memo_changes(data))


def decode_memo_changes(data: bytes | None) -> dict[str, bytes | None]:
    """Read changes that ``encode_memo`` made.

    Raises:
        ValueError: the bytes are no memo.
    """
    if not data:
        return {}
    try:
        return _decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"not the memo of a run: {error}") from error


def _encoded(key: str, value: object, converter: PayloadConverter, what: str) -> bytes | None:
    if value is None:
        return None
    try:
        return converter.encode(value)
    except PayloadEncodeError as error:
        raise PayloadEncodeError(f"{what}[{key!r}]{error.path.removeprefix('value')}", error.reason) from error


def _checked_key(key: object, what: str) -> str:
    if type(key) is not str:
        raise TypeError(f"{what} is given a name that is {with_article(type(key).__name__)}; give strings as names")
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise ValueError(f"{what} is given a name with lone surrogates, which UTF-8 cannot write") from None
    if not 0 < size <= _KEY_LIMIT:
        raise ValueError(f"{what} is given the name {key[:40]!r} of {size} bytes, allowed are 1 to {_KEY_LIMIT}")
    return key


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, bytes | None]).decode
