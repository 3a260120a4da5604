"""What the runtime needs of a converter; a user may bring one of their own."""

from __future__ import annotations

from typing import Any, Protocol

from .articles import with_article

__all__ = ["PayloadConverter", "checked_converter"]


class PayloadConverter(Protocol):
    """Turns values into payloads and back: ``Runtime(converter=…)`` takes any object that has these methods.

    `Converter` is one. Methods are called on several threads at a time and must give the same for the same each time.
    Each may raise a ``PayloadError``, or anything else: it fails the call, the attempt or the turn that the value is
    for, as an exception there would, and loses nothing. Payloads of greenroom's own begin with a byte from 1 to 127;
    those of another converter should not.
    """

    def encode(self, value: object) -> bytes:
        """One value, such as a result, as a payload."""
        ...

    def decode(self, data: bytes, hint: Any = ...) -> Any:
        """The value of a payload, as its annotation says.

        Args:
            data: what ``encode`` has given.
            hint: the annotation; ``Any`` if there is none.
        """
        ...

    def check(self, value: object, data: bytes, hint: Any) -> None:
        """Raise an error if what was encoded would not come back as its annotation says; to do nothing is allowed.

        Args:
            value: what was encoded.
            data: what ``encode`` has given.
            hint: the annotation.
        """
        ...

    def encode_args(self, args: tuple[object, ...]) -> bytes:
        """The positional arguments of a call, or the details of a failure, as one payload."""
        ...

    def decode_args(self, data: bytes, hints: tuple[Any, ...] | None) -> list[Any]:
        """The positional arguments of a payload.

        Args:
            data: what ``encode_args`` has given.
            hints: one annotation a parameter, which may be more or fewer than there are arguments; behind them may
                stand ``*tuple[T, ...]`` for all that follow. None for no annotations.
        """
        ...


def checked_converter(converter: PayloadConverter) -> PayloadConverter:
    """The same, if it has all methods of a converter.

    Raises:
        TypeError: it lacks one.
    """
    missing = [name for name in _METHODS if not callable(getattr(converter, name, None))]
    if missing:
        raise TypeError(
            f"{with_article(type(converter).__name__)} is no converter: it has no {', '.join(missing)} "
            "(see greenroom.PayloadConverter; give an instance, such as Converter())"
        )
    return converter


_METHODS = ("encode", "decode", "check", "encode_args", "decode_args")
