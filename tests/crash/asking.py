"""Clients that ask for updates under ids of their own, in every way, at once and again, and report what they hear."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from threading import Semaphore
from typing import Any

from greenroom import Runtime
from greenroom.actors import Future
from greenroom.runtime.model.errors import (
    ApplicationError,
    GreenroomError,
    RuntimeClosedError,
    WorkflowNotFoundError,
    WorkflowUpdateFailedError,
    WorkflowUpdateNotFoundError,
)
from greenroom.runtime.model.options import WorkflowUpdateStage

from .load import Order

__all__ = ["Asking"]

ANEW = (
    ("execute",),
    ("accepted",),
    ("admitted",),
    ("execute", "execute"),
    ("accepted", "execute"),
    ("admitted", "execute"),
    ("execute", "admitted"),
    ("execute", "handle"),
)
"""Ways in which an update is asked for at the same time."""

ONCE = ("execute", "accepted", "admitted")

AGAIN = ("execute", "accepted", "admitted", "handle", "handle")


class Asking:
    """Asks for updates of one runtime.

    Args:
        generation: how many processes had the journal before.
        dice: what the ways are drawn from.
        say: tells the parent.
        slots: one is taken for each call that is not answered.
    """

    def __init__(
        self, runtime: Runtime, generation: int, dice: Random, say: Callable[..., None], slots: Semaphore
    ) -> None:
        self._runtime = runtime
        self._generation = generation
        self._dice = dice
        self._say = say
        self._slots = slots
        self._asks = 0

    def anew(self, workflow_id: str) -> None:
        """Ask for an update that nobody has asked for, once or twice at once."""
        update_id = f"u{self._generation}.{self._asks}"
        for way in self._dice.choice(ANEW):
            self._ask(workflow_id, update_id, way)

    def once(self, workflow_id: str) -> None:
        """Ask for an update that nobody asks for again: another run of the workflow would not know of it."""
        update_id = f"u{self._generation}.{self._asks}"
        self._ask(workflow_id, update_id, self._dice.choice(ONCE))

    def again(self, workflow_id: str, update_id: str) -> None:
        """Ask for an update that somebody has asked for."""
        self._ask(workflow_id, update_id, self._dice.choice(AGAIN))

    def _ask(self, workflow_id: str, update_id: str, way: str) -> None:
        self._slots.acquire()
        token = f"{update_id}:{self._generation}.{self._asks}"
        self._asks += 1
        self._say("update", update_id, "asking", workflow_id, token, way)
        handle = self._runtime.get_workflow_handle(workflow_id)
        told: Future[Any]
        match way:
            case "execute":
                told = handle.execute_update(Order.change, token, id=update_id)
            case "handle":
                told = handle.get_update_handle(update_id).result()
            case _:
                stage = WorkflowUpdateStage[way.upper()]
                told = handle.start_update(Order.change, token, wait_for_stage=stage, id=update_id)
        told.add_done_callback(partial(self._answered, update_id, way))

    def _answered(self, update_id: str, way: str, future: Future[Any]) -> None:
        try:
            if way in ("execute", "handle"):
                self._told(update_id, future)
                return
            result: Future[Any] = self._heard(update_id, future).result()
            if result.done():
                # It has an outcome already: which stage it came to is not said.
                self._told(update_id, result)
            else:
                self._say("update", update_id, "reached", way)
                result.add_done_callback(partial(self._told, update_id))
        except _UnheardError:
            pass
        finally:
            self._slots.release()

    def _told(self, update_id: str, future: Future[Any]) -> None:
        try:
            self._say("update", update_id, "outcome", self._heard(update_id, future))
        except _UnheardError:
            pass

    def _heard(self, update_id: str, future: Future[Any]) -> Any:
        """What a future has; what it has not is told here."""
        try:
            return future.get()
        except WorkflowUpdateFailedError as error:
            cause = error.cause
            text = f"{cause.type}: {cause.message}" if isinstance(cause, ApplicationError) else repr(cause)
            self._say("update", update_id, "outcome", text)
        except (WorkflowNotFoundError, WorkflowUpdateNotFoundError) as error:
            self._say("update", update_id, "denied", str(error))
        except RuntimeClosedError:
            # Whether it was taken is not known to the caller.
            pass
        except GreenroomError as error:
            self._say("error", f"update {update_id}: {error!r}")
        raise _UnheardError


class _UnheardError(Exception):
    """There is no value."""
