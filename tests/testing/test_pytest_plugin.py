"""The pytest plugin in sessions of its own: what is closed after a test, what one that fails says, what is loaded."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.aside

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


ENDINGS = """
import asyncio

import pytest
from greenroom import workflow

pytestmark = pytest.mark.filterwarnings("ignore")


@workflow.defn
async def stubborn():
    for _ in range(100):
        try:
            await asyncio.Event().wait()
        except BaseException:
            continue


@workflow.defn
async def patient():
    await workflow.wait_condition(lambda: False)


def leak(greenroom_runtime):
    greenroom_runtime(workflows=[stubborn]).start_workflow(stubborn, id="stubborn").get()


@pytest.fixture
def broken(greenroom_runtime):
    leak(greenroom_runtime)
    raise RuntimeError("the fixture")


def test_fails(greenroom_runtime):
    leak(greenroom_runtime)
    raise RuntimeError("the test")


@pytest.mark.xfail(raises=RuntimeError)
def test_fails_as_expected(greenroom_runtime):
    leak(greenroom_runtime)
    raise RuntimeError("the test")


def test_is_skipped(greenroom_runtime):
    leak(greenroom_runtime)
    pytest.skip("no more")


def test_has_a_broken_fixture(broken):
    pass


def test_crashes(greenroom_runtime):
    runtime = greenroom_runtime(workflows=[patient])
    runtime.start_workflow(patient, id="patient").get().signal("hello")
    runtime.store.crash_at_commit(1)
    raise RuntimeError("the test")


def test_the_second_leaks(greenroom_runtime):
    greenroom_runtime(workflows=[patient]).start_workflow(patient).get()
    leak(greenroom_runtime)


def test_with(greenroom_runtime):
    with greenroom_runtime(workflows=[patient]) as runtime:
        runtime.start_workflow(patient, id="with").get()
    assert not runtime.is_open


def test_fails_with(greenroom_runtime):
    with greenroom_runtime(workflows=[patient]) as runtime:
        greenroom_runtime(workflows=[patient])
        runtime.start_workflow(patient, id="entered").get()
        raise RuntimeError("the test")


class Unreadable:
    def account(self):
        raise SystemExit("no account")

    def close(self, **_):
        pass


def test_cannot_be_looked_at(greenroom_runtime):
    greenroom_runtime.opened.append(Unreadable())
    raise RuntimeError("the test")


def test_seed(greenroom_runtime):
    def random(**options):
        return greenroom_runtime(workflows=[patient], **options).start_workflow(patient).get().run_id

    print("seeds:", random(seed=3), random(seed=3), random())


"""


@pytest.fixture
def session(tmp_path: Path) -> Path:
    (tmp_path / "test_orders.py").write_text(TESTS, encoding="utf-8")
    return tmp_path


def run(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "--no-header", *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    environment["COLUMNS"] = "200"  # of each line of the summary so much is told
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
        r"workflow 'waits' \(Order\) waits for a signal or a condition, since it has no activity, no "
        r"timer and no child\n"
        r"workflow 'lost' \(Order\) has ended: failed, the parcel is lost\n"
        r"workflow 'buggy' \(Order\) is suspended; describe\(\) has the traceback\n"
        r"Traceback [^\x00]*KeyError: 'parcel'\n",
        account,
    ), said


def section(said: str, test: str) -> str:
    """What a session says of one test that has failed."""
    return said.partition(f"_ {test} _")[2].partition("\n____")[0]


@pytest.mark.slow
def test_what_is_left_behind_counts_for_a_test_that_has_passed_alone(tmp_path: Path) -> None:
    (tmp_path / "test_endings.py").write_text(ENDINGS, encoding="utf-8")

    said = run(tmp_path, "--greenroom-seed=7")

    assert "4 failed, 3 passed, 1 skipped, 1 xfailed, 2 errors" in said, said
    assert re.findall(r"^ERROR test_endings.py::(\w+) - ([\w.]*\w)", said, re.MULTILINE) == [
        ("test_has_a_broken_fixture", "RuntimeError"),
        ("test_the_second_leaks", "greenroom.testing.errors.LeakError"),
    ], said
    waiting = "workflow {!r} ({}) waits for a signal or a condition, since it has no activity, no timer and no child"
    assert waiting.format("stubborn", "stubborn") in section(said, "ERROR at setup of test_has_a_broken_fixture")
    assert waiting.format("patient", "patient") + "; 1 message it has not taken yet" in section(said, "test_crashes")
    assert (
        f"runtime 1 of 2, in the order of opening:\n{waiting.format('entered', 'patient')}\n"
        "runtime 2 of 2, in the order of opening:\nno runs"
    ) in section(said, "test_fails_with"), said
    assert "they could not be looked at: SystemExit('no account')" in section(said, "test_cannot_be_looked_at")
    assert "the runs of this test" not in section(said, "ERROR at teardown of test_the_second_leaks")
    first, again, other = printed(said, "seeds")[0].split()
    assert first == again != other


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["raise KeyboardInterrupt", "pytest.exit('enough')"])
def test_a_session_that_is_broken_off_says_nothing_of_what_is_left_behind(tmp_path: Path, ending: str) -> None:
    broken_off = f"def test_broken_off(greenroom_runtime):\n    leak(greenroom_runtime)\n    {ending}\n"
    (tmp_path / "test_endings.py").write_text(ENDINGS + broken_off, encoding="utf-8")

    said = run(tmp_path, "-k", "broken_off")

    assert "KeyboardInterrupt" in said or "enough" in said, said
    assert "LeakError" not in said, said


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

    assert printed(said, "loaded") == ["greenroom greenroom.loading greenroom.pytest_plugin"], said
    assert printed(said, "others") == ["False False False"], said
