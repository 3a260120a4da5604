"""The audit of chains, children and delayed starts: what is broken on purpose is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from greenroom import Runtime
from greenroom.runtime.core.commands import encode_commands
from greenroom.runtime.core.messages import (
    ChildCompleted,
    ChildStarted,
    SignalReceived,
    decode_message,
    encode_message,
)
from greenroom.runtime.model.options import ParentClosePolicy
from greenroom.runtime.model.run_facts import change_facts, decode_facts
from greenroom.storage import Journal, MemoryStore, RunHeader, Turn
from tests.crash.audit import audit
from tests.crash.client import REPEATED
from tests.crash.evidence import Evidence
from tests.crash.fates import ENDING, Delivery, Errand, delivery_of, errand_of
from tests.crash.load import Order, counted, courier, effect, effect_async, flaky, record_effects_to
from tests.crash.relay import POLICIES, Relay, parcel
from tests.crash.replays import replay
from tests.crash.runs import read_runs, token_of

RELAY = "relay-0-0"


def tokens_of(*errands: Errand) -> list[str]:
    """Tokens in the order in which one client sends them, for each errand the next one whose child returns at once."""
    tokens = (f"c0.{number}" for number in count())
    plain = (token for token in tokens if delivery_of(token) is Delivery.PLAIN)
    return [next(token for token in plain if errand_of(token) is errand) for errand in errands]


TOKENS = [
    *tokens_of(Errand.EFFECT, Errand.CHILD, Errand.GOES_ON, Errand.NOTHING, Errand.FAILS, Errand.NOTHING),
    f"{ENDING}0.0",
]


class Known(NamedTuple):
    """A journal and what the world knows of it."""

    path: Path
    lines: list[str]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Known:
    """A journal with a relay that had a child, continued as new, was repeated, and left signals unread each time."""
    folder = tmp_path_factory.mktemp("chain")
    effects = folder / "effects.log"
    activities = [effect, effect_async, flaky, counted]
    lines = [f'["starting", "{RELAY}"]']
    with (
        effects.open("ab") as file,
        Runtime(folder / "journal", workflows=[Order, courier, Relay, parcel], activities=activities) as runtime,
    ):
        record_effects_to(file.fileno())
        nothing: list[str] = []
        relay = runtime.start_workflow(Relay.run, nothing, nothing, id=RELAY, retry_policy=REPEATED).get(timeout=30)
        # The first one keeps it busy, so that the others wait for it in its history.
        for sent in [relay.signal("parcel", token) for token in TOKENS]:
            sent.get(timeout=30)
        relay.result().get(timeout=30)
    for token in TOKENS:
        lines += [f'["sending", "{token}", "{RELAY}"]', f'["signal", "{token}", "{RELAY}"]']
    return Known(folder / "journal", [*lines, *effects.read_text().splitlines()])


@pytest.fixture
def journal(finished: Known) -> Iterator[Journal]:
    journal = Journal.open(finished.path, read_only=True)
    yield journal
    journal.close()


Edit = Callable[[int, Turn], list[Turn]]


def findings(
    finished: Known, journal: Journal, edit: Edit | None = None, header: str = "", **changes: Any
) -> list[str]:
    """What the audit finds in a copy of the journal.

    Args:
        edit: gives what becomes of one turn of a run.
        header: run whose header has ``changes``.
    """
    evidence = Evidence()
    for line in finished.lines:
        evidence.take(line.encode() + b"\n")
    copy = Journal.on(MemoryStore())
    batch = copy.batch()
    for run in read_runs(journal):
        turns = journal.turns(run.run_no)
        kept = [each for turn in turns for each in ([turn] if edit is None else edit(run.run_no, turn))]
        crc = 0
        for number, turn in enumerate(kept):
            crc = batch.append_turn(run.run_no, number, turn.time_ns, turn.message, turn.commands, crc)
        written = run.header._replace(turns=len(kept))
        if run.header.run_id == header:
            written = written._replace(**changes)
        batch.put_header(run.run_no, written)
        batch.set_current(written.workflow_id, run.run_no)
    copy.commit(batch)
    return audit(copy, evidence)


def chain(journal: Journal) -> list[RunHeader]:
    return [run.header for run in read_runs(journal) if run.header.workflow_id == RELAY]


def test_nothing_is_found_where_nothing_is_broken(finished: Known, journal: Journal) -> None:
    assert findings(finished, journal) == []
    assert [header.status for header in chain(journal)] == [6, 3, 2]
    assert replay(read_runs(journal)) == []


def is_signal(turn: Turn, token: str) -> bool:
    message = decode_message(turn.message)
    return isinstance(message, SignalReceived) and token_of(message.args) == token


def test_a_carried_signal_that_is_lost_is_named(finished: Known, journal: Journal) -> None:
    heir = read_runs(journal)[-2].run_no
    lost = TOKENS[3]

    found = findings(finished, journal, lambda run_no, turn: [] if run_no == heir and is_signal(turn, lost) else [turn])

    assert any("to be carried over" in each for each in found)
    assert any(f"signal {lost} to {RELAY} was acknowledged and is not there" in each for each in found)


def test_a_carried_signal_that_is_doubled_is_named(finished: Known, journal: Journal) -> None:
    last = read_runs(journal)[-1].run_no
    quiet = encode_commands([])

    def edit(run_no: int, turn: Turn) -> list[Turn]:
        is_it = run_no == last and is_signal(turn, TOKENS[-2])
        return [turn, turn._replace(commands=quiet)] if is_it else [turn]

    found = findings(finished, journal, edit)

    assert any(f"signal {TOKENS[-2]} is there twice" in each for each in found)


def test_a_chain_that_is_broken_is_named(finished: Known, journal: Journal) -> None:
    first, second, _ = chain(journal)

    found = findings(finished, journal, header=first.run_id, facts=change_facts(first.facts, next_run_id=""))

    assert any("and there is no next run" in each for each in found)
    assert any("goes on from []" in each for each in found)
    assert second.first_run_id == first.run_id


def test_the_end_of_a_child_that_is_told_twice_or_not_as_it_was_is_named(finished: Known, journal: Journal) -> None:
    def edit(run_no: int, turn: Turn) -> list[Turn]:
        message = decode_message(turn.message)
        if not isinstance(message, ChildCompleted):
            return [turn]
        other = encode_message(ChildCompleted(message.id, message.result[:-1] + b"x"))
        return [turn, turn._replace(message=other, commands=encode_commands([]))]

    found = findings(finished, journal, edit)

    assert any("and its end was told 2 times" in each for each in found)
    assert any("has returned" in each and "was told" in each for each in found)


def test_a_child_whose_start_was_told_to_nobody_or_that_nobody_asked_for_is_named(
    finished: Known, journal: Journal
) -> None:
    child = next(run for run in read_runs(journal) if run.header.workflow_type == "parcel")
    told = findings(
        finished,
        journal,
        lambda run_no, turn: [] if isinstance(decode_message(turn.message), ChildStarted) else [turn],
        header=chain(journal)[0].run_id,
        status=1,
        closed_ns=None,
    )
    facts = change_facts(child.header.facts, parent_item=99)
    strange = findings(finished, journal, header=child.header.run_id, facts=facts)

    assert any("its start was told as []" in each for each in told)
    assert any("is child 99 of run 1, which has not asked for it" in each for each in strange)


def test_a_child_that_outlives_its_parent_against_its_policy_is_named(finished: Known, journal: Journal) -> None:
    child = next(run for run in read_runs(journal) if run.header.workflow_type == "parcel")
    assert decode_facts(child.header.facts).parent_run_no

    def edit(run_no: int, turn: Turn) -> list[Turn]:
        return [] if isinstance(decode_message(turn.message), ChildCompleted) else [turn]

    found = findings(finished, journal, edit, header=child.header.run_id, status=1, closed_ns=None)

    assert any("its parent has ended, and" in each and "was not told" in each for each in found)
    assert POLICIES[0] is ParentClosePolicy.TERMINATE


def test_a_delayed_start_that_nothing_brings_is_named(finished: Known, journal: Journal) -> None:
    header = chain(journal)[1]
    found = findings(
        finished,
        journal,
        lambda run_no, turn: [turn._replace(time_ns=0)] if run_no == read_runs(journal)[-1].run_no else [turn],
    )

    assert any("ns early" in each for each in found)
    assert header.first_run_id == chain(journal)[0].run_id
