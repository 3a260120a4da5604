"""The page of what is there: each entry of its groups, in order, with the tests that show it or why it is left."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "features.md").read_text(encoding="utf-8")
ENTRIES = re.findall(r"^\* \*\*(\d+)\*\* ([a-z ]+) · (.+?)(?=^\* |^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
GROUPS = {
    "Writing workflows": range(1, 31),
    "Messages": range(51, 83),
    "Time": range(83, 93),
    "Cancelling, terminating, suspending": range(93, 105),
    "Children and other workflows": range(119, 128),
    "Versions": range(128, 138),
    "Clients, handles and ids": range(157, 170),
}


def named_in(entry: str) -> list[str]:
    return re.findall(r"^  - `(test_\w+)`$", entry, re.MULTILINE)


def reasons_in(entry: str) -> list[str]:
    return re.findall(r"^  - ([^`].+)$", entry, re.MULTILINE)


def test_each_group_has_its_numbers_without_a_gap() -> None:
    sections = dict(section.split("\n", 1) for section in PAGE.split("\n## ")[1:])
    found = {name: re.findall(r"^\* \*\*(\d+)\*\*", section, re.MULTILINE) for name, section in sections.items()}

    assert found == {name: [str(number) for number in numbers] for name, numbers in GROUPS.items()}
    assert len(ENTRIES) == sum(len(numbers) for numbers in GROUPS.values())


def test_each_entry_says_how_it_stands() -> None:
    assert {state for _, state, _ in ENTRIES} == {"done", "partly", "not yet", "otherwise"}


def test_what_is_done_names_its_tests_and_what_is_left_its_reason() -> None:
    shown = {number for number, _, entry in ENTRIES if named_in(entry)}
    explained = {number for number, _, entry in ENTRIES if reasons_in(entry)}

    assert [number for number, state, _ in ENTRIES if state in ("done", "partly") and number not in shown] == []
    assert [number for number, state, _ in ENTRIES if (state == "done") is (number in explained)] == []


def test_each_test_that_an_entry_names_is_there() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"^(?:async )?def (test_\w+)\(", source, re.MULTILINE))

    assert [name for *_, entry in ENTRIES for name in named_in(entry) if name not in there] == []
