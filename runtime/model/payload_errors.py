"""What cannot be written as bytes, or read from them."""

from __future__ import annotations

from .work_errors import GreenroomError

__all__ = [
    "ContractError",
    "PayloadDecodeError",
    "PayloadEncodeError",
    "PayloadError",
    "PayloadTooLargeError",
]


class PayloadError(GreenroomError):
    """A value and its stored bytes do not fit together.

    Attributes:
        path: which part of the value, such as ``args[0].items[3]``; "" for the whole.
        reason: what is wrong with it and what to do.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.path else self.reason


class PayloadEncodeError(PayloadError):
    """A value cannot be stored."""


class PayloadDecodeError(PayloadError):
    """Stored bytes are damaged, or are not what the annotation asks for."""


class ContractError(PayloadDecodeError):
    """What a history has does not fit the annotations that the code has now, and the run cannot go on with it."""


class PayloadTooLargeError(PayloadError):
    """A value is larger than the limit.

    Attributes:
        size: bytes of the value's payload.
        limit: bytes that are allowed.
    """

    def __init__(self, size: int, limit: int) -> None:
        super().__init__("", "")
        self.args = (size, limit)
        self.size = size
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"a payload of {self.size:,} bytes is over the limit of {self.limit:,}; store the data elsewhere and pass "
            "a reference, or raise the limit: Runtime(…, converter=Converter(limit=…))"
        )
