from __future__ import annotations

import threading

from greenroom.actors.gate import Gate


def test_patience_is_asked_once_the_waiter_is_seen_to_wait() -> None:
    gate, seen = Gate(), list[bool]()

    def patience() -> float:
        seen.append(gate.is_waiting)
        return 0.0

    gate.wait(patience)

    assert seen == [True]
    assert not gate.is_waiting


def test_a_gate_opened_between_looking_and_waiting_is_open() -> None:
    gate = Gate()
    finished = threading.Event()

    def patience() -> float:
        gate.open_if_waiting()
        gate.open()
        return 60.0

    def wait() -> None:
        gate.wait(patience)
        finished.set()

    threading.Thread(target=wait, daemon=True).start()

    assert finished.wait(30)


def test_nobody_waiting_is_nobody_woken() -> None:
    gate = Gate()

    gate.open_if_waiting()
    gate.wait(lambda: 0.001)

    assert not gate.is_waiting
