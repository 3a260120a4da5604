"""Clients that send signals: most come at once, some later, and some are sent again under a key of their own."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from random import Random
from threading import Semaphore
from typing import Any

from greenroom import Runtime
from greenroom.actors import Future
from greenroom.runtime.model.errors import (
    GreenroomError,
    RuntimeClosedError,
    WorkflowClosedError,
    WorkflowNotFoundError,
)

__all__ = ["Posting"]

MS = 1_000_000
LATEST_MS = 200


class Posting:
    """Sends signals to the workflows of one runtime, each with a token of its own.

    Args:
        generation: how many processes had the journal before.
        dice: what the ways are drawn from.
        say: tells the parent.
        slots: one is taken for each signal that is not answered.
    """

    def __init__(
        self, runtime: Runtime, generation: int, dice: Random, say: Callable[..., None], slots: Semaphore
    ) -> None:
        self._runtime = runtime
        self._generation = generation
        self._dice = dice
        self._say = say
        self._slots = slots
        self._tokens = 0

    def send(self, workflow_id: str, name: str, kind: str = "c") -> None:
        """Send a signal once, for now."""
        self._send(workflow_id, name, f"{kind}{self._generation}.{self._number()}")

    def send_later(self, workflow_id: str, name: str, kind: str = "c") -> None:
        """Send a signal once, for later: those of one client come in any order."""
        self._send(workflow_id, name, self._late_token(kind), delay_ms=self._delay_ms())

    def send_somehow(self, workflow_id: str, name: str, kind: str = "c") -> None:
        """Send a signal for now or later, with a key or without, once or twice at once."""
        match self._dice.randrange(10):
            case 0 | 1:
                self.send_later(workflow_id, name, kind)
            case 2 | 3:
                token = f"{kind}{self._generation}.{self._number()}"
                for _ in range(self._dice.randint(1, 2)):
                    self._send(workflow_id, name, token, is_keyed=True)
            case 4:
                token = self._late_token(kind)
                for _ in range(self._dice.randint(1, 2)):
                    self._send(workflow_id, name, token, delay_ms=self._delay_ms(), is_keyed=True)
            case _:
                self.send(workflow_id, name, kind)

    def send_again(self, workflow_id: str, name: str, token: str) -> None:
        """Send a signal with a key that somebody has sent before."""
        # One whose order counts must not come later than what was sent behind it.
        delay_ms = self._delay_ms() if "x" in token and self._dice.random() < 0.3 else 0
        self._send(workflow_id, name, token, delay_ms=delay_ms, is_keyed=True)

    def _number(self) -> int:
        self._tokens += 1
        return self._tokens

    def _late_token(self, kind: str) -> str:
        # As if each had a sender of its own: no order is promised.
        return f"{kind}{self._generation}x{self._number()}.0"

    def _delay_ms(self) -> int:
        return self._dice.randint(1, LATEST_MS)

    def _send(self, workflow_id: str, name: str, token: str, *, delay_ms: int = 0, is_keyed: bool = False) -> None:
        self._slots.acquire()
        not_before_ns = time.time_ns() + delay_ms * MS if delay_ms else 0
        self._say("sending", token, workflow_id, not_before_ns, name if is_keyed else "")
        sent = self._runtime.get_workflow_handle(workflow_id).signal(
            name, token, idempotency_key=token if is_keyed else None, delay=timedelta(milliseconds=delay_ms)
        )
        sent.add_done_callback(partial(self._answered, token, workflow_id, is_keyed))

    def _answered(self, token: str, workflow_id: str, is_keyed: bool, future: Future[Any]) -> None:
        try:
            future.get()
            self._say("signal", token, workflow_id)
        except WorkflowNotFoundError as error:
            if not is_keyed:
                self._say("refused", "signal", token, workflow_id)
            elif isinstance(error, WorkflowClosedError):
                # The run may have had it before, and then it says so.
                self._say("too late", token)
        except RuntimeClosedError:
            # Whether it was taken is not known to the caller.
            pass
        except GreenroomError as error:
            self._say("error", f"signal {token} to {workflow_id}: {error!r}")
        finally:
            self._slots.release()
