"""The page of promises and the tests that hold them: each promise names its tests, and each of those is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "semantics.md").read_text(encoding="utf-8")
PROMISES = re.findall(r"^\* \*\*([A-Z])(\d+)\*\* (.+?)(?=^\* |^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)


def names_in(promise: str) -> list[str]:
    return re.findall(r"^  - `(test_\w+)`$", promise, re.MULTILINE)


def test_the_promises_are_numbered_without_a_gap() -> None:
    numbers: dict[str, list[int]] = {}
    for letter, number, _ in PROMISES:
        numbers.setdefault(letter, []).append(int(number))

    assert set(numbers) == {"A", "C", "F", "G", "N", "P", "Q", "R", "S", "T", "U", "V"}
    assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())


def test_each_promise_names_its_tests() -> None:
    assert [letter + number for letter, number, promise in PROMISES if not names_in(promise)] == []


def test_each_test_that_a_promise_names_is_there() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"^(?:async )?def (test_\w+)\(", source, re.MULTILINE))

    assert [name for *_, promise in PROMISES for name in names_in(promise) if name not in there] == []
