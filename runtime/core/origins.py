"""Where a run comes from, if it is not simply a client's start: the run before it in its chain, or its parent."""

# No `from __future__ import annotations`: each annotation of a struct would be compiled whenever this is imported.

import msgspec
from msgspec.structs import replace

from ..model.failures import Failure

__all__ = ["Origin", "RunReference", "delayed", "origin_of_fork", "origin_of_reset", "undelayed"]


class RunReference(msgspec.Struct, frozen=True, gc=False):
    """One run of a workflow.

    Attributes:
        workflow_id: the workflow.
        run_id: the run.
    """

    workflow_id: str
    run_id: str


class Origin(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Stored by field name: a field is never renamed, and one that has its default is not there.

    Attributes:
        attempt: 1 for the first run of a chain of retries.
        continued_run_id: the run before this one in its chain; empty for none.
        chain_started_ns: when the first run of the chain began; 0 if this is the first.
        last_result: payload of what the last run of this chain that completed has returned, if there is one.
        last_failure: how the run before failed that this one repeats, if it did.
        parent: the run whose child this is.
        root: the run at the top of the tree of children; None if this run is it.
        signals: records of the signals that came with the start.
        asked_ns: when the start was asked for, if the run was to begin later; 0 if it began at once.
        identity: on whose behalf a client has started it; empty for what was not said.
    """

    attempt: int = 1
    continued_run_id: str = ""
    chain_started_ns: int = 0
    last_result: bytes | None = None
    last_failure: Failure | None = None
    parent: RunReference | None = None
    root: RunReference | None = None
    signals: tuple[bytes, ...] = ()
    asked_ns: int = 0
    identity: str = ""


def delayed(origin: Origin | None, asked_ns: int) -> Origin:
    """Where a run comes from that begins later than its start was asked for.

    Args:
        origin: where it comes from otherwise, if it is not simply a client's start.
    """
    return replace(origin or Origin(), asked_ns=asked_ns)


def undelayed(origin: Origin | None) -> Origin | None:
    """The same of a run that begins at once, though the one that it is made of did not."""
    return None if origin is None else replace(origin, asked_ns=0)


def origin_of_reset(origin: Origin | None) -> Origin | None:
    """Where a run comes from that goes on in the place of another one: its limits of time count from its beginning.

    Args:
        origin: that of the other one.
    """
    return None if origin is None else replace(origin, chain_started_ns=0)


def origin_of_fork(origin: Origin | None) -> Origin | None:
    """Where a fork comes from: it is the first run of a workflow of its own, and nobody's child.

    Args:
        origin: that of the run that it is made of.
    """
    if origin is None:
        return None
    return replace(origin, chain_started_ns=0, continued_run_id="", parent=None, root=None)
