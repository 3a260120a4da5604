"""Sync activities: performed on daemon threads, reported once, whatever they do."""

from __future__ import annotations

import contextvars
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import pytest

from greenroom.runtime import activity
from greenroom.runtime.model.errors import InternalError
from greenroom.runtime.model.payloads import Converter
from greenroom.runtime.model.values import changed
from greenroom.runtime.shell.performer import Completed, Failed, NeverBegan, Outcome, Performer, Task

Make = Callable[..., Task]
Fails = Callable[[], Failed]


@dataclass
class Order:
    name: str
    cents: int


def double(order: Order) -> Order:
    return Order(order.name, order.cents * 2)


def test_arguments_and_results_keep_their_types(
    performer: Performer, make: Make, outcome: Any, converter: Converter
) -> None:
    performer.perform(make(double, Order("tea", 250)))

    assert converter.decode(outcome().result, Order) == Order("tea", 500)


def test_a_missing_argument_takes_its_default(performer: Performer, make: Make, result: Any) -> None:
    def greet(name: str, greeting: str = "Hi") -> str:
        return f"{greeting}, {name}"

    performer.perform(make(greet, "Kyle"))

    assert result() == "Hi, Kyle"


def test_an_exception_is_reported_with_its_type_and_stack(performer: Performer, make: Make, failed: Fails) -> None:
    def charge() -> None:
        raise LookupError("no such card")

    performer.perform(make(charge))

    failure = failed().failure
    assert (failure.type, failure.message, failure.non_retryable) == ("LookupError", "no such card", False)
    assert "in charge" in failure.stack


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), BaseExceptionGroup("two", [SystemExit()])]
)
def test_no_exception_ends_the_thread(
    performer: Performer, make: Make, failed: Fails, result: Any, error: BaseException
) -> None:
    def leave() -> None:
        raise error

    def work() -> int:
        return threading.get_ident()

    performer.perform(make(work))
    thread = result()

    performer.perform(make(leave))

    assert failed().failure.type == type(error).__name__
    performer.perform(make(work))
    assert result() == thread


def test_an_exception_that_cannot_be_described_is_still_reported(
    performer: Performer, make: Make, failed: Fails
) -> None:
    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise SystemExit("no words")

    def fail() -> None:
        raise Unspeakable

    performer.perform(make(fail))

    assert failed().failure.type == "Unspeakable"


def test_undecodable_arguments_are_not_retried(performer: Performer, make: Make, failed: Fails) -> None:
    def greet(name: str) -> str:
        return name

    performer.perform(changed(make(greet, "Kyle"), args=b"\x01\xc1"))

    failure = failed().failure
    assert failure.non_retryable
    assert failure.type == "PayloadDecodeError"
    assert "'greet'" in failure.message


def test_arguments_of_another_type_are_not_retried(performer: Performer, make: Make, failed: Fails) -> None:
    def wait(seconds: int) -> None:
        raise AssertionError(seconds)

    performer.perform(make(wait, "long"))

    assert failed().failure.non_retryable


@pytest.mark.parametrize(("args", "said"), [((), "misses name"), (("a", "b"), "2 were given")])
def test_arguments_that_do_not_fit_are_not_retried(
    performer: Performer, make: Make, failed: Fails, args: tuple[str, ...], said: str
) -> None:
    def greet(name: str) -> str:
        return name

    performer.perform(make(greet, *args))

    failure = failed().failure
    assert failure.non_retryable
    assert said in failure.message


def test_a_type_error_of_the_activity_itself_is_retried(performer: Performer, make: Make, failed: Fails) -> None:
    def add(one: int) -> Any:
        text: Any = "one"
        return text + one

    performer.perform(make(add, 1))

    assert not failed().failure.non_retryable


def test_a_result_that_cannot_be_encoded_is_a_failure(performer: Performer, make: Make, failed: Fails) -> None:
    def lock() -> object:
        return threading.Lock()

    performer.perform(make(lock))

    assert failed().failure.type == "PayloadEncodeError"


def test_a_coroutine_from_a_plain_function_is_explained(performer: Performer, make: Make, failed: Fails) -> None:
    async def inner() -> None: ...

    def outer() -> Any:
        return inner()

    performer.perform(make(outer))

    failure = failed().failure
    assert failure.non_retryable
    assert "async def" in failure.message


def test_activities_that_wait_for_each_other_run_side_by_side(performer: Performer, make: Make, result: Any) -> None:
    barrier = threading.Barrier(8)

    def meet() -> bool:
        barrier.wait(10)
        return True

    for round_no in range(5):
        for item in range(8):
            performer.perform(make(meet, item=item + 8 * round_no))
        assert all(result() for _ in range(8))


def test_there_are_no_more_threads_than_allowed(converter: Converter, make: Make) -> None:
    seen: set[str] = set()
    begun, done = threading.Semaphore(0), threading.Semaphore(0)
    gate = threading.Event()

    def note() -> None:
        seen.add(threading.current_thread().name)
        begun.release()
        gate.wait(10)

    performer = Performer(converter=converter, report=lambda task, outcome: done.release(), threads=2)
    for item in range(6):
        performer.perform(make(note, item=item))
    assert all(begun.acquire(timeout=10) for _ in range(2))
    gate.set()

    assert all(done.acquire(timeout=10) for _ in range(6))
    assert seen == {"greenroom-activity-1", "greenroom-activity-2"}
    performer.close(grace=0)


def test_one_after_the_other_needs_few_threads(performer: Performer, make: Make, result: Any) -> None:
    def thread() -> str:
        return threading.current_thread().name

    names = set[str]()
    for item in range(50):
        performer.perform(make(thread, item=item))
        names.add(result())

    assert len(names) <= 2


def test_an_idle_thread_keeps_nothing_of_the_last_attempt(performer: Performer, make: Make, result: Any) -> None:
    import gc
    import weakref

    class Tool:
        def use(self) -> int:
            return 1

    tool = Tool()
    gone = threading.Event()
    weakref.finalize(tool, gone.set)
    performer.perform(make(tool.use))
    assert result() == 1

    del tool
    gc.collect()

    assert gone.wait(10)


def test_context_variables_do_not_leak_from_one_activity_to_the_next(converter: Converter, make: Make) -> None:
    tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="nobody")
    seen: SimpleQueue[str] = SimpleQueue()

    def serve(name: str) -> None:
        seen.put(tenant.get())
        tenant.set(name)

    performer = Performer(converter=converter, report=lambda task, outcome: None, threads=1)
    performer.perform(make(serve, "ada", item=1))
    performer.perform(make(serve, "bob", item=2))

    assert [seen.get(timeout=10), seen.get(timeout=10)] == ["nobody", "nobody"]
    performer.close(grace=10)


def test_an_executor_of_the_user_performs_them(
    converter: Converter, make: Make, reports: SimpleQueue[tuple[Task, Outcome]], result: Any
) -> None:
    def thread() -> str:
        assert activity.info().attempt == 1
        return threading.current_thread().name

    with ThreadPoolExecutor(thread_name_prefix="mine") as executor:
        performer = Performer(
            converter=converter, report=lambda task, outcome: reports.put((task, outcome)), executor=executor
        )
        performer.perform(make(thread))

        assert result().startswith("mine")
        assert performer.close(grace=10) == 0


def test_a_closed_executor_is_a_failure_that_can_be_retried(
    converter: Converter, make: Make, reports: SimpleQueue[tuple[Task, Outcome]], failed: Fails
) -> None:
    executor = ThreadPoolExecutor()
    executor.shutdown()
    performer = Performer(
        converter=converter, report=lambda task, outcome: reports.put((task, outcome)), executor=executor
    )

    performer.perform(make(double, Order("tea", 1)))

    failure = failed().failure
    assert "nowhere to run" in failure.message
    assert not failure.non_retryable
    assert not performer.performing((7, 1, 1))


def test_what_an_executor_drops_from_its_queue_never_began(
    converter: Converter, make: Make, reports: SimpleQueue[tuple[Task, Outcome]]
) -> None:
    begun, go = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        go.wait(10)

    executor = ThreadPoolExecutor(1)
    performer = Performer(
        converter=converter, report=lambda task, outcome: reports.put((task, outcome)), executor=executor
    )
    for item in (1, 2, 3):
        performer.perform(make(wait, item=item))
    assert begun.wait(10)
    executor.shutdown(wait=False, cancel_futures=True)
    go.set()

    ended = {task.item: type(outcome) for task, outcome in (reports.get(timeout=10) for _ in range(3))}
    assert ended == {1: Completed, 2: NeverBegan, 3: NeverBegan}
    assert performer.close(grace=10) == 0


def test_what_a_broken_executor_has_in_its_queue_never_began(
    converter: Converter, make: Make, reports: SimpleQueue[tuple[Task, Outcome]]
) -> None:
    def refuse() -> None:
        raise OSError("no connection")

    executor = ThreadPoolExecutor(1, initializer=refuse)
    performer = Performer(
        converter=converter, report=lambda task, outcome: reports.put((task, outcome)), executor=executor
    )
    performer.perform(make(double, Order("tea", 1)))

    assert isinstance(reports.get(timeout=10)[1], NeverBegan)
    assert performer.close(grace=10) == 0


def test_an_executor_of_processes_is_refused(converter: Converter) -> None:
    with ProcessPoolExecutor() as executor, pytest.raises(ValueError, match="threads"):
        Performer(converter=converter, report=lambda task, outcome: None, executor=executor)


def test_no_threads_at_all_are_refused(converter: Converter) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Performer(converter=converter, report=lambda task, outcome: None, threads=0)


def test_the_same_activity_is_not_performed_twice_at_once(performer: Performer, make: Make, result: Any) -> None:
    gate = threading.Event()

    def wait() -> bool:
        return gate.wait(10)

    performer.perform(make(wait))
    with pytest.raises(InternalError, match="already being performed"):
        performer.perform(make(wait))

    gate.set()
    assert result()


def test_performing_is_true_until_the_report(performer: Performer, make: Make, result: Any) -> None:
    begun, gate = threading.Event(), threading.Event()

    def wait() -> bool:
        begun.set()
        return gate.wait(10)

    assert not performer.performing((7, 1, 1))
    performer.perform(make(wait))

    assert begun.wait(10)
    assert performer.performing((7, 1, 1))
    assert performer.started_at_ns((7, 1, 1)) == 42
    gate.set()
    assert result()
    assert not performer.performing((7, 1, 1))
    assert performer.started_at_ns((7, 1, 1)) is None


def test_an_attempt_that_waits_for_a_thread_has_not_started(converter: Converter, make: Make) -> None:
    begun, gate = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        gate.wait(10)

    performer = Performer(converter=converter, report=lambda task, outcome: None, threads=1)
    performer.perform(make(wait, item=1))
    performer.perform(make(wait, item=2))
    assert begun.wait(10)

    assert performer.performing((7, 2, 1))
    assert performer.started_at_ns((7, 2, 1)) is None
    gate.set()
    performer.close(grace=10)


PROGRAM = """
import threading
from greenroom.runtime import activity
from greenroom.runtime.model.activity_definition import define_activity
from greenroom.runtime.model.payloads import Converter
from greenroom.runtime.shell.performer import Performer, Task

begun = threading.Event()

def stuck():
    begun.set()
    threading.Event().wait()

converter = Converter()
performer = Performer(converter=converter, report=print)
info = activity.Info("1", "stuck", 1, "w", "r", "W", 0, 0, 0)
performer.perform(Task(1, 1, define_activity(stuck), converter.encode_args(()), info))
begun.wait()
print("over")
"""


@pytest.mark.slow
def test_a_stuck_activity_does_not_keep_the_interpreter() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=True)

    assert ended.stdout == "over\n"
