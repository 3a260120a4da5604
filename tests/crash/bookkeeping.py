"""Clients that have runs reset, forked and deleted while others write in them, and report what they hear."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from random import Random
from threading import Semaphore
from typing import Any

from greenroom import Runtime, WorkflowIDReusePolicy
from greenroom.actors import Future
from greenroom.runtime.model.errors import (
    GreenroomError,
    RuntimeClosedError,
    WorkflowAlreadyStartedError,
    WorkflowNotFoundError,
    WorkflowStillRunningError,
)

from .books import BOOK, FORK, PAGE, SLIP, Book, slip
from .orders import Orders
from .posting import Posting

__all__ = ["Bookkeeping"]

FEW_BOOKS = 2
MANY_BOOKS = 6
ENTRIES = 4
TURNS = ("start", "last", "last", 0, 1, 2, 3, 5, 8)
ROUNDS = 60
"""How many times a healer looks whether what is to be deleted is: more than there can be slices."""

PATIENCE_S = 30.0


class Bookkeeping:
    """Puts one kind of load on a runtime.

    Args:
        dice: what things are drawn from.
        say: tells the parent.
        slots: one is taken for each call that is not answered.
        posting: sends the entries.
    """

    def __init__(
        self,
        runtime: Runtime,
        orders: Orders,
        dice: Random,
        say: Callable[..., None],
        slots: Semaphore,
        posting: Posting,
    ) -> None:
        self._runtime = runtime
        self._generation = orders.generation
        self._dice = dice
        self._say = say
        self._slots = slots
        self._posting = posting
        self._books = [each for each, kind in orders.known if kind == "Book" and not each.startswith(PAGE)]
        self._pages: dict[str, str] = {}
        self._numbers = 0

    def work(self) -> None:
        """Do one thing."""
        choice = self._dice.random()
        if len(self._books) < FEW_BOOKS or (choice < 0.1 and len(self._books) < MANY_BOOKS):
            self._books.append(self._start(f"{BOOK}-{self._next()}"))
        elif choice < 0.2:
            self._start(f"{PAGE}-{self._next()}")
        elif choice < 0.3:
            self._throw()
        elif choice < 0.42:
            self._copy(self._dice.choice(self._books), "")
        elif choice < 0.52:
            self._copy(self._one(), f"{FORK}-{self._next()}")
        elif choice < 0.62:
            self._delete()
        elif choice < 0.67:
            self._posting.send(self._one(), "shut", "l")
        else:
            workflow_id = self._one()
            for _ in range(self._dice.randint(1, ENTRIES)):
                self._posting.send_somehow(workflow_id, "entry", "l")

    def shut(self, workflow_id: str) -> None:
        """Have a book come to its end."""
        self._posting.send(workflow_id, "shut", "l")

    def see_deleted(self, slips: list[str]) -> bool:
        """Wait until slips that have ended are gone, and what an earlier process has begun to delete; whether they
        are."""
        for _ in range(ROUNDS):
            self._is_there(SLIP)
        pause, until = threading.Event(), time.monotonic() + PATIENCE_S
        while any(map(self._is_there, slips)):
            if time.monotonic() > until:
                self._say("error", f"slips are not deleted: {[each for each in slips if self._is_there(each)]}")
                return False
            pause.wait(0.01)
        return True

    def _is_there(self, workflow_id: str) -> bool:
        try:
            self._runtime.get_workflow_handle(workflow_id).describe().get(timeout=PATIENCE_S)
        except WorkflowNotFoundError:
            return False
        return True

    def _one(self) -> str:
        """A book; one that has ended is forgotten sooner or later."""
        pages = list(self._pages)
        if pages and self._dice.random() < 0.3:
            return self._dice.choice(pages)
        if len(self._books) > MANY_BOOKS:
            self._books.pop(0)
        return self._dice.choice(self._books)

    def _next(self) -> str:
        self._numbers += 1
        return f"{self._generation}-{self._numbers}"

    def _start(self, workflow_id: str) -> str:
        self._slots.acquire()
        self._say("starting", workflow_id)
        self._runtime.start_workflow(Book.run, id=workflow_id).add_done_callback(
            partial(self._heard, ["start", workflow_id], self._started)
        )
        return workflow_id

    def _started(self, line: list[str], handle: Any) -> None:
        self._say(*line, handle.run_id)
        if line[1].startswith(PAGE):
            self._pages[line[1]] = handle.run_id
        self._slots.release()

    def _throw(self) -> None:
        """Start a slip, of which nothing will be left."""
        self._slots.acquire()
        workflow_id = f"{SLIP}-{self._next()}"
        self._say("throwing", workflow_id, time.time_ns())
        self._runtime.start_workflow(slip, workflow_id, id=workflow_id).add_done_callback(
            partial(self._heard, ["start", workflow_id], self._started)
        )

    def _copy(self, workflow_id: str, fork_id: str) -> None:
        """Have a run go on from a turn of it, in its place or as a fork."""
        self._slots.acquire()
        reason = f"y{self._next()}"
        to = self._dice.choice(TURNS)
        self._say("copying", reason, workflow_id, fork_id, to)
        handle: Any = self._runtime.get_workflow_handle(workflow_id)
        copied = handle.fork(at=to, id=fork_id, reason=reason) if fork_id else handle.reset(to=to, reason=reason)
        copied.add_done_callback(partial(self._heard, ["copied", reason], self._copied))

    def _copied(self, line: list[str], handle: Any) -> None:
        self._say(*line, handle.id, handle.run_id)
        self._books.append(handle.id)
        self._slots.release()

    def _delete(self) -> None:
        """Delete a page, whether it is shut or not, and begin another one of its id."""
        if not self._pages:
            return
        # The oldest, which has the longest history.
        workflow_id = next(iter(self._pages))
        run_id = self._pages.pop(workflow_id)
        is_shut = self._dice.random() < 0.4
        if is_shut:
            self._posting.send(workflow_id, "shut", "l")
        self._slots.acquire()
        self._say("deleting", workflow_id, run_id)
        handle = self._runtime.get_workflow_handle(workflow_id, run_id=run_id)
        handle.delete(terminate=not is_shut).add_done_callback(
            partial(self._heard, ["deleted", workflow_id, run_id], self._deleted)
        )

    def _deleted(self, line: list[str], nothing: Any) -> None:
        self._say(*line)
        # The id must be free, also for whoever wants no other run of it to have been.
        policy = WorkflowIDReusePolicy.REJECT_DUPLICATE
        self._runtime.start_workflow(Book.run, id=line[1], id_reuse_policy=policy).add_done_callback(
            partial(self._heard, ["start", line[1]], self._started)
        )

    def _heard(self, line: list[str], told: Callable[[list[str], Any], None], future: Future[Any]) -> None:
        """Report what was answered; ``told`` gives the slot back."""
        try:
            value = future.get()
        except RuntimeClosedError:
            # Whether it was done is not known to the caller.
            pass
        except WorkflowStillRunningError:
            pass
        except (ValueError, WorkflowNotFoundError, WorkflowAlreadyStartedError) as error:
            if line[0] == "copied":
                self._say("uncopied", line[1])
            else:
                self._say("error", f"{line}: {error!r}")
        except GreenroomError as error:
            self._say("error", f"{line}: {error!r}")
        else:
            told(line, value)
            return
        self._slots.release()
