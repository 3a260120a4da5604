"""How a message is sent to a workflow: what cannot be is refused where it is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .core.messages import SignalReceived, SignalReceivedFrom, SignalReceivedOnce
from .model.handler_definitions import handler_name, handler_signature
from .model.ids import check_id
from .model.mistakes import refuse_an_instance
from .model.payload_converter import PayloadConverter
from .model.payload_errors import PayloadDecodeError
from .model.signatures import Signature

__all__ = ["checked_call", "signal_message"]


def checked_call(
    converter: PayloadConverter, kind: str, handler: str | Callable[..., Any], args: tuple[object, ...]
) -> tuple[str, bytes, Signature | None]:
    """The name, the stored arguments and, of a handler that is referred to, the signature.

    Args:
        kind: "signal", "query" or "update".

    Raises:
        TypeError: the arguments do not fit the handler that is referred to.
        ValueError: the name cannot be one.
        PayloadError: an argument cannot be stored, or is not of the type that the handler's annotation allows.
    """
    refuse_an_instance(handler)
    name = check_id(handler_name(kind, handler), f"{kind} name")
    data = converter.encode_args(args)
    signature = handler_signature(kind, handler)
    if signature is not None:
        problem = signature.problem_with(args)
        if problem is not None:
            raise TypeError(f"{kind} {name!r} {problem}")
        try:
            converter.decode_args(data, signature.arg_types)
        except PayloadDecodeError as error:
            raise signature.misfit(f"{kind} {name!r}", error) from None
    return name, data, signature


def signal_message(name: str, data: bytes, *, key: str | None = None, identity: str = "") -> SignalReceived:
    """What a run is told of a signal.

    Args:
        key: the sender's idempotency key, if it has one.
        identity: on whose behalf it is sent; empty if that is not said.

    Raises:
        TypeError, ValueError: the key cannot be one.
    """
    if key is not None:
        return SignalReceivedOnce(name, data, key=check_id(key, "idempotency key"), identity=identity)
    return SignalReceivedFrom(name, data, identity=identity) if identity else SignalReceived(name, data)
