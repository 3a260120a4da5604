"""A batch processor: a table of any length is exported page after page, and no history grows without end.

A run exports a few pages and *continues as new*: another run begins at the row that it has come to, with an empty
history. A page is one activity, which tells by heartbeats how far it has come: an attempt begins where the one before
it has failed, in another process too. A signal sets the pace, for the sake of the system at the other end; what is
said to one run counts for the next. A query tells how many rows are out.

Run it with ``python examples/batch_processor.py``. The line goes dead in the middle of a page, and the program ends;
begun again, it goes on there. Then an export that takes a night, which the runtime of tests skips.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from greenroom import ApplicationError, ApplicationErrorCategory, RetryPolicy, Runtime, activity, workflow
from greenroom.testing import TestRuntime

PAGE = 10  # rows
PAGES_A_RUN = 3  # a few, to be seen here; `workflow.info().is_continue_as_new_suggested()` says when it would pay
SECONDS = 10  # how long this program waits for any one answer


class Line:
    """Where the rows go: to a system that has a line of its own, which may go dead."""

    def __init__(self, table: Sequence[str], *, dies_at: int | None = None) -> None:
        self.table = table
        self.dies_at = dies_at
        self.is_dead = threading.Event()
        self.sent: list[str] = []

    @activity.defn(heartbeat_timeout=30, retry_policy=RetryPolicy(initial_interval=0.1, maximum_interval=60))
    def export(self, begin: int, end: int) -> int:
        """Send some rows; gives the row behind the last. (After a ``kill -9`` the last ones may go out again.)"""
        told = activity.info().heartbeat_details  # by the attempt before this one
        end = min(end, len(self.table))
        for row in range(told[0] if told else begin, end):
            if row == self.dies_at:
                self.is_dead.set()
                raise ApplicationError("the line is dead", category=ApplicationErrorCategory.BENIGN)
            self.sent.append(self.table[row])
            activity.heartbeat(row + 1)
        return end


@dataclass
class Progress:
    """What a run begins with: all that it has to know of those before it."""

    row: int = 0
    pause: timedelta = timedelta(0)
    runs: int = 0


@workflow.defn
class Export:
    @workflow.init
    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    @workflow.run
    async def run(self, progress: Progress) -> Progress:
        progress = self.progress  # the one that the handlers change
        progress.runs += 1
        for _ in range(PAGES_A_RUN):
            end = progress.row + PAGE
            progress.row = await workflow.execute_activity_method(Line.export, progress.row, end)
            if progress.row < end:
                return progress
            await workflow.sleep(progress.pause)
        workflow.continue_as_new(progress)

    @workflow.signal
    def set_pause(self, pause: timedelta) -> None:
        self.progress.pause = pause

    @workflow.query
    def rows(self) -> int:
        return self.progress.row


TABLE = [f"row {number}" for number in range(95)]


def begun_twice(journal: Path) -> None:
    first = Line(TABLE, dies_at=37)
    with Runtime(journal, activities=[first]) as runtime:
        runtime.start_workflow(Export.run, Progress(), id="export").get(timeout=SECONDS)
        first.is_dead.wait(SECONDS)
    print(f"The line goes dead: {len(first.sent)} rows are out, the last is {first.sent[-1]!r}.")

    second = Line(TABLE)
    with Runtime(journal, activities=[second]) as runtime:
        export = runtime.get_workflow_handle("export", result_type=Progress)
        print("Begun again:", export.result().get(timeout=SECONDS))
    print(f"The first row that came then is {second.sent[0]!r}; all are out, once: {first.sent + second.sent == TABLE}")


def one_night() -> None:
    with TestRuntime(activities=[Line(TABLE)]) as runtime:
        print("An hour between the pages:")
        export = runtime.start_workflow(Export.run, Progress(pause=timedelta(hours=1)), id="export").get()
        runtime.advance(timedelta(hours=5))
        print("  after 5 hours:", export.query(Export.rows).get(), "rows")
        export.signal(Export.set_pause, timedelta(minutes=10)).get()
        runtime.advance(timedelta(hours=1, minutes=30))
        print("  10 minutes from now on; 90 minutes later:", export.query(Export.rows).get(), "rows")
        print("  result:", export.result().get())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        begun_twice(Path(folder) / "exports.journal")
    one_night()
