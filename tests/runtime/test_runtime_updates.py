"""Updates: validated, taken once by their id, answered with what the handler returns, and rejected without a trace."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, cast

import pytest

from greenroom import (
    ApplicationError,
    Future,
    HandlerUnfinishedPolicy,
    Runtime,
    WorkflowUpdateStage,
    activity,
    workflow,
)
from greenroom.runtime.core.messages import SignalReceived, WorkflowStarted, decode_message
from greenroom.runtime.model.errors import (
    InternalError,
    InvalidWorkflowError,
    JournalWriteError,
    MailboxFullError,
    NotInWorkflowError,
    PayloadDecodeError,
    RuntimeClosedError,
    WorkflowClosedError,
    WorkflowFailureError,
    WorkflowNotFoundError,
    WorkflowSuspendedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateNotFoundError,
)
from greenroom.runtime.model.options import WorkflowExecutionStatus
from greenroom.storage import Batch, MemoryStore
from greenroom.testing import TestRuntime, replay_every_prefix
from tests.runtime.rig import WAIT

ADMITTED, ACCEPTED, COMPLETED = WorkflowUpdateStage


@dataclass
class Seat:
    row: int
    letter: str


@activity.defn(name="updates.reserve")
def reserve(seat: Seat) -> str:
    return f"{seat.row}{seat.letter}"


@workflow.defn(name="updates.flight")
class Flight:
    def __init__(self) -> None:
        self.seats: list[str] = []
        self.validated = 0
        self.infos: list[tuple[str, str] | None] = []
        self.is_over = False
        self.gate = asyncio.Event()

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: self.is_over)
        return self.seats

    @workflow.update
    async def book(self, seat: Seat) -> str:
        name = await workflow.execute_activity(reserve, seat)
        self.seats.append(name)
        return name

    @book.validator
    def check_book(self, seat: Seat) -> None:
        if not 1 <= seat.row <= 30:
            raise ValueError(f"there is no row {seat.row}")
        seat.letter = "changed by the validator"

    @workflow.update(name="count it", description="how many seats are booked")
    def count(self) -> int:
        self.seats.append("counted")
        return len(self.seats)

    @workflow.update
    async def wait(self, word: str = "done") -> str:
        await self.gate.wait()
        return word

    @workflow.update
    async def fails(self, how: str) -> None:
        if how == "later":
            await workflow.sleep(1)
            raise ApplicationError("no more seats", "full", type="NoSeats")
        raise {
            "application": ApplicationError("no more seats", "full", type="NoSeats"),
            "cancelled": asyncio.CancelledError(),
            "timeout": TimeoutError("too slow"),
            "bug": LookupError("no such thing"),
            "misfit": RuntimeError("never raised"),
        }[how]

    @workflow.update
    async def fails_later(self) -> None:
        await workflow.sleep(1)
        raise LookupError("a bug, later")

    @workflow.update
    def misfit(self) -> int:
        return cast("int", "text")

    @workflow.update
    async def who(self) -> tuple[str, str]:
        info = workflow.current_update_info()
        assert info is not None
        inner = await asyncio.create_task(self.inner())
        assert inner == info
        return info.id, info.name

    async def inner(self) -> workflow.UpdateInfo | None:
        await asyncio.sleep(0)
        return workflow.current_update_info()

    @workflow.update
    def end(self) -> str:
        self.is_over = True
        return "ended by this"

    @workflow.signal
    def open(self) -> None:
        self.gate.set()

    @workflow.signal
    def finish(self) -> None:
        self.is_over = True

    @workflow.signal
    def poison(self) -> None:
        raise LookupError("poison")

    @workflow.query
    def booked(self) -> list[str]:
        return self.seats


WORKFLOWS: list[Any] = [Flight]


def make(store: MemoryStore | None = None, *workflows: Any, **options: Any) -> TestRuntime:
    return TestRuntime(store, workflows=workflows or WORKFLOWS, activities=[reserve], **options)


def flight(runtime: TestRuntime) -> Any:
    return runtime.wait(runtime.start_workflow(Flight.run, id="flight"))


def failed(runtime: TestRuntime, future: Future[Any]) -> WorkflowUpdateFailedError:
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        runtime.wait(future)
    return caught.value


def cause_of(error: WorkflowUpdateFailedError) -> ApplicationError:
    assert isinstance(error.cause, ApplicationError)
    return error.cause


def kinds(runtime: TestRuntime, handle: Any) -> list[str]:
    return cast("list[str]", runtime.wait(handle.fetch_history()).kinds())


# What an update does.


def test_an_update_is_taken_by_its_handler_and_gives_what_that_returns() -> None:
    with make() as runtime:
        handle = flight(runtime)

        assert runtime.wait(handle.execute_update(Flight.book, Seat(3, "A"))) == "3A"
        assert runtime.wait(handle.execute_update("count it", result_type=int)) == 2
        assert runtime.wait(handle.execute_update(Flight.count)) == 3
        assert kinds(runtime, handle)[-4:] == ["UpdateAccepted", "UpdateCompleted"] * 2
        replay_every_prefix(runtime)


def test_what_the_validator_does_to_its_arguments_is_not_seen_by_the_handler() -> None:
    with make() as runtime:
        assert runtime.wait(flight(runtime).execute_update(Flight.book, Seat(3, "A"))) == "3A"


def test_a_hundred_rejected_updates_leave_the_history_as_long_as_before() -> None:
    with make() as runtime:
        handle = flight(runtime)
        before, commits = kinds(runtime, handle), runtime.store.commits
        for row in range(100, 200):
            error = failed(runtime, handle.execute_update(Flight.book, Seat(row, "A")))
            assert (cause_of(error).type, cause_of(error).message) == ("ValueError", f"there is no row {row}")

        assert kinds(runtime, handle) == before
        assert runtime.store.commits == commits
        assert runtime.wait(handle.execute_update(Flight.book, Seat(1, "B"))) == "1B"


def test_a_validator_runs_once_live_and_never_in_a_replay() -> None:
    calls: list[str] = []

    @workflow.defn(name="updates.counts")
    class Counts:
        @workflow.run
        async def run(self) -> None:
            await workflow.signal_channel().receive("end")

        @workflow.update
        async def step(self, word: str) -> str:
            await workflow.sleep(1)
            return word

        @step.validator
        def check(self, word: str) -> None:
            calls.append(word)

    with make(None, Counts, evict_after_every_turn=True, guard="static") as runtime:
        handle = runtime.wait(runtime.start_workflow(Counts.run, id="c"))

        assert [runtime.wait(handle.execute_update(Counts.step, word)) for word in "ab"] == ["a", "b"]
        replay_every_prefix(runtime)
        assert calls == ["a", "b"]


@pytest.mark.parametrize(
    ("update", "args", "type_", "words"),
    [
        ("nobody", (), "NotRegisteredError", "book"),
        ("book", ("no seat",), "PayloadDecodeError", ""),
        ("book", (), "TypeError", "misses seat"),
        ("book", ({"row": 1, "letter": "A"}, 2), "TypeError", "takes 1 argument"),
    ],
)
def test_what_cannot_be_taken_is_rejected_and_the_run_goes_on(
    update: str, args: tuple[Any, ...], type_: str, words: str
) -> None:
    with make() as runtime:
        handle = flight(runtime)
        before = kinds(runtime, handle)
        error = failed(runtime, handle.execute_update(update, *args))

        assert cause_of(error).type == type_
        assert words in str(error)
        assert kinds(runtime, handle) == before
        assert runtime.wait(handle.describe()).status is WorkflowExecutionStatus.RUNNING


def test_a_validator_that_would_change_the_run_is_refused_and_the_run_is_as_a_replay_makes_it() -> None:
    @workflow.defn(name="updates.forbidden")
    class Forbidden:
        def __init__(self) -> None:
            self.gate: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        @workflow.run
        async def run(self) -> str:
            return await self.gate

        @workflow.update
        def open(self, word: str) -> str:
            self.gate.set_result(word)
            return word

        @open.validator
        def check(self, word: str) -> None:
            if word == "activity":
                workflow.start_activity(reserve, Seat(1, "A"))
            if word == "random":
                workflow.random()
            if word == "uuid":
                workflow.uuid7()
            if word == "handler":
                workflow.set_update_handler("open", None)
            if word == "wake":
                self.gate.set_result("by a validator")
            if word == "swallow":
                try:
                    self.gate.set_result("by a validator")
                except Exception:
                    return

    with make(None, Forbidden) as runtime:
        handle = runtime.wait(runtime.start_workflow(Forbidden.run, id="f"))
        for word in ("activity", "random", "uuid", "handler", "wake", "swallow"):
            assert cause_of(failed(runtime, handle.execute_update(Forbidden.open, word))).type == "ReadOnlyContextError"
        assert runtime.wait(handle.execute_update(Forbidden.open, "in order")) == "in order"
        assert runtime.wait(handle.result()) == "in order"


def test_a_validator_sees_the_time_and_a_replay_does_not_see_that_it_was_asked() -> None:
    @workflow.defn(name="updates.clock")
    class Clock:
        def __init__(self) -> None:
            self.times: list[int] = []

        @workflow.run
        async def run(self) -> list[int]:
            self.begun = workflow.time_ns()
            await workflow.wait_condition(lambda: len(self.times) == 2)
            return self.times

        @workflow.update
        def note(self, limit: int) -> int:
            self.times.append(workflow.time_ns() - self.begun)
            return len(self.times)

        @note.validator
        def check(self, limit: int) -> None:
            if workflow.time_ns() - self.begun >= limit * 10**9:
                raise ValueError("too late")

    with make(None, Clock) as runtime:
        handle = runtime.wait(runtime.start_workflow(Clock.run, id="c"))
        runtime.wait(handle.execute_update(Clock.note, 1))
        runtime.advance(10)
        failed(runtime, handle.execute_update(Clock.note, 10))
        runtime.wait(handle.execute_update(Clock.note, 11))

        assert runtime.wait(handle.result()) == [0, 10 * 10**9]
        replay_every_prefix(runtime)


@pytest.mark.parametrize("stage", [ADMITTED, ACCEPTED, COMPLETED])
def test_an_update_sent_right_with_the_start_is_served_by_a_handler_that_the_first_turn_sets(
    stage: WorkflowUpdateStage,
) -> None:
    @workflow.defn(name="updates.sets late")
    async def sets_late() -> list[int]:
        taken: list[int] = []

        def take(number: int) -> int:
            taken.append(number)
            return len(taken)

        for _ in range(3):
            await asyncio.sleep(0)
        workflow.set_update_handler("take", take)
        await workflow.wait_condition(lambda: len(taken) == 2)
        return taken

    with make(None, sets_late, auto_skip=False) as runtime:
        runtime.start_workflow(sets_late, id="s")
        handle = runtime.get_workflow_handle("s")
        started = [handle.start_update("take", number, wait_for_stage=stage) for number in (7, 8)]
        runtime.run_until_idle()

        assert [runtime.wait(each.get().result()) for each in started] == [1, 2]
        assert runtime.wait(handle.result()) == [7, 8]
        replay_every_prefix(runtime)


def test_a_validator_that_gives_something_to_be_awaited_rejects() -> None:
    @workflow.defn(name="updates.awaits")
    async def awaits() -> None:
        async def later() -> None:
            """Is never awaited."""

        workflow.set_update_handler("go", lambda: None, validator=lambda: later())
        await workflow.signal_channel().receive("end")

    with make(None, awaits) as runtime:
        handle = runtime.wait(runtime.start_workflow(awaits, id="a"))

        assert "cannot wait" in str(failed(runtime, handle.execute_update("go")))


# How handlers end.


@pytest.mark.parametrize(
    ("how", "type_"), [("application", "NoSeats"), ("later", "NoSeats"), ("timeout", "TimeoutError")]
)
def test_a_failure_of_the_handler_fails_the_update_and_not_the_run(how: str, type_: str) -> None:
    with make() as runtime:
        handle = flight(runtime)
        error = failed(runtime, handle.execute_update(Flight.fails, how))

        assert cause_of(error).type == type_
        assert runtime.wait(handle.execute_update(Flight.count)) == 1
        replay_every_prefix(runtime)


def test_a_cancellation_out_of_a_handler_is_a_failed_update() -> None:
    with make() as runtime:
        error = failed(runtime, flight(runtime).execute_update(Flight.fails, "cancelled"))

        assert type(error.cause).__name__ == "CancelledError"


@pytest.mark.parametrize(("update", "args"), [("fails", ("bug",)), ("misfit", ())])
def test_a_bug_in_the_first_turn_rejects_the_update_and_leaves_the_run_as_it_was(
    update: str, args: tuple[Any, ...], caplog: pytest.LogCaptureFixture
) -> None:
    with make() as runtime, caplog.at_level(logging.CRITICAL, "greenroom"):
        handle = flight(runtime)
        runtime.wait(handle.execute_update(Flight.count))
        before = kinds(runtime, handle)
        error = failed(runtime, handle.execute_update(update, *args))

        assert cause_of(error).type in ("LookupError", "PayloadDecodeError")
        assert kinds(runtime, handle) == before
        assert runtime.wait(handle.execute_update(Flight.count)) == 2
        replay_every_prefix(runtime)


def test_what_a_rejected_turn_did_to_the_run_is_undone_and_mail_behind_it_waits_for_that() -> None:
    @workflow.defn(name="updates.half")
    class Half:
        def __init__(self) -> None:
            self.words: list[str] = []

        @workflow.run
        async def run(self) -> list[str]:
            await workflow.wait_condition(lambda: len(self.words) == 2)
            return self.words

        @workflow.update
        def add(self, word: str) -> int:
            self.words.append(word)
            if word == "bug":
                raise LookupError("after a change")
            return len(self.words)

    with make(None, Half, auto_skip=False) as runtime:
        runtime.start_workflow(Half.run, id="h")
        handle = runtime.get_workflow_handle("h")
        futures = [handle.execute_update("add", word) for word in ("a", "bug", "b")]
        runtime.run_until_idle()

        assert [futures[0].get(), futures[2].get()] == [1, 2]
        assert isinstance(futures[1].exception(), WorkflowUpdateFailedError)
        assert runtime.wait(handle.result()) == ["a", "b"]


def test_a_bug_in_a_later_turn_suspends_the_run_and_the_update_is_kept() -> None:
    with make(check_leaks=False) as runtime:
        handle = flight(runtime)
        asked = handle.execute_update(Flight.fails_later, id="u")
        with pytest.raises(WorkflowSuspendedError) as caught:
            runtime.wait(asked)

        assert caught.value.update_id == "u"
        assert runtime.wait(handle.describe()).status is WorkflowExecutionStatus.SUSPENDED
        with pytest.raises(WorkflowSuspendedError):
            runtime.wait(handle.get_update_handle("u").result())
        with pytest.raises(WorkflowUpdateNotFoundError):
            runtime.wait(handle.get_update_handle("v").result())


def test_an_update_with_a_bug_in_a_later_turn_has_the_outcome_that_mended_code_gives_it() -> None:
    mended: list[bool] = []

    @workflow.defn(name="updates.mendable")
    class Mendable:
        @workflow.run
        async def run(self) -> None:
            await workflow.signal_channel().receive("end")

        @workflow.update
        async def step(self) -> str:
            await workflow.sleep(1)
            if not mended:
                raise LookupError("a bug, later")
            return "mended"

    store = MemoryStore()
    with make(store, Mendable, check_leaks=False) as runtime:
        handle = runtime.wait(runtime.start_workflow(Mendable.run, id="m"))
        with pytest.raises(WorkflowSuspendedError):
            runtime.wait(handle.execute_update(Mendable.step, id="u"))
    mended.append(True)
    with make(store, Mendable) as runtime:
        handle = runtime.get_workflow_handle("m")

        assert runtime.wait(handle.get_update_handle("u").result()) == "mended"
        assert runtime.wait(handle.execute_update("step", id="u")) == "mended"
        assert kinds(runtime, handle).count("UpdateAccepted") == 1


def test_an_update_that_finishes_in_the_turn_in_which_the_run_ends_is_in_time() -> None:
    with make() as runtime:
        handle = flight(runtime)

        assert runtime.wait(handle.execute_update(Flight.end, id="u")) == "ended by this"
        assert runtime.wait(handle.result()) == []
        assert runtime.wait(handle.get_update_handle("u", result_type=str).result()) == "ended by this"
        assert kinds(runtime, handle)[-2:] == ["UpdateCompleted", "WorkflowCompleted"]
        replay_every_prefix(runtime)


@pytest.mark.parametrize("how", ["returns", "fails"])
@pytest.mark.parametrize("is_at_work", [False, True], ids=["accepted in that turn", "accepted before"])
def test_an_update_that_finishes_behind_the_end_of_the_main_function_but_in_its_turn_is_in_time(
    how: str, is_at_work: bool
) -> None:
    @workflow.defn(name="updates.overtaken")
    class Overtaken:
        def __init__(self) -> None:
            self.stage = ""

        @workflow.run
        async def run(self) -> str:
            await workflow.wait_condition(lambda: self.stage == "ends")
            self.stage = "has ended"
            return "ended first"

        @workflow.update
        async def end(self, how: str, is_at_work: bool) -> str:
            if is_at_work:
                await workflow.signal_channel().receive("go on")
            self.stage = "ends"
            await workflow.wait_condition(lambda: self.stage == "has ended")
            if how == "fails":
                raise ApplicationError("too bad", type="TooBad")
            workflow.start_activity(reserve, Seat(1, "A"))
            return self.stage

    with make(None, Overtaken) as runtime:
        handle = runtime.wait(runtime.start_workflow(Overtaken.run, id="o"))
        asked: Future[Any] = handle.execute_update(Overtaken.end, how, is_at_work, id="u")
        runtime.run_until_idle()
        if is_at_work:
            runtime.wait(handle.signal("go on"))

        if how == "fails":
            assert cause_of(failed(runtime, asked)).type == "TooBad"
        else:
            assert runtime.wait(asked) == "has ended"
        assert runtime.wait(handle.result()) == "ended first"
        assert kinds(runtime, handle)[-2:] == ["UpdateCompleted", "WorkflowCompleted"]
        replay_every_prefix(runtime)


def test_what_comes_in_behind_the_end_of_a_run_is_refused_though_it_is_of_the_same_sweep() -> None:
    with make(auto_skip=False) as runtime:
        handle = flight(runtime)
        runtime.run_until_idle()
        handle.signal(Flight.finish)
        late = [handle.signal(Flight.open), handle.execute_update(Flight.count), handle.cancel()]
        runtime.hands.dispatcher.sweep()
        runtime.run_until_idle()

        assert [type(each.exception()) for each in late] == [WorkflowClosedError] * 3
        assert runtime.wait(handle.result()) == []
        assert "UpdateAccepted" not in kinds(runtime, handle)


@pytest.mark.parametrize("how", ["finish", "terminate", "timeout"])
def test_an_accepted_update_without_an_outcome_when_the_run_ends_has_failed_whoever_asks_and_whenever(how: str) -> None:
    store = MemoryStore()
    with make(store, check_leaks=False) as runtime:
        handle = runtime.wait(runtime.start_workflow(Flight.run, id="flight", run_timeout=100))
        waiting = handle.execute_update(Flight.wait, id="u")
        started = runtime.wait(handle.start_update(Flight.wait, id="u", wait_for_stage=ACCEPTED))
        match how:
            case "finish":
                runtime.wait(handle.signal(Flight.finish))
            case "terminate":
                runtime.wait(handle.terminate())
            case _:
                runtime.advance(100)
        errors = [failed(runtime, each) for each in (waiting, started.result(), handle.execute_update("wait", id="u"))]
    with make(store) as runtime:
        errors.append(failed(runtime, runtime.get_workflow_handle("flight").get_update_handle("u").result()))

    assert [cause_of(error).type for error in errors] == ["AcceptedUpdateCompletedWorkflow"] * 4


# Stages, ids and handles.


def test_a_start_waits_for_the_stage_that_it_names() -> None:
    with make() as runtime:
        handle = flight(runtime)
        for stage in (ADMITTED, ACCEPTED):
            started = runtime.wait(handle.start_update(Flight.wait, stage.name, wait_for_stage=stage))
            assert (started.id, started.run_id) != ("", None)
            assert not started.result().done()
        last: Future[Any] = handle.start_update(Flight.wait, "last", wait_for_stage=COMPLETED)
        runtime.run_until_idle()
        assert not last.done()
        runtime.wait(handle.signal(Flight.open))

        assert runtime.wait(runtime.wait(last).result()) == "last"
        assert runtime.wait(started.result()) == "ACCEPTED"


def test_an_admitted_update_is_on_disk_before_its_run_has_taken_it() -> None:
    store = MemoryStore()
    with make(store) as runtime:
        handle = flight(runtime)
        runtime.wait(handle.signal(Flight.open))
        admitted = handle.start_update(Flight.wait, "kept", id="u", wait_for_stage=ADMITTED)
        while not admitted.done():
            # One turn and its commit at a time.
            assert runtime.step()
        [run] = runtime.recorded()
        assert [type(decode_message(turn.message)) for turn in run.turns] == [WorkflowStarted, SignalReceived]
        runtime.crash()

        found = runtime.get_workflow_handle("flight").get_update_handle("u")
        assert runtime.wait(found.result()) == "kept"


def test_an_id_is_taken_once_while_the_update_is_on_its_way_at_work_and_done() -> None:
    with make(auto_skip=False) as runtime:
        runtime.start_workflow(Flight.run, id="flight")
        handle = runtime.get_workflow_handle("flight")
        first = [handle.execute_update("wait", word, id="u") for word in ("one", "two")]
        runtime.run_until_idle()
        at_work = handle.execute_update("wait", "three", id="u")
        accepted = handle.start_update("wait", "four", id="u", wait_for_stage=ACCEPTED)
        runtime.run_until_idle()
        assert accepted.done()
        handle.signal("open")
        runtime.run_until_idle()
        done = handle.execute_update("book", Seat(1, "A"), id="u")
        runtime.run_until_idle()

        assert [each.get() for each in (*first, at_work, accepted.get().result(), done)] == ["one"] * 5
        assert kinds(runtime, handle).count("UpdateAccepted") == 1


def test_the_outcome_of_an_id_is_there_after_a_restart_and_after_the_end() -> None:
    store = MemoryStore()
    with make(store) as runtime:
        handle = flight(runtime)
        runtime.wait(handle.execute_update(Flight.book, Seat(2, "C"), id="u"))
        failed(runtime, handle.execute_update(Flight.fails, "application", id="v"))
    with make(store) as runtime:
        handle = runtime.get_workflow_handle("flight")
        assert runtime.wait(handle.get_update_handle("u").result()) == "2C"
        assert runtime.wait(handle.execute_update(Flight.book, Seat(9, "F"), id="u")) == "2C"
        assert cause_of(failed(runtime, handle.get_update_handle("v").result())).details == ("full",)
        runtime.wait(handle.signal(Flight.finish))
        runtime.wait(handle.result())

        assert runtime.wait(handle.execute_update(Flight.book, Seat(9, "F"), id="u")) == "2C"
        with pytest.raises(WorkflowClosedError):
            runtime.wait(handle.execute_update(Flight.book, Seat(9, "F"), id="w"))
        with pytest.raises(WorkflowUpdateNotFoundError):
            runtime.wait(handle.get_update_handle("w").result())


@workflow.defn
class Ledger:
    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.update
    def seat(self, row: int) -> Seat:
        return Seat(row, "A")

    @workflow.update(dynamic=True)
    def any_other(self, name: str, word: str) -> str:
        return word

    @workflow.query
    def rows(self) -> int:
        return 0


def test_an_update_is_found_again_by_its_handler_and_has_the_type_of_its_result() -> None:
    store = MemoryStore()
    with TestRuntime(store=store, workflows=[Ledger]) as runtime:
        handle = runtime.wait(runtime.start_workflow(Ledger, id="ledger"))
        runtime.wait(handle.execute_update(Ledger.seat, 3, id="u"))
    with TestRuntime(store=store, workflows=[Ledger]) as runtime:
        handle = runtime.get_workflow_handle("ledger")
        assert runtime.wait(handle.get_update_handle_for(Ledger.seat, "u").result()) == Seat(3, "A")
        assert runtime.wait(handle.get_update_handle("u").result()) == {"row": 3, "letter": "A"}


def test_what_is_no_reference_to_an_update_handler_finds_no_update() -> None:
    with TestRuntime(workflows=[Ledger]) as runtime:
        handle = runtime.wait(runtime.start_workflow(Ledger, id="ledger"))
        for reference, problem in (
            ("seat", "by name there is get_update_handle"),
            (Ledger.rows, "is not an update handler"),
            (Ledger.any_other, "hears every update"),
            (print, "is not an update handler"),
        ):
            with pytest.raises(TypeError, match=problem):
                handle.get_update_handle_for(reference, "u")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="update id is empty"):
            handle.get_update_handle_for(Ledger.seat, "")


def test_an_update_that_was_rejected_may_be_sent_again() -> None:
    with make() as runtime:
        handle = flight(runtime)
        started = runtime.wait(handle.start_update(Flight.book, Seat(99, "A"), id="u", wait_for_stage=ACCEPTED))

        assert cause_of(failed(runtime, started.result())).type == "ValueError"
        with pytest.raises(WorkflowUpdateNotFoundError):
            runtime.wait(handle.get_update_handle("u").result())
        assert runtime.wait(handle.execute_update(Flight.book, Seat(9, "A"), id="u")) == "9A"


def test_an_update_that_was_admitted_and_then_rejected_stays_so() -> None:
    store = MemoryStore()
    with make(store) as runtime:
        handle = flight(runtime)
        before = kinds(runtime, handle)
        started = runtime.wait(handle.start_update(Flight.book, Seat(99, "A"), id="u", wait_for_stage=ADMITTED))
        first = failed(runtime, started.result())
        assert kinds(runtime, handle) == before
    with make(store) as runtime:
        handle = runtime.get_workflow_handle("flight")
        errors = [failed(runtime, handle.get_update_handle("u").result())]
        errors.append(failed(runtime, handle.execute_update(Flight.book, Seat(9, "A"), id="u")))

    assert [cause_of(error).message for error in (first, *errors)] == ["there is no row 99"] * 3


def test_an_update_by_the_handle_of_a_start_does_not_reach_a_later_run() -> None:
    with make() as runtime:
        first = flight(runtime)
        runtime.wait(first.execute_update(Flight.end))
        runtime.wait(first.result())
        second = flight(runtime)

        with pytest.raises(WorkflowClosedError):
            runtime.wait(first.execute_update(Flight.count))
        assert runtime.wait(second.execute_update(Flight.count)) == 1


def test_an_id_is_that_of_one_run_and_new_in_the_next() -> None:
    with make() as runtime:
        first = flight(runtime)
        assert runtime.wait(first.execute_update(Flight.count, id="u")) == 1
        runtime.wait(first.signal(Flight.finish))
        runtime.wait(first.result())
        second = flight(runtime)

        with pytest.raises(WorkflowUpdateNotFoundError):
            runtime.wait(second.get_update_handle("u").result())
        assert runtime.wait(second.execute_update(Flight.book, Seat(1, "A"), id="u")) == "1A"
        assert runtime.wait(first.execute_update("book", Seat(1, "A"), id="u")) == 1


# Suspended runs, and what goes wrong.


def test_an_update_to_a_suspended_run_stays_admitted_and_is_taken_when_it_goes_on() -> None:
    store = MemoryStore()
    with make(store, check_leaks=False) as runtime:
        handle = flight(runtime)
        runtime.wait(handle.signal(Flight.poison))
        admitted = runtime.wait(handle.start_update(Flight.count, id="a", wait_for_stage=ADMITTED))
        with pytest.raises(WorkflowSuspendedError) as caught:
            runtime.wait(handle.execute_update(Flight.count, id="b"))
        with pytest.raises(WorkflowSuspendedError):
            runtime.wait(handle.execute_update(Flight.count, id="b"))
        with pytest.raises(WorkflowSuspendedError):
            runtime.wait(admitted.result())
        assert caught.value.update_id == "b"

    class Mended(Flight):
        @workflow.run
        async def run(self) -> list[str]:
            await workflow.wait_condition(lambda: self.is_over)
            return self.seats

        def poison(self) -> None:
            self.seats.append("mended")

    with make(store, workflow.defn(name="updates.flight")(Mended)) as runtime:
        handle = runtime.get_workflow_handle("flight")

        assert runtime.wait(handle.get_update_handle("a").result()) == 2
        assert runtime.wait(handle.get_update_handle("b").result()) == 3
        assert runtime.wait(handle.query("booked")) == ["mended", "counted", "counted"]


def test_an_admitted_update_of_a_run_that_ends_without_taking_it_has_failed() -> None:
    with make(check_leaks=False) as runtime:
        handle = flight(runtime)
        runtime.wait(handle.signal(Flight.poison))
        admitted = runtime.wait(handle.start_update(Flight.count, id="a", wait_for_stage=ADMITTED))
        runtime.wait(handle.terminate())

        assert cause_of(failed(runtime, admitted.result())).type == "AdmittedUpdateCompletedWorkflow"
        assert cause_of(failed(runtime, handle.execute_update("count it", id="a"))).message.startswith(
            "the workflow ended"
        )
        letters = runtime.hands.journal.dead_letters()
        assert len(letters) == 2


def test_an_outcome_is_told_only_once_it_is_on_disk() -> None:
    with make(auto_skip=False) as runtime:
        handle = flight(runtime)
        runtime.store.fail_commit(1)
        future, again = (handle.execute_update(Flight.count, id="u") for _ in range(2))
        rejected = handle.execute_update(Flight.book, Seat(99, "A"))
        runtime.hands.dispatcher.sweep()

        assert isinstance(future.exception(), JournalWriteError)
        assert isinstance(again.exception(), JournalWriteError)
        assert isinstance(rejected.exception(), JournalWriteError)
        runtime.auto_skip = True
        assert runtime.wait(handle.execute_update(Flight.count, id="u")) == 1


def test_an_admitted_update_whose_turn_cannot_be_written_is_taken_again() -> None:
    with make(auto_skip=False) as runtime:
        handle = flight(runtime)
        admitted = handle.start_update(Flight.count, id="u", wait_for_stage=ADMITTED)
        result = handle.get_update_handle("u").result()
        runtime.hands.dispatcher.sweep()
        assert admitted.done()
        runtime.store.fail_commit(1)
        runtime.hands.dispatcher.sweep()
        runtime.auto_skip = True

        assert runtime.wait(result) == 1


def test_a_full_mailbox_refuses_and_nothing_is_sent() -> None:
    with make(mailbox_limit=2, auto_skip=False) as runtime:
        handle = flight(runtime)
        futures = [handle.execute_update(Flight.count) for _ in range(3)]
        runtime.run_until_idle()

        assert isinstance(futures[2].exception(), MailboxFullError)
        assert [each.get() for each in futures[:2]] == [1, 2]


def test_who_waits_when_the_runtime_closes_is_told() -> None:
    with make() as runtime:
        handle = flight(runtime)
        waiting = handle.execute_update(Flight.wait)
        runtime.run_until_idle()
    assert isinstance(waiting.exception(), RuntimeClosedError)


def test_an_update_of_nobody_is_refused() -> None:
    with make() as runtime:
        with pytest.raises(WorkflowNotFoundError):
            runtime.wait(runtime.get_workflow_handle("nobody").execute_update("count"))
        with pytest.raises(WorkflowNotFoundError):
            runtime.wait(runtime.get_workflow_handle("nobody").get_update_handle("u").result())


def test_a_result_of_another_type_than_asked_for_is_the_callers_error() -> None:
    with make() as runtime:
        handle = flight(runtime)
        with pytest.raises(PayloadDecodeError):
            runtime.wait(handle.execute_update("count it", result_type=str))
        assert runtime.wait(handle.execute_update(Flight.count)) == 2


def test_what_cannot_be_sent_is_refused_at_once() -> None:
    with make() as runtime:
        handle = flight(runtime)
        with pytest.raises(TypeError, match="misses seat"):
            handle.execute_update(Flight.book)
        with pytest.raises(PayloadDecodeError):
            handle.execute_update(Flight.book, "no seat")
        with pytest.raises(TypeError, match="give a member of WorkflowUpdateStage"):
            handle.start_update(Flight.count, wait_for_stage="accepted")
        with pytest.raises(ValueError, match="update id is empty"):
            handle.execute_update(Flight.count, id="")
        with pytest.raises(TypeError, match="is not an update handler"):
            handle.execute_update(Flight.booked)


def test_who_asks_for_an_outcome_in_a_sweep_that_fails_is_told() -> None:
    with make() as runtime:
        handle = flight(runtime)
        other = runtime.wait(runtime.start_workflow(Flight.run, id="other"))
        done = handle.execute_update(Flight.count, id="u")
        asked = handle.get_update_handle("u").result()
        assert runtime.step()
        assert done.get() == 1
        runtime.store.fail_commit(1)
        # It has no turn in this sweep, which another run makes one that writes.
        failed_too = other.start_update(Flight.count, wait_for_stage=ADMITTED)
        runtime.run_until_idle()

        assert isinstance(failed_too.exception(), JournalWriteError)
        assert isinstance(asked.exception(), JournalWriteError)
        assert runtime.wait(handle.get_update_handle("u").result()) == 1


def test_who_asks_a_run_that_could_not_be_started_is_told() -> None:
    with make(auto_skip=False) as runtime:
        runtime.store.fail_commit(1)
        started = runtime.start_workflow(Flight.run, id="flight")
        handle = runtime.get_workflow_handle("flight")
        asked = [handle.get_update_handle("u").result(), handle.execute_update("count it")]
        runtime.run_until_idle()

        assert isinstance(started.exception(), JournalWriteError)
        assert all(isinstance(each.exception(), JournalWriteError) for each in asked)


def test_an_update_admitted_while_a_suspended_run_is_read_again_keeps_nobody_waiting() -> None:
    with make(check_leaks=False, auto_skip=False) as runtime:
        handle = flight(runtime)
        runtime.wait(handle.signal(Flight.poison))
        runtime.store.fail_commit(1)
        lost = handle.signal(Flight.poison)
        runtime.step()
        assert isinstance(lost.exception(), JournalWriteError)
        admitted = handle.start_update(Flight.count, id="u", wait_for_stage=ADMITTED)
        runtime.run_until_idle()
        assert admitted.done()
        runtime.advance(10)
        waiting = handle.execute_update(Flight.count, id="u")
        runtime.advance(10)

        assert isinstance(waiting.exception(), WorkflowSuspendedError)


def test_a_duplicate_that_is_lost_fails_nobody_who_waits_for_the_first() -> None:
    with make(auto_skip=False) as runtime:
        handle = flight(runtime)
        first = handle.execute_update(Flight.wait, "first", id="u")
        runtime.run_until_idle()
        runtime.store.fail_commit(1)
        second = handle.execute_update(Flight.wait, "second", id="u")
        admitted = handle.start_update(Flight.count, wait_for_stage=ADMITTED)
        runtime.run_until_idle()
        assert isinstance(second.exception(), JournalWriteError)
        assert isinstance(admitted.exception(), JournalWriteError)
        assert not first.done()
        runtime.advance(10)
        runtime.wait(handle.signal(Flight.open))

        assert runtime.wait(first) == "first"


def test_an_update_whose_turn_cannot_be_put_together_is_told_and_may_be_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    append = Batch.append_turn

    def fail_once(self: Batch, *args: Any) -> int:
        monkeypatch.setattr(Batch, "append_turn", append)
        raise OverflowError("too much")

    with make(check_leaks=False) as runtime:
        handle = flight(runtime)
        monkeypatch.setattr(Batch, "append_turn", fail_once)
        asked = handle.execute_update(Flight.count, id="u")
        runtime.advance(10)

        assert isinstance(asked.exception(), InternalError)
        assert runtime.wait(handle.execute_update(Flight.count, id="u")) == 1


def test_an_update_that_is_admitted_again_has_one_row_and_one_dead_letter() -> None:
    with make(check_leaks=False) as runtime:
        handle = flight(runtime)
        runtime.wait(handle.signal(Flight.poison))
        for _ in range(5):
            runtime.wait(handle.start_update(Flight.count, id="u", wait_for_stage=ADMITTED))
        assert runtime.wait(handle.describe()).waiting_messages == 2
        runtime.wait(handle.terminate())

        assert len(runtime.hands.journal.dead_letters()) == 2


def test_a_result_in_the_turn_in_which_the_run_ends_stands_though_it_no_longer_fits() -> None:
    store = MemoryStore()
    with make(store) as runtime:
        handle = flight(runtime)
        runtime.wait(handle.execute_update(Flight.end))
        runtime.wait(handle.result())

    class Stricter(Flight):
        @workflow.run
        async def run(self) -> list[str]:
            await workflow.wait_condition(lambda: self.is_over)
            return self.seats

        @workflow.update
        def end(self) -> int:  # type: ignore[override]
            self.is_over = True
            return cast("int", "ended by this")

    with make(store, workflow.defn(name="updates.flight")(Stricter)) as runtime:
        assert runtime.wait(runtime.get_workflow_handle("flight").query("booked")) == []


def test_a_bug_that_rejects_an_update_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with make() as runtime, caplog.at_level(logging.WARNING, "greenroom"):
        failed(runtime, flight(runtime).execute_update(Flight.fails, "bug"))

    [record] = [record for record in caplog.records if "refuses update 'fails'" in record.getMessage()]
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], LookupError)


def test_an_exception_that_cannot_be_shown_rejects_like_any_other() -> None:
    class Unshowable(Exception):
        def __str__(self) -> str:
            raise SystemExit

    @workflow.defn(name="updates.unshowable")
    class Shows:
        @workflow.run
        async def run(self) -> None:
            await workflow.signal_channel().receive("end")

        @workflow.update
        def go(self) -> None:
            raise Unshowable

    with make(None, Shows) as runtime:
        handle = runtime.wait(runtime.start_workflow(Shows.run, id="s"))

        assert cause_of(failed(runtime, handle.execute_update(Shows.go))).type == "Unshowable"


# Handlers.


def test_handlers_are_set_replaced_and_removed_at_run_time_and_the_catch_all_gets_the_rest() -> None:
    @workflow.defn(name="updates.closures")
    async def closures() -> list[str]:
        words: list[str] = []

        def refuse_empty(word: str) -> None:
            if not word:
                raise ValueError("say something")

        async def add(word: str) -> int:
            words.append(word)
            return len(words)

        def anything(name: str, *args: Any) -> list[Any]:
            return [name, *args]

        def refuse_all(name: str, *args: Any) -> None:
            if name == "refused":
                raise ValueError(f"no {name}")

        workflow.set_update_handler("add", add, validator=refuse_empty)
        workflow.set_dynamic_update_handler(anything, validator=refuse_all)
        assert workflow.get_update_handler("add") is add
        assert workflow.get_dynamic_update_handler() is anything
        await workflow.wait_condition(lambda: len(words) == 2)
        workflow.set_update_handler("add", None)
        await workflow.signal_channel().receive("end")
        return words

    with make(None, closures) as runtime:
        handle = runtime.wait(runtime.start_workflow(closures, id="c"))
        assert cause_of(failed(runtime, handle.execute_update("add", ""))).message == "say something"
        assert runtime.wait(handle.execute_update("add", "a")) == 1
        assert runtime.wait(handle.execute_update("other", 1, 2)) == ["other", 1, 2]
        assert cause_of(failed(runtime, handle.execute_update("refused"))).message == "no refused"
        assert runtime.wait(handle.execute_update("add", "b")) == 2
        assert runtime.wait(handle.execute_update("add", "")) == ["add", ""]
        runtime.wait(handle.signal("end"))
        assert runtime.wait(handle.result()) == ["a", "b"]
        replay_every_prefix(runtime)


def test_a_handler_of_the_class_is_replaced_with_its_validator_and_every_handler_can_be_removed() -> None:
    @workflow.defn(name="updates.replaced")
    class Replaced:
        @workflow.run
        async def run(self) -> list[bool]:
            channel = workflow.signal_channel()
            before = [workflow.get_update_handler("say") == self.say]
            before.append(workflow.get_dynamic_update_handler() == self.anything)
            await channel.receive("on")
            workflow.set_update_handler("say", self.say_set)
            workflow.set_dynamic_update_handler(self.anything_set)
            await channel.receive("on")
            workflow.set_update_handler("say", None)
            await channel.receive("on")
            workflow.set_dynamic_update_handler(None)
            gone = [workflow.get_update_handler("say") is None, workflow.get_dynamic_update_handler() is None]
            await channel.receive("on")
            return before + gone

        @workflow.update
        def say(self, word: str) -> str:
            return f"declared: {word}"

        @say.validator
        def refuse(self, word: str) -> None:
            raise ValueError(f"not {word}")

        @workflow.update(dynamic=True)
        def anything(self, name: str, *args: Any) -> str:
            return f"declared for all: {name}"

        def say_set(self, word: str) -> str:
            return f"set: {word}"

        def anything_set(self, name: str, *args: Any) -> str:
            return f"set for all: {name}"

    with make(None, Replaced) as runtime:
        handle = runtime.wait(runtime.start_workflow(Replaced.run, id="r"))
        outcomes: list[Any] = []
        for _ in range(4):
            for update in ("say", "other"):
                asked: Future[Any] = handle.execute_update(update, "a")
                runtime.run_until_idle()
                error = asked.exception()
                if isinstance(error, WorkflowUpdateFailedError):
                    outcomes.append(cause_of(error).type)
                else:
                    outcomes.append(asked.get())
            runtime.wait(handle.signal("on"))

        assert outcomes == [
            *("ValueError", "declared for all: other"),
            *("set: a", "set for all: other"),
            *("set for all: say", "set for all: other"),
            *("NotRegisteredError", "NotRegisteredError"),
        ]
        assert runtime.wait(handle.result()) == [True] * 4
        replay_every_prefix(runtime)


def test_a_catch_alls_validator_is_not_used_for_an_update_with_a_handler_of_its_own() -> None:
    @workflow.defn(name="updates.named")
    class Named:
        @workflow.run
        async def run(self) -> None:
            await workflow.signal_channel().receive("end")

        @workflow.update
        def plain(self) -> str:
            return "taken"

        @workflow.update(dynamic=True)
        def anything(self, name: str, *args: Any) -> str:
            return name

        @anything.validator
        def refuse(self, name: str, *args: Any) -> None:
            raise ValueError(f"no {name}")

    with make(None, Named) as runtime:
        handle = runtime.wait(runtime.start_workflow(Named.run, id="n"))

        assert runtime.wait(handle.execute_update(Named.plain)) == "taken"
        assert cause_of(failed(runtime, handle.execute_update("other"))).message == "no other"


def test_a_subclass_replaces_handler_and_validator_by_their_names() -> None:
    class Base:
        @workflow.update
        def add(self, number: int) -> str:
            return "base"

        @add.validator
        def check(self, number: int) -> None:
            raise ValueError("base")

    @workflow.defn(name="updates.sub")
    class Sub(Base):
        @workflow.run
        async def run(self) -> None:
            await workflow.signal_channel().receive("end")

        def check(self, number: int) -> None:
            if number < 0:
                raise ValueError("sub")

    with make(None, Sub) as runtime:
        handle = runtime.wait(runtime.start_workflow(Sub.run, id="s"))

        assert runtime.wait(handle.execute_update(Sub.add, 1)) == "base"
        assert cause_of(failed(runtime, handle.execute_update(Sub.add, -1))).message == "sub"


def test_a_handler_knows_for_which_update_it_is_called_and_so_do_its_tasks() -> None:
    with make() as runtime:
        handle = flight(runtime)

        assert runtime.wait(handle.execute_update(Flight.who, id="u1")) == ("u1", "who")
        assert runtime.wait(handle.execute_update(Flight.who, id="u2")) == ("u2", "who")
    with pytest.raises(NotInWorkflowError):
        workflow.current_update_info()


def test_handlers_run_beside_each_other_and_a_lock_makes_them_take_turns() -> None:
    @workflow.defn(name="updates.locked")
    class Locked:
        def __init__(self) -> None:
            self.lock = asyncio.Lock()
            self.steps: list[str] = []

        @workflow.run
        async def run(self) -> list[str]:
            await workflow.wait_condition(lambda: len(self.steps) == 8)
            await workflow.wait_condition(workflow.all_handlers_finished)
            return self.steps

        @workflow.update
        async def free(self, name: str) -> None:
            await self.twice(name)

        @workflow.update
        async def in_turn(self, name: str) -> None:
            async with self.lock:
                await self.twice(name)

        async def twice(self, name: str) -> None:
            self.steps.append(name)
            await workflow.sleep(1)
            self.steps.append(name)

    with make(None, Locked) as runtime:
        handle = runtime.wait(runtime.start_workflow(Locked.run, id="l"))
        for update in (Locked.free, Locked.in_turn):
            futures = [handle.execute_update(update, name) for name in "ab"]
            for future in futures:
                runtime.wait(future)

        assert runtime.wait(handle.result()) == ["a", "b", "a", "b", "a", "a", "b", "b"]


@pytest.mark.parametrize("kind", ["signal", "update"])
@pytest.mark.parametrize("how", ["declared", "set"])
def test_a_run_can_wait_until_its_handlers_of_every_kind_have_finished(kind: str, how: str) -> None:
    @workflow.defn(name="updates.patient")
    class Patient:
        def __init__(self) -> None:
            self.seen: list[str] = []

        @workflow.run
        async def run(self) -> list[str]:
            if how == "set":
                workflow.set_signal_handler("hear", self.work)
                workflow.set_update_handler("ask", self.work)
            await workflow.signal_channel().receive("end")
            self.seen.append(f"finished: {workflow.all_handlers_finished()}")
            await workflow.wait_condition(workflow.all_handlers_finished)
            return self.seen

        @workflow.signal
        async def hear(self) -> None:
            await self.work()

        @workflow.update
        async def ask(self) -> None:
            await self.work()

        async def work(self) -> None:
            await workflow.sleep(5)
            self.seen.append("worked")

    with make(None, Patient) as runtime:
        handle = runtime.wait(runtime.start_workflow(Patient.run, id="p"))
        if kind == "signal":
            runtime.wait(handle.signal("hear"))
        else:
            runtime.wait(handle.start_update("ask", wait_for_stage=ACCEPTED))
        runtime.wait(handle.signal("end"))

        assert runtime.wait(handle.result()) == ["finished: False", "worked"]
        replay_every_prefix(runtime)


def test_a_run_that_ends_while_handlers_are_at_work_is_logged_unless_they_do_not_mind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @workflow.defn(name="updates.hasty")
    class Hasty:
        @workflow.run
        async def run(self) -> None:
            await workflow.signal_channel().receive("end")

        @workflow.update
        async def slow(self) -> None:
            await workflow.sleep(100)

        @workflow.update(unfinished_policy=HandlerUnfinishedPolicy.ABANDON)
        async def careless(self) -> None:
            await workflow.sleep(100)

        @workflow.signal
        async def heard(self) -> None:
            await workflow.sleep(100)

        @workflow.signal(unfinished_policy=HandlerUnfinishedPolicy.ABANDON)
        async def ignored(self) -> None:
            await workflow.sleep(100)

    def told() -> list[str]:
        return [record.getMessage() for record in caplog.records if "while a handler was at work" in record.message]

    with make(None, Hasty) as runtime, caplog.at_level(logging.WARNING, "greenroom"):
        for end in ("end", "terminate"):
            handle = runtime.wait(runtime.start_workflow(Hasty.run, id=f"hasty-{end}"))
            for update in ("slow", "careless"):
                runtime.wait(handle.start_update(update, id=update, wait_for_stage=ACCEPTED))
            for signal in (Hasty.heard, Hasty.ignored):
                runtime.wait(handle.signal(signal))
            runtime.wait(handle.signal("end") if end == "end" else handle.terminate())
        replay_every_prefix(runtime)

    assert len(told()) == 2
    assert "update 'slow' (slow)" in told()[0]
    assert "signal heard" in told()[1]


async def check_later(self: Any, word: str) -> None:
    """Cannot be one."""


def check_nothing(self: Any) -> None:
    """Takes too little."""


def check_more(self: Any, word: str, more: str) -> None:
    """Takes too much."""


@pytest.mark.parametrize(
    ("validator", "problem"),
    [
        (check_later, "write it without async"),
        (check_nothing, r"must take what step\(\) takes: word"),
        (check_more, r"must take what step\(\) takes: word"),
    ],
)
def test_a_validator_that_cannot_be_one_is_refused_where_it_is_declared(validator: Any, problem: str) -> None:
    class Wrong:
        @workflow.run
        async def run(self) -> None: ...

        @workflow.update
        def step(self, word: str) -> None: ...

        check = step.validator(validator)

    with pytest.raises(InvalidWorkflowError, match=problem):
        workflow.defn(Wrong)


def test_a_validator_with_the_name_of_its_update_is_refused() -> None:
    class Once:
        @workflow.update
        def step(self) -> None: ...

    def step(self: Any) -> None:
        """Has the name of the update."""

    with pytest.raises(ValueError, match="give it one of its own"):
        Once.step.validator(step)


def test_an_async_validator_is_refused_where_it_is_set() -> None:
    async def later() -> None:
        """Cannot be one."""

    @workflow.defn(name="updates.async_validator", failure_exception_types=(TypeError,))
    async def sets() -> None:
        workflow.set_update_handler("x", lambda: None, validator=later)

    with make(None, sets) as runtime, pytest.raises(WorkflowFailureError) as caught:
        runtime.wait(runtime.execute_workflow(sets))
    assert "without async" in str(caught.value)


def test_threads_and_loops_get_updates_from_a_real_runtime() -> None:
    async def main() -> list[Any]:
        async with Runtime.in_memory(workflows=WORKFLOWS, activities=[reserve]) as runtime:
            handle = await runtime.start_workflow(Flight.run, id="flight")
            outcomes = await asyncio.gather(*(handle.execute_update(Flight.book, Seat(row, "A")) for row in (1, 2, 3)))
            started = await handle.start_update(Flight.book, Seat(4, "A"), wait_for_stage=ACCEPTED)
            return [*sorted(outcomes), await started.result(), started.result().get(timeout=WAIT)]

    assert asyncio.run(main()) == ["1A", "2A", "3A", "4A", "4A"]
