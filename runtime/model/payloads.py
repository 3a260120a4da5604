"""Values of the user's types as bytes and back."""

from __future__ import annotations

from typing import Any

import msgspec

from .use_errors import PayloadDecodeError, PayloadEncodeError, PayloadTooLargeError

__all__ = ["Converter"]

CODEC = b"\x01"
DEFAULT_LIMIT = 2 * 1024 * 1024
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class Converter:
    """The default converter: typed values as msgpack."""

    def __init__(self, *, limit: int = DEFAULT_LIMIT) -> None:
        self.limit = limit

    def encode(self, value: object) -> bytes:
        try:
            data = CODEC + _encode(value)
        except (TypeError, ValueError, OverflowError, RecursionError) as err:
            raise PayloadEncodeError("", str(err)) from err
        if len(data) > self.limit:
            raise PayloadTooLargeError(len(data), self.limit)
        return data

    def decode(self, data: bytes, hint: Any = Any) -> Any:
        if data[:1] != CODEC:
            raise PayloadDecodeError("", "unknown codec")
        try:
            value = _decode(data[1:])
            return value if hint is Any else msgspec.convert(value, hint)
        except (msgspec.DecodeError, ValueError, RecursionError) as err:
            raise PayloadDecodeError("", str(err)) from err

    def encode_args(self, args: tuple[object, ...]) -> bytes:
        return self.encode(args)

    def decode_args(self, data: bytes, hints: tuple[Any, ...] | None) -> list[Any]:
        values = self.decode(data, list[Any])
        known = hints or ()
        return [msgspec.convert(v, known[i]) if i < len(known) else v for i, v in enumerate(values)]
