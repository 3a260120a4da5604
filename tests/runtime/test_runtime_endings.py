"""A run that is ended while its code cannot be asked: its history stays what it was, with the end behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from greenroom import (
    RetryPolicy,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowSuspendedError,
    activity,
    workflow,
)
from greenroom.runtime.core.messages import SignalReceived, decode_message
from greenroom.storage import check
from greenroom.testing import TestRuntime

MINUTE = 60


@activity.defn
def one() -> int:
    return 1


@workflow.defn
class Counter:
    def __init__(self) -> None:
        self.count = 0

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.count >= 100)

    @workflow.signal
    def add(self) -> None:
        self.count += 1

    @workflow.signal
    def stumble(self, text: str) -> None:
        raise ValueError(text)


@workflow.defn(name="steps")
async def three_sleeps() -> None:
    for _ in range(3):
        await workflow.sleep(1)
    await workflow.sleep(1000)


@workflow.defn(name="steps")
async def a_sleep_and_an_activity() -> None:
    await workflow.sleep(1)
    await workflow.execute_activity(one)


def messages(runtime: TestRuntime) -> list[str]:
    (run,) = runtime.recorded()
    return [type(message).__name__ for message in run.messages()]


def terminate(runtime: TestRuntime) -> None:
    runtime.wait(runtime.get_workflow_handle("it").terminate(reason="enough"))


def time_out(runtime: TestRuntime) -> None:
    runtime.advance(10 * MINUTE)


ENDS: dict[str, tuple[Callable[[TestRuntime], None], str, WorkflowExecutionStatus]] = {
    "terminated": (terminate, "RunTerminated", WorkflowExecutionStatus.TERMINATED),
    "timed out": (time_out, "RunTimedOut", WorkflowExecutionStatus.TIMED_OUT),
}


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("is_evicted", [False, True], ids=["resident", "evicted"])
def test_a_suspended_run_ends_behind_its_history(how: str, is_evicted: bool) -> None:
    end, message, status = ENDS[how]
    with TestRuntime(workflows=[Counter]) as runtime:
        handle = runtime.wait(runtime.start_workflow(Counter.run, id="it", run_timeout=5 * MINUTE))
        for _ in range(3):
            runtime.wait(handle.signal(Counter.add))
        runtime.wait(handle.signal(Counter.stumble, "over a stone"))
        before = messages(runtime)
        if is_evicted:
            runtime.hands.directory.evict()

        end(runtime)

        assert messages(runtime) == [*before, message]
        assert runtime.wait(handle.describe()).status is status
        assert check(runtime.hands.journal) == []


@pytest.mark.parametrize("how", ENDS)
def test_a_run_whose_code_has_changed_ends_behind_its_history(how: str) -> None:
    end, message, status = ENDS[how]
    with TestRuntime(workflows=[three_sleeps]) as first:
        first.wait(first.start_workflow(three_sleeps, id="it", run_timeout=5 * MINUTE))
        first.advance(10)
        before = messages(first)
        store, clock = first.store.inner, first.clock

    with TestRuntime(store, clock=clock, workflows=[a_sleep_and_an_activity]) as second:
        second.run_until_idle()
        handle = second.get_workflow_handle("it")
        assert second.wait(handle.describe()).status is WorkflowExecutionStatus.SUSPENDED

        end(second)

        assert messages(second) == [*before, message]
        assert second.wait(handle.describe()).status is status
        assert check(second.hands.journal) == []


def test_a_bug_whose_message_cannot_be_written_suspends_like_any_other() -> None:
    with TestRuntime(workflows=[Unprintable]) as runtime:
        handle = runtime.wait(runtime.start_workflow(Unprintable.run, id="it"))
        result = handle.result()

        # \udc80 stands for a byte of a file name that is no text.
        runtime.wait(handle.signal("read"))

        with pytest.raises(WorkflowSuspendedError, match="udc80"):
            runtime.wait(result)
        assert runtime.wait(handle.describe()).status is WorkflowExecutionStatus.SUSPENDED


@workflow.defn
class Unprintable(Counter):
    @workflow.run
    async def run(self) -> None:
        await super().run()

    @workflow.signal
    def read(self) -> None:
        raise ValueError("a file named \udc80")


def test_a_reason_that_cannot_be_written_terminates_all_the_same() -> None:
    with TestRuntime(workflows=[Counter]) as runtime:
        handle = runtime.wait(runtime.start_workflow(Counter.run, id="it"))

        runtime.wait(handle.terminate(reason="because of \udc80"))

        with pytest.raises(WorkflowFailureError, match="udc80"):
            runtime.wait(handle.result())


@pytest.mark.parametrize("ask", ["cancel", "terminate", "suspend"])
def test_a_reason_that_no_history_could_hold_is_refused_and_the_run_goes_on(ask: str) -> None:
    with TestRuntime(workflows=[Counter]) as runtime:
        handle = runtime.wait(runtime.start_workflow(Counter.run, id="it"))

        with pytest.raises(ValueError, match=r"the reason has 9,000,000 characters, allowed are 20,000; shorten it"):
            getattr(handle, ask)(reason="?" * 9_000_000)
        with pytest.raises(ValueError, match="the reason has"):
            handle.reset(to="last", reason="?" * 20_001)
        with pytest.raises(ValueError, match="the reason has"):
            handle.fork(at="last", reason="?" * 20_001)

        runtime.wait(handle.suspend(reason="?" * 20_000))
        runtime.wait(handle.resume())
        assert runtime.wait(handle.describe()).status is WorkflowExecutionStatus.RUNNING


def test_of_a_bug_that_says_millions_of_characters_a_part_is_kept() -> None:
    with TestRuntime(workflows=[Counter]) as runtime:
        handle = runtime.wait(runtime.start_workflow(Counter.run, id="it"))

        runtime.wait(handle.signal(Counter.stumble, "no " * 500_000))

        with pytest.raises(WorkflowSuspendedError, match="ValueError: no no") as told:
            runtime.wait(handle.result())
        described = runtime.wait(handle.describe())
        assert described.suspended_error is not None
        assert "ValueError: no no" in described.suspended_error
        assert len(str(told.value)) < 100_000 > len(described.suspended_error)


def test_what_a_callback_raises_keeps_nobody_else_from_being_told() -> None:
    with TestRuntime(workflows=[Counter]) as runtime:
        first, second = (runtime.start_workflow(Counter.run, id=name) for name in ("one", "two"))

        def leave(_: object) -> None:
            raise SystemExit("a callback of the user's")

        first.add_done_callback(leave)

        assert runtime.wait(second).id == "two"


@workflow.defn(name="deaf")
async def deaf() -> None:
    await workflow.sleep(MINUTE)


def finish(runtime: TestRuntime) -> None:
    runtime.get_workflow_handle("it").result().get()


@pytest.mark.parametrize("end", [finish, terminate], ids=["it returns", "it is terminated"])
def test_signals_that_nothing_has_read_when_the_run_ends_are_dead_letters(end: Callable[[TestRuntime], None]) -> None:
    with TestRuntime(workflows=[deaf]) as runtime:
        handle = runtime.start_workflow(deaf, id="it").get()
        for word in ("paid", "sent"):
            handle.signal(word, 300).get()

        end(runtime)

        letters = runtime.hands.journal.dead_letters()
        signals = [decode_message(letter.message) for letter in letters]
        assert [signal.name for signal in signals if isinstance(signal, SignalReceived)] == ["sent", "paid"]
        assert all(letter.reason.endswith(", and nothing in it had read the signal") for letter in letters)


@workflow.defn(name="half deaf")
class HalfDeaf:
    """Reads one word of each name that it is told, and has a bug where it is told to."""

    @workflow.run
    async def run(self) -> None:
        signals = workflow.signal_channel()
        await workflow.wait_condition(lambda: not signals.is_empty("paid"))
        await signals.receive("paid")
        await workflow.sleep(MINUTE)
        await workflow.execute_activity(one)

    @workflow.signal
    def stumble(self) -> None:
        raise ValueError("a stone")


@workflow.defn(name="half deaf")
async def asks_for_something_else() -> None:
    await workflow.wait_condition(lambda: False, timeout=MINUTE)


def letters(runtime: TestRuntime) -> list[tuple[str, object, str]]:
    """The name, the argument and the reason of each dead letter that is a signal, oldest first."""
    found: list[tuple[str, object, str]] = []
    for letter in reversed(runtime.hands.journal.dead_letters()):
        signal = decode_message(letter.message)
        if isinstance(signal, SignalReceived):
            args = runtime.hands.converter.decode_args(signal.args, None)
            found.append((signal.name, args[0] if args else None, letter.reason.rpartition(", and ")[2]))
    return found


def tell(runtime: TestRuntime, *numbers: int) -> None:
    for number in numbers:
        runtime.wait(runtime.get_workflow_handle("it").signal("paid", number))


UNREAD = "nothing in it had read the signal"
UNSURE = "its code cannot say whether it had read the signal"


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("stop", ["stumbles", "is stopped"])
@pytest.mark.parametrize("is_evicted", [False, True], ids=["resident", "evicted"])
def test_what_a_suspended_run_was_told_and_has_not_read_is_kept_as_a_dead_letter(
    how: str, stop: str, is_evicted: bool
) -> None:
    with TestRuntime(workflows=[HalfDeaf], activities=[one]) as runtime:
        handle = runtime.wait(runtime.start_workflow(HalfDeaf.run, id="it", run_timeout=5 * MINUTE))
        tell(runtime, 1, 2, 3)
        runtime.wait(handle.signal(HalfDeaf.stumble) if stop == "stumbles" else handle.suspend())
        tell(runtime, 4)
        if is_evicted:
            runtime.hands.directory.evict()

        ENDS[how][0](runtime)

        told = letters(runtime)
        assert [each for each in told if each[2] == UNREAD] == [("paid", 2, UNREAD), ("paid", 3, UNREAD)]
        assert {each[:2] for each in told} - {("stumble", None)} == {("paid", number) for number in (2, 3, 4)}
        assert check(runtime.hands.journal) == []


def test_what_waits_for_a_suspended_run_that_is_terminated_is_a_dead_letter_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with TestRuntime(workflows=[HalfDeaf], activities=[one]) as runtime:
        handle = runtime.wait(runtime.start_workflow(HalfDeaf.run, id="it"))
        runtime.wait(handle.suspend())
        tell(runtime, 4, 5)

        terminate(runtime)

        assert [each[:2] for each in letters(runtime)] == [("paid", 4), ("paid", 5)]
        told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        assert told == [
            "workflow 'it' has ended (TERMINATED) with 2 signals or updates that it had not taken: 'paid'; they are "
            "dead letters, kept as long as the run is"
        ]


@pytest.mark.parametrize("declared", [[asks_for_something_else], []], ids=["other code", "no code"])
def test_what_a_run_may_have_read_is_kept_too_if_its_code_cannot_say(declared: list[object]) -> None:
    with TestRuntime(workflows=[HalfDeaf], activities=[one]) as first:
        first.wait(first.start_workflow(HalfDeaf.run, id="it"))
        tell(first, 1, 2)
    store, clock = first.store, first.clock

    with TestRuntime(store, clock=clock, workflows=declared) as second:
        second.run_until_idle()
        terminate(second)

        assert letters(second) == [("paid", 1, UNSURE), ("paid", 2, UNSURE)]
        assert check(second.hands.journal) == []


async def perform_one() -> int:
    return await workflow.execute_activity(one)


def half_deaf_twice(then: Callable[[], Awaitable[object]]) -> object:
    """Reads one word, and does something else than another version a minute later."""

    @workflow.defn(name="half deaf")
    async def reads_one() -> None:
        await workflow.signal_channel().receive("paid")
        await workflow.sleep(MINUTE)
        await then()

    return reads_one


def test_what_was_read_before_the_code_no_longer_fits_is_no_dead_letter() -> None:
    before, after = half_deaf_twice(lambda: workflow.sleep(9 * MINUTE)), half_deaf_twice(perform_one)
    with TestRuntime(workflows=[before]) as first:
        first.wait(first.start_workflow("half deaf", id="it"))
        tell(first, 1)
        first.advance(2 * MINUTE)
        tell(first, 2)
    store, clock = first.store, first.clock

    with TestRuntime(store, clock=clock, workflows=[after], activities=[one]) as second:
        second.run_until_idle()
        terminate(second)

        assert letters(second) == [("paid", 2, UNSURE)]


def test_a_signal_that_came_with_a_start_is_a_dead_letter_if_the_run_ends_before_it_begins() -> None:
    with TestRuntime(workflows=[HalfDeaf], activities=[one]) as runtime:
        started = runtime.signal_with_start(HalfDeaf.run, id="it", signal="paid", signal_args=[7], start_delay=MINUTE)
        runtime.wait(runtime.wait(started).terminate())

        assert letters(runtime) == [("paid", 7, UNREAD)]


def test_a_repetition_reads_what_a_suspended_run_had_not_read() -> None:
    with TestRuntime(workflows=[HalfDeaf], activities=[one]) as runtime:
        policy = RetryPolicy(initial_interval=1, maximum_attempts=2)
        handle = runtime.wait(
            runtime.start_workflow(HalfDeaf.run, id="it", run_timeout=5 * MINUTE, retry_policy=policy)
        )
        tell(runtime, 1, 2)
        runtime.wait(handle.suspend())
        time_out(runtime)

        assert letters(runtime) == []
        runtime.wait(handle.result())
