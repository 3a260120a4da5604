"""What the header of a run says of it beside what storage needs to know; most runs have nothing of it."""

# No `from __future__ import annotations`: each annotation of a struct would be compiled whenever this is imported.

from typing import Any

import msgspec
from msgspec.structs import replace

from .copied_run import CopiedRun

__all__ = ["NO_FACTS", "RunFacts", "change_facts", "decode_facts", "encode_facts"]


class RunFacts(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Stored by field name: a field is never renamed, and one that has its default is not there.

    Attributes:
        next_run_id: the run that goes on where this one has ended, in its chain; empty for none.
        parent_run_no: the run that has started this one as its child; 0 for none.
        parent_item: the number of the command that did so.
        is_paused: whether somebody has suspended the run, so that opening the journal does not try it again.
        delayed: the first message of a run that begins later; empty once it has begun.
        memo: its notes as they are now, as ``memos`` stores them.
        attributes: its search attributes as they are now, as ``attribute_values`` stores them.
        request_id: that of the request which started it; empty for none.
        copied: where its history comes from, if it was reset or forked.
        carried: how many signals that it was told of and had not read went on to the next run.
        untold: the number of the first child that is yet to hear that the run has ended; 0 if there is none.
        attempt: of a child: 1 for the first run of a chain of retries.
        retry_state: of a child that has ended without a result: the `RetryState`, as a number; 0 for none.
    """

    next_run_id: str = ""
    parent_run_no: int = 0
    parent_item: int = 0
    delayed: bytes = b""
    is_paused: bool = False
    memo: bytes = b""
    attributes: bytes = b""
    request_id: str = ""
    copied: CopiedRun | None = None
    carried: int = 0
    untold: int = 0
    attempt: int = 1
    retry_state: int = 0


NO_FACTS = RunFacts()


def change_facts(data: bytes, **changes: Any) -> bytes:
    """The stored facts with other values in the fields that are named."""
    return encode_facts(replace(decode_facts(data), **changes))


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(RunFacts).decode


def encode_facts(facts: RunFacts) -> bytes:
    """The bytes that a header keeps; none for a run without facts."""
    return b"" if facts == NO_FACTS else _encode(facts)


def decode_facts(data: bytes) -> RunFacts:
    """Read what ``encode_facts`` made.

    Raises:
        ValueError: the bytes are not facts of a run.
    """
    if not data:
        return NO_FACTS
    try:
        return _decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"not the facts of a run: {error}") from error
