"""The account of a test's runs: it says how they stand, and neither drives them nor uses up what was planned."""

from __future__ import annotations

import pytest

from greenroom import ApplicationError, WorkflowExecutionStatus, workflow
from greenroom.storage import ReadError, Tree, WriteError
from greenroom.storage.keys import TIMER_KEY, DueKind, Kind
from greenroom.storage.store import META_KEY
from greenroom.testing import Crash, TestRuntime
from greenroom.testing.standings import MOST_IN_ALL


@workflow.defn(name="account.waits")
class Waits:
    def __init__(self) -> None:
        self.heard = 0

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: self.heard > 1)
        return self.heard

    @workflow.signal
    def hear(self) -> None:
        self.heard += 1


@workflow.defn(name="account.sleeps")
async def sleeps(seconds: float) -> None:
    await workflow.sleep(seconds)


@workflow.defn(name="account.ends")
async def ends(how: str) -> None:
    if how == "fails":
        raise ApplicationError("the parcel is lost")
    if how == "stops":
        raise KeyError("a bug")


def test_it_says_what_nobody_has_driven_yet_and_drives_nothing() -> None:
    with TestRuntime() as runtime:
        handle = runtime.start_workflow(Waits.run, id="waits").get()
        handle.signal(Waits.hear)
        runtime.get_workflow_handle("waits").signal(Waits.hear)
        runtime.start_workflow(ends, "well", id="later")
        before = runtime.store.commits

        account = runtime.account()

        waiting = "waits for a signal or a condition, since it has no activity, no timer and no child"
        assert account == [
            f"workflow 'waits' (account.waits) {waiting}; 2 messages it has not taken yet",
            "starts that nothing has driven yet: 1",
        ]
        assert runtime.account() == account
        assert runtime.store.commits == before
        assert handle.result().get() == 2


def test_a_message_in_the_mailbox_is_one_that_was_not_taken_yet() -> None:
    with TestRuntime() as runtime:
        first, second = (runtime.start_workflow(Waits.run, id=name).get() for name in ("first", "second"))
        for handle in (first, first, second):
            handle.signal(Waits.hear)
        runtime.step()  # hears of all three, and takes one

        told = [line.partition("; ")[2] for line in runtime.account()]

        assert sorted(told) == ["1 message it has not taken yet", "1 message it has not taken yet"]


@pytest.mark.parametrize("plan", ["crash", "fail", "read"])
def test_it_leaves_what_is_planned_for_the_test(plan: str) -> None:
    runtime = TestRuntime().open()
    handle = runtime.start_workflow(Waits.run, id="waits").get()
    told = handle.signal(Waits.hear)
    if plan == "crash":
        runtime.store.crash_at_commit(1)
    elif plan == "fail":
        runtime.store.fail_commit(error=WriteError("here", "planned"))
    else:
        runtime.store.fail_read(1)

    (line,) = runtime.account()

    assert line.endswith("; 1 message it has not taken yet")
    if plan == "crash":
        with pytest.raises(Crash):
            told.get()
    elif plan == "fail":
        with pytest.raises(Exception, match="planned"):
            told.get()
    else:
        with pytest.raises(ReadError):
            runtime.recorded()
    runtime.close(check_leaks=False)


def test_runs_that_are_on_disk_only_are_told_of_too() -> None:
    with TestRuntime(evict_after_every_turn=True) as runtime:
        runtime.start_workflow(sleeps, 60.0, id="sleeps").get()
        runtime.start_workflow(ends, "stops", id="stops").get()
        runtime.run_until_idle()
        assert len(runtime.hands.directory) == 0

        sleeping, stopped = runtime.account()

        assert sleeping.startswith("workflow 'sleeps' (account.sleeps) waits for a timer until ")
        assert stopped.endswith("KeyError: 'a bug'")
        assert len(runtime.hands.directory) == 0


def test_after_a_crash_it_says_what_the_disk_has() -> None:
    with TestRuntime() as runtime:
        handle = runtime.start_workflow(Waits.run, id="waits").get()
        runtime.store.crash_at_commit(1)
        with pytest.raises(Crash):
            handle.signal(Waits.hear).get()

        dead = runtime.account()
        runtime.crash()

        waiting = "workflow 'waits' (account.waits) waits for a signal or a condition"
        assert dead[0].startswith(waiting)
        assert runtime.account()[0].startswith(waiting)


def test_what_has_gone_wrong_is_told_first_where_there_are_many() -> None:
    with TestRuntime() as runtime:
        for number in range(MOST_IN_ALL + 5):
            how = {17: "fails", 23: "stops"}.get(number, "well")
            runtime.start_workflow(ends, how, id=f"w{number}").get()

        told = runtime.account()

        assert [line.split()[1] for line in told[:4]] == ["'w17'", "'w23'", "'w24'", "'w22'"]
        assert len(told) == MOST_IN_ALL + 1
        assert told[-1] == "and 5 more"
        status = runtime.get_workflow_handle("w23").describe().get().status
        assert status is WorkflowExecutionStatus.SUSPENDED


def test_a_run_that_cannot_be_looked_at_has_a_line_that_says_so() -> None:
    runtime = TestRuntime().open()
    for workflow_id, target, argument in (("first", ends, "well"), ("second", sleeps, 60.0), ("third", ends, "well")):
        runtime.start_workflow(target.definition.name, argument, id=workflow_id).get()
    runtime.store.commit({Tree.RUNS: {TIMER_KEY.pack(2, Kind.TIMER, DueKind.TIMER, 1): b"damaged"}})

    first, second, third = runtime.account()

    assert second.startswith("workflow 'second' (account.sleeps) could not be looked at: CorruptError(")
    assert [first, third] == [
        f"workflow {each!r} (account.ends) has ended: completed with None" for each in ("first", "third")
    ]
    runtime.close(check_leaks=False)


def test_a_journal_that_cannot_be_read_is_told_of_instead() -> None:
    runtime = TestRuntime().open()
    runtime.start_workflow(ends, "well", id="first").get()
    runtime.store.commit({Tree.META: {META_KEY: b"damaged"}})

    (told,) = runtime.account()

    assert told.startswith("the journal could not be looked at: damaged: ")
    runtime.close(check_leaks=False)
