"""The gate lets readers through together and nobody while it is shut."""

from __future__ import annotations

import threading

from greenroom.storage.gate import Gate


def test_shutting_waits_for_those_inside_and_keeps_the_others_out() -> None:
    gate = Gate()
    inside, leave, shut = threading.Event(), threading.Event(), threading.Event()
    order: list[str] = []

    def first_reader() -> None:
        with gate:
            inside.set()
            leave.wait()
            order.append("reader leaves")

    def closer() -> None:
        with gate.shut():
            order.append("shut")
            shut.set()

    def late_reader() -> None:
        shut.wait()
        with gate:
            order.append("late reader")

    threads = [threading.Thread(target=work) for work in (first_reader, late_reader)]
    for thread in threads:
        thread.start()
    inside.wait()
    threads.append(threading.Thread(target=closer))
    threads[-1].start()
    leave.set()
    for thread in threads:
        thread.join()

    assert order == ["reader leaves", "shut", "late reader"]


def test_many_readers_and_closers_never_meet() -> None:
    gate = Gate()
    inside = 0
    lock = threading.Lock()
    seen: list[int] = []

    def read() -> None:
        nonlocal inside
        for _ in range(300):
            with gate:
                with lock:
                    inside += 1
                with lock:
                    inside -= 1

    def close() -> None:
        for _ in range(50):
            with gate.shut():
                seen.append(inside)

    threads = [threading.Thread(target=work) for work in (read, read, read, close, close)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == [0] * 100


def test_a_failure_inside_opens_the_gate_again() -> None:
    gate = Gate()
    for enter in (lambda: gate, gate.shut):
        try:
            with enter():
                raise LookupError
        except LookupError:
            pass

    with gate.shut():
        pass
