"""Reads a page as its reader does: saves the programs, types the commands, compares what comes out.

A Python block whose first line is ``# name.py`` is saved under that name, and a diff block that begins so changes it.
In a console block a line after ``$`` is a command, and the lines below it are what it prints. Times and run ids may
differ.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

_FENCED = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_RUN_ID = re.compile(r"\b[0-9a-f]{16}-[0-9a-f]{16}\b")
_TIME = re.compile(r"\b\d\d:\d\d:\d\d\.\d{6}\b|\b\d+\.\d\ds$", re.MULTILINE)


Command = tuple[str, str, str]
"""A command of the page, what it is said to print, and what it printed."""

ReadAlong = Callable[..., list[Command]]


def normal(text: str) -> str:
    """The text without what differs from run to run: times and run ids."""
    return _TIME.sub("<time>", _RUN_ID.sub("<run id>", text))


def _blocks(page: str) -> Iterator[tuple[str, str]]:
    text = (ROOT / page).read_text(encoding="utf-8")
    for match in _FENCED.finditer(text):
        yield match.group(1).strip(), match.group(2)


def _named(page: str, body: str) -> tuple[str, str]:
    """The name of the file in a block's first line, and what stands below that."""
    first, _, rest = body.partition("\n")
    name = re.fullmatch(r"# (\w+\.py)", first)
    assert name is not None, f"a block of {page} has no name in its first line: {first}"
    return name.group(1), rest


def _change(file: Path, diff: str) -> None:
    lines = diff.splitlines(keepends=True)
    before, after = ("".join(line[1:] for line in lines if line[0] in signs) for signs in (" -", " +"))
    text = file.read_text(encoding="utf-8")
    assert text.count(before) == 1, f"what is to be changed stands {text.count(before)} times in {file.name}:\n{before}"
    file.write_text(text.replace(before, after), encoding="utf-8")


def _commands(body: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        line, _, said = part.partition("\n")
        yield line, said


def _type(line: str, folder: Path) -> str:
    program, *arguments = line.split()
    settings: dict[str, str] = {}
    while "=" in program:
        name, _, value = program.partition("=")
        settings[name] = value
        program, *arguments = arguments
    assert program == "python", f"the page runs {program!r}; this reader only knows how to run python"
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    # As a shell says it.
    return done.stdout + ("Killed\n" if done.returncode == -9 else "")


@pytest.fixture
def read_along(tmp_path: Path) -> ReadAlong:
    """Follow pages from the first block to the last, in one folder that is empty at the beginning."""

    def follow(*pages: str) -> list[Command]:
        commands: list[Command] = []
        for page in pages:
            for language, body in _blocks(page):
                if language == "python":
                    (tmp_path / _named(page, body)[0]).write_text(body, encoding="utf-8")
                elif language == "diff":
                    name, diff = _named(page, body)
                    _change(tmp_path / name, diff)
                elif language == "console":
                    for line, said in _commands(body):
                        commands.append((line, normal(said), normal(_type(line, tmp_path))))
        return commands

    return follow
