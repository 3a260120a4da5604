"""What the tutorial shows is what happens, in the order of the page."""

from __future__ import annotations

from collections.abc import Callable

import pytest

ReadAlong = Callable[[str], list[tuple[str, str, str]]]


@pytest.mark.slow
@pytest.mark.aside
def test_the_commands_of_the_tutorial_print_what_it_says(read_along: ReadAlong) -> None:
    commands = read_along("docs/tutorial.md")

    assert commands
    for line, said, printed in commands:
        assert printed == said, line
