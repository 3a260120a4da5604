"""TestRuntime: the real runtime, one turn at a time, with time that passes only when it is told to."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest

from greenroom import InternalError, Runtime, activity, workflow
from greenroom.actors import ManualClock, WaitTimeoutError
from greenroom.runtime.model.errors import (
    ActivityError,
    RuntimeClosedError,
    TimeoutError,
    WorkflowFailureError,
)
from greenroom.runtime.model.retry import RetryPolicy
from greenroom.runtime.runtime_options import RuntimeOptions
from greenroom.storage import MemoryStore, ReadError, Tree
from greenroom.testing import Crash, LeakError, StuckError, TestRuntime, options
from greenroom.testing.faults import When
from tests.examples.test_pages import options_of

NS = 1_000_000_000
performed: list[str] = []
threads: set[int] = set()


@activity.defn(name="runtime.note")
def note(name: str) -> str:
    performed.append(name)
    threads.add(threading.get_ident())
    return name


@activity.defn(name="runtime.wait")
async def wait(seconds: float) -> float:
    threads.add(threading.get_ident())
    await asyncio.sleep(seconds)
    return seconds


@activity.defn(name="runtime.forever")
async def forever() -> None:
    await asyncio.Event().wait()


@activity.defn(name="runtime.flaky")
def flaky(failures: int) -> int:
    if activity.info().attempt <= failures:
        raise ValueError("not yet")
    return activity.info().attempt


@workflow.defn(name="runtime.sleeper")
async def sleeper(seconds: float) -> int:
    await workflow.sleep(seconds)
    return workflow.time_ns()


@workflow.defn(name="runtime.three")
async def three() -> list[str]:
    return list(await asyncio.gather(*(workflow.execute_activity(note, name) for name in "abc")))


@workflow.defn(name="runtime.waits")
async def waits(seconds: float) -> float:
    return await workflow.execute_activity(wait, seconds)


@workflow.defn(name="runtime.hopes")
async def hopes() -> None:
    await workflow.execute_activity(forever, start_to_close_timeout=60, retry_policy=RetryPolicy(maximum_attempts=2))


@workflow.defn(name="runtime.tries")
async def tries(failures: int, attempts: int) -> int:
    policy = RetryPolicy(maximum_attempts=attempts)
    return await workflow.execute_activity(flaky, failures, retry_policy=policy)


@workflow.defn(name="runtime.teller")
async def teller(name: str) -> None:
    await workflow.sleep(1)
    await workflow.get_external_workflow_handle("listener").signal("word", name)


@workflow.defn(name="runtime.listener")
async def listener(count: int) -> list[object]:
    channel = workflow.signal_channel()
    return [await channel.receive("word") for _ in range(count)]


@workflow.defn(name="runtime.family")
async def family() -> list[object]:
    return await workflow.execute_child_workflow(listener, 1, id="child")


@workflow.defn(name="runtime.dice")
async def dice() -> int:
    return workflow.random().randrange(2**60)


@pytest.fixture(autouse=True)
def _nothing_performed() -> None:
    performed.clear()
    threads.clear()


def test_who_gets_a_future_drives_the_runtime() -> None:
    with TestRuntime() as runtime:
        handle = runtime.start_workflow(three, id="w").get()

        assert handle.result().get(timeout=5) == ["a", "b", "c"]
        assert len(handle.fetch_history().get().events) > 3


def test_who_awaits_a_future_drives_the_runtime() -> None:
    async def main() -> list[str]:
        async with TestRuntime() as runtime:
            handle = await runtime.start_workflow(three, id="w")
            return await handle.result()

    assert asyncio.run(main()) == ["a", "b", "c"]


def test_the_timeout_of_get_is_time_of_the_runtime() -> None:
    with TestRuntime() as runtime:
        result = runtime.execute_workflow(sleeper, 3600.0)
        begun_ns = runtime.clock.now_ns()

        with pytest.raises(WaitTimeoutError, match="no outcome within 60 s"):
            result.get(timeout=timedelta(minutes=1))
        assert runtime.clock.now_ns() - begun_ns == 60 * 10**9
        result.get(timeout=3600)
        assert runtime.clock.now_ns() - begun_ns == 3600 * 10**9


def test_getting_what_can_never_be_there_says_so() -> None:
    with TestRuntime() as runtime:
        result = runtime.execute_workflow(listener, 1, id="listener")

        with pytest.raises(StuckError, match="no message, no activity and no timer is left"):
            result.get(timeout=60)


def test_getting_without_skipping_says_what_is_due() -> None:
    with TestRuntime(auto_skip=False) as runtime, pytest.raises(StuckError, match="auto_skip is off; use advance"):
        runtime.execute_workflow(sleeper, 10.0).get(timeout=60)


def test_a_future_of_another_runtime_is_driven_by_that_one() -> None:
    with TestRuntime() as one, TestRuntime() as other:
        results = [runtime.execute_workflow(three, id="w") for runtime in (one, other)]

        assert [result.get() for result in results] == [["a", "b", "c"]] * 2


def test_nothing_happens_until_it_is_driven() -> None:
    with TestRuntime() as runtime:
        started = runtime.start_workflow(three, id="w")

        assert not started.done()
        assert runtime.recorded() == []


def test_a_step_takes_exactly_one_turn_and_commits_it() -> None:
    with TestRuntime() as runtime:
        handle = runtime.wait(runtime.start_workflow(listener, 2, id="w"))
        commits = runtime.store.commits
        handle.signal("word", 1)
        handle.signal("word", 2)

        has_run = runtime.step()

        assert has_run
        assert runtime.store.commits == commits + 1
        assert len(runtime.recorded()[0].turns) == 2


def test_a_step_with_nothing_to_do_says_so() -> None:
    with TestRuntime() as runtime:
        runtime.run_until_idle()

        assert not runtime.step()


def test_waiting_for_a_result_skips_the_time_in_which_nothing_happens() -> None:
    with TestRuntime() as runtime:
        begun_ns = runtime.clock.now_ns()

        woken_ns = runtime.wait(runtime.execute_workflow(sleeper, 30 * 86400.0))

        assert woken_ns == begun_ns + 30 * 86400 * NS


def test_without_auto_skip_a_wait_that_needs_time_is_stuck() -> None:
    with TestRuntime(auto_skip=False) as runtime:
        result = runtime.execute_workflow(sleeper, 5.0)

        with pytest.raises(StuckError, match=r"due in 5\.0 s and auto_skip is off"):
            runtime.wait(result)
        runtime.advance(5)

        assert result.done()


def test_a_wait_for_what_can_never_come_is_stuck() -> None:
    with TestRuntime() as runtime:
        result = runtime.execute_workflow(listener, 1)

        with pytest.raises(StuckError, match="no message, no activity and no timer is left"):
            runtime.wait(result)


@workflow.defn(name="runtime.busy")
async def busy(activities: int) -> None:
    calls = [workflow.execute_activity(wait, 5.0) for _ in range(activities)]
    await asyncio.gather(workflow.sleep(60), workflow.sleep(90), *calls)


@workflow.defn(name="runtime.broken")
async def broken() -> None:
    raise KeyError("a bug")


@pytest.mark.parametrize("evict", [False, True])
def test_who_is_stuck_is_told_what_each_open_workflow_waits_for(evict: bool) -> None:
    with TestRuntime(auto_skip=False, evict_after_every_turn=evict) as runtime:
        for target, arguments, id in ((busy, (1,), "busy"), (busy, (5,), "busier"), (broken, (), "broken")):
            runtime.wait(runtime.start_workflow(target.definition.name, *arguments, id=id))
        assert runtime.wait(runtime.execute_workflow(three, id="ended")) == ["a", "b", "c"]
        result = runtime.execute_workflow(listener, 2, id="listener")
        runtime.wait(runtime.get_workflow_handle("listener").signal("unheard", 1))
        paused = runtime.wait(runtime.start_workflow(listener, 1, id="paused"))
        runtime.wait(paused.suspend("audit"))

        with pytest.raises(StuckError) as caught:
            runtime.wait(result)

        waiting = "activity 'runtime.wait' at attempt 1"
        timers = "a timer until 2023-11-14T22:14:20Z (in 60 s), a timer until 2023-11-14T22:14:50Z (in 90 s)"
        why, *lines = str(caught.value).splitlines()
        assert why.startswith("nothing can go on: the next thing is due in 5.0 s")
        assert lines == [
            f"  workflow 'busy' (runtime.busy) waits for {waiting}, {timers}",
            f"  workflow 'busier' (runtime.busy) waits for {waiting}, {waiting}, {waiting}, 2 more, {timers}",
            "  workflow 'broken' (runtime.broken) is suspended; describe() has the traceback",
            "  workflow 'listener' (runtime.listener) waits for a signal or a condition, since it has no activity, "
            "no timer and no child; it has 1 signal that nothing has taken",
            "  workflow 'paused' (runtime.listener) is suspended by request: audit",
        ]


def test_who_is_stuck_says_which_child_it_waits_for() -> None:
    with TestRuntime() as runtime:
        result = runtime.execute_workflow(family, id="parent")

        with pytest.raises(StuckError) as caught:
            runtime.wait(result)

        assert str(caught.value).splitlines()[1:] == [
            "  workflow 'parent' (runtime.family) waits for child 'child' (runtime.listener)",
            "  workflow 'child' (runtime.listener) waits for a signal or a condition, since it has no activity, no "
            "timer and no child",
        ]


def test_who_is_stuck_among_many_is_told_of_the_first_open_workflows() -> None:
    with TestRuntime(auto_skip=False) as runtime:
        results = [runtime.execute_workflow(sleeper, 5.0, id=f"w{number}") for number in range(8)]

        with pytest.raises(StuckError) as caught:
            runtime.wait(results[7])

        assert len(caught.value.open_workflows) == 6
        until = "a timer until 2023-11-14T22:13:25Z (in 5 s)"
        assert caught.value.open_workflows[0] == f"workflow 'w0' (runtime.sleeper) waits for {until}"
        assert caught.value.open_workflows[5] == "and 3 more"


def test_a_wait_does_not_move_the_clock_beyond_its_limit() -> None:
    with TestRuntime() as runtime:
        result = runtime.execute_workflow(sleeper, 5.0)

        with pytest.raises(StuckError, match="after the limit"):
            runtime.wait(result, limit=timedelta(seconds=4))


def test_a_wait_for_what_is_tried_for_ever_is_stuck() -> None:
    with TestRuntime() as runtime:
        result = runtime.execute_workflow(tries, 10**9, 0)

        with pytest.raises(StuckError, match="the clock was moved 50 times"):
            runtime.wait(result, most_skips=50)


@pytest.mark.parametrize("evict", [False, True])
def test_what_is_due_at_the_same_instant_keeps_its_order_when_a_run_is_put_away(evict: bool) -> None:
    with TestRuntime(evict_after_every_turn=evict) as runtime:
        listening = runtime.wait(runtime.start_workflow(listener, 2, id="listener"))
        first = runtime.wait(runtime.start_workflow(teller, "first", id="first"))
        runtime.wait(runtime.start_workflow(teller, "second", id="second"))
        runtime.advance(0.5)
        runtime.wait(first.signal("nothing", 1))

        assert runtime.wait(listening.result()) == ["first", "second"]


def test_time_that_is_advanced_fires_what_is_due_at_its_own_time() -> None:
    with TestRuntime() as runtime:
        begun_ns = runtime.clock.now_ns()
        late, early = runtime.execute_workflow(sleeper, 20.0), runtime.execute_workflow(sleeper, 10.0)

        runtime.advance(timedelta(seconds=60))

        assert early.get() == begun_ns + 10 * NS
        assert late.get() == begun_ns + 20 * NS
        assert runtime.clock.now_ns() == begun_ns + 60 * NS


def test_activities_are_performed_on_the_callers_thread_in_their_order() -> None:
    with TestRuntime() as runtime:
        result = runtime.wait(runtime.execute_workflow(three))

    assert result == ["a", "b", "c"]
    assert performed == ["a", "b", "c"]
    assert threads == {threading.get_ident()}


def test_a_seed_chooses_the_order_of_activities() -> None:
    orders: set[str] = set()
    for seed in range(40):
        performed.clear()
        with TestRuntime(shuffle=seed) as runtime:
            runtime.wait(runtime.execute_workflow(three))
        orders.add("".join(performed))

    assert orders == {"abc", "acb", "bac", "bca", "cab", "cba"}


def test_an_async_activity_sleeps_in_the_time_of_the_test() -> None:
    with TestRuntime() as runtime:
        begun_ns = runtime.clock.now_ns()

        result = runtime.wait(runtime.execute_workflow(waits, 3600.0))

        assert result == 3600.0
        assert runtime.clock.now_ns() - begun_ns == 3600 * NS
    assert threads == {threading.get_ident()}


def test_an_async_activity_that_hangs_is_timed_out() -> None:
    with TestRuntime() as runtime:
        result = runtime.execute_workflow(hopes)

        with pytest.raises(WorkflowFailureError) as raised:
            runtime.wait(result)

    assert isinstance(raised.value.cause, ActivityError)
    assert isinstance(raised.value.cause.cause, TimeoutError)


def test_a_counted_attempt_gets_its_permit_without_a_thread() -> None:
    with TestRuntime() as runtime:
        assert runtime.wait(runtime.execute_workflow(tries, 2, 3)) == 3

        with pytest.raises(WorkflowFailureError):
            runtime.wait(runtime.execute_workflow(tries, 3, 3))


def test_the_same_seed_gives_the_same_random_numbers() -> None:
    drawn: list[int] = []
    for seed in (1, 1, 2):
        with TestRuntime(seed=seed) as runtime:
            drawn.append(runtime.wait(runtime.execute_workflow(dice)))

    assert drawn[0] == drawn[1] != drawn[2]


def test_a_run_outlives_a_crash() -> None:
    with TestRuntime() as runtime:
        handle = runtime.wait(runtime.start_workflow(listener, 2, id="w"))
        runtime.wait(handle.signal("word", "one"))

        runtime.crash()
        handle = runtime.get_workflow_handle("w")
        runtime.wait(handle.signal("word", "two"))

        assert runtime.wait(handle.result()) == ["one", "two"]


def test_a_crash_tells_those_who_wait_for_a_result() -> None:
    with TestRuntime() as runtime:
        result = runtime.execute_workflow(listener, 1)
        runtime.run_until_idle()

        runtime.crash()

        with pytest.raises(RuntimeClosedError):
            runtime.wait(result)


@pytest.mark.parametrize(("when", "runs"), [("before", 0), ("after", 1)])
def test_a_commit_that_crashes_is_on_disk_or_not_as_was_asked(when: When, runs: int) -> None:
    with TestRuntime() as runtime:
        runtime.store.crash_at_commit(1, when)
        started = runtime.start_workflow(listener, 1, id="w")

        with pytest.raises(Crash):
            runtime.wait(started)
        runtime.crash()

        assert len(runtime.recorded()) == runs
    assert not started.done()


def test_a_runtime_that_has_crashed_closes_without_writing() -> None:
    store = MemoryStore()
    with TestRuntime(store) as runtime:
        runtime.store.crash_at_commit(2)
        runtime.start_workflow(listener, 1, id="w")
        runtime.start_workflow(listener, 1, id="x")
        with pytest.raises(Crash):
            runtime.run_until_idle()

    with TestRuntime(store) as runtime:
        assert [run.header.workflow_id for run in runtime.recorded()] == ["w"]


def test_a_store_may_outlive_the_runtime() -> None:
    store = MemoryStore()
    clock = ManualClock()
    with TestRuntime(store, clock=clock) as runtime:
        runtime.wait(runtime.start_workflow(sleeper, 100.0, id="w"))

    with TestRuntime(store, clock=clock) as runtime:
        runtime.wait(runtime.get_workflow_handle("w").result())


def test_an_option_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    misspelt: Any = {"wrkflows": []}

    with pytest.raises(TypeError, match=r"no option 'wrkflows' \(there are: activities, .*seed, .*workflows\)"):
        TestRuntime(**misspelt)


def test_the_options_that_checkers_know_are_those_of_the_runtimes() -> None:
    assert list(RuntimeOptions.__annotations__) == options_of(Runtime)
    assert [*RuntimeOptions.__annotations__, *options_of(TestRuntime)] == list(
        options.TestRuntimeOptions.__annotations__
    )


def test_many_runtimes_are_open_in_one_process() -> None:
    runtimes = [TestRuntime(seed=seed).open() for seed in range(50)]
    results = [runtime.execute_workflow(waits, 1.0) for runtime in runtimes]

    assert [runtime.wait(result) for runtime, result in zip(runtimes, results, strict=True)] == [1.0] * 50

    for runtime in runtimes:
        runtime.close()


async def _inside_asyncio() -> float:
    async with TestRuntime() as runtime:
        future = runtime.execute_workflow(waits, 10.0)
        runtime.wait(future)
        return await future


def test_it_works_inside_an_asyncio_program() -> None:
    assert asyncio.run(_inside_asyncio()) == 10.0


def test_opening_and_running_starts_no_thread() -> None:
    before = threading.active_count()

    with TestRuntime() as runtime:
        runtime.wait(runtime.execute_workflow(waits, 1.0))
        runtime.wait(runtime.execute_workflow(three))

        assert threading.active_count() == before


def test_closing_leaves_a_run_with_activities_for_the_next_opening() -> None:
    store = MemoryStore()
    with TestRuntime(store) as runtime:
        runtime.wait(runtime.start_workflow(three, id="w"))
        runtime.wait(runtime.start_workflow(waits, 1.0, id="x"))
        runtime.run_until_idle()

    with TestRuntime(store) as runtime:
        assert runtime.wait(runtime.get_workflow_handle("x").result()) == 1.0


async def stay() -> None:
    for _ in range(100):
        try:
            await asyncio.Event().wait()
        except BaseException:
            continue


@workflow.defn(name="runtime.stubborn")
async def stubborn() -> None:
    task = asyncio.create_task(stay())
    await workflow.wait_condition(task.done)


def test_a_coroutine_that_will_not_end_is_reported_at_close() -> None:
    runtime = TestRuntime().open()
    runtime.wait(runtime.start_workflow(stubborn, id="w"))

    with pytest.raises(LeakError, match="the coroutine stay would not end"):
        runtime.close()


def test_a_damaged_journal_is_reported_at_close() -> None:
    runtime = TestRuntime().open()
    runtime.wait(runtime.start_workflow(listener, 1, id="w"))
    batch = runtime.hands.journal.batch()
    batch.clear_active(1)
    batch.take_mail(1, 99)
    batch.set_current("nobody", 77)
    runtime.hands.journal.commit(batch)

    with pytest.raises(LeakError, match="left behind at close"):
        runtime.close()


def test_a_journal_that_cannot_be_read_does_not_keep_a_runtime_open() -> None:
    runtime = TestRuntime().open()
    runtime.start_workflow(listener, 1, id="w").get()
    runtime.store.fail_read()

    with pytest.raises(LeakError, match=r"the journal could not be checked: .*the test asked for it"):
        runtime.close()

    assert not runtime.is_open


def test_a_runtime_without_checks_does_not_walk_the_journal_at_close() -> None:
    runtime = TestRuntime(check_leaks=False).open()
    runtime.start_workflow(listener, 1, id="w").get()
    runtime.store.fail_read(5)  # closing reads less than that, and a walk more

    runtime.close()

    with pytest.raises(ReadError):
        any(runtime.store.get(Tree.META, b"") for _ in range(5))


def test_a_fault_of_ours_in_a_commit_is_told_to_who_waits_and_nothing_is_written() -> None:
    with TestRuntime() as runtime:
        runtime.store.fail_commit(error=ZeroDivisionError("a fault of ours"))
        started = runtime.start_workflow(listener, 1, id="w")
        runtime.run_until_idle()

        with pytest.raises(InternalError, match="a fault of ours"):
            started.get(timeout=0)
        assert runtime.recorded() == []


@activity.defn
async def the_loops_time() -> float:
    return asyncio.get_running_loop().time()


@workflow.defn
async def asking_late_what_time_it_is() -> float:
    await workflow.sleep(10)
    return await workflow.execute_activity(the_loops_time)


def test_the_loop_of_async_activities_counts_from_the_opening_whenever_it_is_made() -> None:
    with TestRuntime(workflows=[asking_late_what_time_it_is], activities=[the_loops_time]) as runtime:
        assert runtime.wait(runtime.execute_workflow(asking_late_what_time_it_is)) == 10.0


def test_no_loop_is_made_for_an_attempt_that_comes_after_closing() -> None:
    runtime = TestRuntime(workflows=[asking_late_what_time_it_is], activities=[the_loops_time]).open()
    runtime.start_workflow(asking_late_what_time_it_is)
    performer: Any = runtime.hands.performer

    runtime.close()

    assert performer.is_on_loop() is False
    assert performer._loop is None
