"""What an earlier format recorded is read, replayed and gone on with by the code of today."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from greenroom import SearchAttributeIndexedValueType
from greenroom.runtime.core import commands, messages
from greenroom.runtime.core.commands import DeadLetterSignal
from greenroom.runtime.model import payload_tags
from greenroom.runtime.model.attribute_index import type_prefix
from greenroom.runtime.model.errors import (
    ApplicationError,
    NondeterminismError,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
)
from greenroom.runtime.model.options import WorkflowExecutionStatus
from greenroom.storage import Journal, check
from greenroom.storage.codec import FORMAT
from greenroom.testing import RecordedRun, TestRuntime, replay
from tests.histories import golden_notes
from tests.histories.golden import FOLDER, golden_files, load, recording_of, runtime_on
from tests.histories.golden_keys import Till
from tests.histories.golden_kinds import DAY, EVERYTHING, UNANNOTATED, Card, Everything, Host

RESULTS: dict[str, Any] = {
    "activities": [2, 3, 4, 3, "ApplicationError"],
    "waiting": ["early", "late", "timeout", "never"],
    "guest": 42,
}
FAMILY = ("", " goes on", " fails", " cancelled", " detached", " abandoned", " terminated")
RUNS = {
    "": {*RESULTS, "values", "failing", "greeter"},
    "-copies": {"steps", "fork"},
    "-keys": {"closed till", "open till"},
    "-kinds": {"payloads", "cancelled", "run timed out", "execution timed out", "terminated", "host"},
    "-notes": {"ended", "open"},
    "-relatives": {
        *("taken", "stubborn", "delayed", "signalled", "updated"),
        *(f"{name}{child}" for name in ("ended", "open") for child in FAMILY),
    },
    "-versions": {"versions", "versions to be"},
}
MISSING = "ExternalWorkflowExecutionNotFound"
PYTHONS = ["3.11", "3.12", "3.13"]
STATUSES = {
    "payloads": WorkflowExecutionStatus.COMPLETED,
    "cancelled": WorkflowExecutionStatus.CANCELLED,
    "run timed out": WorkflowExecutionStatus.TIMED_OUT,
    "execution timed out": WorkflowExecutionStatus.TIMED_OUT,
    "terminated": WorkflowExecutionStatus.TERMINATED,
    "host": WorkflowExecutionStatus.RUNNING,
}


def name_of(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


each = pytest.mark.parametrize("path", golden_files(), ids=name_of)
each_first = pytest.mark.parametrize("path", golden_files(""), ids=name_of)
each_of_relatives = pytest.mark.parametrize("path", golden_files("-relatives"), ids=name_of)
each_of_notes = pytest.mark.parametrize("path", golden_files("-notes"), ids=name_of)
each_of_copies = pytest.mark.parametrize("path", golden_files("-copies"), ids=name_of)
each_of_keys = pytest.mark.parametrize("path", golden_files("-keys"), ids=name_of)
each_of_versions = pytest.mark.parametrize("path", golden_files("-versions"), ids=name_of)
each_of_kinds = pytest.mark.parametrize("path", golden_files("-kinds"), ids=name_of)


@pytest.mark.parametrize("python", PYTHONS)
def test_the_present_format_has_golden_journals_of_each_python(python: str) -> None:
    names = {path.stem for path in golden_files() if path.parent == FOLDER / f"format-{FORMAT}"}

    assert {f"python-{python}{recording}" for recording in RUNS} <= names


@each
def test_a_golden_journal_is_sound(path: Path) -> None:
    journal = Journal.on(load(path))

    assert check(journal) == []


@each
def test_every_golden_run_is_replayed(path: Path) -> None:
    with runtime_on(load(path)) as runtime:
        runs = runtime.recorded()

        for run in runs:
            replay(run, runtime.hands)

    assert {run.header.workflow_id for run in runs} == RUNS[recording_of(path)]


@each_first
def test_a_golden_run_that_has_ended_still_gives_its_result(path: Path) -> None:
    with runtime_on(load(path)) as runtime:
        results = {name: runtime.wait(runtime.get_workflow_handle(name).result()) for name in RESULTS}
        failure = runtime.get_workflow_handle("failing").result()

        assert results == RESULTS
        with pytest.raises(WorkflowFailureError) as raised:
            runtime.wait(failure)
    assert str(raised.value.cause) == "Fate: it was not to be"


@each_first
def test_a_golden_run_that_is_open_goes_on(path: Path) -> None:
    with runtime_on(load(path)) as runtime:
        greeter = runtime.get_workflow_handle("greeter")
        before = runtime.wait(greeter.describe())
        runtime.wait(greeter.signal("farewell", "so long"))

        result = runtime.wait(greeter.result())

    assert before.status is WorkflowExecutionStatus.RUNNING
    assert result == ["client 41", "guest 42", "so long"]


@each
def test_the_history_of_a_golden_run_can_be_shown(path: Path) -> None:
    with runtime_on(load(path)) as runtime:
        for run in runtime.recorded():
            history = runtime.wait(runtime.get_workflow_handle(run.header.workflow_id).fetch_history())

            # One whose start is delayed has none yet.
            assert [event.kind for event in history.events[:1]] == ["WorkflowStarted"] * bool(run.turns)


@each_first
def test_a_golden_run_is_not_replayed_by_code_that_asks_for_something_else(path: Path) -> None:
    with runtime_on(load(path)) as runtime:
        guest, other = (_run_of(runtime, name) for name in ("guest", "waiting"))
        mixed = guest._replace(turns=[guest.turns[0], *other.turns[1:]])

        with pytest.raises(NondeterminismError):
            replay(mixed, runtime.hands)


@each_of_relatives
def test_a_golden_family_goes_on(path: Path) -> None:
    with runtime_on(load(path)) as runtime:
        handles = {name: runtime.get_workflow_handle(name) for name in ("open", "delayed", "updated", "open abandoned")}
        for name, signal in (("open", "finish"), ("updated", "tell"), ("open abandoned", "tell")):
            runtime.wait(handles[name].signal(signal))
        said, *numbers = [runtime.wait(handle.result()) for handle in handles.values()]

        assert said == ["6", "not this child", "WorkflowAlreadyStartedError", "cancelled", MISSING]
        assert numbers == [12, 6, 16]
        assert runtime.wait(handles["updated"].get_update_handle("asked").result()) == -3


@each_of_notes
def test_golden_notes_are_described_and_found(path: Path) -> None:
    with runtime_on(load(path)) as runtime:
        ended = runtime.wait(runtime.get_workflow_handle("ended").describe())
        still_open = runtime.wait(runtime.get_workflow_handle("open").describe())
        tags = type_prefix("Tags", SearchAttributeIndexedValueType.KEYWORD_LIST)
        found = [run_no for _, run_no in runtime.hands.journal.attribute_runs(tags)]
        runtime.wait(runtime.get_workflow_handle("open").terminate())

    assert ended.memo == still_open.memo == golden_notes.MEMO
    assert ended.typed_search_attributes == golden_notes.AT_LAST
    assert still_open.typed_search_attributes[golden_notes.WHEN] == golden_notes.NOON
    assert (ended.static_summary, ended.static_details) == ("one line", "two\nlines")
    assert still_open.current_details == "noting"
    assert found == [1, 2, 1, 2]


@each_of_copies
def test_a_golden_reset_and_a_golden_fork_go_on(path: Path) -> None:
    with runtime_on(load(path)) as runtime:
        steps, fork = (runtime.get_workflow_handle(name) for name in ("steps", "fork"))
        sources = [runtime.wait(each.describe()).copied_from for each in (steps, fork)]

        (*of_steps, steps_total), (*of_fork, fork_total) = (runtime.wait(each.result()) for each in (steps, fork))

    assert [(source.workflow_id, source.turn, source.reason) for source in sources if source] == [
        ("steps", 2, "once more"),
        ("steps", 4, "to see"),
    ]
    assert (steps_total, fork_total) == (4, 8)
    assert of_steps[0] == of_fork[0]
    assert len({*of_steps, *of_fork}) == 5


@each_of_versions
def test_a_golden_run_keeps_its_patches_and_versions(path: Path) -> None:
    with runtime_on(load(path)) as runtime:
        ended, still_open = (runtime.get_workflow_handle(name) for name in ("versions", "versions to be"))
        runtime.wait(still_open.signal("go on"))

        results = [runtime.wait(each.result()) for each in (ended, still_open)]

    assert results == [[True, 3, True, 3, True, 1]] * 2


@each_of_keys
def test_a_golden_run_still_takes_each_key_once(path: Path) -> None:
    with runtime_on(load(path)) as runtime:
        closed, still_open = (runtime.get_workflow_handle(name) for name in ("closed till", "open till"))
        runtime.wait(still_open.resume())
        for amount, key in ((1, "first"), (4, "third"), (8, "fourth")):
            runtime.wait(still_open.signal(Till.pay, amount, idempotency_key=key))
        runtime.wait(still_open.signal(Till.close))

        assert [runtime.wait(each.result()) for each in (closed, still_open)] == [3, 15]


# Every kind of message, command and value.


@each_of_kinds
def test_golden_runs_have_ended_in_every_way_there_is(path: Path) -> None:
    with runtime_on(load(path)) as runtime:
        found = {name: runtime.wait(runtime.get_workflow_handle(name).describe()).status for name in STATUSES}

    assert found == STATUSES


@each_of_kinds
def test_golden_payloads_come_back_as_the_values_they_were(path: Path) -> None:
    with runtime_on(load(path)) as runtime:
        typed = runtime.wait(runtime.get_workflow_handle("payloads", result_type=Everything).result())
        plain: Any = runtime.wait(runtime.get_workflow_handle("payloads", result_type=object).result())

    for field in dataclasses.fields(Everything):
        assert repr(getattr(typed, field.name)) == repr(getattr(EVERYTHING, field.name))
        assert repr(plain[field.name]) == repr(UNANNOTATED[field.name])


@each_of_kinds
def test_a_golden_run_goes_on_with_its_updates_and_without_what_was_skipped(path: Path) -> None:
    with runtime_on(load(path)) as runtime:
        host = runtime.get_workflow_handle("host")
        seat = runtime.wait(host.get_update_handle("seat", result_type=Card).result())
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            runtime.wait(host.get_update_handle("refuse").result())
        runtime.wait(host.execute_update(Host.seat, "last"))

        result = runtime.wait(host.result())

    assert seat == Card("first", DAY)
    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.details == ({"number": "second", "until": DAY},)
    assert result == ["ApplicationError", "ValueError", "first", "third 3", "last"]


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("table", [messages.Message, commands.Command])
def test_every_kind_of_message_and_of_command_is_in_a_golden_history(table: type[msgspec.Struct], python: str) -> None:
    known = {kind.__struct_config__.tag for kind in _kinds(table)}

    assert known == {each.__struct_config__.tag for each in _parts(python) if isinstance(each, table)}


@pytest.mark.parametrize("python", PYTHONS)
def test_every_tag_of_a_value_is_in_a_golden_history(python: str) -> None:
    known = {code for name in payload_tags.__all__ if isinstance(code := getattr(payload_tags, name), int)}
    known.remove(payload_tags.MAX_ALIKE)
    found: set[int] = set()

    def seen(code: int, data: memoryview) -> None:
        found.add(code)
        if code in _HOLDERS:
            unpack(data)

    unpack: Callable[[Any], Any] = msgspec.msgpack.Decoder(ext_hook=seen).decode
    for payload in _payloads(python):
        unpack(payload[1:])

    assert found == known


def _kinds(table: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for kind in table.__subclasses__():
        yield kind
        yield from _kinds(kind)


_HOLDERS = {
    payload_tags.TUPLE,
    payload_tags.SET,
    payload_tags.FROZENSET,
    payload_tags.PATH,
    payload_tags.RECORD,
    payload_tags.ENUM,
    payload_tags.NAMED_TUPLE,
    payload_tags.OWN,
}
_PAYLOADS = {"args", "result", "value"}


def _payloads(python: str) -> Iterator[bytes]:
    for part in _parts(python):
        if not isinstance(part, DeadLetterSignal):
            yield from filter(None, (getattr(part, name) for name in part.__struct_fields__ if name in _PAYLOADS))


def _parts(python: str) -> Iterator[Any]:
    """All messages and commands that the present format has recorded."""
    for path in golden_files():
        if path.parent.name == f"format-{FORMAT}" and path.stem.startswith(f"python-{python}"):
            with runtime_on(load(path)) as runtime:
                for run in runtime.recorded():
                    yield from run.messages()
                    yield from (command for turn in run.commands() for command in turn)


def _run_of(runtime: TestRuntime, workflow_id: str) -> RecordedRun:
    return next(run for run in runtime.recorded() if run.header.workflow_id == workflow_id)
