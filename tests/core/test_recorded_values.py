"""What a run learns from outside is recorded; what it makes itself is the same in each replay."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from greenroom.runtime import workflow
from greenroom.runtime.core.commands import RecordSideEffect
from greenroom.runtime.core.context import current
from greenroom.runtime.core.origins import Origin
from greenroom.runtime.model.errors import ApplicationError, PayloadDecodeError
from greenroom.runtime.model.options import WorkflowOptions
from greenroom.runtime.model.payloads import Converter
from greenroom.runtime.model.retry import RetryPolicy
from tests.core.driving import SECOND, STARTED_NS, Drive

Start = Callable[..., Drive]

CALLS: list[int] = []


@dataclass
class Reading:
    """What a machine says."""

    degrees: int


def read_machine() -> Reading:
    CALLS.append(1)
    return Reading(len(CALLS))


@workflow.defn
async def measuring() -> list[Any]:
    reading = workflow.side_effect(read_machine, result_type=Reading)
    plain: Any = workflow.side_effect(read_machine)
    await workflow.sleep(1)
    return [type(reading).__name__, reading.degrees, plain]


def test_a_side_effect_is_called_once_and_a_replay_reads_it(drive: Start) -> None:
    CALLS.clear()
    run = drive(measuring)
    run.fire()

    for _ in range(3):
        run.put_away(run.replayed())

    assert len(CALLS) == 2
    assert run.result == ["Reading", 1, {"degrees": 2}]


def test_a_replay_that_goes_on_has_the_recorded_values(drive: Start) -> None:
    run = drive(measuring)

    run.put_away(run.execution)
    run.execution = run.replayed()
    run.fire()

    recorded = [run.converter.decode(each.value) for each in run.all_of(RecordSideEffect)]
    assert run.result[1:] == [recorded[0]["degrees"], recorded[1]]


def raises() -> int:
    CALLS.append(1)
    raise ApplicationError("no reading", 5, type="Broken")


def is_cancelled() -> int:
    raise asyncio.CancelledError("inside")


def draws() -> int:
    return workflow.random().getrandbits(8)


@workflow.defn
async def catching() -> list[Any]:
    out: list[Any] = []
    for function in (raises, is_cancelled, draws, object):
        try:
            workflow.side_effect(function)
        except Exception as error:
            out.append(f"{type(error).__name__} {getattr(error, 'type', '')} {error}")
    await workflow.sleep(1)
    return out


def test_what_a_side_effect_raises_is_recorded_too(drive: Start) -> None:
    run = drive(catching)
    run.fire()

    own, cancelled, draws, unstorable = run.result

    assert own == "ApplicationError Broken Broken: no reading"
    assert "inside" in cancelled
    assert "ReadOnlyContextError" in draws
    assert "PayloadEncodeError" in unstorable


@workflow.defn
async def failing_measure() -> None:
    workflow.side_effect(raises)


def test_a_side_effect_that_fails_closes_the_run_in_a_replay_as_it_did_live(drive: Start) -> None:
    run = drive(failing_measure)

    CALLS.clear()
    run.put_away(run.replayed())

    assert CALLS == []
    assert str(run.failure) == "Broken: no reading"


@workflow.defn
async def drawing() -> list[Any]:
    first = [workflow.random().random(), str(workflow.uuid4()), str(workflow.uuid7())]
    await workflow.sleep(1)
    return [*first, workflow.random().random(), str(workflow.uuid4()), str(workflow.uuid7())]


def test_random_values_are_the_same_in_a_replay_and_differ_within_a_run(drive: Start) -> None:
    run = drive(drawing)
    run.fire()

    replayed = run.replayed()

    assert replayed.closing == run.execution.closing
    assert len(set(run.result)) == 6
    assert run.result[2] < run.result[5]
    run.put_away(replayed)


def test_two_runs_draw_different_values(drive: Start) -> None:
    first, second = drive(drawing), drive(drawing, run_id="run-2")

    first.fire()
    second.fire()

    assert set(first.result).isdisjoint(second.result)


@workflow.defn
async def telling_ids() -> list[Any]:
    four, seven = workflow.uuid4(), workflow.uuid7()
    return [four.version, seven.version, str(seven.variant), seven.int >> 80]


def test_uuids_have_their_version_and_the_runs_time(drive: Start) -> None:
    assert drive(telling_ids).result == [4, 7, "specified in RFC 4122", STARTED_NS // 1_000_000]


@workflow.defn
async def telling_the_time() -> list[Any]:
    now, ns = workflow.now(), workflow.time_ns()
    await workflow.sleep(1.5)
    return [now, ns, workflow.now() - now, workflow.time_ns() - ns]


def test_the_time_is_that_of_the_turn(drive: Start) -> None:
    run = drive(telling_the_time)

    run.fire()

    at = datetime.fromtimestamp(STARTED_NS / SECOND, UTC)
    assert run.result == [at, STARTED_NS, timedelta(seconds=1.5), 1_500_000_000]


@workflow.defn(name="core tests: informed")
async def informed() -> list[Any]:
    info = workflow.info()
    await workflow.sleep(1)
    later = workflow.info()
    assert info.start_time == later.start_time
    return [
        info.workflow_id,
        info.run_id,
        info.first_run_id,
        info.first_execution_run_id,
        info.workflow_type,
        info.attempt,
        info.start_time,
        info.workflow_start_time,
        info.run_timeout,
        info.execution_timeout,
        info.retry_policy,
        info.history_length,
        later.history_length,
    ]


def test_a_run_knows_itself(drive: Start) -> None:
    policy = RetryPolicy(maximum_attempts=3)
    run = drive(informed, options=WorkflowOptions(run_timeout_ns=5 * SECOND, retry_policy=policy))

    run.fire()

    at = datetime.fromtimestamp(STARTED_NS / SECOND, UTC)
    ids = ["flow-1", "run-1", "run-1", "run-1", "core tests: informed", 1]
    assert run.result[:-3] == [*ids, at, at, timedelta(seconds=5), None]
    assert run.result[-2:] == [1, 2]
    assert run.converter.decode(run.converter.encode(policy)) == run.result[-3]


REPLAYING: list[bool] = []


@workflow.defn
async def asking_whether_it_replays() -> None:
    REPLAYING.append(current().is_replaying())
    await workflow.sleep(1)
    REPLAYING.append(current().is_replaying())


def test_a_turn_knows_whether_it_is_a_replay(drive: Start) -> None:
    run = drive(asking_whether_it_replays)
    REPLAYING.clear()

    run.put_away(run.execution)
    run.execution = run.replayed()
    run.fire()

    assert REPLAYING == [True, False]


@workflow.defn(name="core tests: looking back")
async def looking_back() -> list[Any]:
    reading = workflow.get_last_completion_result(Reading)
    try:
        workflow.get_last_completion_result(int)
    except PayloadDecodeError:
        return [workflow.has_last_completion_result(), type(reading).__name__, workflow.get_last_completion_result()]
    return []


def test_what_the_run_before_has_returned_is_read_as_the_type_asked_for(drive: Start) -> None:
    last = Converter().encode(Reading(7))

    run = drive(looking_back, origin=Origin(last_result=last))

    assert run.result == [True, "Reading", {"degrees": 7}]
