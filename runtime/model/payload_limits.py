"""What hostile bytes may not do: nest without end, or have a dict made whose keys all have one hash.

The limits are more than what is written, and no settings: one that is lowered later must not make old histories
unreadable.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

import msgspec

from .payload_tags import BYTEARRAY, COMPLEX, INT, MAX_ALIKE, TEXT, UUID_, Node, Unfit, kind_of, spread

__all__ = ["LARGE", "MAX_DECODED", "MAX_DECODED_DEPTH", "check_keys", "within_depth"]

MAX_DECODED = 64 * 1024 * 1024  # bytes; an element takes at least one of them
MAX_DECODED_DEPTH = 200
LARGE = 32 * 1024  # bytes; keys that take fewer can all have one hash and still not take a second

# The first bytes of msgpack's containers and extensions.
_HEADS = bytes([*range(0x80, 0xA0), *range(0xC7, 0xCA), *range(0xD4, 0xD9), *range(0xDC, 0xE0)])


def within_depth(value: Any, data: bytes) -> Any:
    """The value, unless it is nested too deep.

    Args:
        value: what was decoded, plain or as a tree.
        data: the bytes that it was decoded from.

    Raises:
        Unfit: it is nested deeper than `MAX_DECODED_DEPTH`.
    """
    # Each level has taken a byte that begins a container: most payloads need no look at the value.
    if len(data) - len(data.translate(None, _HEADS)) <= MAX_DECODED_DEPTH:
        return value
    level = [value] if type(value) in _CONTAINERS else []
    for _ in range(MAX_DECODED_DEPTH):
        level = _inside(level)
        if not level:
            return value
    raise Unfit(f"the value is nested deeper than {MAX_DECODED_DEPTH} levels, and that is the most that is decoded")


_CONTAINERS = frozenset({list, tuple, dict, set, frozenset, Node})


def _inside(level: list[Any]) -> list[Any]:
    """The containers that stand in containers; most of the work is done in C, since all of a large value comes by."""
    dicts = [item for item in level if kind_of(item) is dict]
    nodes = [item for item in level if kind_of(item) is Node]
    others = [item for item in level if kind_of(item) not in (dict, Node)] if dicts or nodes else level
    parts = [*others, *map(_values, dicts), *((node.content, node.value) for node in nodes)]
    if not _CONTAINERS.isdisjoint(map(kind_of, chain.from_iterable(dicts))):
        parts += dicts
    return [item for item in chain.from_iterable(parts) if kind_of(item) in _CONTAINERS]


_values: Callable[[Any], Iterable[Any]] = dict[Any, Any].values


def check_keys(data: bytes, decode: Callable[[Any], Any]) -> None:
    """Refuse a payload with a dict that would take a time that grows with the square of its keys.

    msgspec makes dicts by itself, so this looks at the bytes before it does: at containers that are large, and in these
    at keys that are neither text nor plain numbers.

    Args:
        data: a payload.
        decode: gives the tree of a key.

    Raises:
        Unfit: too many keys have the hash of another one, or it is nested too deep.
        msgspec.DecodeError: the bytes are damaged.
    """
    # Most payloads have no dict of that size, or not as many keys that could be meant.
    if b"\xde" not in data and b"\xdf" not in data:
        return
    if len(data) - len(data.translate(None, _TAGGED)) <= MAX_ALIKE:
        return
    parts = [(memoryview(data)[1:], 0)]
    while parts:
        part, depth = parts.pop()
        if depth > MAX_DECODED_DEPTH:
            raise Unfit(f"the value is nested deeper than {MAX_DECODED_DEPTH} levels")
        for inner in _large_parts(part, decode):
            parts.append((inner, depth + 1))


_TAGGED = bytes([*range(0x90, 0xA0), *range(0xC7, 0xCA), *range(0xD4, 0xD9), 0xDC, 0xDD])
_OPAQUE = frozenset({INT, TEXT, BYTEARRAY, UUID_, COMPLEX})
_raw_list: Callable[[Any], list[Any]] = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_view: Callable[[Any], memoryview] = memoryview


def _large_parts(part: memoryview, decode: Callable[[Any], Any]) -> list[memoryview]:
    """What a value holds that is large itself; the keys of a dict are looked at."""
    head = part[0]
    if 0xC7 <= head <= 0xC9:  # a tag, whose length takes 1, 2 or 4 bytes
        at = 1 + (1, 2, 4)[head - 0xC7]
        return [] if part[at] in _OPAQUE else [part[at + 1 :]]
    if head in (0xDE, 0xDF):
        # As a list of keys and values it has the same bytes behind its head.
        at = 3 if head == 0xDE else 5
        count = int.from_bytes(part[1:at], "big")
        items = _raw_list(struct.pack(">BI", 0xDD, 2 * count) + bytes(part[at:])) if count < 2**31 else []
        tagged = [key for key in map(_view, items[::2]) if key[0] in _TAGGED]
        if len(tagged) > MAX_ALIKE:
            spread([_as_key(decode(key)) for key in tagged])
    elif head & 0xF0 == 0x80:
        items = _raw_list(struct.pack(">BI", 0xDD, 2 * (head & 15)) + bytes(part[1:]))
    elif head & 0xF0 == 0x90 or head in (0xDC, 0xDD):
        items = _raw_list(part)
    else:
        return []
    return [inner for inner in map(_view, items) if len(inner) >= LARGE]


def _as_key(value: Any) -> Any:
    return tuple(map(_as_key, value)) if kind_of(value) is list else value
