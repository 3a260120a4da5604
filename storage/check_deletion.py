"""Holds what is said of deleting runs against their headers, and the notes of dead letters against these."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from . import keys
from .errors import CorruptError, FormatError
from .records import RunHeader
from .store import Store, Tree

__all__ = ["is_being_deleted", "judge_deleted", "judge_expiry", "judge_note", "missing_expiry"]

Finding = tuple[str, str, int | None]
HeaderOf = Callable[[int], RunHeader | None]


def is_being_deleted(store: Store, run_no: int) -> bool:
    """Whether rows of a run may be left that has no header."""
    return store.get(Tree.DUE, keys.DELETED_KEY.pack(keys.DELETED, run_no)) is not None


def judge_deleted(key: bytes, header_of: HeaderOf) -> Iterator[Finding]:
    """Yield what is wrong with the mark of a run that is being deleted: (where, what, run number)."""
    run_no = keys.block_of(key)
    if _header(header_of, run_no) is not None:
        yield f"run {run_no}", "it is being deleted and has a header", run_no


def judge_expiry(key: bytes, header_of: HeaderOf) -> Iterator[Finding]:
    """Yield what is wrong with the row that says when a run is to be deleted."""
    _, at_ns, run_no = keys.EXPIRY_KEY.unpack(key)
    try:
        header = header_of(run_no)
    except (CorruptError, FormatError):
        return  # It is reported elsewhere.
    if header is None or header.expires_ns != at_ns:
        yield f"run {run_no}", f"it is to be deleted at {at_ns}, which it does not know", run_no


def missing_expiry(store: Store, run_no: int, header: RunHeader) -> Iterator[Finding]:
    """Yield that nothing leads to a run when it is to be deleted."""
    at_ns = header.expires_ns
    if at_ns is not None and store.get(Tree.DUE, keys.EXPIRY_KEY.pack(keys.EXPIRY, at_ns, run_no)) is None:
        yield f"the header of run {run_no}", f"it is to be deleted at {at_ns}, and its row is missing", run_no


def judge_note(store: Store, key: bytes) -> Iterator[Finding]:
    """Yield what is wrong with the note that a dead letter is a run's."""
    _, _, seq = keys.MAIL_KEY.unpack(key)
    if store.get(Tree.DEAD, keys.LETTER_KEY.pack(seq)) is None:
        yield keys.describe(key), "there is no such dead letter", keys.run_of(key)


def _header(header_of: HeaderOf, run_no: int) -> RunHeader | None:
    try:
        return header_of(run_no)
    except (CorruptError, FormatError):
        return None
