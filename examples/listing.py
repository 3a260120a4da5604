"""A listing of a home: what a host has to tell is collected over days, checked piece by piece, and waited for.

Each answer is an update, and a validator refuses what cannot be right before it leaves a trace. A query says what is
missing. When nothing is missing the home is published; a host may withdraw it before by a signal, and after fourteen
days without all answers it is given up. No table keeps the answers: they are attributes of the workflow.

Run it with ``python examples/listing.py``. The first part opens one journal three times, as on three days. The second
part sees fourteen days pass in no time, on the runtime that tests use.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from greenroom import Runtime, WorkflowUpdateFailedError, activity, workflow
from greenroom.testing import TestRuntime

PATIENCE = timedelta(days=14)
SECONDS = 10  # how long this program waits for any one answer


@dataclass
class Home:
    title: str = ""
    guests: int = 0
    photos: list[str] = field(default_factory=list)

    def missing(self) -> list[str]:
        told = {"title": self.title, "guests": self.guests, "photos": self.photos}
        return [name for name, value in told.items() if not value]


class Site:
    """Where homes are published. Whatever touches the world is an activity, and this class holds what they need."""

    @activity.defn(start_to_close_timeout=60)
    def publish(self, listing_id: str, home: Home) -> str:
        return f"{home.title} for {home.guests} guests, at https://homes.example/{listing_id}"


@workflow.defn
class Listing:
    def __init__(self) -> None:
        self.home = Home()
        self.withdrawn = ""
        self.is_collecting = True

    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.wait_condition(lambda: self.withdrawn or not self.home.missing(), timeout=PATIENCE)
        except TimeoutError:  # Python's own
            return f"given up, still missing: {', '.join(self.home.missing())}"
        if self.withdrawn:
            return f"withdrawn: {self.withdrawn}"
        self.is_collecting = False  # what is published does not change while that is under way
        return await workflow.execute_activity_method(Site.publish, workflow.info().workflow_id, self.home)

    # Updates change the run and give an answer. What a validator raises is the caller's, and the run never was asked.

    @workflow.update
    def set_title(self, title: str) -> list[str]:
        self.home.title = title
        return self.home.missing()

    @set_title.validator
    def check_title(self, title: str) -> None:
        self.check_open()
        if not 3 <= len(title) <= 40:
            raise ValueError("a title has 3 to 40 letters")

    @workflow.update
    def set_guests(self, guests: int) -> list[str]:
        self.home.guests = guests
        return self.home.missing()

    @set_guests.validator
    def check_guests(self, guests: int) -> None:
        self.check_open()
        if not 1 <= guests <= 16:
            raise ValueError("there is room for 1 to 16 guests")

    @workflow.update
    def add_photo(self, name: str) -> list[str]:
        self.home.photos.append(name)
        return self.home.missing()

    @add_photo.validator
    def check_photo(self, name: str) -> None:
        self.check_open()
        if name in self.home.photos:
            raise ValueError(f"{name} is there already")

    def check_open(self) -> None:
        if not self.is_collecting:
            raise ValueError("nothing was missing any more")

    @workflow.signal
    def withdraw(self, reason: str) -> None:
        self.withdrawn = reason

    @workflow.query
    def missing(self) -> list[str]:
        return self.home.missing()


def three_days(journal: Path) -> None:
    print("Day 1: the listing is begun.")
    with Runtime(journal, activities=[Site()]) as runtime:
        listing = runtime.start_workflow(Listing.run, id="attic").get(timeout=SECONDS)
        print("  missing:", listing.query(Listing.missing).get(timeout=SECONDS))
        print("  missing:", listing.execute_update(Listing.set_title, "Attic").get(timeout=SECONDS))

    # Nothing runs between the days. The fourteen days are a row in the journal, and go on all the same.
    print("Day 2: another process opens the journal, and the listing is where it was.")
    with Runtime(journal, activities=[Site()]) as runtime:
        listing = runtime.get_workflow_handle("attic", result_type=str)
        try:
            listing.execute_update(Listing.set_guests, 40).get(timeout=SECONDS)
        except WorkflowUpdateFailedError as error:
            print("  refused:", error.cause)
        print("  missing:", listing.execute_update(Listing.set_guests, 4).get(timeout=SECONDS))

    print("Day 3: the last answer.")
    with Runtime(journal, activities=[Site()]) as runtime:
        listing = runtime.get_workflow_handle("attic", result_type=str)
        print("  missing:", listing.execute_update(Listing.add_photo, "kitchen.jpg").get(timeout=SECONDS))
        print("  result:", listing.result().get(timeout=SECONDS))


def two_weeks() -> None:
    # A TestRuntime has a clock of its own: where a real one would wait, it skips the time.
    with TestRuntime(activities=[Site()]) as runtime:
        print("A host who changes her mind:")
        barn = runtime.start_workflow(Listing.run, id="barn").get()
        barn.signal(Listing.withdraw, "we live in it").get()
        print("  result:", barn.result().get())

        print("A host who forgets:")
        mill = runtime.start_workflow(Listing.run, id="mill").get()
        mill.execute_update(Listing.set_title, "Water mill").get()
        runtime.advance(timedelta(days=13))
        print("  after 13 days:", mill.describe().get().status.name)
        print("  result:", mill.result().get())
        found = mill.describe().get()
        assert found.close_time is not None
        print("  ended after:", found.close_time - found.start_time)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        three_days(Path(folder) / "homes.journal")
    two_weeks()
