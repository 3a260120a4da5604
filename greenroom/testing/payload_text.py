"""A payload as a short text for people: the plain data in it, whatever type it once had."""

from __future__ import annotations

import reprlib

from ..runtime.model.payload_converter import PayloadConverter
from ..runtime.model.payloads import Converter

__all__ = ["payload_text"]

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = _SHORT.maxset = 10
_PLAIN = Converter()


def payload_text(data: bytes, converter: PayloadConverter = _PLAIN) -> str:
    """What stands in a payload, shortened.

    Args:
        data: the payload.
        converter: what has made it.
    """
    try:
        return _SHORT.repr(converter.decode(data))
    except Exception:
        # A user's converter may raise anything, and whoever is told this has another complaint.
        return f"<{len(data)} bytes that cannot be decoded>"
