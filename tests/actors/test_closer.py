"""What is open and no actor stands in pykka's registry, and is closed with the actors."""

from __future__ import annotations

import threading

import pytest
from pykka import ActorDeadError, ActorRegistry

from greenroom.actors import Closer


def test_stop_all_closes_what_is_open_and_waits_for_it() -> None:
    closed: list[str] = []

    def close() -> None:
        closed.append(threading.current_thread().name)
        closer.leave()

    closer = Closer("the thing", close)
    closer.enter()

    assert ActorRegistry.stop_all(timeout=30) == [True]
    assert closed == ["greenroom-closer"]
    assert ActorRegistry.get_all() == []
    assert closer.actor_ref.stop(timeout=30) is False


def test_what_closing_raises_goes_to_who_waits() -> None:
    def close() -> None:
        raise OSError("stuck")

    closer = Closer("the thing", close)
    closer.enter()
    try:
        with pytest.raises(OSError, match="stuck"):
            closer.actor_ref.stop(timeout=30)
    finally:
        closer.leave()


def test_messages_are_answered_though_nobody_takes_them() -> None:
    closer = Closer("the thing", lambda: None)
    closer.enter()
    try:
        closer.actor_ref.tell("nobody asked")
        with pytest.raises(ActorDeadError, match="the thing takes no messages"):
            closer.actor_ref.ask("hello", timeout=30)
    finally:
        closer.leave()
