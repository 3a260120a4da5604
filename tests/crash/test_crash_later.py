"""The audit of signals that come later, of those that are sent again, and of starts that are asked for again: what is
broken on purpose is named."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from time import time_ns

import pytest

from greenroom import Runtime, WorkflowIDReusePolicy
from greenroom.storage import Journal
from tests.crash.audit import audit
from tests.crash.evidence import Evidence
from tests.crash.fates import dice
from tests.crash.load import Order, counted, courier, effect, effect_async, flaky, record_effects_to

ORDER, ENDED = "order-0-1", "order-0-2"
NOW, LATER, LAST, NEVER = "c0.1", "c0x2.0", "c0.3", "c0x4.0"
IDLE = next(f"c0.{number}" for number in count() if dice(f"c0.{number}") % 8 == 7)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A journal with an order that was asked for twice, signalled twice and told something later; and what is known."""
    folder = tmp_path_factory.mktemp("later")
    lines: list[str] = []
    activities = [effect, effect_async, flaky, counted]
    with (
        (folder / "effects.log").open("ab") as file,
        Runtime(folder / "journal", workflows=[Order, courier], activities=activities) as runtime,
    ):
        record_effects_to(file.fileno())
        peers: list[str] = []
        for workflow_id in (ORDER, ENDED):
            lines.append(f'["starting", "{workflow_id}", null, null, "Order"]')
            for _ in range(2):
                handle = runtime.start_workflow(Order.run, peers, id=workflow_id, request_id="1").get(timeout=30)
                lines.append(f'["start", "{workflow_id}", "{handle.run_id}"]')
        order, ended = map(runtime.get_workflow_handle, (ORDER, ENDED))
        order.signal("item", NOW, idempotency_key=NOW).get(timeout=30)
        order.signal("item", LATER, idempotency_key=LATER, delay=0.001).get(timeout=30)
        order.signal("item", LATER, idempotency_key=LATER, delay=0.01).get(timeout=30)
        order.signal("item", NOW, idempotency_key=NOW).get(timeout=30)
        order.signal("finish", LAST, delay=0.02).get(timeout=30)
        ended.signal("item", NEVER, delay=600).get(timeout=30)
        ended.terminate(reason="r0.1").get(timeout=30)
        order.result().get(timeout=30)
    for token, workflow_id, at_ns, name in (
        *((NOW, ORDER, 0, "item"), (LATER, ORDER, 1, "item"), (LAST, ORDER, 0, "")),
        (NEVER, ENDED, 1, ""),
    ):
        lines += [
            f'["sending", "{token}", "{workflow_id}", {at_ns}, "{name}"]',
            f'["signal", "{token}", "{workflow_id}"]',
        ]
    lines += [f'["ending", "terminate", "{ENDED}", "r0.1"]', *(folder / "effects.log").read_text().splitlines()]
    return folder / "journal", lines


@pytest.fixture
def journal(known: tuple[Path, list[str]]) -> Iterator[Journal]:
    journal = Journal.open(known[0], read_only=True)
    yield journal
    journal.close()


def findings(known: tuple[Path, list[str]], journal: Journal, *more: str) -> list[str]:
    """What the audit finds if the world knows more than what happened."""
    evidence = Evidence()
    for line in (*known[1], *more):
        evidence.take(line.encode() + b"\n")
    return audit(journal, evidence)


def test_nothing_is_found_where_nothing_is_broken(known: tuple[Path, list[str]], journal: Journal) -> None:
    assert findings(known, journal) == []


def test_a_signal_that_came_too_soon_is_named(known: tuple[Path, list[str]], journal: Journal) -> None:
    late = Evidence()
    for line in known[1]:
        late.take(line.encode() + b"\n")
    late.not_before[LATER] = time_ns()

    [found] = audit(journal, late)

    assert f"signal {LATER} came" in found
    assert found.endswith("ns too soon")


def test_whoever_sends_again_counts_from_the_first_time(known: tuple[Path, list[str]], journal: Journal) -> None:
    assert findings(known, journal, f'["sending", "{LATER}", "{ORDER}", {1 << 62}, "item"]') == []


def test_a_delayed_signal_that_is_neither_there_nor_lost_with_its_run_is_named(
    known: tuple[Path, list[str]], journal: Journal
) -> None:
    found = findings(known, journal, f'["sending", "c0x9.0", "{ENDED}", 1, ""]', f'["signal", "c0x9.0", "{ENDED}"]')

    assert found == [f"signal c0x9.0 to {ENDED} was acknowledged and is not there"]


def test_a_signal_that_is_refused_though_its_run_has_heard_it_is_named(
    known: tuple[Path, list[str]], journal: Journal
) -> None:
    found = findings(known, journal, f'["too late", "{NOW}"]', f'["too late", "{NEVER}"]')

    assert found == [f"signal {NOW} was refused although its run has heard it"]


def test_a_signal_that_was_taken_twice_is_named(tmp_path: Path) -> None:
    with Runtime(tmp_path / "journal", workflows=[Order, courier], activities=[]) as runtime:
        peers: list[str] = []
        order = runtime.start_workflow(Order.run, peers, id=ORDER).get(timeout=30)
        for _ in range(2):
            order.signal("item", IDLE).get(timeout=30)
    journal = Journal.open(tmp_path / "journal", read_only=True)

    found = audit(journal, Evidence())

    assert any(f"signal {IDLE} is there twice" in each for each in found)
    journal.close()


def test_a_request_that_has_started_two_runs_is_named(tmp_path: Path) -> None:
    evidence = Evidence()
    with Runtime(tmp_path / "journal", workflows=[Order, courier], activities=[]) as runtime:
        peers: list[str] = []
        evidence.take(f'["starting", "{ORDER}", null, null, "Order"]\n'.encode())
        for _ in range(2):
            again = WorkflowIDReusePolicy.ALLOW_DUPLICATE
            order = runtime.start_workflow(Order.run, peers, id=ORDER, id_reuse_policy=again).get(timeout=30)
            evidence.take(f'["start", "{ORDER}", "{order.run_id}"]\n'.encode())
            order.terminate().get(timeout=30)
    journal = Journal.open(tmp_path / "journal", read_only=True)

    found = audit(journal, evidence)

    assert f"one request has started ['run 1 ({ORDER})', 'run 2 ({ORDER})']" in found
    assert any("one request was answered with runs" in each for each in found)
    journal.close()
