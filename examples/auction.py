"""An auction: many parties bid, a timer closes it, and whoever bids in the last minute gives the others a minute more.

A bid is an update. A validator refuses one that is too low or too late before it leaves a trace, and since a run takes
one message at a time, no lock and no transaction is needed for many who bid at once. The closing time is a durable
timer: the auction closes at its time whatever process has the journal then.

Run it with ``python examples/auction.py``. In the first auction, which lasts a second, four bidders on threads of
their own outbid each other. The second lasts an hour, which the runtime of tests skips, and is decided at the end.
"""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from greenroom import Runtime, WorkflowClosedError, WorkflowHandle, WorkflowUpdateFailedError, activity, workflow
from greenroom.testing import TestRuntime

LAST_MINUTE = timedelta(minutes=1)
SECONDS = 10  # how long this program waits for any one answer


@dataclass(frozen=True)
class Bid:
    bidder: str
    amount: int


class Post:
    """Tells bidders what they have to know."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    @activity.defn(start_to_close_timeout=60)
    def tell(self, bidder: str, text: str) -> None:
        self.sent.append(f"{bidder}: {text}")


@workflow.defn
class Auction:
    @workflow.init
    def __init__(self, item: str, floor: int, length: timedelta, extension: timedelta = LAST_MINUTE) -> None:
        self.bids: list[Bid] = []
        self.floor = floor
        self.extension = extension
        self.closes_at = workflow.now() + length

    @workflow.run
    async def run(self, item: str, floor: int, length: timedelta, extension: timedelta = LAST_MINUTE) -> Bid | None:
        while workflow.now() < self.closes_at:  # a late bid has moved it: sleep again
            await workflow.sleep_until(self.closes_at)
        if not self.bids:
            return None
        winner = self.bids[-1]
        await workflow.execute_activity_method(Post.tell, winner.bidder, f"{item} is yours for {winner.amount}")
        return winner

    @workflow.update
    def bid(self, bidder: str, amount: int) -> str:
        self.bids.append(Bid(bidder, amount))
        extended = workflow.now() + self.extension
        if extended <= self.closes_at:
            return "noted"
        self.closes_at = extended
        return "noted, and the end is put off"

    @bid.validator
    def check_bid(self, bidder: str, amount: int) -> None:
        # It is the time that closes the auction, not the timer: a bid may be taken before a timer that is due.
        if workflow.now() >= self.closes_at:
            raise ValueError("the auction is closed")
        if amount <= self.highest():
            raise ValueError(f"{amount} is not more than {self.highest()}")

    @workflow.query
    def highest(self) -> int:
        """What a bid has to exceed."""
        return self.bids[-1].amount if self.bids else self.floor


def place(auction: WorkflowHandle[Bid | None], bidder: str, amount: int) -> str:
    try:
        answer = auction.execute_update(Auction.bid, bidder, amount).get(timeout=SECONDS)
    except WorkflowUpdateFailedError as error:
        answer = f"refused: {error.cause}"
    except WorkflowClosedError:
        answer = "refused: the auction has ended"
    return f"  {bidder} bids {amount}: {answer}"


def many_parties(journal: Path) -> None:
    post = Post()
    with Runtime(journal, activities=[post]) as runtime, ThreadPoolExecutor(4) as threads:
        auction = runtime.start_workflow(
            Auction.run, "the clock", 100, timedelta(seconds=1), timedelta(seconds=0.1), id="clock"
        ).get(timeout=SECONDS)
        steps = {"Ada": 7, "Bob": 11, "Cid": 13, "Dan": 17}

        def bid_up(bidder: str) -> None:
            for amount in range(100 + steps[bidder], 101 + 5 * steps[bidder], steps[bidder]):
                place(auction, bidder, amount)

        list(threads.map(bid_up, steps))
        print("The clock goes to", auction.result().get(timeout=SECONDS))
        print(*post.sent, sep="\n")
        print(place(auction, "Ada", 9000))


def last_minute(runtime: TestRuntime) -> None:
    auction = runtime.start_workflow(Auction.run, "the chair", 50, timedelta(hours=1), id="chair").get()
    print(place(auction, "Ada", 50))
    print(place(auction, "Ada", 60))
    runtime.advance(timedelta(minutes=59, seconds=30))
    print("30 seconds before the end:")
    print(place(auction, "Bob", 70))
    runtime.advance(timedelta(seconds=45))
    print("15 seconds before the new end:")
    print(place(auction, "Ada", 80))
    runtime.advance(timedelta(seconds=60))
    print("A minute later:")
    print(place(auction, "Bob", 90))
    found = auction.describe().get()
    assert found.close_time is not None
    print("The chair goes to", auction.result().get(), "after", found.close_time - found.start_time)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        many_parties(Path(folder) / "auctions.journal")
    post = Post()
    with TestRuntime(activities=[post]) as runtime:
        last_minute(runtime)
    print(*post.sent, sep="\n")
