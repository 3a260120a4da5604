"""Many actors tell many others, threads from outside among them: did everything arrive, in order?

Who tells whom is computed, and a message is its sender and its number among those from this sender to this receiver.
So nothing is kept but counters, whatever the number of messages.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

from pykka import ActorRef

from greenroom.actors import Actor, Dispatcher

__all__ = ["Flood", "Flow"]


class Flow(NamedTuple):
    """What each sender sends.

    Attributes:
        tells: how many.
        fan: to how many receivers, in turn.
        burst: how many in one turn of an actor.
    """

    tells: int
    fan: int
    burst: int


class _Peer(Actor):
    """Tells others when it is told None, and counts what comes."""

    def __init__(self, number: int, flood: Flood) -> None:
        super().__init__(dispatcher=flood.dispatcher)
        self._number = number
        self._flood = flood
        self._sent = 0
        # sender → messages that came from it.
        self.came: dict[int, int] = {}
        self.disordered = 0

    def on_receive(self, message: tuple[int, int] | None) -> None:
        if message is None:
            self._sent = self._flood.tell(self._number, self._sent, self._flood.flow.burst)
            if self._sent < self._flood.flow.tells:
                self.actor_ref.tell(None)
            return
        sender, number = message
        expected = self.came.get(sender, 0)
        self.came[sender] = expected + 1
        self.disordered += number != expected


class Flood:
    """Actors that tell each other, and threads that tell them too.

    Args:
        dispatcher: runs the actors; it is closed by ``run``.
        actors: how many; more than the fan.
        threads: how many.
        flow: what each actor sends.
        thread_flow: what each thread sends.
    """

    def __init__(self, dispatcher: Dispatcher, *, actors: int, threads: int, flow: Flow, thread_flow: Flow) -> None:
        self.dispatcher = dispatcher
        self.flow = flow
        self._thread_flow = thread_flow
        self._peers = [_Peer(number, self) for number in range(actors)]
        self._threads = [threading.Thread(target=self._tell_from_outside, args=(actors + n,)) for n in range(threads)]
        for peer in self._peers:
            peer.launch()
        self._refs: list[ActorRef[Any]] = [peer.actor_ref for peer in self._peers]

    @property
    def tells(self) -> int:
        """All that there will be."""
        return len(self._peers) * self.flow.tells + len(self._threads) * self._thread_flow.tells

    def run(self) -> None:
        """Until everything has been handled."""
        for ref in self._refs:
            ref.tell(None)
        for thread in self._threads:
            thread.start()
        for thread in self._threads:
            thread.join()
        self.dispatcher.close()

    def tell(self, sender: int, begin: int, count: int) -> int:
        """Send the next ``count`` of a sender; gives how many it has sent then."""
        flow = self._flow_of(sender)
        end = min(begin + count, flow.tells)
        for index in range(begin, end):
            self._refs[self._receiver(sender, index % flow.fan)].tell((sender, index // flow.fan))
        return end

    def lost(self) -> int:
        """How many did not arrive, or arrived more than once."""
        senders = len(self._peers) + len(self._threads)
        lost = 0
        for sender in range(senders):
            flow = self._flow_of(sender)
            for which in range(min(flow.fan, flow.tells)):
                count = len(range(which, flow.tells, flow.fan))
                lost += abs(count - self._peers[self._receiver(sender, which)].came.pop(sender, 0))
        return lost + sum(sum(peer.came.values()) for peer in self._peers)

    def disordered(self) -> int:
        """How many arrived before or behind where they were in what their sender sent."""
        return sum(peer.disordered for peer in self._peers)

    def _flow_of(self, sender: int) -> Flow:
        return self.flow if sender < len(self._peers) else self._thread_flow

    def _receiver(self, sender: int, which: int) -> int:
        # Primes, so that receivers lie all over the place; a sender's are all different.
        return (sender * 7919 + (which + 1) * 104_729) % len(self._peers)

    def _tell_from_outside(self, sender: int) -> None:
        self.tell(sender, 0, self._thread_flow.tells)
