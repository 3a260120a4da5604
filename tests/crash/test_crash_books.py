"""The audit of runs that are reset, forked and deleted: what is broken on purpose is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from time import time_ns
from typing import Any, NamedTuple

import pytest

from greenroom import Runtime
from greenroom.runtime.core.messages import SignalReceived, decode_message
from greenroom.runtime.model.run_facts import change_facts
from greenroom.storage import Journal, MemoryStore, Turn
from tests.crash import judged_books
from tests.crash.audit import audit
from tests.crash.books import BOOK, FORK, PAGE, SLIP, Book, slip
from tests.crash.evidence import Evidence
from tests.crash.fates import dice
from tests.crash.load import effect, record_effects_to
from tests.crash.replays import replay
from tests.crash.runs import read_runs, token_of

ORIGIN, COPY, DELETED, THROWN = f"{BOOK}-0-1", f"{FORK}-0-2", f"{PAGE}-0-3", f"{SLIP}-0-4"
QUIET = (token for number in count(1) if dice(token := f"l0.{number}") % 4 > 1)
FIRST, SECOND, THIRD = (next(QUIET) for _ in range(3))
LAST, LAST_OF_COPY = "l1.1", "l1.2"


HOUR_NS = 3_600_000_000_000


@pytest.fixture(autouse=True)
def _kept_for_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    """Nothing goes while the journal is made, however long that takes."""
    monkeypatch.setattr(judged_books, "KEPT_NS", HOUR_NS)


class Known(NamedTuple):
    """A journal and what the world knows of it."""

    path: Path
    lines: list[str]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Known:
    """A journal with a book that was forked and reset, one that was deleted, and a slip that will be."""
    folder = tmp_path_factory.mktemp("books")
    lines = [f'["starting", "{each}"]' for each in (ORIGIN, DELETED)] + [f'["throwing", "{THROWN}", {time_ns()}]']
    tokens = {FIRST: ORIGIN, SECOND: ORIGIN, THIRD: ORIGIN, LAST: ORIGIN, LAST_OF_COPY: COPY}
    retention: Any = {slip: HOUR_NS / 1_000_000_000}
    with (
        (folder / "effects.log").open("ab") as file,
        Runtime(
            folder / "journal", workflows=[Book, slip], activities=[effect], retention_by_type=retention
        ) as runtime,
    ):
        record_effects_to(file.fileno())
        book = runtime.start_workflow(Book.run, id=ORIGIN).get(timeout=30)
        page = runtime.start_workflow(Book.run, id=DELETED).get(timeout=30)
        thrown = runtime.start_workflow(slip, THROWN, id=THROWN).get(timeout=30)
        lines += [f'["start", "{each.id}", "{each.run_id}"]' for each in (book, page, thrown)]
        for token in (FIRST, SECOND, THIRD):
            book.signal("entry", token).get(timeout=30)
        fork = book.fork(at=1, id=COPY, reason="y0-1").get(timeout=30)
        again = book.reset(to=2, reason="y0-2").get(timeout=30)
        lines += [f'["copying", "y0-1", "{ORIGIN}", "{COPY}", 1]', f'["copied", "y0-1", "{COPY}", "{fork.run_id}"]']
        lines += [f'["copying", "y0-2", "{ORIGIN}", "", 2]', f'["copied", "y0-2", "{ORIGIN}", "{again.run_id}"]']
        again.signal("shut", LAST).get(timeout=30)
        fork.signal("shut", LAST_OF_COPY).get(timeout=30)
        page.delete(terminate=True).get(timeout=30)
        lines += [f'["{what}", "{DELETED}", "{page.run_id}"]' for what in ("deleting", "deleted")]
        for handle in (again, fork):
            handle.result().get(timeout=30)
        thrown.result().get(timeout=30)
    for token, workflow_id in tokens.items():
        lines += [f'["sending", "{token}", "{workflow_id}"]', f'["signal", "{token}", "{workflow_id}"]']
    return Known(folder / "journal", [*lines, *(folder / "effects.log").read_text().splitlines()])


@pytest.fixture
def journal(known: Known) -> Iterator[Journal]:
    journal = Journal.open(known.path, read_only=True)
    yield journal
    journal.close()


def evidence(known: Known, *more: str, without: str = "\0") -> Evidence:
    told = Evidence()
    for line in (*known.lines, *more):
        if without not in line:
            told.take(line.encode() + b"\n")
    return told


Edit = Callable[[int, Turn], list[Turn]]


def edited(journal: Journal, edit: Edit, **facts: Any) -> Journal:
    """A copy of a journal with other turns, and with these facts in the header of its first run."""
    copy = Journal.on(MemoryStore())
    batch = copy.batch()
    for run in read_runs(journal):
        crc = 0
        turns = [each for turn in journal.turns(run.run_no) for each in edit(run.run_no, turn)]
        for number, turn in enumerate(turns):
            crc = batch.append_turn(run.run_no, number, turn.time_ns, turn.message, turn.commands, crc)
        header = run.header._replace(turns=len(turns))
        if run.run_no == 1:
            header = header._replace(facts=change_facts(header.facts, **facts))
        batch.put_header(run.run_no, header)
        batch.set_current(header.workflow_id, run.run_no)
    copy.commit(batch)
    return copy


def without_token(run_no: int, token: str) -> Edit:
    """Lets a run not have been told a signal."""

    def edit(number: int, turn: Turn) -> list[Turn]:
        message = decode_message(turn.message)
        is_it = number == run_no and isinstance(message, SignalReceived) and token_of(message.args) == token
        return [] if is_it else [turn]

    return edit


def number_of(journal: Journal, workflow_id: str) -> int:
    """The number of the last run of a workflow."""
    run_no = journal.current_run(workflow_id)
    assert run_no is not None
    return run_no


def test_nothing_is_found_where_nothing_is_broken(known: Known, journal: Journal) -> None:
    assert audit(journal, evidence(known)) == []
    assert replay(read_runs(journal)) == []


def test_a_signal_that_a_reset_has_lost_is_named(known: Known, journal: Journal) -> None:
    found = audit(edited(journal, without_token(number_of(journal, ORIGIN), THIRD)), evidence(known))

    assert f"signal {THIRD} to {ORIGIN} was acknowledged and is not in its last run" in found


def test_turns_that_are_not_those_of_the_origin_are_named(known: Known, journal: Journal) -> None:
    fork_no = number_of(journal, COPY)

    found = audit(edited(journal, without_token(fork_no, FIRST)), evidence(known))

    assert any("its turns up to 1 are not those of run 1" in each for each in found)
    assert any("say that those before are copied" in each for each in found)


def test_a_run_that_goes_on_in_two_or_in_none_is_named(known: Known, journal: Journal) -> None:
    found = audit(edited(journal, lambda run_no, turn: [turn], next_run_id=""), evidence(known))

    assert any("it goes on as run '', and runs" in each for each in found)
    assert any("it was reset to" in each for each in found)


def test_a_copy_that_is_not_there_or_not_what_was_asked_for_is_named(known: Known, journal: Journal) -> None:
    missing = (f'["copying", "y0-9", "{ORIGIN}", "", 2]', f'["copied", "y0-9", "{ORIGIN}", "some-run"]')

    assert audit(journal, evidence(known, *missing)) == [f"the copy y0-9 ({ORIGIN}) was acknowledged and is not there"]
    [found] = audit(journal, evidence(known, f'["copying", "y0-1", "{ORIGIN}", "{COPY}", 2]'))
    assert "it was to be copied up to turn 2, and has those up to 1" in found
    [found] = audit(journal, evidence(known, '["uncopied", "y0-1"]'))
    assert "nobody has asked for a copy because of 'y0-1', or was refused" in found


def test_a_fork_that_was_told_what_its_origin_was_told_later_is_named(known: Known, journal: Journal) -> None:
    found = audit(journal, evidence(known, f'["sending", "{LAST_OF_COPY}", "{DELETED}"]'))

    assert any(f"signal {LAST_OF_COPY} is there and no client has sent it" in each for each in found)


def test_a_deleted_run_that_is_there_is_named(known: Known, journal: Journal) -> None:
    run_id = read_runs(journal)[0].header.run_id

    found = audit(
        journal, evidence(known, f'["deleting", "{ORIGIN}", "{run_id}"]', f'["deleted", "{ORIGIN}", "{run_id}"]')
    )

    assert f"run 1 ({ORIGIN}) was deleted and is there" in found


def test_a_run_that_is_gone_and_nobody_has_deleted_is_named(known: Known, journal: Journal) -> None:
    found = audit(journal, evidence(known, without='["delet'))

    assert found == [f"the start of {DELETED} was acknowledged and is not there"]


def test_a_slip_that_is_kept_too_short_or_was_never_performed_is_named(known: Known, journal: Journal) -> None:
    slip_no = number_of(journal, THROWN)
    copy = edited(journal, lambda run_no, turn: [turn])
    batch = copy.batch()
    header = next(run.header for run in read_runs(journal) if run.run_no == slip_no)
    batch.put_header(slip_no, header._replace(expires_ns=header.closed_ns))
    copy.commit(batch)

    assert any("it is to be deleted at" in each for each in audit(copy, evidence(known)))
    gone = (f'["throwing", "{SLIP}-0-9", {time_ns()}]', f'["start", "{SLIP}-0-9", "some-run"]')
    assert audit(journal, evidence(known, *gone)) == [f"{SLIP}-0-9 is deleted and was never performed"]
    performed = f'["effect", "some-run", 1, 1, "{SLIP}-0-9"]'
    early = f'["throwing", "{SLIP}-0-9", {1 << 62}]'
    assert audit(journal, evidence(known, *gone, performed, early)) == [f"{SLIP}-0-9 was deleted too early"]
