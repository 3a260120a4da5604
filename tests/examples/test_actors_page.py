"""The page on actors: each program prints what stands behind it, and the page names all that there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from greenroom.actors import Actor, Directive, Overflow, Restart, Strategy, Supervisor
from tests.examples.test_pages import options_of, run

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "actors.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```)?", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.aside
@pytest.mark.parametrize(("program", "output"), PROGRAMS)
def test_a_program_of_the_page_prints_what_stands_behind_it(program: str, output: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(program, encoding="utf-8")

    done = run(tmp_path, "program.py")

    assert (done.returncode, done.stdout) == (0, output)


def test_the_page_has_programs() -> None:
    assert len(PROGRAMS) >= 5
    assert sum(bool(output) for _, output in PROGRAMS) >= 4


def test_the_page_names_every_option_and_every_choice() -> None:
    choices = [each.name for kind in (Strategy, Directive, Restart, Overflow) for each in kind]
    options = [f"{name}=" for name in options_of(Supervisor)]

    assert [name for name in (*choices, *options) if f"{name}" not in PAGE] == []


def test_the_page_names_what_an_actor_may_not_use_for_itself() -> None:
    own = {name for name in vars(Actor) if not name.startswith(("__", "_abc"))} | set(Actor.__slots__)
    told = {"dispatcher", "launch", "run_turn", "abandon", "watch", "unwatch", "take_place_of"}
    pykkas = {"_create_actor_inbox", "_create_future", "_start_actor_loop"}

    rest = own - told - pykkas
    assert {name for name in told if f"`{name}`" not in PAGE} == set()
    assert {
        name
        for name in rest
        if not name.startswith(("_actor_", "actor_", "mailbox_", "instance_")) and not name.endswith("_instance")
    } == set()
