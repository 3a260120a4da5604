from __future__ import annotations

import pytest

from greenroom.actors.turn_progress import TICKS, Progress

TICK = 1 / TICKS


class Machine:
    """What the clocks of a machine say.

    Attributes:
        now: time (s).
        turn: processor time of the thread of the turn (s).
        process: processor time of the process (s).
    """

    def __init__(self) -> None:
        self.now = self.turn = self.process = 0.0

    def watched(self) -> Progress:
        """A turn that may take a second."""
        return Progress(lambda: self.turn, 1.0, lambda: self.now, lambda: self.process)

    def go_on(self, seconds: float, *, turn: float = 0.0, others: float = 0.0) -> None:
        """Time goes by, of which threads get so much of the processor."""
        self.now += seconds
        self.turn += turn
        self.process += turn + others


def test_a_turn_that_had_its_time_of_the_processor_is_over() -> None:
    machine = Machine()
    progress = machine.watched()
    for _ in range(TICKS):
        machine.go_on(TICK, turn=TICK)
        progress.look()

    assert progress.is_over
    assert not progress.is_blocked


def test_a_turn_that_gets_nothing_is_blocked_when_its_time_is_over() -> None:
    machine = Machine()
    progress = machine.watched()
    for _ in range(TICKS - 1):
        machine.go_on(TICK)
        progress.look()
    was_blocked = progress.is_blocked
    machine.go_on(TICK)
    progress.look()

    assert (was_blocked, progress.is_blocked) == (False, True)


def test_a_turn_that_sleeps_in_a_loop_is_over_though_it_gets_a_little() -> None:
    machine = Machine()
    progress = machine.watched()
    for _ in range(TICKS):
        machine.go_on(TICK, turn=TICK / 100)
        progress.look()

    assert progress.is_over
    assert not progress.is_blocked


@pytest.mark.parametrize("others", [0.0, 0.1], ids=["nobody", "threads that compute"])
def test_a_machine_that_has_too_much_to_do_uses_up_no_turns_time(others: float) -> None:
    machine = Machine()
    progress = machine.watched()
    # Each look comes a second late: in all that time the process gets next to nothing.
    for look in range(TICKS - 1):
        machine.go_on(1.0, turn=0.001 if look else 0.0, others=others)
        progress.look()

    assert not progress.is_over
    assert not progress.is_blocked


def test_a_turn_beside_threads_that_compute_is_not_over_because_others_have_the_machine() -> None:
    machine = Machine()
    progress = machine.watched()
    # A third of a processor is left for the process; the turn is one thread of 25.
    for _ in range(10 * TICKS):
        machine.go_on(2.5 * TICK, turn=TICK / 30, others=TICK * 0.8)
        progress.look()

    assert not progress.is_over
    assert not progress.is_blocked


def test_a_process_that_was_stopped_has_lost_one_look() -> None:
    machine = Machine()
    progress = machine.watched()
    machine.go_on(TICK, turn=0.01)
    progress.look()
    machine.go_on(3600.0)
    progress.look()

    assert not progress.is_over
    assert not progress.is_blocked


def test_a_turn_is_over_in_the_end_whatever_others_have() -> None:
    machine = Machine()
    progress = machine.watched()
    for _ in range(30 * TICKS):
        machine.go_on(TICK, turn=TICK / 100, others=TICK)
        progress.look()

    assert progress.is_over
