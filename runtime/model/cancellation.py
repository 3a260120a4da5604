"""Why an attempt of an activity is cancelled."""

# No `from __future__ import annotations`: each annotation of a struct would be compiled whenever this is imported.

import msgspec

__all__ = ["CANCEL_REQUESTED", "NOT_FOUND", "TIMED_OUT", "WORKER_SHUTDOWN", "ActivityCancellationDetails"]


class ActivityCancellationDetails(msgspec.Struct, frozen=True):
    """Why an attempt is cancelled; the first reason stays.

    **Source:** Temporal, whose names these are.

    Attributes:
        not_found: its run has ended, and nobody waits for it any more.
        cancel_requested: its workflow has cancelled it.
        timed_out: one of its time limits has passed.
        worker_shutdown: the runtime closes, and its grace period is over.
    """

    not_found: bool = False
    cancel_requested: bool = False
    timed_out: bool = False
    worker_shutdown: bool = False


NOT_FOUND = ActivityCancellationDetails(not_found=True)
CANCEL_REQUESTED = ActivityCancellationDetails(cancel_requested=True)
TIMED_OUT = ActivityCancellationDetails(timed_out=True)
WORKER_SHUTDOWN = ActivityCancellationDetails(worker_shutdown=True)
