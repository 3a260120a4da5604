"""How a signal is sent: with a key, on somebody's behalf, or as most are."""

from __future__ import annotations

from .core.messages import SignalReceived, SignalReceivedFrom, SignalReceivedOnce
from .model.ids import check_id

__all__ = ["signal_message"]


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
