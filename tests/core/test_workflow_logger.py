"""The logger of workflow code tells each thing once, and which run it was."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from greenroom.runtime import workflow
from greenroom.runtime.core.messages import UpdateReceived
from tests.core.driving import Drive, driving

Start = Callable[..., Drive]


@pytest.fixture
def drive(caplog: pytest.LogCaptureFixture) -> Iterator[Start]:
    """Starts runs, whose logs the test looks at; at the end each is replayed from every prefix and put away."""
    with caplog.at_level(logging.INFO), driving() as start:
        yield start


@workflow.defn
class Telling:
    def __init__(self) -> None:
        workflow.set_query_handler("tell", self.tell)
        workflow.logger.info("made")

    def tell(self) -> str:
        workflow.logger.info("asked")
        return "told"

    @workflow.update
    def change(self) -> None:
        workflow.logger.info("changed")

    @change.validator
    def check(self) -> None:
        workflow.logger.info("validated")

    @workflow.run
    async def run(self) -> None:
        workflow.logger.info("begun %s of %d", "one", 2, extra={"step": "first"})
        try:
            await workflow.sleep(5)
            workflow.logger.warning("100 %")
            await workflow.sleep(5)
        finally:
            workflow.logger.info("ended")


RUN = " (workflow 'flow-1', run run-1, type Telling)"


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage().removesuffix(RUN) for record in caplog.records]


def test_a_record_says_which_run_wrote_it_and_where(drive: Start, caplog: pytest.LogCaptureFixture) -> None:
    drive(Telling)

    record = caplog.records[1]
    facts: dict[str, Any] = vars(record)
    assert record.getMessage() == f"begun one of 2{RUN}"
    assert [facts[name] for name in ("workflow_id", "run_id", "workflow_type", "step")] == [
        "flow-1",
        "run-1",
        "Telling",
        "first",
    ]
    assert (record.name, record.filename, record.funcName) == ("greenroom.workflow", "test_workflow_logger.py", "run")


def test_nothing_is_told_again_in_a_replay_and_what_comes_after_it_is_told(
    drive: Start, caplog: pytest.LogCaptureFixture
) -> None:
    run = drive(Telling)
    caplog.clear()

    run.put_away(run.execution)
    run.execution = run.replayed()
    in_replay = said(caplog)
    run.fire()

    assert in_replay == []
    assert said(caplog) == ["100 %"]


def test_a_query_of_a_replayed_run_is_heard(drive: Start, caplog: pytest.LogCaptureFixture) -> None:
    run = drive(Telling)
    run.put_away(run.execution)
    run.execution = run.replayed()
    caplog.clear()

    run.execution.query("tell", run.converter.encode_args(()))

    assert said(caplog) == ["asked"]


def test_a_validator_of_a_replayed_run_is_heard(drive: Start, caplog: pytest.LogCaptureFixture) -> None:
    run = drive(Telling)
    run.put_away(run.execution)
    run.execution = run.replayed()
    caplog.clear()
    update = UpdateReceived("change", run.converter.encode_args(()), "update-1")

    run.execution.validate(update, run.now_ns)
    run.send(update)

    assert said(caplog) == ["validated", "changed"]


def test_a_run_that_is_put_away_is_silent(drive: Start, caplog: pytest.LogCaptureFixture) -> None:
    run = drive(Telling)
    caplog.clear()

    run.put_away(run.execution)

    assert said(caplog) == []


def test_what_records_say_of_the_run_can_be_turned_off(
    drive: Start, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow.logger, "workflow_info_on_message", False)
    monkeypatch.setattr(workflow.logger, "workflow_info_on_extra", False)

    drive(Telling)

    assert [record.getMessage() for record in caplog.records] == ["made", "begun one of 2"]
    assert not hasattr(caplog.records[0], "workflow_id")


def test_replays_can_be_made_to_be_heard(
    drive: Start, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = drive(Telling)
    caplog.clear()

    with monkeypatch.context() as patch:
        patch.setattr(workflow.logger, "log_during_replay", True)
        execution = run.replayed()
    run.put_away(execution)

    assert said(caplog) == ["made", "begun one of 2"]


@workflow.defn(name="core tests: 100 % telling")
async def telling_with_percent() -> None:
    workflow.logger.info("plain")
    workflow.logger.info("with %s", "arguments")


def test_a_name_with_a_percent_sign_spoils_no_message(drive: Start, caplog: pytest.LogCaptureFixture) -> None:
    drive(telling_with_percent)

    run = " (workflow 'flow-1', run run-1, type core tests: 100 % telling)"
    assert [record.getMessage() for record in caplog.records] == [f"plain{run}", f"with arguments{run}"]


def test_outside_a_workflow_it_is_an_ordinary_logger(caplog: pytest.LogCaptureFixture) -> None:
    async def elsewhere() -> None:
        workflow.logger.info("in another loop", extra={"step": 1})

    with caplog.at_level(logging.INFO):
        workflow.logger.info("in no loop")
        asyncio.run(elsewhere())
        workflow.logger.debug("too low")

    assert [record.getMessage() for record in caplog.records] == ["in no loop", "in another loop"]
