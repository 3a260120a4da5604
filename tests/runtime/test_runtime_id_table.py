"""The whole table of what becomes of a start whose workflow id has been used: one row for each policy and past."""

from __future__ import annotations

import asyncio
from enum import Enum, auto

import pytest

from greenroom import (
    ApplicationError,
    WorkflowAlreadyStartedError,
    WorkflowHandle,
    workflow,
)
from greenroom import WorkflowExecutionStatus as Status
from greenroom import WorkflowIDConflictPolicy as Conflict
from greenroom import WorkflowIDReusePolicy as Reuse
from greenroom.storage import check
from greenroom.testing import TestRuntime

CONFLICTS = list(Conflict)
INDEPENDENT = [Reuse.ALLOW_DUPLICATE, Reuse.ALLOW_DUPLICATE_FAILED_ONLY, Reuse.REJECT_DUPLICATE]
TERMINATE = Reuse.TERMINATE_IF_RUNNING


class Past(Enum):
    """What there was of the id before."""

    NOTHING = auto()
    RUNNING = auto()
    SUSPENDED = auto()
    GOES_ON_AS_NEW = auto()
    COMPLETED = auto()
    FAILED = auto()
    CANCELLED = auto()
    TERMINATED = auto()
    TIMED_OUT = auto()
    COMPLETED_AS_NEW = auto()
    FAILED_AS_NEW = auto()


class Start(Enum):
    """What becomes of the start."""

    BEGINS = auto()
    REPLACES = auto()
    JOINS = auto()
    IS_REFUSED = auto()


OPEN = {Past.RUNNING, Past.SUSPENDED, Past.GOES_ON_AS_NEW}
WELL = {Past.COMPLETED, Past.COMPLETED_AS_NEW}
BADLY = {Past.FAILED, Past.CANCELLED, Past.TERMINATED, Past.TIMED_OUT, Past.FAILED_AS_NEW}

WHILE_OPEN = {
    Conflict.FAIL: Start.IS_REFUSED,
    Conflict.USE_EXISTING: Start.JOINS,
    Conflict.TERMINATE_EXISTING: Start.REPLACES,
}
AFTER_WELL = {
    Reuse.ALLOW_DUPLICATE: Start.BEGINS,
    Reuse.ALLOW_DUPLICATE_FAILED_ONLY: Start.IS_REFUSED,
    Reuse.REJECT_DUPLICATE: Start.IS_REFUSED,
    TERMINATE: Start.BEGINS,
}
AFTER_BADLY = {
    Reuse.ALLOW_DUPLICATE: Start.BEGINS,
    Reuse.ALLOW_DUPLICATE_FAILED_ONLY: Start.BEGINS,
    Reuse.REJECT_DUPLICATE: Start.IS_REFUSED,
    TERMINATE: Start.BEGINS,
}


def expected(past: Past, conflict: Conflict | None, reuse: Reuse) -> Start:
    if past is Past.NOTHING:
        return Start.BEGINS
    if past in OPEN:
        return Start.REPLACES if conflict is None else WHILE_OPEN[conflict]
    return (AFTER_WELL if past in WELL else AFTER_BADLY)[reuse]


ROWS: list[tuple[Past, Conflict | None, Reuse]] = [
    *((past, conflict, reuse) for past in Past for reuse in INDEPENDENT for conflict in CONFLICTS),
    *((past, None, TERMINATE) for past in Past),
]


@workflow.defn
async def errand(name: str, goes_on: bool = False) -> str:
    """Ends as the signal says; goes on as new first if it is to."""
    if goes_on:
        workflow.continue_as_new(name)
    how: str = await workflow.signal_channel().receive("end", result_type=str)
    if how == "fail":
        raise ApplicationError("as asked")
    if how == "cancel":
        raise asyncio.CancelledError
    return name


def bring_about(runtime: TestRuntime, past: Past) -> WorkflowHandle[str] | None:
    """A run of the id with that past."""
    if past is Past.NOTHING:
        return None
    as_new = past in (Past.GOES_ON_AS_NEW, Past.COMPLETED_AS_NEW, Past.FAILED_AS_NEW)
    timeout = 60 if past is Past.TIMED_OUT else None
    handle = runtime.start_workflow(errand, "old", as_new, id="errand", run_timeout=timeout).get()
    runtime.run_until_idle()
    match past:
        case Past.SUSPENDED:
            handle.suspend().get()
        case Past.COMPLETED | Past.COMPLETED_AS_NEW:
            handle.signal("end", "well").get()
        case Past.FAILED | Past.FAILED_AS_NEW:
            handle.signal("end", "fail").get()
        case Past.CANCELLED:
            handle.cancel().get()
        case Past.TERMINATED:
            handle.terminate().get()
        case Past.TIMED_OUT:
            runtime.advance(61)
        case _:
            pass
    runtime.run_until_idle()
    stands = past.name.removesuffix("_AS_NEW") if past is not Past.GOES_ON_AS_NEW else "RUNNING"
    assert handle.describe().get().status is Status[stands]
    return handle


@pytest.mark.parametrize(("past", "conflict", "reuse"), ROWS)
def test_what_becomes_of_a_start_is_as_the_table_of_ids_says(
    past: Past, conflict: Conflict | None, reuse: Reuse
) -> None:
    with TestRuntime(workflows=[errand]) as runtime:
        old = bring_about(runtime, past)
        before = None if old is None else old.describe().get()
        runs = len(runtime.recorded())

        if conflict is None:
            future = runtime.start_workflow(errand, "new", id="errand", id_reuse_policy=reuse)
        else:
            future = runtime.start_workflow(
                errand, "new", id="errand", id_conflict_policy=conflict, id_reuse_policy=reuse
            )

        wanted = expected(past, conflict, reuse)
        if wanted is Start.IS_REFUSED:
            with pytest.raises(WorkflowAlreadyStartedError) as caught:
                future.get()
            assert before is not None
            assert caught.value.run_id == before.run_id
        else:
            new = future.get()
            is_same = before is not None and new.run_id == before.run_id
            assert is_same is (wanted is Start.JOINS)
        began = wanted in (Start.BEGINS, Start.REPLACES)
        assert len(runtime.recorded()) == runs + began
        if before is not None:
            was = runtime.get_workflow_handle("errand", run_id=before.run_id).describe().get().status
            assert was is (Status.TERMINATED if wanted is Start.REPLACES else before.status)
        assert check(runtime.hands.journal) == []


@pytest.mark.parametrize("past", Past)
@pytest.mark.parametrize("conflict", Conflict)
def test_terminate_if_running_with_a_conflict_policy_is_an_error_whatever_there_was(
    past: Past, conflict: Conflict
) -> None:
    with TestRuntime(workflows=[errand]) as runtime:
        bring_about(runtime, past)
        runs = len(runtime.recorded())

        with pytest.raises(ValueError, match="leave out id_conflict_policy"):
            runtime.start_workflow(errand, "new", id="errand", id_conflict_policy=conflict, id_reuse_policy=TERMINATE)

        assert len(runtime.recorded()) == runs
