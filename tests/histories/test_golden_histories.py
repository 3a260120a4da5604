"""What an earlier format recorded is read, replayed and gone on with by the code of today."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from greenroom.runtime.model.errors import NondeterminismError, WorkflowFailureError
from greenroom.runtime.model.options import WorkflowExecutionStatus
from greenroom.storage import Journal, check
from greenroom.storage.codec import FORMAT
from greenroom.testing import RecordedRun, TestRuntime, replay
from tests.histories.golden import FOLDER, golden_files, load

RESULTS: dict[str, Any] = {
    "activities": [2, 3, 4, 3, "ApplicationError"],
    "waiting": ["early", "late", "timeout", "never"],
    "guest": 42,
}


@pytest.fixture(params=golden_files(), ids=lambda path: f"{path.parent.name}-{path.stem}")
def path(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def test_the_present_format_has_a_golden_journal() -> None:
    assert any(path.parent == FOLDER / f"format-{FORMAT}" for path in golden_files())


def test_a_golden_journal_is_sound(path: Path) -> None:
    journal = Journal.on(load(path))

    assert check(journal) == []


def test_every_golden_run_is_replayed(path: Path) -> None:
    with TestRuntime(load(path)) as runtime:
        runs = runtime.recorded()

        for run in runs:
            replay(run, runtime.hands)

    assert {run.header.workflow_id for run in runs} == {*RESULTS, "values", "failing", "greeter"}


def test_a_golden_run_that_has_ended_still_gives_its_result(path: Path) -> None:
    with TestRuntime(load(path)) as runtime:
        results = {name: runtime.wait(runtime.get_workflow_handle(name).result()) for name in RESULTS}
        failure = runtime.get_workflow_handle("failing").result()

        assert results == RESULTS
        with pytest.raises(WorkflowFailureError) as raised:
            runtime.wait(failure)
    assert str(raised.value.cause) == "Fate: it was not to be"


def test_a_golden_run_that_is_open_goes_on(path: Path) -> None:
    with TestRuntime(load(path)) as runtime:
        greeter = runtime.get_workflow_handle("greeter")
        before = runtime.wait(greeter.describe())
        runtime.wait(greeter.signal("farewell", "so long"))

        result = runtime.wait(greeter.result())

    assert before.status is WorkflowExecutionStatus.RUNNING
    assert result == ["client 41", "guest 42", "so long"]


def test_the_history_of_a_golden_run_can_be_shown(path: Path) -> None:
    with TestRuntime(load(path)) as runtime:
        for run in runtime.recorded():
            history = runtime.wait(runtime.get_workflow_handle(run.header.workflow_id).fetch_history())

            assert history.events[0].kind == "WorkflowStarted"


def test_a_golden_run_is_not_replayed_by_code_that_asks_for_something_else(path: Path) -> None:
    with TestRuntime(load(path)) as runtime:
        guest, other = (_run_of(runtime, name) for name in ("guest", "waiting"))
        mixed = guest._replace(turns=[guest.turns[0], *other.turns[1:]])

        with pytest.raises(NondeterminismError):
            replay(mixed, runtime.hands)


def _run_of(runtime: TestRuntime, workflow_id: str) -> RecordedRun:
    return next(run for run in runtime.recorded() if run.header.workflow_id == workflow_id)
