"""A subscription: one workflow charges a customer every month, for as many years as it takes.

It sleeps between the months. A sleep is a row in the journal and costs nothing; whichever process has the journal when
it is over goes on. A signal changes the price, from the next month on. Another one cancels, in the middle of a month:
what is left of it is given back. A charge that fails is tried again for a week (*dunning*), which is no loop in the
code but the retry policy of the activity. A query tells what was billed. And once a year the run *continues as new*:
another one goes on in its place, with all that it knows for an argument, and with an empty history.

Run it with ``python examples/subscription.py``. Years pass in no time there: a ``TestRuntime`` has a clock of its own,
and skips the time in which nothing happens.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from greenroom import (
    ActivityError,
    ApplicationError,
    ApplicationErrorCategory,
    RetryPolicy,
    Runtime,
    WorkflowHandle,
    activity,
    workflow,
)
from greenroom.testing import TestRuntime

MONTH = timedelta(days=30)
DAY = timedelta(days=1)
YEAR = 12  # months
SECONDS = 10  # how long this program waits for any one answer


@dataclass(frozen=True)
class Bill:
    month: int
    amount: int  # in cents; what was given back is negative


@dataclass
class Account:
    """All that there is to know of a subscription: what each year's run begins with."""

    customer: str
    price: int
    first: datetime | None = None
    billed: list[Bill] = field(default_factory=list)

    @property
    def months(self) -> int:
        return sum(bill.amount > 0 for bill in self.billed)


class Bank:
    def __init__(self, answers: dict[int, list[str]] | None = None) -> None:
        self.answers = answers or {}  # month -> what the bank says to its attempts, one after the other, if not yes
        self.given_back: dict[tuple[str, int], int] = {}

    # Tried once a day, for a week. Each attempt has the same idempotency key: a bank charges once for it.
    @activity.defn(
        start_to_close_timeout=60,
        retry_policy=RetryPolicy(initial_interval=DAY, backoff_coefficient=1, maximum_attempts=8),
    )
    def charge(self, customer: str, month: int, amount: int) -> None:
        if answers := self.answers.get(month):
            reason = answers.pop(0)
            raise ApplicationError(reason, type="Declined", category=ApplicationErrorCategory.BENIGN)

    # By customer and month: an attempt that is made again gives nothing back twice.
    @activity.defn(start_to_close_timeout=60)
    def give_back(self, customer: str, month: int, amount: int) -> None:
        self.given_back[customer, month] = amount


@workflow.defn
class Subscription:
    @workflow.init
    def __init__(self, account: Account) -> None:
        self.account = account
        self.is_cancelled = False

    @workflow.run
    async def run(self, account: Account) -> str:
        account = self.account  # the one that the handlers change
        first = account.first = account.first or workflow.now()
        while not self.is_cancelled:
            month = account.months + 1
            amount = account.price
            try:
                await workflow.execute_activity_method(Bank.charge, account.customer, month, amount)
            except ActivityError as error:
                return f"ended in month {month}: {error.cause}"
            account.billed.append(Bill(month, amount))
            # Counted from the first day: a charge that took a week to succeed moves none of those to come.
            await self.sleep_until(first + month * MONTH)
            if month % YEAR == 0 and not self.is_cancelled:
                workflow.continue_as_new(account)  # a history a year, or each replay would go through all of them
        return await self.settle(first + account.months * MONTH)

    async def sleep_until(self, end: datetime) -> None:
        try:
            await workflow.wait_condition(lambda: self.is_cancelled, timeout=end - workflow.now())
        except TimeoutError:
            pass  # the month is over

    async def settle(self, end: datetime) -> str:
        paid = self.account.billed[-1]
        left = (end - workflow.now()) // DAY
        back = paid.amount * left // (MONTH // DAY)
        if back > 0:
            await workflow.execute_activity_method(Bank.give_back, self.account.customer, paid.month, back)
            self.account.billed.append(Bill(paid.month, -back))
        return f"cancelled in month {paid.month}, {back} given back"

    @workflow.signal
    def set_price(self, price: int) -> None:
        self.account.price = price

    @workflow.signal
    def cancel(self) -> None:
        self.is_cancelled = True

    @workflow.query
    def billed(self) -> list[Bill]:
        return list(self.account.billed)


def show(subscription: WorkflowHandle[str]) -> None:
    bills = subscription.query(Subscription.billed).get(timeout=SECONDS)
    print("  billed:", *(f"month {bill.month}: {bill.amount}," for bill in bills[-3:]), f"{len(bills)} in all")


def today(journal: Path) -> None:
    with Runtime(journal, activities=[Bank()]) as runtime:
        print("Ada subscribes, and cancels the same day.")
        ada = runtime.start_workflow(Subscription.run, Account("Ada", 900), id="Ada").get(timeout=SECONDS)
        ada.signal(Subscription.cancel).get(timeout=SECONDS)
        print("  result:", ada.result().get(timeout=SECONDS))
        show(ada)


def years() -> None:
    bank = Bank({14: ["no answer", "no money", "no money"]})
    with TestRuntime(activities=[bank]) as runtime:
        print("Bob subscribes. In month 13 the price goes up.")
        bob = runtime.start_workflow(Subscription.run, Account("Bob", 900), id="Bob").get()
        runtime.advance(12 * MONTH + 10 * DAY)
        bob.signal(Subscription.set_price, 1000).get()
        show(bob)
        print("In month 14 the bank says no. It is asked again every day.")
        runtime.advance(20 * DAY + 2 * DAY)
        (pending,) = bob.describe().get().pending_activities
        print(f"  attempt {pending.attempt} is due, since: {pending.last_failure}")
        show(bob)
        runtime.advance(DAY)
        show(bob)
        print("Ten years later he cancels, in the middle of a month.")
        runtime.advance(10 * 12 * MONTH + 12 * DAY)
        print("  turns of this year's run:", bob.describe().get().history_length)
        bob.signal(Subscription.cancel).get()
        print("  result:", bob.result().get())
        show(bob)


def dunning() -> None:
    with TestRuntime(activities=[Bank({3: ["no money"] * 8})]) as runtime:
        print("Cid has no money in month 3, nor in the week that follows.")
        cid = runtime.start_workflow(Subscription.run, Account("Cid", 900), id="Cid").get()
        print("  result:", cid.result().get())
        show(cid)
        found = cid.describe().get()
        assert found.close_time is not None
        print("  ended after", found.close_time - found.start_time)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        today(Path(folder) / "subscriptions.journal")
    years()
    dunning()
