"""How fast the disk is read on: no faster than the runs that are woken by it take their turns."""

from __future__ import annotations

from collections.abc import Callable

from ...actors import Actor, Dispatcher, Envelope

__all__ = ["Pace"]


class Pace(Actor):
    """An actor whose turn comes after those of all actors that are scheduled now: that is all it knows."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__(dispatcher=dispatcher)
        self._is_launched = False

    def call_behind(self, fn: Callable[[], object]) -> None:
        """Have ``fn()`` called at the start of the sweep after the one in which every actor that is scheduled now has
        had a turn; never if the dispatcher closes before, since the next opening begins anew."""
        if not self.dispatcher.is_closed:
            self.actor_inbox.put(Envelope(fn))
            if not self._is_launched:
                # Not before: it takes a turn.
                self._is_launched = True
                self.launch()

    def run_turn(self) -> bool:
        """Have it called."""
        envelope = self.actor_inbox.take()
        if envelope is not None and not self.dispatcher.is_closed:
            self.dispatcher.call_soon(envelope.message)
        return False

    def abandon(self, reason: str, error: BaseException | None = None) -> None:
        """The dispatcher has ended: nobody misses what was to be read."""
        self.actor_inbox.close()
