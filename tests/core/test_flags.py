"""A run that was begun in a way of deciding that this release does not know is refused, not replayed in another way."""

from __future__ import annotations

import msgspec
import pytest

from greenroom import workflow
from greenroom.runtime.core.execution import Execution
from greenroom.runtime.core.flags import KNOWN_FLAGS, LIVE_INFO, NEW_RUN_FLAGS, UnknownFlagsError
from greenroom.runtime.core.messages import WorkflowStarted, decode_message, encode_message
from greenroom.runtime.model.errors import WorkflowSuspendedError
from greenroom.runtime.model.options import WorkflowExecutionStatus, WorkflowOptions
from greenroom.runtime.model.payloads import Converter
from greenroom.storage import Journal, MemoryStore
from greenroom.testing import TestRuntime
from tests.core.driving import definition_of

UNKNOWN = 1 << 40


@workflow.defn(name="flags.patient")
async def patient() -> str:
    return await workflow.signal_channel().receive("go", result_type=str)


def started(flags: int) -> WorkflowStarted:
    return WorkflowStarted("flags.patient", b"", "flow-1", "run-1", "run-1", WorkflowOptions(), "3.11", flags)


def set_flags(store: MemoryStore, flags: int) -> None:
    """Make the one run of a journal, which has one turn, one that a release with these flags has begun."""
    journal = Journal.on(store)
    header, (turn,) = journal.header(1), journal.turns(1, first=0, limit=9)
    message = decode_message(turn.message)
    assert header is not None
    assert isinstance(message, WorkflowStarted)
    begun = encode_message(msgspec.structs.replace(message, flags=flags))
    batch = journal.batch()
    batch.put_header(1, header._replace(flags=flags))
    batch.append_turn(1, 0, turn.time_ns, begun, turn.commands, 0)
    journal.commit(batch)


def test_new_runs_get_only_flags_that_can_be_replayed() -> None:
    assert NEW_RUN_FLAGS & ~KNOWN_FLAGS == 0


def test_an_execution_with_unknown_flags_is_refused_and_told_which() -> None:
    with pytest.raises(UnknownFlagsError, match=r"'flow-1' \(run run-1\) was begun by a newer release") as caught:
        Execution(started(KNOWN_FLAGS | UNKNOWN), definition_of(patient), Converter())

    assert caught.value.flags == UNKNOWN
    assert "0x10000000000" in str(caught.value)


@workflow.defn(name="flags.keeps_info")
async def keeps_info() -> list[int]:
    kept = workflow.info()
    await workflow.sleep(1)
    return [kept.get_current_history_length(), workflow.info().get_current_history_length()]


@pytest.mark.parametrize(("flags", "told"), [(0, [1, 2]), (LIVE_INFO, [2, 2])])
def test_what_the_code_has_kept_of_its_run_answers_as_it_did_when_the_run_began(flags: int, told: list[int]) -> None:
    store = MemoryStore()
    with TestRuntime(store, workflows=[keeps_info]) as runtime:
        runtime.wait(runtime.start_workflow(keeps_info, id="flow"))
    set_flags(store, flags)

    with TestRuntime(store, workflows=[keeps_info]) as runtime:
        assert runtime.wait(runtime.get_workflow_handle("flow").result()) == told


def test_a_run_of_a_newer_release_is_suspended_and_goes_on_where_its_flags_are_known() -> None:
    store = MemoryStore()
    with TestRuntime(store, workflows=[patient]) as runtime:
        runtime.wait(runtime.start_workflow(patient, id="flow"))
    set_flags(store, UNKNOWN)

    with TestRuntime(store, workflows=[patient]) as runtime:
        handle = runtime.get_workflow_handle("flow")
        runtime.wait(handle.signal("go", "at last"))
        with pytest.raises(WorkflowSuspendedError, match="behaviour flags 0x10000000000"):
            runtime.wait(handle.result())
        refused = runtime.wait(handle.describe())
        (recorded,) = runtime.recorded()

    set_flags(store, KNOWN_FLAGS)
    with TestRuntime(store, workflows=[patient]) as runtime:
        result = runtime.wait(runtime.get_workflow_handle("flow").result())

    assert refused.status is WorkflowExecutionStatus.SUSPENDED
    assert len(recorded.turns) == 1
    assert result == "at last"
