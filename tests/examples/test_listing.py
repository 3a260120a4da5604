"""The example of a listing: what it refuses, how it ends, and that no crash changes that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from examples.listing import PATIENCE, Home, Listing, Site
from greenroom import Future, WorkflowExecutionStatus, WorkflowHandle, WorkflowUpdateFailedError, activity
from greenroom.testing import TestRuntime, crash_sweep, replay_every_prefix, start_once


class SlowSite(Site):
    """Publishing takes an hour of the clock of the test."""

    def __init__(self) -> None:
        self.published: list[Home] = []
        self.pass_an_hour: Callable[[], None] = lambda: None

    @activity.defn
    def publish(self, listing_id: str, home: Home) -> str:
        self.published.append(home)
        self.pass_an_hour()
        return f"address of {home.title}"


def tell_all(listing: WorkflowHandle[str]) -> None:
    listing.execute_update(Listing.set_title, "Attic", id="title")
    listing.execute_update(Listing.set_guests, 4, id="guests")
    listing.execute_update(Listing.add_photo, "door.jpg", id="photo")


@pytest.mark.parametrize("evicts", [False, True], ids=["resident", "evicted"])
def test_a_home_is_published_once_nothing_is_missing(evicts: bool) -> None:
    site = SlowSite()
    with TestRuntime(activities=[site], evict_after_every_turn=evicts) as runtime:
        listing = runtime.start_workflow(Listing.run, id="attic").get()
        assert listing.query(Listing.missing).get() == ["title", "guests", "photos"]

        tell_all(listing)

        assert listing.result().get() == "address of Attic"
        assert site.published == [Home("Attic", 4, ["door.jpg"])]
        replay_every_prefix(runtime)


@pytest.mark.parametrize(
    ("update", "value", "reason"),
    [
        ("set_title", "At", "3 to 40 letters"),
        ("set_guests", 0, "1 to 16 guests"),
        ("add_photo", "door.jpg", "there already"),
    ],
    ids=["title", "guests", "photo"],
)
def test_what_cannot_be_right_is_refused_and_leaves_no_trace(update: str, value: object, reason: str) -> None:
    with TestRuntime(activities=[Site()]) as runtime:
        listing = runtime.start_workflow(Listing.run).get()
        listing.execute_update(Listing.add_photo, "door.jpg").get()
        before = listing.fetch_history().get().kinds()

        with pytest.raises(WorkflowUpdateFailedError, match=reason):
            listing.execute_update(update, value).get()

        assert listing.query(Listing.missing).get() == ["title", "guests"]
        assert listing.fetch_history().get().kinds() == before


def test_nothing_is_changed_while_it_is_published() -> None:
    site = SlowSite()
    with TestRuntime(activities=[site]) as runtime:
        listing = runtime.start_workflow(Listing.run).get()
        tell_all(listing)
        late: list[Future[list[str]]] = []
        site.pass_an_hour = lambda: late.append(listing.execute_update(Listing.set_guests, 9))

        assert listing.result().get() == "address of Attic"

        with pytest.raises(WorkflowUpdateFailedError, match="nothing was missing any more"):
            late[0].get()


def test_a_listing_is_given_up_after_fourteen_days_and_not_before() -> None:
    with TestRuntime(activities=[Site()]) as runtime:
        listing = runtime.start_workflow(Listing.run).get()
        listing.execute_update(Listing.set_guests, 2).get()

        runtime.advance(PATIENCE - timedelta(seconds=1))
        assert listing.describe().get().status is WorkflowExecutionStatus.RUNNING
        runtime.advance(timedelta(seconds=1))

        assert listing.result().get() == "given up, still missing: title, photos"


def test_a_listing_that_is_withdrawn_ends_and_is_not_published() -> None:
    site = SlowSite()
    with TestRuntime(activities=[site]) as runtime:
        listing = runtime.start_workflow(Listing.run).get()

        listing.signal(Listing.withdraw, "we live in it")

        assert listing.result().get() == "withdrawn: we live in it"
        assert site.published == []


def test_a_crash_between_two_days_loses_no_answer() -> None:
    with TestRuntime(activities=[Site()]) as runtime:
        runtime.start_workflow(Listing.run, id="attic").get()
        runtime.get_workflow_handle("attic").execute_update(Listing.set_title, "Attic").get()
        runtime.advance(timedelta(days=5))

        runtime.crash()

        listing = runtime.get_workflow_handle("attic", result_type=str)
        assert listing.query(Listing.missing).get() == ["guests", "photos"]
        runtime.advance(timedelta(days=9))
        assert listing.result().get() == "given up, still missing: guests, photos"


def test_a_listing_outlives_any_crash() -> None:
    def scenario(runtime: TestRuntime) -> object:
        listing = start_once(runtime, Listing.run, id="attic")
        tell_all(listing)
        return listing.result().get()

    assert crash_sweep(scenario, make=lambda: TestRuntime(activities=[Site()])).points > 0
