"""Values of the user's types as bytes and back, exactly: the same types come out under an annotation and under ``Any``.

The first byte of a payload names its codec; 1 is msgpack with the tags of `payload_tags`. What workflows pass most
(text, numbers, lists and dicts of these) goes straight through msgspec; all else takes a walk.
"""

from __future__ import annotations

import struct
import types
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Union, Unpack, get_args, get_origin

import msgspec

from .payload_codecs import RawValue, TypeCodec
from .payload_errors import PayloadDecodeError, PayloadEncodeError, PayloadTooLargeError
from .payload_fits import LAX
from .payload_hints import converter_for
from .payload_limits import LARGE, MAX_DECODED, MAX_DECODED_DEPTH, check_keys, within_depth
from .payload_lowering import KNOWN, MAX_DEPTH, Lowering, pack
from .payload_tags import Trees, Unfit, any_hook, kind_of
from .work_errors import FailureError

__all__ = ["CODEC_ID", "DEFAULT_LIMIT", "Converter"]

Decode = Callable[[Any], Any]

CODEC_ID = 1
DEFAULT_LIMIT = 2 * 1024 * 1024
MAX_CACHED = 4_096  # classes made in functions would fill the memory

_CODEC = bytes([CODEC_ID])
_PLAIN = frozenset({str, int, bool, float, bytes, types.NoneType})
_PLAIN_DEPTH = 20
_DAMAGED = (ArithmeticError, LookupError, OSError, TypeError, ValueError, msgspec.MsgspecError, struct.error)
_MISSED = (*_DAMAGED, RecursionError, Unfit)  # the fast way does not apply; the walk gives the value, or the reason


class Converter:
    """The default converter: exact types, no imports from data, never pickle.

    A failure, such as an `ApplicationError`, that a codec or a validator of the user's raises goes through as it is;
    whatever else they raise becomes a ``PayloadError``.

    Args:
        limit: the largest payload that is encoded, in bytes, up to 64 MiB.
        max_depth: how many containers may hold a value that is encoded, up to 200.
        types: codecs of classes of your own.

    Raises:
        ValueError: a limit that cannot be so, or two codecs for one class or of one name.
    """

    def __init__(
        self, *, limit: int = DEFAULT_LIMIT, max_depth: int = MAX_DEPTH, types: Iterable[TypeCodec[Any]] = ()
    ) -> None:
        codecs = _checked(types)
        self._made_of = limit, max_depth, codecs
        self.limit = _within_bounds("limit", limit, MAX_DECODED)
        self._lower = Lowering(codecs, _within_bounds("max_depth", max_depth, MAX_DECODED_DEPTH))
        self._plain_depth = min(_PLAIN_DEPTH, max_depth - 1)
        self._trees = Trees({codec.name: codec for codec in codecs})

    def __reduce__(self) -> tuple[Any, ...]:
        # A process that performs activities has one of its own.
        return _made, self._made_of

    def encode(self, value: object) -> bytes:
        """One value as a payload.

        Raises:
            PayloadEncodeError: some part of it cannot be stored; the path says which.
            PayloadTooLargeError: it is over the limit.
        """
        if type(value) not in _PLAIN and not _is_plain(value, self._plain_depth):
            return self._within(self._slow(value, "value"))
        try:
            data = _CODEC + pack(value)
        except (OverflowError, ValueError):  # an int beyond 64 bits, or text with lone surrogates
            data = self._slow(value, "value")
        return data if len(data) <= self.limit else self._within(data)

    def decode(self, data: bytes, hint: Any = Any) -> Any:
        """The value of a payload, as its annotation says.

        Args:
            data: the payload.
            hint: the annotation; ``Any`` gives what the bytes alone say.

        Raises:
            PayloadDecodeError: the bytes are damaged, or do not fit the annotation.
        """
        try:
            if data[0] == CODEC_ID:
                decode = _value_decoders[hint]
                # Most are too short to be hostile.
                return decode(data[1:]) if len(data) <= MAX_DECODED_DEPTH else self._checked(decode, data)
        except _MISSED:
            pass
        if hint is RawValue:
            return RawValue(data)
        return _explained(lambda: converter_for(hint)(self._tree(data), LAX))

    def check(self, value: object, data: bytes, hint: Any) -> None:
        """See that what was encoded comes back as its annotation says.

        Args:
            value: what was encoded.
            data: its payload.
            hint: the annotation.

        Raises:
            PayloadDecodeError: it does not fit the annotation.
        """
        # A plain value of just that type needs no look at its bytes.
        if hint is not Any and not (type(value) is hint and hint in _PLAIN):
            self.decode(data, hint)

    def encode_args(self, args: tuple[object, ...]) -> bytes:
        """A list of positional arguments as one payload.

        Raises:
            PayloadEncodeError: some part of it cannot be stored; the path says which.
            PayloadTooLargeError: it is over the limit.
        """
        for arg in args:
            if type(arg) not in _PLAIN and not _is_plain(arg, self._plain_depth):
                return self._within(self._slow_args(args))
        try:
            data = _CODEC + pack(args)
        except (OverflowError, ValueError):  # an int beyond 64 bits, or text with lone surrogates
            data = self._slow_args(args)
        return data if len(data) <= self.limit else self._within(data)

    def decode_args(self, data: bytes, hints: tuple[Any, ...] | None) -> list[Any]:
        """The positional arguments of a payload.

        Args:
            data: the payload.
            hints: one annotation a parameter; there may be fewer values (the rest have defaults) or more (which are
                decoded without one). None for no annotations.

        Raises:
            PayloadDecodeError: the bytes are damaged, or do not fit the annotations.
        """
        try:
            if data[0] == CODEC_ID:
                decode = _argument_decoders[hints][data[1]]
                return list(decode(data[1:]) if len(data) <= MAX_DECODED_DEPTH else self._checked(decode, data))
        except _MISSED:
            pass
        done: list[Any] = _explained(lambda: self._args(data, hints))
        return done

    def _checked(self, decode: Decode, data: bytes) -> Any:
        """What ``decode`` gives; whatever is wrong with hostile bytes is told by the slow way."""
        if len(data) > MAX_DECODED:
            raise LookupError
        if len(data) > LARGE:
            check_keys(data, self._trees.decode)
        return within_depth(decode(data[1:]), data)

    def _slow(self, value: object, root: str) -> bytes:
        if type(value) is RawValue:
            return value.payload
        return _CODEC + _told(root, lambda: pack(self._lower(value)))

    def _slow_args(self, args: tuple[object, ...]) -> bytes:
        if not any(type(arg) is RawValue for arg in args):
            return self._slow(list(args), "args")
        return _CODEC + pack([self._arg(place, arg) for place, arg in enumerate(args)])

    def _arg(self, place: int, value: object) -> msgspec.Raw:
        """One of several arguments, some of which are payloads already."""

        def checked() -> bytes:
            payload = self._slow(value, "")
            if type(value) is RawValue:
                # Half a payload would swallow the arguments behind it, and the list of them is a level more.
                within_depth([self._tree(payload)], b"\x91" + payload)
            return payload

        return msgspec.Raw(_told(f"args[{place}]", checked)[1:])

    def _tree(self, data: bytes) -> Any:
        if data[:1] != _CODEC:
            found = f"codec {data[0]}" if data else "no bytes at all"
            raise Unfit(
                f"the payload has {found} where codec {CODEC_ID} is known; decode it with the converter that made it"
            )
        if len(data) > MAX_DECODED:
            raise Unfit(f"the payload has {len(data):,} bytes, and {MAX_DECODED:,} is the most that is decoded")
        try:
            if len(data) > LARGE:
                check_keys(data, self._trees.decode)
            return within_depth(self._trees.decode(data[1:]), data)
        except _DAMAGED as err:
            raise Unfit(f"the payload is damaged: {type(err).__name__}: {err}") from err

    def _args(self, data: bytes, hints: tuple[Any, ...] | None) -> list[Any]:
        hints = hints or ()
        values = self._tree(data)
        if kind_of(values) is not list:
            raise Unfit("the payload is a single value where a list of arguments is needed; wrap it in a list")
        known = for_each(hints, len(values))
        raw = _raw_items(data[1:]) if RawValue in known else ()
        done: list[Any] = []
        try:
            for place, value in enumerate(values):
                hint = known[place]
                done.append(RawValue(_CODEC + raw[place]) if hint is RawValue else converter_for(hint)(value, LAX))
        except Unfit as err:
            raise err.under(f"args[{len(done)}]") from None
        return done

    def _within(self, data: bytes) -> bytes:
        if len(data) > self.limit:
            raise PayloadTooLargeError(len(data), self.limit)
        return data


# --- the fast way: what msgspec itself gets right --------------------------------------------------------------------


def _is_plain(value: Any, depth: int) -> bool:
    """Whether msgpack alone keeps every type in the value."""
    kind = kind_of(value)
    if kind is dict:
        for key in value:
            if type(key) is not str and type(key) not in _PLAIN:
                return False
        value = value.values()
    elif kind is not list:
        return kind in _PLAIN
    for item in value:  # noqa: SIM110  # a generator takes twice the time on this path
        if type(item) not in _PLAIN and not (depth and _is_plain(item, depth - 1)):
            return False
    return True


def _native(hint: Any) -> Any:
    """What msgspec is to be asked for so that it either gives exactly what the annotation says, or fails."""
    if hint is Any or hint is object:
        return Any
    if hint is None or hint in _PLAIN:
        return hint
    if hint is list or hint is dict:
        return hint
    origin, args = get_origin(hint), get_args(hint)
    if origin is list or origin is dict:
        generic: Any = origin
        return generic[tuple(_native(arg) for arg in args)]
    # Of several containers msgspec may take another than the walk does, and with Any it never looks at the rest.
    if (origin is Union or origin is types.UnionType) and all(arg in _PLAIN for arg in args):
        return hint
    raise TypeError(f"msgspec alone is not exact for {hint!r}")


class _ValueDecoders(dict[Hashable, Decode]):
    """Annotation -> decoder, for what msgspec itself gets right; LookupError for the rest."""

    def __missing__(self, hint: Any) -> Decode:
        decode: Decode = _no_fast_way
        try:
            decode = msgspec.msgpack.Decoder(_native(hint), ext_hook=any_hook).decode
        except TypeError:
            pass  # it is for the walk
        if len(self) >= MAX_CACHED:
            self.clear()
        self[hint] = decode
        return decode


class _CountedDecoders(dict[int, Decode]):
    """First byte of an argument list (its length) -> decoder, for one tuple of annotations."""

    def __init__(self, hints: tuple[Any, ...] | None) -> None:
        super().__init__()
        self._hints = hints

    def __missing__(self, head: int) -> Decode:
        count = head - 0x90
        decode: Decode = _no_fast_way
        try:
            if self._hints is None:
                decode = msgspec.msgpack.Decoder(list[Any], ext_hook=any_hook).decode
            elif 0 <= count <= min(len(self._hints), 15):
                natives = tuple(_native(hint) for hint in self._hints[:count])
                decode = msgspec.msgpack.Decoder(tuple.__class_getitem__(natives), ext_hook=any_hook).decode
        except TypeError:
            pass  # some annotation is for the walk
        self[head] = decode
        return decode


class _ArgumentDecoders(dict[Hashable, _CountedDecoders]):
    """Annotations of the parameters -> decoders by the number of arguments."""

    def __missing__(self, hints: tuple[Any, ...] | None) -> _CountedDecoders:
        if len(self) >= MAX_CACHED:
            self.clear()
        found = self[hints] = _CountedDecoders(hints)
        return found


def _no_fast_way(data: Any) -> Any:
    raise LookupError


_value_decoders = _ValueDecoders()
_argument_decoders = _ArgumentDecoders()


# --- the walk ---------------------------------------------------------------------------------------------------------


def for_each(hints: tuple[Any, ...], count: int) -> list[Any]:
    """An annotation for each of so many arguments; the last of ``hints`` may be ``*tuple[T, ...]``, for the rest.

    Args:
        hints: those of the parameters.
        count: how many arguments there are.
    """
    known, rest = list(hints[:count]), Any
    if hints and get_origin(hints[-1]) is Unpack:
        rest = get_args(get_args(hints[-1])[0])[0]
        known = known[: len(hints) - 1]
    return known + [rest] * (count - len(known))


def _raw_items(body: bytes) -> list[bytes]:
    """The elements of a list, each as its bytes."""
    return [bytes(item) for item in msgspec.msgpack.decode(body, type=list[msgspec.Raw])]


def _within_bounds(name: str, value: int, most: int) -> int:
    if not 0 < value <= most:
        raise ValueError(f"{name} is {value:,}; give a number from 1 to {most:,}")
    return value


def _checked(types: Iterable[TypeCodec[Any]]) -> list[TypeCodec[Any]]:
    codecs = list(types)
    for codec in codecs:
        if codec.cls in KNOWN:
            raise ValueError(f"{codec!r} is for a class that is stored as it is; make a class of your own of it")
    for what in ("cls", "name"):
        seen: set[object] = set()
        for codec in codecs:
            if getattr(codec, what) in seen:
                raise ValueError(f"{codec!r} is the second codec of that {what}; keep one of them")
            seen.add(getattr(codec, what))
    return codecs


def _told(root: str, encode: Callable[[], bytes]) -> bytes:
    try:
        return encode()
    except Unfit as err:
        raise PayloadEncodeError(err.under(root).path, err.reason) from err
    except RecursionError as err:
        raise PayloadEncodeError(root, "the value is nested too deep; pass a flatter one") from err
    except (FailureError, MemoryError):
        raise  # a codec or a serializer means to fail whoever sends the value
    except Exception as err:  # methods of the value's own may raise anything
        told = str(err) if isinstance(err, (OverflowError, TypeError, ValueError)) else f"{type(err).__name__}: {err}"
        raise PayloadEncodeError(root, f"{told}; pass plain data") from err


def _explained(decode: Callable[[], Any]) -> Any:
    try:
        return decode()
    except Unfit as err:
        # What is below says nothing more, but for what a method of the value's own has raised.
        raise PayloadDecodeError(err.path, err.reason) from err.__cause__
    except RecursionError as err:
        raise PayloadDecodeError("", "the value is nested too deep to be decoded") from err
    except (FailureError, MemoryError):
        raise  # a codec or a validator means to fail whoever reads the value
    except Exception as err:  # methods of the values' own may raise anything
        raise PayloadDecodeError("", f"the value cannot be made: {type(err).__name__}: {err}") from err


def _made(limit: int, max_depth: int, types: Iterable[TypeCodec[Any]]) -> Converter:
    return Converter(limit=limit, max_depth=max_depth, types=types)
