"""What a program loads that imports a part of greenroom: no other part, and no library that it does not need."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

EXTRAS = (
    "click",
    "django",
    "fastapi",
    "hypothesis",
    "jinja2",
    "opentelemetry",
    "prometheus_client",
    "pydantic",
    "pytest",
    "rich",
    "starlette",
    "temporalio",
    "uvicorn",
)
OTHERS = (
    *EXTRAS,
    "asyncio",
    "concurrent.futures.process",
    "copy",
    "dataclasses",
    "greenroom.actors",
    "greenroom.actors.bounded_mailbox",
    "greenroom.actors.shared_dispatcher",
    "greenroom.runtime",
    "greenroom.runtime.core",
    "greenroom.runtime.core.execution",
    "greenroom.runtime.core.metadata",
    "greenroom.runtime.model",
    "greenroom.runtime.model.static_check",
    "greenroom.runtime.shell",
    "greenroom.storage",
    "greenroom.storage.memory",
    "greenroom.testing",
    "lmdb",
    "msgpack",
    "msgspec",
    "multiprocessing",
    "pykka",
    "unittest",
)
WORDS = {"asyncio", "greenroom.runtime", "greenroom.runtime.model", "msgspec"}
MIND = WORDS | {"greenroom.runtime.core"}
HANDS = MIND | {
    "greenroom.actors",
    "greenroom.runtime.core.execution",
    "greenroom.runtime.shell",
    "greenroom.storage",
    "lmdb",
    "msgpack",
    "pykka",
}
KIT = HANDS | {"greenroom.storage.memory", "greenroom.testing"}

# What a program does → which of the above that loads, and no other.
LOADED: dict[str, set[str]] = {
    "import greenroom": set(),
    "import greenroom; greenroom.__version__; dir(greenroom)": set(),
    "import greenroom.actors": {"greenroom.actors", "pykka"},
    "from greenroom import Future": {"greenroom.actors", "pykka"},
    "import greenroom.storage": {"greenroom.storage", "lmdb", "msgpack"},
    "from greenroom import RetryPolicy": WORDS,
    "from greenroom import activity, workflow": MIND,
    "from greenroom import Runtime": HANDS,
    "import greenroom; [getattr(greenroom, name) for name in greenroom.__all__]": HANDS,
    "import greenroom.testing": {"greenroom.testing"},
    "from greenroom.testing import TestRuntime": KIT,
    "import greenroom.testing; [getattr(greenroom.testing, name) for name in greenroom.testing.__all__]": KIT,
}


def loaded_after(code: str) -> set[str]:
    """The names of all modules that a fresh interpreter has loaded for the code."""
    program = f"import sys\nbefore = set(sys.modules)\n{code}\nprint(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("code", LOADED)
def test_a_program_loads_the_parts_that_it_uses(code: str) -> None:
    assert loaded_after(code) & {*OTHERS} == LOADED[code]


FACE = {"greenroom", "greenroom.loading"}


def test_importing_greenroom_loads_nothing_of_greenroom_but_its_face() -> None:
    assert {name for name in loaded_after("import greenroom") if name.startswith("greenroom")} == FACE


_FORKED_MEANWHILE = """
import gc, importlib.machinery, os, sys, threading, time

import greenroom

begun, go_on = threading.Event(), threading.Event()

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "greenroom.runtime.runtime":
            begun.set()
            go_on.wait(10)

sys.meta_path.insert(0, Slow())
loading = threading.Thread(target=lambda: greenroom.Runtime)
loading.start()
begun.wait(10)
off = not gc.isenabled()
if os.fork() == 0:
    os._exit(7 if gc.isenabled() else 8)
child = os.waitstatus_to_exitcode(os.wait()[1])
go_on.set()
loading.join()
print(off, child, gc.isenabled())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only POSIX forks")
def test_the_collector_rests_while_something_is_loaded_and_no_longer_even_in_a_child_that_is_forked_meanwhile() -> None:
    found = subprocess.run([sys.executable, "-c", _FORKED_MEANWHILE], capture_output=True, text=True, check=True)

    assert found.stdout.split() == ["True", "7", "True"]


_AFTER_LOADING = """
import gc, sys

import greenroom

if "frozen" in sys.argv:
    gc.freeze()
frozen = gc.get_freeze_count()
greenroom.Runtime
young = len(gc.get_objects(generation=0)) + len(gc.get_objects(generation=1))
print(gc.isenabled(), young < 1000, 2 * gc.get_freeze_count() > frozen, gc.get_freeze_count() > 0)
"""


@pytest.mark.parametrize(
    ("argument", "told"), [("", ["True", "True", "False", "False"]), ("frozen", ["True", "False", "True", "True"])]
)
def test_what_is_loaded_is_old_at_once_and_what_somebody_has_frozen_stays_so(argument: str, told: list[str]) -> None:
    program = [sys.executable, "-c", _AFTER_LOADING, argument]

    assert subprocess.run(program, capture_output=True, text=True, check=True).stdout.split() == told


_NAMED_AGAIN = """
import gc

import greenroom

greenroom.Runtime
kept = [[] for _ in range(500)]
greenroom.WorkflowClosedError
young = {id(each) for each in gc.get_objects(generation=0)}
print(sum(id(each) in young for each in kept))
"""


def test_a_further_name_of_what_is_loaded_calls_nothing_old() -> None:
    said = subprocess.run([sys.executable, "-c", _NAMED_AGAIN], capture_output=True, text=True, check=True).stdout

    assert int(said) > 400


_STRUCK = """
import gc

import greenroom

def strike():
    raise KeyboardInterrupt

real, gc.{where} = gc.{where}, strike
try:
    greenroom.Runtime
except KeyboardInterrupt:
    gc.{where} = real
    print(gc.isenabled(), gc.get_freeze_count())
"""

_FORKED = """
import gc, os

import greenroom

def fork():
    gc.{where} = real
    if os.fork() == 0:
        os._exit(7 if gc.isenabled() and not gc.get_freeze_count() else 8)
    print(os.waitstatus_to_exitcode(os.wait()[1]))
    return real()

real, gc.{where} = gc.{where}, fork
greenroom.Runtime
print(gc.isenabled(), gc.get_freeze_count())
"""


@pytest.mark.parametrize("where", ["get_freeze_count", "freeze"])
def test_the_collector_is_on_again_whatever_strikes_meanwhile(where: str) -> None:
    program = [sys.executable, "-c", _STRUCK.format(where=where)]

    assert subprocess.run(program, capture_output=True, text=True, check=True).stdout.split() == ["True", "0"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only POSIX forks")
@pytest.mark.parametrize("where", ["get_freeze_count", "freeze", "unfreeze"])
def test_a_child_that_is_forked_at_the_end_of_loading_has_the_collector_on_and_nothing_frozen(where: str) -> None:
    program = [sys.executable, "-c", _FORKED.format(where=where)]

    assert subprocess.run(program, capture_output=True, text=True, check=True).stdout.split() == ["7", "True", "0"]
