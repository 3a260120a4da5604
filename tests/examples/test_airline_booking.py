"""The example of a booking: what is undone, in which order, and that a crash at any point changes neither."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from examples.airline_booking import HOLD, Airline, Booking
from greenroom import (
    Future,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    activity,
)
from greenroom.testing import TestRuntime, crash_sweep, replay_every_prefix, start_once

UNDONE = ["gave back what was charged, if anything was", "released seat 3A", "released the fare"]


class InterruptedAirline(Airline):
    """Something happens while the card is charged."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self.meanwhile = meanwhile

    @activity.defn
    def charge(self, booking: str, card: str, amount: int) -> None:
        self.meanwhile()
        super().charge(booking, card, amount)


def seated(runtime: TestRuntime) -> WorkflowHandle[str]:
    booking: WorkflowHandle[str] = start_once(runtime, Booking.run, id="booking-1")
    booking.execute_update(Booking.find_fare, "LX 8", id="fare").get()
    booking.execute_update(Booking.choose_seat, "3A", id="seat").get()
    return booking


def how_it_ended(booking: WorkflowHandle[str]) -> str:
    try:
        return booking.result().get()
    except WorkflowFailureError:
        return booking.describe().get().status.name


@pytest.mark.parametrize("evicts", [False, True], ids=["resident", "evicted"])
def test_a_booking_that_is_paid_has_a_ticket_and_nothing_is_undone(evicts: bool) -> None:
    airline = Airline()
    with TestRuntime(activities=[airline], evict_after_every_turn=evicts) as runtime:
        booking = seated(runtime)

        assert booking.execute_update(Booking.pay, "1234").get() == "ticket of booking-1, seat 3A"

        assert booking.result().get() == "ticket of booking-1, seat 3A"
        assert airline.log == ["held a fare of LX 8", "reserved seat 3A", "charged 120", "issued the ticket"]
        replay_every_prefix(runtime)


@pytest.mark.parametrize("evicts", [False, True], ids=["resident", "evicted"])
def test_a_card_that_is_refused_undoes_the_steps_last_one_first(evicts: bool) -> None:
    airline = Airline()
    with TestRuntime(activities=[airline], evict_after_every_turn=evicts) as runtime:
        booking = seated(runtime)

        with pytest.raises(WorkflowUpdateFailedError):
            booking.execute_update(Booking.pay, "0000").get()

        assert how_it_ended(booking) == "FAILED"
        assert airline.log[2:] == UNDONE
        assert airline.owners["3A"] == ""


def test_a_passenger_who_cancels_has_the_steps_undone() -> None:
    airline = Airline()
    with TestRuntime(activities=[airline]) as runtime:
        booking = seated(runtime)

        booking.cancel("it will rain")

        assert how_it_ended(booking) == "CANCELLED"
        assert airline.log[2:] == UNDONE[1:]


def test_a_booking_that_nobody_pays_is_undone_after_half_an_hour_and_not_before() -> None:
    airline = Airline()
    with TestRuntime(activities=[airline]) as runtime:
        booking = seated(runtime)

        runtime.advance(HOLD - timedelta(seconds=1))
        assert booking.describe().get().status is WorkflowExecutionStatus.RUNNING
        runtime.advance(timedelta(seconds=1))

        assert how_it_ended(booking) == "FAILED"
        assert airline.log[2:] == UNDONE[1:]


def test_a_bank_that_stays_away_ends_the_booking_and_has_it_undone() -> None:
    def is_away() -> None:
        raise ConnectionError("the bank is away")

    airline = InterruptedAirline(is_away)
    with TestRuntime(activities=[airline]) as runtime:
        booking = seated(runtime)

        booking.execute_update(Booking.pay, "1234")

        assert how_it_ended(booking) == "FAILED"
        assert airline.log[2:] == UNDONE


def test_who_cancels_while_the_card_is_charged_comes_too_late() -> None:
    airline = InterruptedAirline(lambda: booking.cancel("it will rain"))
    with TestRuntime(activities=[airline]) as runtime:
        booking = seated(runtime)

        booking.execute_update(Booking.pay, "1234")

        assert how_it_ended(booking) == "ticket of booking-1, seat 3A"
        assert airline.log[2:] == ["charged 120", "issued the ticket"]


def test_who_cancels_while_the_card_is_refused_has_all_undone() -> None:
    airline = InterruptedAirline(lambda: booking.cancel("it will rain"))
    with TestRuntime(activities=[airline]) as runtime:
        booking = seated(runtime)

        booking.execute_update(Booking.pay, "0000")

        assert how_it_ended(booking) == "CANCELLED"
        assert airline.log[2:] == UNDONE


def test_a_seat_that_is_taken_may_be_followed_by_another() -> None:
    airline = Airline()
    with TestRuntime(activities=[airline]) as runtime:
        booking = runtime.start_workflow(Booking.run, id="booking-1").get()
        booking.execute_update(Booking.find_fare, "LX 8").get()

        with pytest.raises(WorkflowUpdateFailedError):
            booking.execute_update(Booking.choose_seat, "3B").get()
        booking.execute_update(Booking.choose_seat, "3C").get()

        assert booking.execute_update(Booking.pay, "1234").get() == "ticket of booking-1, seat 3C"
        assert airline.owners == {"3A": "", "3B": "booking-Eve", "3C": "booking-1"}


def test_steps_out_of_order_are_refused() -> None:
    with TestRuntime(activities=[Airline()]) as runtime:
        booking = runtime.start_workflow(Booking.run).get()

        with pytest.raises(WorkflowUpdateFailedError, match="find a fare first"):
            booking.execute_update(Booking.choose_seat, "3A").get()
        with pytest.raises(WorkflowUpdateFailedError, match="choose a seat first"):
            booking.execute_update(Booking.pay, "1234").get()
        booking.execute_update(Booking.find_fare, "LX 8").get()
        with pytest.raises(WorkflowUpdateFailedError, match="there is a fare already"):
            booking.execute_update(Booking.find_fare, "LX 9").get()


def test_two_steps_at_once_are_refused() -> None:
    airline = InterruptedAirline(lambda: late.append(booking.execute_update(Booking.choose_seat, "3C")))
    late: list[Future[None]] = []
    with TestRuntime(activities=[airline]) as runtime:
        booking = seated(runtime)

        booking.execute_update(Booking.pay, "1234").get()

        with pytest.raises(WorkflowUpdateFailedError, match="busy with charging the card"):
            late[0].get()


@pytest.mark.parametrize("card", ["1234", "0000"])
def test_a_booking_outlives_any_crash(card: str) -> None:
    def scenario(runtime: TestRuntime) -> object:
        booking = seated(runtime)
        booking.execute_update(Booking.pay, card, id="pay")
        return how_it_ended(booking)

    assert crash_sweep(scenario, make=lambda: TestRuntime(activities=[Airline()])).points > 0


def test_a_booking_that_is_cancelled_outlives_any_crash() -> None:
    def scenario(runtime: TestRuntime) -> object:
        booking = seated(runtime)
        booking.cancel("it will rain")
        return how_it_ended(booking)

    assert crash_sweep(scenario, make=lambda: TestRuntime(activities=[Airline()])).points > 0
