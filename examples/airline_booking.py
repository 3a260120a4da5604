"""A flight is booked in steps, and if it cannot be finished, what was done is undone, the last step first.

A fare is held, a seat reserved, a card charged. Each step changes something elsewhere, at the airline or at the bank,
and no transaction spans them: so each has another step that undoes it, its *compensation*. The steps are updates: the
passenger's client asks for them one by one, and hears how each went.

Run it with ``python examples/airline_booking.py``: one passenger gets a ticket, the card of one is refused, one thinks
better of it, and one is too slow: that takes half an hour, which the runtime of tests skips.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from greenroom import (
    ActivityError,
    ApplicationError,
    ApplicationErrorCategory,
    Runtime,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    activity,
    workflow,
)
from greenroom.testing import TestRuntime

HOLD = timedelta(minutes=30)  # how long a booking is held open
PATIENCE = timedelta(minutes=5)  # how long a step is tried; what undoes one is tried for ever
SECONDS = 10  # how long this program waits for any one answer


def refusal(text: str, kind: str) -> ApplicationError:
    """An answer, not an accident: there is no sense in another attempt, and nothing for the log to warn of."""
    return ApplicationError(text, type=kind, non_retryable=True, category=ApplicationErrorCategory.BENIGN)


class Airline:
    """The airline and its bank. They know a booking by its id: what comes a second time changes nothing more."""

    def __init__(self) -> None:
        self.owners = {"3A": "", "3B": "booking-Eve", "3C": ""}
        self.log: list[str] = []

    @activity.defn(schedule_to_close_timeout=PATIENCE)
    def hold_fare(self, booking: str, flight: str) -> int:
        self.log.append(f"held a fare of {flight}")
        return 120

    @activity.defn
    def release_fare(self, booking: str) -> None:
        self.log.append("released the fare")

    @activity.defn(schedule_to_close_timeout=PATIENCE)
    def reserve_seat(self, booking: str, seat: str) -> None:
        if self.owners.get(seat) not in ("", booking):
            raise refusal(f"seat {seat} is not free", "SeatTaken")
        self.owners[seat] = booking
        self.log.append(f"reserved seat {seat}")

    @activity.defn
    def release_seat(self, booking: str, seat: str) -> None:
        if self.owners[seat] == booking:
            self.owners[seat] = ""
            self.log.append(f"released seat {seat}")

    @activity.defn(schedule_to_close_timeout=PATIENCE)
    def charge(self, booking: str, card: str, amount: int) -> None:
        if card == "0000":
            raise refusal("the card is refused", "CardRefused")
        self.log.append(f"charged {amount}")

    @activity.defn
    def refund(self, booking: str) -> None:
        self.log.append("gave back what was charged, if anything was")

    @activity.defn(schedule_to_close_timeout=PATIENCE)
    def issue_ticket(self, booking: str, seat: str) -> str:
        self.log.append("issued the ticket")
        return f"ticket of {booking}, seat {seat}"


@workflow.defn
class Booking:
    def __init__(self) -> None:
        self.id = workflow.info().workflow_id
        self.undo: list[Callable[[], Awaitable[None]]] = []
        self.busy_with = ""
        self.fare = 0
        self.seat = ""
        self.ticket = ""
        self.refusal: ActivityError | None = None

    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.wait_condition(lambda: self.ticket or self.refusal, timeout=HOLD)
            if self.refusal is not None:
                raise self.refusal
        except (ActivityError, TimeoutError, asyncio.CancelledError):
            # A step under way ends first: what is undone while it is being done may be done after all.
            await workflow.wait_condition(workflow.all_handlers_finished)
            if not self.ticket:
                self.busy_with = "ending it"
                for undo in reversed(self.undo):
                    await undo()
                raise
        return self.ticket

    # The steps. What undoes a step is noted before it is begun: one that fails may have been done all the same.

    @workflow.update
    async def find_fare(self, flight: str) -> int:
        self.busy_with = "finding a fare"
        try:
            self.undo.append(lambda: workflow.execute_activity_method(Airline.release_fare, self.id))
            self.fare = await workflow.execute_activity_method(Airline.hold_fare, self.id, flight)
        finally:
            self.busy_with = ""
        return self.fare

    @find_fare.validator
    def check_flight(self, flight: str) -> None:
        self.check_free()
        if self.fare:
            raise ValueError("there is a fare already")

    @workflow.update
    async def choose_seat(self, seat: str) -> None:
        self.busy_with = "reserving a seat"
        try:
            self.undo.append(lambda: workflow.execute_activity_method(Airline.release_seat, self.id, seat))
            await workflow.execute_activity_method(Airline.reserve_seat, self.id, seat)
            self.seat = seat
        finally:  # if it was taken, the update fails, and the passenger may choose another one
            self.busy_with = ""

    @choose_seat.validator
    def check_seat(self, seat: str) -> None:
        self.check_free()
        if not self.fare:
            raise ValueError("find a fare first")
        if self.seat:
            raise ValueError(f"seat {self.seat} is chosen already")

    @workflow.update
    async def pay(self, card: str) -> str:
        self.busy_with = "charging the card"
        try:
            self.undo.append(lambda: workflow.execute_activity_method(Airline.refund, self.id))
            await workflow.execute_activity_method(Airline.charge, self.id, card, self.fare)
            self.ticket = await workflow.execute_activity_method(Airline.issue_ticket, self.id, self.seat)
        except ActivityError as error:
            self.refusal = error  # the end of the booking, which `run` waits for
            raise
        return self.ticket

    @pay.validator
    def check_card(self, card: str) -> None:
        self.check_free()
        if not self.seat:
            raise ValueError("choose a seat first")
        if not (card.isdigit() and len(card) == 4):
            raise ValueError("a card has four digits")

    def check_free(self) -> None:
        if self.busy_with:
            raise ValueError(f"the booking is busy with {self.busy_with}")


# The passengers.


def begin(runtime: Runtime, name: str) -> WorkflowHandle[str]:
    booking = runtime.start_workflow(Booking.run, id=f"booking-{name}").get(timeout=SECONDS)
    print(f"{name}: a fare of {booking.execute_update(Booking.find_fare, 'LX 8').get(timeout=SECONDS)}")
    return booking


def refused(call: Callable[[], object]) -> None:
    try:
        call()
    except WorkflowUpdateFailedError as error:
        # What a validator says is the cause; an activity that failed has a cause of its own.
        print("  refused:", error.cause.cause if isinstance(error.cause, ActivityError) else error.cause)


def end(booking: WorkflowHandle[str], airline: Airline) -> None:
    try:
        print("  result:", booking.result().get(timeout=SECONDS))
    except WorkflowFailureError:
        print("  ended:", booking.describe().get(timeout=SECONDS).status.name)
    for line in airline.log:
        print("    the airline", line)
    airline.log.clear()


def three_passengers(runtime: Runtime, airline: Airline) -> None:
    ada = begin(runtime, "Ada")
    refused(lambda: ada.execute_update(Booking.pay, "1234").get(timeout=SECONDS))
    refused(lambda: ada.execute_update(Booking.choose_seat, "3B").get(timeout=SECONDS))
    ada.execute_update(Booking.choose_seat, "3A").get(timeout=SECONDS)
    ada.execute_update(Booking.pay, "1234").get(timeout=SECONDS)
    end(ada, airline)

    bob = begin(runtime, "Bob")
    bob.execute_update(Booking.choose_seat, "3C").get(timeout=SECONDS)
    refused(lambda: bob.execute_update(Booking.pay, "0000").get(timeout=SECONDS))
    end(bob, airline)

    cid = begin(runtime, "Cid")
    cid.execute_update(Booking.choose_seat, "3C").get(timeout=SECONDS)
    cid.cancel("it will rain").get(timeout=SECONDS)
    end(cid, airline)


def one_who_is_too_slow(runtime: TestRuntime, airline: Airline) -> None:
    dan = begin(runtime, "Dan")
    runtime.advance(timedelta(minutes=29))
    print("  after 29 minutes:", dan.describe().get().status.name)
    runtime.advance(timedelta(minutes=1))
    end(dan, airline)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        airline = Airline()
        with Runtime(Path(folder) / "bookings.journal", activities=[airline]) as runtime:
            three_passengers(runtime, airline)
    with TestRuntime(activities=[airline]) as test_runtime:
        one_who_is_too_slow(test_runtime, airline)
