"""Each example does what it says: it is run as a user runs it, and its output is compared with the text beside it."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
KYLE, ADA, GRACE = ("Kyle", "run:1"), ("Ada", "run:3"), ("Grace", "run:5")
GREETINGS = ["Hi, Kyle", "Hi, Ada", "Hi, Grace"]

Verdict = Callable[..., list[str]]


def run(example: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / example), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )


def without_times_and_run_ids(text: str) -> str:
    text = re.sub(r"\b[0-9a-f]{16}-[0-9a-f]{16}\b", "<run id>", text)
    return re.sub(r"\b\d\d:\d\d:\d\d\.\d{6}\b", "<time>", text)


def expected(example: str) -> str:
    return Path(__file__).with_name(example).with_suffix(".txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def broken_promises() -> Verdict:
    return cast("Verdict", runpy.run_path(str(EXAMPLES / "crash_and_resume.py"))["broken_promises"])


def test_every_example_has_its_output_written_down() -> None:
    examples = {path.stem for path in EXAMPLES.glob("*.py")}

    assert examples == {path.stem for path in Path(__file__).parent.glob("*.txt")}


def test_the_list_of_examples_has_each_of_them() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(\w+)\]\(\.\./examples/\1\.py\) \|", index, re.MULTILINE)

    assert sorted(listed) == sorted(path.stem for path in EXAMPLES.glob("*.py"))


@pytest.mark.slow
@pytest.mark.aside
@pytest.mark.parametrize("example", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_an_example_prints_what_is_written_down(example: str) -> None:
    done = run(example)

    assert (done.returncode, done.stderr) == (0, "")
    assert without_times_and_run_ids(done.stdout) == expected(example)


@pytest.mark.slow
@pytest.mark.aside
def test_the_greeter_runs_twice_on_one_journal(tmp_path: Path) -> None:
    journal = str(tmp_path / "greeter.journal")
    first = run("greeter.py", journal)

    second = run("greeter.py", journal)

    assert (second.returncode, second.stderr) == (0, "")
    assert without_times_and_run_ids(second.stdout) == without_times_and_run_ids(first.stdout)


@pytest.mark.slow
@pytest.mark.aside
def test_the_proof_fails_if_the_journal_is_lost_between_the_processes() -> None:
    done = run("crash_and_resume.py", "--lose-journal")

    assert done.returncode == 1
    assert "BROKEN: process 2 could not finish the work" in done.stdout
    assert "Proved" not in done.stdout


def test_the_proof_holds_for_what_was_promised(broken_promises: Verdict) -> None:
    assert broken_promises(GREETINGS, "WorkflowCompleted", [KYLE, ADA, GRACE], interrupted="") == []
    assert broken_promises(GREETINGS, "WorkflowCompleted", [KYLE, ADA, ADA, GRACE], interrupted="Ada") == []


@pytest.mark.parametrize(
    ("results", "last", "effects", "reason"),
    [
        (GREETINGS[:2], "WorkflowCompleted", [KYLE, ADA, ADA, GRACE], "each greeting must stand in the history once"),
        ([*GREETINGS, GREETINGS[0]], "WorkflowCompleted", [KYLE, ADA, ADA, GRACE], "each greeting must stand"),
        (GREETINGS, "ActivityCompleted", [KYLE, ADA, ADA, GRACE], "the run must be completed"),
        (GREETINGS, "WorkflowCompleted", [KYLE, KYLE, ADA, ADA, GRACE], "greeting Kyle must be made 1 time"),
        (GREETINGS, "WorkflowCompleted", [KYLE, ADA, GRACE], "greeting Ada must be made 2 time"),
        (GREETINGS, "WorkflowCompleted", [KYLE, ADA, ("Ada", "run:4"), GRACE], "one idempotency key"),
        (GREETINGS, "WorkflowCompleted", [KYLE, ADA, ADA, ("Grace", "run:3")], "may share an idempotency key"),
    ],
    ids=["lost", "twice", "unfinished", "ran-again", "never-ran-again", "new-key", "shared-key"],
)
def test_the_proof_fails_for_a_broken_promise(
    broken_promises: Verdict, results: list[str], last: str, effects: list[tuple[str, str]], reason: str
) -> None:
    broken = broken_promises(results, last, effects, interrupted="Ada")

    assert any(reason in line for line in broken), broken
