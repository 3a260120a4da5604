"""What the tutorial shows is what happens, in the order of its pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

ReadAlong = Callable[..., list[tuple[str, str, str]]]

PAGES = ("docs/tutorial.md", "docs/tutorial-2.md", "docs/tutorial-3.md")


@pytest.mark.slow
@pytest.mark.aside
def test_the_commands_of_the_tutorial_print_what_it_says(read_along: ReadAlong) -> None:
    commands = read_along(*PAGES)

    assert len(commands) > 30
    for line, said, printed in commands:
        assert printed == said, line


def test_the_tutorial_has_all_its_pages() -> None:
    docs = Path(__file__).resolve().parents[2] / "docs"

    assert sorted(PAGES) == sorted(f"docs/{path.name}" for path in docs.glob("tutorial*.md"))
