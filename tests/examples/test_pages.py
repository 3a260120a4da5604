"""The guide, the page on versions and the page on testing: each program runs alone in an empty folder."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
VERSIONING = (ROOT / "docs" / "versioning.md").read_text(encoding="utf-8")
TESTING = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")

_PROGRAM = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def programs(name: str, page: str) -> list[object]:
    """The Python blocks of a page, each named by the line it begins at."""
    return [
        pytest.param(match.group(1), id=f"{name}:{page.count(chr(10), 0, match.start()) + 2}")
        for match in _PROGRAM.finditer(page)
    ]


def options_of(cls: Callable[..., object]) -> list[str]:
    """The keyword options of a constructor."""
    parameters = inspect.signature(cls).parameters.values()
    return [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a program gives to someone who runs it in a folder of its own."""
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )


@pytest.mark.slow
@pytest.mark.aside
@pytest.mark.parametrize("program", [*programs("guide.md", GUIDE), *programs("versioning.md", VERSIONING)])
def test_a_program_of_the_guide_runs(program: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(program, encoding="utf-8")

    done = run(tmp_path, "program.py")

    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.aside
@pytest.mark.parametrize("program", programs("testing.md", TESTING))
def test_a_test_file_of_the_page_on_testing_passes(program: str, tmp_path: Path) -> None:
    (tmp_path / "test_program.py").write_text(program, encoding="utf-8")

    done = run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_program.py")

    assert done.returncode == 0, done.stdout


def test_the_pages_have_programs() -> None:
    assert len(programs("guide.md", GUIDE)) >= 5
    assert len(programs("versioning.md", VERSIONING)) >= 5
    assert len(programs("testing.md", TESTING)) >= 4
