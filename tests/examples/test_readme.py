"""What the README shows is what happens."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

ReadAlong = Callable[[str], list[tuple[str, str, str]]]


@pytest.mark.slow
@pytest.mark.aside
def test_the_commands_of_the_readme_print_what_it_says(read_along: ReadAlong) -> None:
    commands = read_along("README.md")

    assert commands
    for line, said, printed in commands:
        assert printed == said, line


def test_the_first_workflow_fits_in_fifteen_lines() -> None:
    first = re.search(r"```python\n(.*?)```", README, re.DOTALL)

    assert first is not None
    assert len([line for line in first.group(1).splitlines() if line.strip()]) <= 16  # the name of the file and 15


def test_the_readme_quotes_the_demo_as_it_prints() -> None:
    printed = Path(__file__).with_name("crash_and_resume.txt").read_text(encoding="utf-8").splitlines()
    quoted = re.search(r"```text\n(.*?)```", README, re.DOTALL)

    assert quoted is not None
    position = 0
    for line in quoted.group(1).splitlines():
        assert line in printed[position:], line
        position = printed.index(line, position) + 1


def test_the_readme_names_only_files_that_are_there() -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", README)

    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []
