"""The torture, a few of each, and proof that its audit would notice: what is broken on purpose is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from greenroom import Runtime
from greenroom.runtime.core.commands import encode_commands
from greenroom.storage import Journal, MemoryStore, pack_prefixes
from tests.crash.audit import audit
from tests.crash.evidence import Evidence
from tests.crash.images import cut, images
from tests.crash.load import Order, counted, courier, effect, effect_async, flaky, record_effects_to
from tests.crash.replays import replay
from tests.crash.runs import read_runs
from tests.crash.shim import Record
from tests.crash.site import ROOT

TOKENS = ("c1.0", "c1.1", "c1.2", "c1.3")
FINISH = "c1.4"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A journal with one finished order, and the lines that tell the world of it."""
    folder = tmp_path_factory.mktemp("finished")
    effects = folder / "effects.log"
    # Other tests of the session declare activities of the same names.
    activities = [effect, effect_async, flaky, counted]
    with (
        effects.open("ab") as file,
        Runtime(folder / "journal", workflows=[Order, courier], activities=activities) as runtime,
    ):
        record_effects_to(file.fileno())
        peers: list[str] = []
        order = runtime.start_workflow(Order.run, peers, id="order").get(timeout=30)
        for token in TOKENS:
            order.signal("item", token).get(timeout=30)
        order.signal("finish", FINISH).get(timeout=30)
        order.result().get(timeout=30)
    lines = ['["starting", "order"]', f'["start", "order", "{order.run_id}"]']
    for token in (*TOKENS, FINISH):
        lines += [f'["sending", "{token}", "order"]', f'["signal", "{token}", "order"]']
    return folder / "journal", "\n".join([*lines, ""]).encode() + effects.read_bytes()


def findings(finished: tuple[Path, bytes], *more: str, without: str = "\0") -> list[str]:
    """What the audit finds if the world knows more, or less, than what happened."""
    path, known = finished
    evidence = Evidence()
    for line in [*known.decode().splitlines(), *more]:
        if without not in line:
            evidence.take(line.encode() + b"\n")
    journal = Journal.open(path, read_only=True)
    try:
        return audit(journal, evidence)
    finally:
        journal.close()


def test_audit_finds_nothing_where_nothing_is_broken(finished: tuple[Path, bytes]) -> None:
    assert findings(finished) == []


def test_audit_names_an_acknowledged_signal_that_is_not_there(finished: tuple[Path, bytes]) -> None:
    found = findings(finished, '["sending", "c1.9", "order"]', '["signal", "c1.9", "order"]')

    assert found == ["signal c1.9 to order was acknowledged and is not there"]


def test_audit_names_an_acknowledged_start_that_is_not_there(finished: tuple[Path, bytes]) -> None:
    found = findings(finished, '["starting", "other"]', '["start", "other", "some-run"]')

    assert found == ["the start of other was acknowledged and is not there"]


def test_audit_names_a_result_that_is_not_the_recorded_one(finished: tuple[Path, bytes]) -> None:
    found = findings(finished, '["result", "order", null, ["c1.0"]]')

    assert found == ["the result of order was given out and is not there"]


def test_audit_names_an_effect_that_nobody_asked_for(finished: tuple[Path, bytes]) -> None:
    found = findings(finished, '["effect", "some-run", 1, 1, "c1.0"]')

    assert found == ["activity 1 of run some-run was performed and nobody asked for it"]


def test_audit_names_a_result_without_an_effect(finished: tuple[Path, bytes]) -> None:
    found = findings(finished, without='["effect"')

    assert found
    assert all("has a result and was never performed" in each for each in found)


def test_audit_names_a_signal_that_nobody_sent(finished: tuple[Path, bytes]) -> None:
    found = findings(finished, without='"c1.2"')

    assert "signal c1.2 is there and no client has sent it" in found


def test_audit_names_a_signal_that_was_refused_and_taken(finished: tuple[Path, bytes]) -> None:
    found = findings(finished, '["refused", "signal", "c1.1", "order"]')

    assert found == ["signal c1.1 is there although its sender was told that it is not"]


def test_audit_names_a_doubled_signal_and_a_doubled_outcome(finished: tuple[Path, bytes]) -> None:
    path, known = finished
    evidence = Evidence()
    evidence.take(known)
    original = Journal.open(path, read_only=True)
    copy = Journal.on(MemoryStore())
    [run] = read_runs(original)
    turns = original.turns(run.run_no)
    batch = copy.batch()
    crc = 0
    again = [turn._replace(commands=encode_commands([])) for turn in turns[1:]]
    for number, turn in enumerate([*turns, *again]):
        crc = batch.append_turn(run.run_no, number, turn.time_ns, turn.message, turn.commands, crc)
    batch.put_header(run.run_no, run.header)
    copy.commit(batch)
    original.close()

    found = audit(copy, evidence)

    assert any("signal c1.0 is there twice" in each for each in found)
    assert any("that is not waited for (any more)" in each for each in found)


def test_audit_names_notes_that_are_not_those_of_the_history(finished: tuple[Path, bytes]) -> None:
    path, _ = finished
    original = Journal.open(path, read_only=True)
    copy = Journal.on(MemoryStore())
    [run] = read_runs(original)
    batch = copy.batch()
    crc = 0
    for turn in original.turns(run.run_no):
        crc = batch.append_turn(run.run_no, turn.turn_no, turn.time_ns, turn.message, turn.commands, crc)
    batch.put_header(run.run_no, run.header._replace(facts=b""))
    batch.put_attributes(run.run_no, b"", pack_prefixes([b"made up"]))
    batch.put_attributes(99, b"", pack_prefixes([b"made up"]))
    copy.commit(batch)
    original.close()

    found = audit(copy, Evidence())

    assert any("'Last': (" in each and "and its header has {}" in each for each in found)
    assert any("has noted the memo" in each for each in found)
    assert any("is found by [b'made up'] and should be by" in each for each in found)
    assert any("run 99 is found by its attributes and is not there" in each for each in found)


def test_a_history_is_replayed_whole(finished: tuple[Path, bytes]) -> None:
    journal = Journal.open(finished[0], read_only=True)

    found = replay(read_runs(journal))

    assert found == []
    journal.close()


def test_a_history_that_lacks_a_command_is_named(finished: tuple[Path, bytes]) -> None:
    journal = Journal.open(finished[0], read_only=True)
    [run] = read_runs(journal)
    steps = [step._replace(commands=[]) for step in run.steps]

    found = replay([run._replace(steps=steps)])

    assert len(found) == 1
    assert "cannot be replayed" in found[0]
    journal.close()


def test_evidence_does_not_count_half_a_line() -> None:
    evidence = Evidence()

    evidence.take(b'["signal", "c1.0", "order"]\n["signal", "c1.')
    evidence.end()

    assert evidence.signalled == {"c1.0": "order"}


def test_what_was_synced_is_in_every_image() -> None:
    pages = [Record(b"W", 0, b"a" * 4096), Record(b"S", 0, b""), Record(b"W", 4096, b"b" * 4096)]
    log = [*pages, Record(b"D", 8192, b"meta"), Record(b"M", 0, b'["signal", "c1.0", "order"]\n')]

    for image, evidence in images(log, 200, "seed"):
        if image.position >= 2:
            assert image.data[:4096] == b"a" * 4096
        if evidence.signalled:
            assert image.data[8192:] == b"meta"


def test_no_two_images_are_alike() -> None:
    log = [Record(b"W", 0, b"a" * 1024), Record(b"S", 0, b""), Record(b"M", 0, b'["starting", "order"]\n')]

    found = [(image.position, image.is_creating, bytes(image.data)) for image, _ in images(log, 200, "seed")]

    assert len(found) == len(set(found))


def test_images_differ_in_what_was_not_synced() -> None:
    dice = Random(1)

    seen = {bytes(cut(bytearray(), [(0, b"a" * 4096), (4096, b"b" * 4096)], dice)) for _ in range(200)}

    assert b"" in seen
    assert b"a" * 4096 + b"b" * 4096 in seen
    assert bytes(4096) + b"b" * 4096 in seen
    assert len(seen) > 50


@pytest.mark.slow
@pytest.mark.aside
def test_nothing_is_lost_in_a_quick_run_of_the_torture() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash", "--quick"], cwd=ROOT, capture_output=True, text=True, timeout=600
    )

    assert done.returncode == 0, done.stdout + done.stderr
