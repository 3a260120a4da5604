"""Turns → one commit → release: the one that writes, and the one that lets go.

Everything that a sweep decided stands in one batch. What the outside may see of it (a reply, a message to another
run, the start of an activity) waits until the batch is on disk. If the commit fails, nothing is let go, and every run
that took a turn goes back to what the disk has.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ...actors import Future
from ...storage import (
    Batch,
    ClosedError,
    FencedError,
    ForkedError,
    Journal,
    OutcomeUnknownError,
    StorageError,
)
from ..model.errors import GreenroomError, InternalError
from .delivery import Delivery
from .journal_seam import public_error

__all__ = ["Sweep", "TurnTaker", "fail_if_pending"]

MAX_BYTES = 8 * 1024 * 1024

_LOST = (ClosedError, FencedError, ForkedError, OutcomeUnknownError)

logger = logging.getLogger("greenroom")

Action = tuple[Callable[..., object], tuple[Any, ...]]


class TurnTaker(Protocol):
    """Whoever takes turns: it can go back to what the disk has."""

    def roll_back(self, deliveries: list[Delivery], error: GreenroomError) -> None: ...


class Sweep:
    """The open sweep.

    Attributes:
        batch: what it will write.
        commits: how many sweeps were written.

    Args:
        journal: where it is written.
        path: the journal's place, for messages.
        lost: told when a commit shows that this journal can never be written again.
        max_bytes: a sweep that has collected this much is full.
        committing: entered while a batch is written, if given.
    """

    def __init__(
        self,
        journal: Journal,
        path: str,
        *,
        lost: Callable[[GreenroomError], None],
        max_bytes: int = MAX_BYTES,
        committing: AbstractContextManager[None] | None = None,
    ) -> None:
        self._lost = lost
        self.batch: Batch = journal.batch()
        self.commits = 0
        self._journal = journal
        self._path = path
        self._max_bytes = max_bytes
        self._committing = committing
        self._turns: list[tuple[TurnTaker, Delivery | None]] = []
        self._after: list[Action] = []
        self._undo: list[Action] = []
        self._spoiled_by: Exception | None = None
        self._lost_by: GreenroomError | None = None

    def is_full(self) -> bool:
        """Whether it is time to commit."""
        return self.batch.size >= self._max_bytes

    def took_turn(self, taker: TurnTaker, delivery: Delivery) -> None:
        """Note whose turn over what stands in the batch."""
        self._turns.append((taker, delivery))

    def after(self, action: Callable[..., object], *args: Any) -> None:
        """Have ``action(*args)`` done once the batch is on disk; never if it does not get there."""
        self._after.append((action, args))

    def undo(self, action: Callable[..., object], *args: Any) -> None:
        """Have ``action(*args, error)`` done if the batch does not get to disk, before runs are rolled back; the last
        one that was asked for first."""
        self._undo.append((action, args))

    def touched(self, taker: TurnTaker) -> None:
        """Note whose rows stand in the batch though it took no turn."""
        self._turns.append((taker, None))

    def spoil(self, error: Exception) -> None:
        """Make sure that nothing of the open sweep is written: what stands in its batch is not whole."""
        self._spoiled_by = error

    def answer(self, future: Future[Any], value: Any) -> None:
        """Give a caller what the open sweep may have decided: not before it is on disk."""
        self._after.append((future.set, (value,)))
        self._undo.append((fail_if_pending, (future,)))

    def refuse(self, future: Future[Any], error: BaseException) -> None:
        """Tell a caller of something that the open sweep may have decided: not before it is on disk."""
        self._after.append((fail_if_pending, (future, error)))
        self._undo.append((fail_if_pending, (future,)))

    def close(self) -> None:
        """End the sweep: write, then let go. The dispatcher calls this after the last turn."""
        # What is let go may ask for more to be written or let go.
        while self._after or self.batch.size or self._spoiled_by is not None:
            self._close_once()
        # Who took a turn of which nothing had to be written has nothing to go back to; noted for longer, it would be
        # rolled back with a later sweep, when another actor may have its run.
        self._turns.clear()
        self._undo.clear()

    def _close_once(self) -> None:
        batch, turns, after, undo = self.batch, self._turns, self._after, self._undo
        spoiled_by, self._spoiled_by = self._spoiled_by, None
        has_rows = batch.size > 0
        if has_rows:
            self.batch = self._journal.batch()
        self._turns, self._after, self._undo = [], [], []
        if has_rows or spoiled_by is not None:
            was_lost = self._lost_by is not None
            error = self._lost_by or self._write(batch, spoiled_by)
            if error is not None:
                self._roll_back(turns, undo, error)
                if self._lost_by is not None and not was_lost:
                    self._lost(self._lost_by)
                return
            self.commits += 1
        _do_all(after)

    def _write(self, batch: Batch, spoiled_by: Exception | None) -> GreenroomError | None:
        """Write; returns why that could not be."""
        try:
            if spoiled_by is not None:
                raise spoiled_by
            if self._committing is None:
                self._journal.commit(batch)
            else:
                with self._committing:
                    self._journal.commit(batch)
        except StorageError as error:
            public = public_error(error, self._path)
            if isinstance(error, _LOST):
                # Whatever the engine says from now on: nobody knows what the disk has.
                self._lost_by = public
            return public
        except GreenroomError as error:
            # What a turn needed of the journal could not be read: whoever waits for the sweep is told just that.
            return error
        except Exception as error:
            # Whatever else it is, the batch did not get to disk, and nothing may be built upon it.
            return InternalError(f"a sweep could not be written: {error!r}")
        return None

    def _roll_back(
        self, turns: list[tuple[TurnTaker, Delivery | None]], undo: list[Action], error: GreenroomError
    ) -> None:
        logger.error("a sweep of %d turns could not be written: %s", len(turns), error)
        by_taker: dict[TurnTaker, list[Delivery]] = {}
        for taker, delivery in turns:
            deliveries = by_taker.setdefault(taker, [])
            if delivery is not None:
                deliveries.append(delivery)
        _do_all([(action, (*args, error)) for action, args in reversed(undo)])
        _do_all([(taker.roll_back, (deliveries, error)) for taker, deliveries in by_taker.items()])


def _do_all(actions: list[Action]) -> None:
    """Do each, whatever another lets out: a callback of the user's may raise anything."""
    interrupt: KeyboardInterrupt | None = None
    for action, args in actions:
        try:
            action(*args)
        except KeyboardInterrupt as error:
            interrupt = error
        except BaseException:
            logger.critical("%r failed at the end of a sweep; the others go on", action, exc_info=True)
    if interrupt is not None:
        raise interrupt


def fail_if_pending(future: Future[Any], error: BaseException) -> None:
    """Fail a future that nobody has answered yet."""
    if not future.done():
        future.fail(error)
