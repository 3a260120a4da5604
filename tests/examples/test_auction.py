"""The example of an auction: who wins, when it closes, what comes too late, and that no crash changes that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from examples.auction import Auction, Bid, Post
from greenroom import (
    Future,
    WorkflowClosedError,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    activity,
)
from greenroom.testing import TestRuntime, crash_sweep, replay_every_prefix, start_once

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


class SlowPost(Post):
    """Something happens while the winner is told."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self.meanwhile = meanwhile

    @activity.defn
    def tell(self, bidder: str, text: str) -> None:
        self.meanwhile()
        super().tell(bidder, text)


def opened(runtime: TestRuntime) -> WorkflowHandle[Bid | None]:
    auction: WorkflowHandle[Bid | None] = start_once(runtime, Auction.run, "the chair", 50, HOUR, id="chair")
    return auction


def is_open(auction: WorkflowHandle[Bid | None]) -> bool:
    return auction.describe().get().status is WorkflowExecutionStatus.RUNNING


@pytest.mark.parametrize("evicts", [False, True], ids=["resident", "evicted"])
def test_the_highest_bid_wins_and_its_bidder_is_told(evicts: bool) -> None:
    post = Post()
    with TestRuntime(activities=[post], evict_after_every_turn=evicts) as runtime:
        auction = opened(runtime)
        auction.execute_update(Auction.bid, "Ada", 60).get()
        auction.execute_update(Auction.bid, "Bob", 70).get()
        assert auction.query(Auction.highest).get() == 70

        assert auction.result().get() == Bid("Bob", 70)
        assert post.sent == ["Bob: the chair is yours for 70"]
        replay_every_prefix(runtime)


@pytest.mark.parametrize("amount", [50, 60])
def test_a_bid_that_is_not_higher_is_refused_and_leaves_no_trace(amount: int) -> None:
    with TestRuntime(activities=[Post()]) as runtime:
        auction = opened(runtime)
        auction.execute_update(Auction.bid, "Ada", 60).get()
        before = auction.fetch_history().get().kinds()

        with pytest.raises(WorkflowUpdateFailedError, match=f"{amount} is not more than 60"):
            auction.execute_update(Auction.bid, "Bob", amount).get()

        assert auction.fetch_history().get().kinds() == before


def test_of_many_who_bid_the_same_at_once_one_is_taken() -> None:
    with TestRuntime(activities=[Post()]) as runtime:
        auction = opened(runtime)

        bids = [auction.execute_update(Auction.bid, name, 60) for name in ("Ada", "Bob", "Cid", "Dan", "Eve")]
        runtime.run_until_idle()

        assert [bid.exception() is None for bid in bids] == [True, False, False, False, False]


def test_an_auction_closes_at_its_time_and_not_before() -> None:
    post = Post()
    with TestRuntime(activities=[post]) as runtime:
        auction = opened(runtime)

        runtime.advance(HOUR - SECOND)
        assert is_open(auction)
        runtime.advance(SECOND)

        assert not is_open(auction)
        assert auction.result().get() is None
        assert post.sent == []


def test_a_bid_in_the_last_minute_puts_the_end_off_until_nobody_bids_for_a_minute() -> None:
    with TestRuntime(activities=[Post()]) as runtime:
        auction = opened(runtime)
        runtime.advance(HOUR - SECOND)

        for amount in range(60, 160, 10):
            auction.execute_update(Auction.bid, "Ada", amount).get()
            runtime.advance(MINUTE - SECOND)
            assert is_open(auction)
        runtime.advance(SECOND)

        assert not is_open(auction)
        found = auction.describe().get()
        assert found.close_time == found.start_time + HOUR - SECOND + 9 * (MINUTE - SECOND) + MINUTE


def test_a_bid_before_the_last_minute_puts_nothing_off() -> None:
    with TestRuntime(activities=[Post()]) as runtime:
        auction = opened(runtime)
        runtime.advance(HOUR - MINUTE)

        assert auction.execute_update(Auction.bid, "Ada", 60).get() == "noted"

        runtime.advance(MINUTE)
        assert not is_open(auction)


def test_a_bid_while_the_winner_is_told_is_refused() -> None:
    late: list[Future[str]] = []
    post = SlowPost(lambda: late.append(auction.execute_update(Auction.bid, "Bob", 70)))
    with TestRuntime(activities=[post]) as runtime:
        auction = opened(runtime)
        auction.execute_update(Auction.bid, "Ada", 60).get()

        assert auction.result().get() == Bid("Ada", 60)

        with pytest.raises(WorkflowUpdateFailedError, match="the auction is closed"):
            late[0].get()
        with pytest.raises(WorkflowClosedError):
            auction.execute_update(Auction.bid, "Bob", 70).get()


def test_a_bid_that_is_taken_before_the_timer_that_is_due_is_refused() -> None:
    with TestRuntime(activities=[Post()]) as runtime:
        auction = opened(runtime)
        auction.execute_update(Auction.bid, "Ada", 60).get()

        late = auction.execute_update(Auction.bid, "Bob", 70)
        runtime.clock.advance(2 * HOUR)

        with pytest.raises(WorkflowUpdateFailedError, match="the auction is closed"):
            late.get()
        assert auction.result().get() == Bid("Ada", 60)


def test_an_auction_that_was_down_at_its_end_closes_when_it_comes_back() -> None:
    post = Post()
    with TestRuntime(activities=[post]) as runtime:
        opened(runtime).execute_update(Auction.bid, "Ada", 60).get()
        runtime.advance(HOUR - SECOND)

        runtime.crash()

        auction = runtime.get_workflow_handle("chair", result_type=Bid)
        auction.execute_update(Auction.bid, "Bob", 70).get()
        runtime.advance(MINUTE - SECOND)
        assert auction.execute_update(Auction.bid, "Ada", 80).get() == "noted, and the end is put off"
        assert auction.result().get() == Bid("Ada", 80)


def test_an_auction_outlives_any_crash() -> None:
    def scenario(runtime: TestRuntime) -> object:
        auction = opened(runtime)
        auction.execute_update(Auction.bid, "Ada", 60, id="first").get()
        auction.execute_update(Auction.bid, "Bob", 70, id="second").get()
        return auction.result().get()

    assert crash_sweep(scenario, make=lambda: TestRuntime(activities=[Post()])).points > 0
