"""The audit of updates, limits and requests to end: what is broken on purpose is named."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from greenroom import Runtime
from greenroom.runtime.core.messages import CancelRequested, encode_message
from greenroom.runtime.model.errors import WorkflowFailureError, WorkflowUpdateFailedError
from greenroom.storage import Batch, Journal, MemoryStore
from tests.crash.audit import audit
from tests.crash.evidence import Evidence
from tests.crash.fates import Change, Parting, change_of, parting_of
from tests.crash.load import Order, counted, courier, effect, effect_async, flaky, record_effects_to
from tests.crash.replays import replay
from tests.crash.runs import Run, read_runs

MS = 1_000_000


def update_of(change: Change) -> str:
    return next(f"u0.{number}" for number in count() if change_of(f"u0.{number}") is change)


def order_of(parting: Parting) -> str:
    return next(f"order-0-{number}" for number in count() if parting_of(f"order-0-{number}") is parting)


DONE, FAILED, REFUSED = map(update_of, (Change.AFTER_AN_ACTIVITY, Change.FAILS_AT_ONCE, Change.REFUSED))
CANCELLED, KEPT_ON = order_of(Parting.CLEANS_UP), order_of(Parting.GOES_ON)
TERMINATED, TIMED_OUT = "order-0-terminated", "order-0-limited"
LIMIT = timedelta(milliseconds=20)

KNOWN = (
    *(f'["starting", "{order}"]' for order in (CANCELLED, KEPT_ON, TERMINATED)),
    f'["starting", "{TIMED_OUT}", {20 * MS}, null]',
    *(
        f'["update", "{update_id}", "asking", "{KEPT_ON}", "{update_id}:0", "execute"]'
        for update_id in (DONE, FAILED, REFUSED)
    ),
    f'["update", "{DONE}", "outcome", "done: {DONE}:0"]',
    f'["update", "{FAILED}", "outcome", "Failed: {FAILED}:0"]',
    f'["update", "{REFUSED}", "outcome", "Refused: {REFUSED}"]',
    f'["ending", "cancel", "{CANCELLED}", "r0.0"]',
    f'["cancel", "{CANCELLED}", "r0.0"]',
    f'["ended", "{CANCELLED}", null, "CANCELLED", "", 0]',
    f'["ending", "cancel", "{KEPT_ON}", "r0.1"]',
    f'["cancel", "{KEPT_ON}", "r0.1"]',
    f'["sending", "c0.0", "{KEPT_ON}"]',
    f'["ending", "terminate", "{TERMINATED}", "r0.2"]',
    f'["terminate", "{TERMINATED}", "r0.2"]',
    f'["ended", "{TERMINATED}", null, "TERMINATED", "r0.2", 0]',
    f'["ended", "{TIMED_OUT}", null, "TIMED_OUT", "RUN", {1 << 63}]',
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A journal with an order that took updates and was asked to end in vain, and three that were ended."""
    folder = tmp_path_factory.mktemp("ended")
    effects = folder / "effects.log"
    activities = [effect, effect_async, flaky, counted]
    with (
        effects.open("ab") as file,
        Runtime(folder / "journal", workflows=[Order, courier], activities=activities) as runtime,
    ):
        record_effects_to(file.fileno())
        peers: list[str] = []
        limited = runtime.start_workflow(Order.run, peers, id=TIMED_OUT, run_timeout=LIMIT).get(timeout=30)
        cancelled, order, terminated = (
            runtime.start_workflow(Order.run, peers, id=each).get(timeout=30)
            for each in (CANCELLED, KEPT_ON, TERMINATED)
        )
        cancelled.cancel("r0.0").get(timeout=30)
        terminated.terminate(reason="r0.2").get(timeout=30)
        order.execute_update(Order.change, f"{DONE}:0", id=DONE).get(timeout=30)
        for update_id in (FAILED, REFUSED):
            with pytest.raises(WorkflowUpdateFailedError):
                order.execute_update(Order.change, f"{update_id}:0", id=update_id).get(timeout=30)
        order.cancel("r0.1").get(timeout=30)
        order.signal("finish", "c0.0").get(timeout=30)
        order.result().get(timeout=30)
        for ended in (limited, cancelled, terminated):
            with pytest.raises(WorkflowFailureError):
                ended.result().get(timeout=30)
    return folder / "journal", effects.read_bytes()


@pytest.fixture
def journal(finished: tuple[Path, bytes]) -> Iterator[Journal]:
    journal = Journal.open(finished[0], read_only=True)
    yield journal
    journal.close()


def findings(finished: tuple[Path, bytes], journal: Journal, *more: str, without: str = "\0") -> list[str]:
    """What the audit finds if the world knows more, or less, than what happened."""
    evidence = Evidence()
    for line in [*KNOWN, *finished[1].decode().splitlines(), *more]:
        if without not in line:
            evidence.take(line.encode() + b"\n")
    return audit(journal, evidence)


def copy_of(journal: Journal, workflow_id: str) -> tuple[Journal, Batch, Run]:
    """A journal in memory with the turns and the header of one run, and the batch that is to be committed to it."""
    run = next(run for run in read_runs(journal) if run.header.workflow_id == workflow_id)
    copy = Journal.on(MemoryStore())
    batch = copy.batch()
    crc = 0
    for number, turn in enumerate(journal.turns(run.run_no)):
        crc = batch.append_turn(run.run_no, number, turn.time_ns, turn.message, turn.commands, crc)
    for update in run.items.updates:
        batch.put_update(run.run_no, update)
    batch.put_header(run.run_no, run.header)
    return copy, batch, run


def test_nothing_is_found_where_nothing_is_broken(finished: tuple[Path, bytes], journal: Journal) -> None:
    assert findings(finished, journal) == []


def test_histories_that_were_ended_from_outside_are_replayed_whole(journal: Journal) -> None:
    assert replay(read_runs(journal)) == []


def test_an_acknowledged_update_that_is_not_there_is_named(finished: tuple[Path, bytes], journal: Journal) -> None:
    asking, reached = f'["update", "u0.x", "asking", "{KEPT_ON}", "u0.x:0", "accepted"]', "accepted"

    found = findings(finished, journal, asking, f'["update", "u0.x", "reached", "{reached}"]')

    assert found == [f"update u0.x was acknowledged, and {KEPT_ON} does not have that"]


def test_an_update_with_a_second_outcome_is_named(finished: tuple[Path, bytes], journal: Journal) -> None:
    found = findings(finished, journal, f'["update", "{DONE}", "outcome", "done: {DONE}:1"]')

    assert f"the outcome of update {DONE} was 'done: {DONE}:0', then 'done: {DONE}:1'" in found
    assert f"update {DONE} was told to be 'done: {DONE}:1', and {KEPT_ON} does not have that" in found


def test_an_update_that_is_denied_after_it_was_told_of_is_named(finished: tuple[Path, bytes], journal: Journal) -> None:
    found = findings(finished, journal, f'["update", "{DONE}", "denied", "there is none"]')

    assert found == [f"update {DONE} was acknowledged, and then there is none"]


def test_a_refused_update_may_be_denied_and_not_have_been_done(finished: tuple[Path, bytes], journal: Journal) -> None:
    denied = findings(finished, journal, f'["update", "{REFUSED}", "denied", "there is none"]')
    done = findings(finished, journal, f'["update", "{REFUSED}", "outcome", "done: {REFUSED}:0"]')

    assert denied == []
    assert done == [f"update {REFUSED} was acknowledged, and {KEPT_ON} does not have that"]


def test_a_refused_update_that_is_sent_again_is_only_what_it_is_then(
    finished: tuple[Path, bytes], journal: Journal
) -> None:
    again = (
        f'["update", "{REFUSED}", "asking", "{KEPT_ON}", "{REFUSED}:1", "admitted"]',
        f'["update", "{REFUSED}", "reached", "admitted"]',
        f'["update", "{REFUSED}", "outcome", "AdmittedUpdateCompletedWorkflow: too late"]',
    )

    found = findings(finished, journal, *again)

    # The journal has neither; that it was refused before is not held against it.
    assert found == [f"update {REFUSED} was acknowledged, and {KEPT_ON} does not have that"]


def test_an_update_that_nobody_has_asked_for_is_named(finished: tuple[Path, bytes], journal: Journal) -> None:
    found = findings(finished, journal, without=f'"{FAILED}"')

    assert any(f"update {FAILED}:0 is there and no client has asked for it" in each for each in found)


def test_an_update_that_is_taken_twice_is_named(journal: Journal) -> None:
    copy, batch, run = copy_of(journal, KEPT_ON)
    [turn] = [turn for turn in journal.turns(run.run_no) if f"{FAILED}:0".encode() in turn.message]
    batch.append_turn(run.run_no, len(run.steps), turn.time_ns, turn.message, turn.commands, run.header.crc)
    copy.commit(batch)

    found = audit(copy, Evidence())

    assert any(f"update {FAILED} is in the history twice" in each for each in found)
    assert any(f"update {FAILED} has two outcomes in the history" in each for each in found)


def test_an_update_whose_row_says_something_else_is_named(journal: Journal) -> None:
    copy, batch, run = copy_of(journal, KEPT_ON)
    outcomes = {update.update_id: update for update in run.items.updates}
    batch.put_update(run.run_no, outcomes[DONE]._replace(outcome=outcomes[FAILED].outcome))
    copy.commit(batch)

    found = audit(copy, Evidence())

    assert any(f"the row of update {DONE} has 'Failed: {FAILED}:0'" in each for each in found)


def test_a_request_to_end_that_is_not_there_is_named(finished: tuple[Path, bytes], journal: Journal) -> None:
    found = findings(finished, journal, f'["cancel", "{TERMINATED}", "r0.9"]', f'["terminate", "{CANCELLED}", "r0.8"]')

    assert sorted(found) == [
        f"the request (cancel) 'r0.9' to {TERMINATED} was acknowledged and is not there",
        f"the request (terminate) 'r0.8' to {CANCELLED} was acknowledged and is not there",
    ]


def test_a_request_that_was_refused_or_never_made_is_named(finished: tuple[Path, bytes], journal: Journal) -> None:
    refused = findings(finished, journal, f'["refused", "terminate", "{TERMINATED}", "r0.2"]')
    unmade = findings(finished, journal, without=f'["ending", "cancel", "{CANCELLED}"')

    assert [each.partition("has asked")[2] for each in refused + unmade] == [
        " it to end because of 'r0.2' (terminate), or was refused",
        " it to end because of 'r0.0' (cancel), or was refused",
    ]


def test_a_second_request_in_a_history_and_a_turn_behind_the_end_are_named(journal: Journal) -> None:
    copy, batch, run = copy_of(journal, CANCELLED)
    last = journal.turns(run.run_no)[-1]
    request = encode_message(CancelRequested("r0.0"))
    batch.append_turn(run.run_no, len(run.steps), last.time_ns, request, last.commands, run.header.crc)
    copy.commit(batch)

    found = audit(copy, Evidence())

    assert any("it was asked to end 2 times" in each for each in found)
    assert any("it is CANCELLED and its turns" in each for each in found)


def test_an_end_that_is_told_wrongly_is_named(finished: tuple[Path, bytes], journal: Journal) -> None:
    found = findings(finished, journal, f'["ended", "{CANCELLED}", "", "TERMINATED", "", 0]')

    assert found == [f"the end of {CANCELLED} (TERMINATED, ) was given out and is not there"]


def test_a_run_that_times_out_early_or_by_another_limit_is_named(
    finished: tuple[Path, bytes], journal: Journal
) -> None:
    told_early = findings(finished, journal, f'["ended", "{TIMED_OUT}", "", "TIMED_OUT", "RUN", 1]')
    longer = findings(finished, journal, f'["starting", "{TIMED_OUT}", {30 * MS}, {25 * MS}]')

    assert told_early == [f"{TIMED_OUT} was said to have timed out before its limit"]
    assert any("its deadline is" in each for each in longer)
    assert any("and it has timed out by RunTimedOut(is_execution=False)" in each for each in longer)


def test_a_limit_that_the_journal_does_not_watch_is_named(journal: Journal) -> None:
    copy, batch, run = copy_of(journal, TIMED_OUT)
    batch.put_header(run.run_no, run.header._replace(status=1, closed_ns=None))
    copy.commit(batch)

    found = audit(copy, Evidence())

    assert any("have a limit to come, and the journal has []" in each for each in found)
