"""The page of promises and the tests that hold them: each promise names its tests, and each of those is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "semantics.md").read_text(encoding="utf-8")
QUESTIONS = re.findall(r"^\| (\d+)(b?) \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
PROMISES = re.findall(r"^\* \*\*([A-Z])(\d+)\*\* (.+?)(?=^\* |^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)


def names_in(promise: str) -> list[str]:
    return re.findall(r"^  - `(test_\w+)`$", promise, re.MULTILINE)


def test_the_promises_are_numbered_without_a_gap() -> None:
    numbers: dict[str, list[int]] = {}
    for letter, number, _ in PROMISES:
        numbers.setdefault(letter, []).append(int(number))

    assert set(numbers) == {*"ACDEFGIKLNPQRSTUVWX"}
    assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())


def test_each_promise_names_its_tests() -> None:
    assert [letter + number for letter, number, promise in PROMISES if not names_in(promise)] == []


def test_each_test_that_a_promise_names_is_there() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"^(?:async )?def (test_\w+)\(", source, re.MULTILINE))

    assert [name for *_, promise in PROMISES for name in names_in(promise) if name not in there] == []


def test_each_question_is_there_once_and_in_order() -> None:
    halves = [(14, "b"), (71, "b")]

    assert [(int(number), half) for number, half, *_ in QUESTIONS] == sorted(
        [*((number, "") for number in range(1, 111)), *halves]
    )


def test_each_question_is_answered_by_promises_that_are_there_or_by_what_is_left() -> None:
    there = {letter + number for letter, number, _ in PROMISES}
    answered = {number + half: re.match(r"[A-Z]\d+(?:, [A-Z]\d+)*", answer) for number, half, _, answer in QUESTIONS}
    left = [number + half for number, half, _, answer in QUESTIONS if answer.startswith("not yet: ")]

    assert [number for number, found in answered.items() if found is None] == left
    named = {name for *_, answer in QUESTIONS for name in re.findall(r"\b[A-Z]\d+\b", answer)}
    assert named - there == set()
