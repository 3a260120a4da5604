"""Nothing that is told is lost or comes out of order, however many tell (`make soak-actors`: eleven million tells)."""

from __future__ import annotations

import pytest

from greenroom.actors import Dispatcher, Envelope, Mailbox
from tests.actors.floods import Flood, Flow


@pytest.mark.slow
def test_many_tells_between_many_actors_and_from_threads_arrive_in_order(impatient_interpreter: None) -> None:
    dispatcher = Dispatcher(name="flooded")
    dispatcher.start()
    flow, thread_flow = Flow(tells=100, fan=10, burst=7), Flow(tells=5_000, fan=50, burst=0)
    flood = Flood(dispatcher, actors=500, threads=3, flow=flow, thread_flow=thread_flow)

    flood.run()

    assert flood.tells == 65_000
    assert (flood.lost(), flood.disordered()) == (0, 0)


def test_what_is_lost_or_comes_out_of_order_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    put = Mailbox.put
    held: list[tuple[Mailbox, Envelope[object]]] = []

    def put_badly(mailbox: Mailbox, envelope: Envelope[object]) -> None:
        if envelope.message == (0, 2):
            return
        if envelope.message == (1, 0):
            held.append((mailbox, envelope))
            return
        put(mailbox, envelope)
        while held and envelope.message == (1, 1):
            put(*held.pop())

    monkeypatch.setattr(Mailbox, "put", put_badly)
    flow = Flow(tells=4, fan=1, burst=4)
    flood = Flood(Dispatcher(), actors=3, threads=0, flow=flow, thread_flow=flow)

    flood.run()

    assert flood.lost() == 1
    assert flood.disordered() == 3
