"""The pytest plugin in sessions of its own: what is closed after a test, what one that fails says, what is loaded."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TESTS = """
import asyncio

import pytest
from greenroom import ApplicationError, workflow


@workflow.defn
class Order:
    def __init__(self):
        self.is_paid = False

    @workflow.run
    async def run(self):
        await workflow.wait_condition(lambda: self.is_paid)
        if workflow.info().workflow_id == "lost":
            raise ApplicationError("the parcel is lost")
        if workflow.info().workflow_id == "buggy":
            raise KeyError("parcel")
        return workflow.uuid4().hex

    @workflow.signal
    def pay(self):
        self.is_paid = True


def test_good(greenroom_runtime):
    runtime = greenroom_runtime(workflows=[Order])
    order = runtime.start_workflow(Order.run, id="paid").get()
    order.signal(Order.pay).get()
    print("uuid:", order.result().get())
    print("evictions:", runtime.evictions)


def test_closes(greenroom_runtime):
    greenroom_runtime(workflows=[Order])
    pytest.runtimes = greenroom_runtime


def test_is_closed():
    assert [runtime.is_open for runtime in pytest.runtimes.opened] == [False]


def test_bad(greenroom_runtime):
    runtime = greenroom_runtime(workflows=[Order])
    for name in ("paid", "waits", "lost", "buggy"):
        order = runtime.start_workflow(Order.run, id=name).get()
        if name != "waits":
            order.signal(Order.pay).get()
    runtime.run_until_idle()
    assert runtime.clock.now_ns() == 0


@workflow.defn
async def stubborn():
    for _ in range(100):
        try:
            await asyncio.Event().wait()
        except BaseException:
            continue


@pytest.mark.filterwarnings("ignore")
def test_leaks(greenroom_runtime):
    greenroom_runtime(workflows=[stubborn]).start_workflow(stubborn).get()
"""


@pytest.fixture
def session(tmp_path: Path) -> Path:
    (tmp_path / "test_orders.py").write_text(TESTS, encoding="utf-8")
    return tmp_path


def run(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "--no-header", *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, env=environment)
    return done.stdout + done.stderr


def printed(said: str, what: str) -> list[str]:
    """What the tests of a session have printed after a word."""
    return re.findall(rf"^{what}: (.*)$", said, re.MULTILINE)


def test_the_fixture_that_is_taken_for_a_runtime_says_that_it_is_called(greenroom_runtime: Any) -> None:
    with pytest.raises(
        AttributeError, match=r"runtime = greenroom_runtime\(workflows=\[…\]\), and then runtime.start_wo"
    ):
        greenroom_runtime.start_workflow("Order")

    assert not hasattr(greenroom_runtime, "__test__")


@pytest.mark.slow
def test_a_session_has_runtimes_that_are_closed_and_accounted_for(session: Path) -> None:
    said = run(session)

    assert "1 failed, 4 passed, 1 error" in said, said
    assert "ERROR test_orders.py::test_leaks - greenroom.testing.errors.LeakError" in said, said
    account = said.partition("greenroom: the runs of this test")[2]
    assert re.search(
        r"workflow 'paid' \(Order\) has ended: completed with '[0-9a-f]{32}'\n"
        r"workflow 'waits' \(Order\) waits for a signal or a condition, since it has no activity and no timer\n"
        r"workflow 'lost' \(Order\) has ended: failed, the parcel is lost\n"
        r"workflow 'buggy' \(Order\) is suspended; describe\(\) has the traceback\n"
        r"Traceback [^\x00]*KeyError: 'parcel'\n",
        account,
    ), said


@pytest.mark.slow
def test_runtimes_follow_the_command_line(session: Path) -> None:
    plain, again, other = (run(session, "-k", "good", *arguments) for arguments in ((), (), ("--greenroom-seed=7",)))
    evicted = run(session, "-k", "good", "--greenroom-evict")

    assert len(printed(plain, "uuid")) == 1
    assert printed(plain, "uuid") == printed(again, "uuid") == printed(evicted, "uuid") != printed(other, "uuid")
    assert printed(plain, "evictions") == ["0"]
    assert int(printed(evicted, "evictions")[0]) > 0


@pytest.mark.slow
def test_a_session_that_does_not_use_it_loads_nothing_of_greenroom(tmp_path: Path) -> None:
    (tmp_path / "test_else.py").write_text(
        "import sys\n\ndef test_else():\n"
        "    print('loaded:', *sorted(name for name in sys.modules if name.partition('.')[0] == 'greenroom'))\n"
        "    print('others:', 'lmdb' in sys.modules, 'msgspec' in sys.modules, 'pykka' in sys.modules)\n",
        encoding="utf-8",
    )

    said = run(tmp_path)

    assert printed(said, "loaded") == ["greenroom greenroom.pytest_plugin"], said
    assert printed(said, "others") == ["False False False"], said
