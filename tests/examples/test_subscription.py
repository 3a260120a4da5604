"""The example of a subscription: what is billed when, what a refused card leads to, and that no crash changes that."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from examples.subscription import DAY, MONTH, Account, Bank, Bill, Subscription
from greenroom import WorkflowExecutionStatus, WorkflowHandle, activity
from greenroom.testing import TestRuntime, crash_sweep, replay_every_prefix, start_once


class Ledger(Bank):
    """Notes on which day what was asked for."""

    def __init__(self, refuses: dict[int, int] | None = None) -> None:
        super().__init__({month: ["no money"] * times for month, times in (refuses or {}).items()})
        self.now_ns: Callable[[], int] = lambda: 0
        self.keys: set[str] = set()
        self.asked: list[tuple[int, int, int]] = []

    def note(self, month: int, amount: int) -> None:
        self.keys.add(activity.info().idempotency_key)
        self.asked.append((self.now_ns() // (86_400 * 10**9), month, amount))

    @activity.defn
    def charge(self, customer: str, month: int, amount: int) -> None:
        self.note(month, amount)
        super().charge(customer, month, amount)

    @activity.defn
    def give_back(self, customer: str, month: int, amount: int) -> None:
        self.note(month, -amount)


def subscribed(runtime: TestRuntime, bank: Ledger | None = None) -> WorkflowHandle[str]:
    if bank is not None:
        began = runtime.clock.now_ns()
        bank.now_ns = lambda: runtime.clock.now_ns() - began
    subscription: WorkflowHandle[str] = start_once(runtime, Subscription.run, Account("Ada", 900), id="Ada")
    return subscription


@pytest.mark.parametrize("evicts", [False, True], ids=["resident", "evicted"])
def test_each_month_is_charged_once_on_its_day(evicts: bool) -> None:
    bank = Ledger()
    with TestRuntime(activities=[bank], evict_after_every_turn=evicts) as runtime:
        subscription = subscribed(runtime, bank)

        runtime.advance(24 * MONTH - DAY)

        assert bank.asked == [(30 * month, month + 1, 900) for month in range(24)]
        assert subscription.query(Subscription.billed).get() == [Bill(month + 1, 900) for month in range(24)]
        replay_every_prefix(runtime)


def test_a_new_price_counts_from_the_next_month_on() -> None:
    bank = Ledger()
    with TestRuntime(activities=[bank]) as runtime:
        subscription = subscribed(runtime, bank)
        runtime.advance(10 * DAY)

        subscription.signal(Subscription.set_price, 1000).get()
        runtime.advance(30 * DAY)

        assert bank.asked == [(0, 1, 900), (30, 2, 1000)]


@pytest.mark.parametrize(("days", "back"), [(0, 900), (10, 600), (29, 30)])
def test_who_cancels_in_a_month_gets_the_days_that_are_left(days: int, back: int) -> None:
    bank = Ledger()
    with TestRuntime(activities=[bank]) as runtime:
        subscription = subscribed(runtime, bank)
        runtime.advance(MONTH + days * DAY)

        subscription.signal(Subscription.cancel)

        assert subscription.result().get() == f"cancelled in month 2, {back} given back"
        assert bank.asked[-1] == (30 + days, 2, -back)
        assert subscription.query(Subscription.billed).get()[-1] == Bill(2, -back)


def test_a_refused_charge_is_asked_for_daily_under_one_key_and_moves_no_later_month() -> None:
    bank = Ledger(refuses={2: 3})
    with TestRuntime(activities=[bank]) as runtime:
        subscribed(runtime, bank)

        runtime.advance(2 * MONTH)

        assert bank.asked == [(0, 1, 900), *((30 + day, 2, 900) for day in range(4)), (60, 3, 900)]
        assert len(bank.keys) == 3


def test_a_charge_that_is_refused_for_a_week_ends_the_subscription() -> None:
    bank = Ledger(refuses={2: 8})
    with TestRuntime(activities=[bank]) as runtime:
        subscription = subscribed(runtime, bank)

        runtime.advance(MONTH + 7 * DAY - DAY / 2)
        assert subscription.describe().get().status is WorkflowExecutionStatus.RUNNING

        assert subscription.result().get() == "ended in month 2: Declined: no money"
        assert [day for day, month, _ in bank.asked if month == 2] == list(range(30, 38))


def test_who_cancels_while_a_charge_is_tried_is_charged_for_no_further_month() -> None:
    bank = Ledger(refuses={2: 3})
    with TestRuntime(activities=[bank]) as runtime:
        subscription = subscribed(runtime, bank)
        runtime.advance(MONTH + DAY)

        subscription.signal(Subscription.cancel)

        assert subscription.result().get() == "cancelled in month 2, 810 given back"
        assert bank.asked[-2:] == [(33, 2, 900), (33, 2, -810)]


def test_each_year_is_a_run_of_its_own_and_knows_what_those_before_it_knew() -> None:
    with TestRuntime(activities=[Bank()]) as runtime:
        subscription = subscribed(runtime)
        runtime.advance(11 * MONTH)
        subscription.signal(Subscription.set_price, 1000)
        runtime.advance(MONTH * 13)

        found = runtime.get_workflow_handle("Ada").describe().get()

        assert found.history_length < 8
        assert len(runtime.recorded()) == 3
        assert subscription.query(Subscription.billed).get()[11:13] == [Bill(12, 900), Bill(13, 1000)]


def test_a_crash_in_the_middle_of_a_month_and_a_year_without_a_process_lose_no_charge() -> None:
    with TestRuntime(activities=[Bank()]) as runtime:
        subscribed(runtime)
        runtime.advance(MONTH / 2)

        runtime.clock.jump(12 * MONTH)
        runtime.crash()
        runtime.run_until_idle()

        subscription = runtime.get_workflow_handle("Ada")
        assert subscription.query(Subscription.billed).get() == [Bill(month + 1, 900) for month in range(13)]


class PoorBank(Bank):
    """What it says depends on the month alone, not on how often it was asked."""

    @activity.defn
    def charge(self, customer: str, month: int, amount: int) -> None:
        if month == 3:
            raise ConnectionError("no money")


def test_a_subscription_outlives_any_crash() -> None:
    def scenario(runtime: TestRuntime) -> object:
        subscription = subscribed(runtime)
        return subscription.result().get().partition(":")[0], subscription.query(Subscription.billed).get()

    # A crash in the middle of a charge loses that attempt, and the reason why the last one failed is another then.
    swept = crash_sweep(scenario, make=lambda: TestRuntime(activities=[PoorBank()]), compare_results=False)
    assert swept.points > 0
