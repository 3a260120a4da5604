"""The page on determinism: its table is that of the code, and its programs run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from greenroom import workflow
from greenroom.runtime.model.forbidden import GROUPS, Group
from tests.examples.test_pages import programs, run

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "determinism.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.aside
@pytest.mark.parametrize("program", programs("determinism.md", PAGE))
def test_a_program_of_the_page_on_determinism_runs(program: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(program, encoding="utf-8")

    done = run(tmp_path, "program.py")

    assert done.returncode == 0, done.stdout


def test_the_table_has_every_group_of_what_is_forbidden_and_no_other() -> None:
    table = PAGE.partition("## What is refused")[2].partition("\n\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", table, re.MULTILINE)

    assert rows[1:] == [(group.does, group.instead) for group in GROUPS]


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.does)
def test_the_page_lists_every_name_that_is_forbidden_and_no_other(group: Group) -> None:
    listed = re.search(rf"^\* \*\*{re.escape(group.does)}\*\*: (.+?)(?=^\* |\Z)", PAGE, re.MULTILINE | re.DOTALL)

    assert listed is not None
    assert re.findall(r"`([^`]+)`", listed[1]) == [name.removeprefix("builtins.") for name in group.names]


def test_the_page_names_everything_in_unsafe() -> None:
    assert [name for name in workflow.unsafe.__all__ if f"`{name}()`" not in PAGE] == []
