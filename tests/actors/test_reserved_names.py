"""The names that an actor of one's own must not have are those of the docs, and no others."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pykka

import greenroom
from greenroom.actors import Actor, Supervisor

_DOCS = Path(greenroom.__file__).parents[1] / "docs" / "actors.md"


def reserved() -> tuple[set[str], list[str]]:
    """What the docs say: names, and patterns of names."""
    (told,) = re.findall(r"^Not for your own use in a subclass(.*?)\n\n", _DOCS.read_text(), re.MULTILINE | re.DOTALL)
    names, rest = told.split("and what begins with")
    begins, ends = rest.split("ends with")
    patterns = [f"{each}*" for each in re.findall(r"`(\w+)`", begins)]
    patterns += [f"*{each}" for each in re.findall(r"`(\w+)`", ends)]
    patterns += [f"{each}*" for each in re.findall(r"`(\w+)…`", names)]
    return set(re.findall(r"`(\w+)`", names)), patterns


def own_names(kind: type[Actor]) -> set[str]:
    """Of what is ours and not pykka's."""
    return {name for name in dir(kind) if not name.startswith("__")} - set(dir(pykka.Actor))


def test_each_name_of_an_actor_is_reserved_by_the_docs() -> None:
    names, patterns = reserved()
    asked_of_supervisors = {"start_child", "stop_child", "restart_child", "child", "children"}

    unsaid = {
        name
        for name in own_names(Supervisor)
        if name not in names and not any(fnmatchcase(name, pattern) for pattern in patterns)
    }

    assert unsaid == asked_of_supervisors


def test_each_name_that_the_docs_reserve_is_one_of_an_actor() -> None:
    names, _ = reserved()

    assert names <= own_names(Actor)


def test_a_supervisor_of_ones_own_may_have_any_other_name() -> None:
    assert not {"post", "directive"} & set(dir(Supervisor))
