"""What a user adds to the converter: codecs of own types, and payloads that are passed on unread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

__all__ = ["RawValue", "TypeCodec"]

T = TypeVar("T")


class RawValue(msgspec.Struct, frozen=True):
    """One payload as it is: what a handler or an activity gets that is annotated with it, and what is sent unchanged.

    It stands for a whole argument, result or answer, and cannot be a part of a value.

    Args:
        payload: what ``converter.encode(value)`` gives; ``converter.decode(raw.payload, Type)`` reads it.
    """

    payload: bytes

    def __repr__(self) -> str:
        # What is inside may be secret, or long.
        return f"RawValue(<{len(self.payload):,} bytes>)"


class TypeCodec(Generic[T]):
    """How values of one class are stored: ``Converter(types=[TypeCodec(Money, "money", str, Money)])``.

    They come back as that class under its annotation and without one, at any depth. Values of a subclass that has no
    codec of its own are stored with this one.

    Args:
        cls: the class.
        name: what stands for it in the data; it must never change, nor be used for another class.
        encode: given a value, gives data that the converter knows how to store.
        decode: given that data as it comes back without an annotation, gives the value.

    Raises:
        TypeError: it is not for a class.
        ValueError: it has no name.
    """

    __slots__ = ("cls", "decode", "encode", "name")

    def __init__(self, cls: type[T], name: str, encode: Callable[[T], object], decode: Callable[[Any], T]) -> None:
        if not isinstance(cls, type):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers are not all checked
            raise TypeError(f"a TypeCodec is for a class, and this is {cls!r}")
        if not name:
            raise ValueError(f"the TypeCodec of {cls.__qualname__} has no name; give one that will never change")
        self.cls = cls
        self.name = name
        self.encode = encode
        self.decode = decode

    def __repr__(self) -> str:
        return f"TypeCodec({self.cls.__qualname__}, {self.name!r})"
