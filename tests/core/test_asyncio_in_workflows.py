"""All of asyncio that needs no socket, process or thread works in a workflow, and is replayed."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from greenroom.runtime import workflow
from greenroom.runtime.core.bugs import WorkflowBugError
from greenroom.runtime.core.commands import CancelActivity, CancelTimer, ScheduleActivity, StartTimer
from greenroom.runtime.model.errors import ApplicationError
from tests.core.driving import Drive

Start = Callable[..., Drive]


def step(name: str) -> workflow.ActivityHandle[Any]:
    return workflow.start_activity(name)


async def do(name: str) -> Any:
    return await workflow.execute_activity(name)


@workflow.defn
async def gathering() -> list[str]:
    return list(await asyncio.gather(do("a"), do("b"), do("c")))


def test_gather_starts_in_argument_order_and_returns_in_argument_order(drive: Start) -> None:
    run = drive(gathering)

    run.complete(3, "C")
    run.complete(1, "A")
    run.complete(2, "B")

    assert run.names()[:3] == ["a", "b", "c"]
    assert run.result == ["A", "B", "C"]


@workflow.defn
async def one_of_gather_fails() -> str:
    try:
        await asyncio.gather(do("a"), do("b"))
    except ApplicationError as error:
        return str(error)
    return "nothing failed"


def test_gather_raises_what_failed_first(drive: Start) -> None:
    run = drive(one_of_gather_fails)

    run.fail(2, ApplicationError("broken"))

    assert run.result == "broken"


@workflow.defn
async def creating_tasks() -> list[Any]:
    first = asyncio.create_task(do("a"), name="mine")
    second = asyncio.create_task(do("b"))
    return [await first, await second, first.get_name(), second.get_name().startswith("task-")]


def test_tasks_run_in_the_order_they_were_created(drive: Start) -> None:
    run = drive(creating_tasks)

    run.complete(2, 2)
    run.complete(1, 1)

    assert run.names()[:2] == ["a", "b"]
    assert run.result == [1, 2, "mine", True]


async def cancelled_in_order(number: int, order: list[int]) -> None:
    try:
        await workflow.sleep(1000 + number)
    except asyncio.CancelledError:
        order.append(number)
        raise


async def fails_after_signal() -> None:
    await workflow.signal_channel().receive("go")
    raise ApplicationError("the group fails")


@workflow.defn
async def failing_group() -> list[int]:
    order: list[int] = []
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(12):
                group.create_task(cancelled_in_order(number, order))
            group.create_task(fails_after_signal())
    except* ApplicationError:
        pass
    return order


def test_a_failing_group_of_twelve_cancels_its_children_in_one_order(drive: Start) -> None:
    run = drive(failing_group)

    run.signal("go")

    assert sorted(run.result) == list(range(12))
    assert [each.id for each in run.all_of(CancelTimer)] == [each + 1 for each in run.result]


@workflow.defn
async def succeeding_group() -> int:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(do(name)) for name in "xyz"]
    return sum([task.result() for task in tasks])


def test_a_group_waits_for_all_its_children(drive: Start) -> None:
    run = drive(succeeding_group)

    for number in (2, 3, 1):
        run.complete(number, number)

    assert run.result == 6


@workflow.defn
async def with_timeout() -> str:
    try:
        async with asyncio.timeout(5):
            return str(await do("slow"))
    except TimeoutError:
        return "too slow"


def test_a_timeout_that_passes_cancels_what_it_waits_for(drive: Start) -> None:
    run = drive(with_timeout)

    run.fire()

    assert run.result == "too slow"
    assert [each.id for each in run.all_of(CancelActivity)] == [2]


def test_a_timeout_that_is_not_needed_is_taken_back(drive: Start) -> None:
    run = drive(with_timeout)

    run.complete(2, "quick")

    assert run.result == "quick"
    assert [each.id for each in run.all_of(CancelTimer)] == [1]


@workflow.defn
async def moving_timeout() -> str:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout_at(loop.time() + 5) as limit:
            limit.reschedule(loop.time() + 50)
            await do("slow")
    except TimeoutError:
        return str(loop.time())
    return ""


def test_a_timeout_that_is_moved_in_its_turn_asks_for_one_timer(drive: Start) -> None:
    run = drive(moving_timeout)

    run.fire()

    assert [each.at_ns for each in run.all_of(StartTimer)] == [run.turns[0].time_ns + 50_000_000_000]
    assert run.result == "50.0"


@workflow.defn
async def expired_timeout() -> str:
    try:
        async with asyncio.timeout(-1):
            await do("slow")
    except TimeoutError:
        return "at once"
    return ""


def test_a_timeout_in_the_past_needs_no_timer(drive: Start) -> None:
    run = drive(expired_timeout)

    assert run.result == "at once"
    assert run.all_of(StartTimer) == []
    assert run.all_of(ScheduleActivity) == []


@workflow.defn
async def waiting_for() -> list[str]:
    out: list[str] = []
    for name in ("first", "second"):
        try:
            out.append(await asyncio.wait_for(do(name), 10))
        except TimeoutError:
            out.append("timeout")
    return out


def test_wait_for_gives_the_result_or_a_timeout(drive: Start) -> None:
    run = drive(waiting_for)

    run.complete(1 if run.last[0].name == "first" else 2, "ok")
    run.fire()

    assert run.result == ["ok", "timeout"]


@workflow.defn
async def shielding() -> list[Any]:
    task = asyncio.create_task(do("kept"))
    try:
        async with asyncio.timeout(1):
            await asyncio.shield(task)
    except TimeoutError:
        pass
    return [task.cancelled(), await task]


def test_shield_keeps_an_activity_over_a_timeout(drive: Start) -> None:
    run = drive(shielding)

    run.fire()
    run.complete(1 if run.turns[0].commands[0].name == "kept" else 2, "done")

    assert run.all_of(CancelActivity) == []
    assert run.result == [False, "done"]


@workflow.defn
class Locked:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.semaphore = asyncio.Semaphore(2)
        self.left = 0

    @workflow.signal
    async def book(self, name: str) -> None:
        async with self.lock:
            await do(f"book {name}")
        self.left += 1

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.left == 3)


def test_a_lock_lets_handlers_in_one_by_one_in_order(drive: Start) -> None:
    run = drive(Locked)
    for name in "abc":
        run.signal("book", name)

    for number in (1, 2, 3):
        run.complete(number)

    assert [turn.commands[0].name for turn in run.turns if turn.commands][:3] == ["book a", "book b", "book c"]
    assert run.execution.is_closed


async def under(semaphore: asyncio.Semaphore, name: str) -> str:
    async with semaphore:
        return str(await do(name))


@workflow.defn
async def with_semaphore() -> list[str]:
    semaphore = asyncio.Semaphore(2)
    return await asyncio.gather(*(under(semaphore, name) for name in "abc"))


def test_a_semaphore_lets_two_at_a_time(drive: Start) -> None:
    run = drive(with_semaphore)

    run.complete(2, "B")
    third = run.last
    run.complete(1, "A")
    run.complete(3, "C")

    assert [command.name for command in run.turns[0].commands] == ["a", "b"]
    assert [command.name for command in third] == ["c"]
    assert run.result == ["A", "B", "C"]


@workflow.defn
async def with_queue() -> list[int]:
    queue: asyncio.Queue[int] = asyncio.Queue(maxsize=1)
    got: list[int] = []

    async def produce() -> None:
        for number in range(4):
            await queue.put(number)

    async def consume() -> None:
        while True:
            got.append(await queue.get())
            queue.task_done()

    consumer = asyncio.create_task(consume())
    await produce()
    await queue.join()
    consumer.cancel()
    return got


def test_a_bounded_queue_passes_everything_in_order(drive: Start) -> None:
    assert drive(with_queue).result == [0, 1, 2, 3]


@workflow.defn
async def with_event_and_condition() -> list[str]:
    event, condition, seen = asyncio.Event(), asyncio.Condition(), list[str]()

    async def wait_for_event() -> None:
        await event.wait()
        seen.append("event")

    async def wait_for_condition() -> None:
        async with condition:
            await condition.wait_for(lambda: "event" in seen)
            seen.append("condition")

    tasks = [asyncio.create_task(wait_for_condition()), asyncio.create_task(wait_for_event())]
    await asyncio.sleep(0)
    event.set()
    await tasks[1]
    async with condition:
        condition.notify_all()
    await tasks[0]
    return seen


def test_events_and_conditions_wake_their_waiters(drive: Start) -> None:
    assert drive(with_event_and_condition).result == ["event", "condition"]


@workflow.defn
async def with_wait() -> list[list[str]]:
    tasks = [asyncio.create_task(do(name), name=name) for name in "abcd"]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    return [[task.get_name() for task in done], [task.get_name() for task in pending]]


def test_wait_returns_sets_whose_order_is_replayed(drive: Start) -> None:
    run = drive(with_wait)

    run.complete(3, "C")

    assert run.result[0] == ["c"]
    assert sorted(run.result[1]) == ["a", "b", "d"]
    assert [each.id for each in run.all_of(CancelActivity)] == ["abcd".index(name) + 1 for name in run.result[1]]


@workflow.defn
async def with_as_completed() -> list[str]:
    return [await each for each in asyncio.as_completed([step(name) for name in "abc"])]


def test_as_completed_takes_handles_and_gives_results_as_they_come(drive: Start) -> None:
    run = drive(with_as_completed)

    for number, result in ((2, "B"), (3, "C"), (1, "A")):
        run.complete(number, result)

    assert run.result == ["B", "C", "A"]


async def countdown(start: int, ended: list[str]) -> AsyncIterator[int]:
    try:
        for number in range(start, 0, -1):
            await workflow.sleep(1)
            yield number
    finally:
        ended.append("ended")


@workflow.defn
async def with_generators() -> list[Any]:
    ended: list[str] = []
    numbers = [number async for number in countdown(2, ended)]
    abandoned = countdown(2, ended)
    async for number in abandoned:
        numbers.append(number)
        break
    return [numbers, list(ended)]


def test_async_generators_run_and_an_abandoned_one_waits_for_the_end_of_the_run(drive: Start) -> None:
    run = drive(with_generators)

    for _ in range(3):
        run.fire()

    assert run.result == [[2, 1, 2], ["ended"]]


@workflow.defn
async def with_many_generators() -> int:
    ended: list[str] = []
    count = 0
    for _ in range(100):
        async for number in quick(ended):
            count += number
    return len(ended) + count


async def quick(ended: list[str]) -> AsyncIterator[int]:
    yield 1
    ended.append("ended")


def test_generators_that_have_ended_are_forgotten(drive: Start) -> None:
    run = drive(with_many_generators)

    assert run.result == 200
    assert len(vars(run.execution.loop)["_generators"]) < 40


user: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="nobody")


@workflow.defn
class WithContext:
    def __init__(self) -> None:
        self.seen = [user.get()]
        user.set("of the run")

    @workflow.signal
    def note(self) -> None:
        self.seen.append(user.get())
        user.set("of the handler")

    @workflow.run
    async def run(self) -> list[str]:
        self.seen.append(user.get())
        user.set("of the main task")
        await workflow.wait_condition(lambda: len(self.seen) >= 3 and user.get() == "of the main task")
        return self.seen


def test_context_variables_are_the_runs_own_and_stay_in_it(drive: Start) -> None:
    token = user.set("of the thread")

    run = drive(WithContext)
    run.signal("note")

    assert run.result == ["nobody", "of the run", "of the run"]
    assert user.get() == "of the thread"
    user.reset(token)


@workflow.defn
async def sleeping_zero() -> str:
    await asyncio.sleep(0)
    await asyncio.sleep(-1)
    return "awake"


def test_asyncio_sleep_zero_only_yields(drive: Start) -> None:
    run = drive(sleeping_zero)

    assert run.all_of(StartTimer) == []
    assert run.result == "awake"


@workflow.defn
async def using_the_loop() -> list[Any]:
    loop = asyncio.get_running_loop()
    seen: list[Any] = [loop.is_running(), loop.is_closed(), loop.get_debug()]
    loop.set_debug(True)
    later = loop.call_later(5, seen.append, "later")
    dropped = loop.call_at(loop.time() + 7, seen.append, "dropped")
    soon = loop.call_soon(seen.append, "soon")
    never = loop.call_soon(seen.append, "never")
    never.cancel()
    dropped.cancel()
    dropped.cancel()
    texts = [repr(soon), repr(never), repr(later), repr(dropped)]
    seen += ["cancelled" in text for text in texts]
    await workflow.sleep(10)
    return [*seen, loop.get_debug(), later.when(), loop.get_exception_handler(), loop.get_task_factory()]


def test_the_loop_itself_can_be_used(drive: Start) -> None:
    run = drive(using_the_loop)

    run.fire()
    run.fire()

    assert run.result == [True, False, False, False, True, False, True, "soon", "later", False, 5.0, None, None]


@workflow.defn
async def calling_at_once() -> list[str]:
    loop, seen = asyncio.get_running_loop(), list[str]()
    loop.call_later(0, seen.append, "later")
    loop.call_at(loop.time() - 5, seen.append, "at")
    await asyncio.sleep(0)
    return seen


def test_a_callback_that_is_due_needs_no_timer(drive: Start) -> None:
    run = drive(calling_at_once)

    assert run.all_of(StartTimer) == []
    assert run.result == ["later", "at"]


def asks(loop: asyncio.AbstractEventLoop, what: str) -> Any:
    """Call a method of the loop that needs the world outside."""
    return getattr(loop, what)(None, None)


@workflow.defn
async def refused(what: str) -> str:
    try:
        asks(asyncio.get_running_loop(), what)
    except RuntimeError as error:
        return str(error)
    return "allowed"


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        ("run_in_executor", "do it in an activity"),
        ("call_soon_threadsafe", "handle.signal"),
        ("run_until_complete", "await the coroutine"),
        ("run_forever", "await the coroutine"),
        ("stop", "return from the workflow"),
        ("close", "return from the workflow"),
        ("getaddrinfo", "do it in an activity"),
        ("create_connection", "do it in an activity"),
        ("create_server", "do it in an activity"),
        ("sock_recvfrom_into", "do it in an activity"),
        ("add_reader", "do it in an activity"),
        ("connect_read_pipe", "do it in an activity"),
        ("subprocess_exec", "do it in an activity"),
        ("add_signal_handler", "the application"),
        ("set_default_executor", "do it in an activity"),
        ("shutdown_asyncgens", "put away"),
        ("set_task_factory", "the loop's own"),
        ("set_exception_handler", "closes or suspends"),
    ],
)
def test_the_loop_refuses_what_a_replay_could_not_repeat(drive: Start, what: str, instead: str) -> None:
    run = drive(refused, what)

    assert "cannot be used in a workflow" in run.result
    assert instead in run.result


@workflow.defn(static_check=False)  # what the loop says where the check has not looked
async def in_a_thread() -> str:
    try:
        return await asyncio.to_thread(str)
    except RuntimeError as error:
        return str(error)


def test_to_thread_is_refused_with_an_explanation(drive: Start) -> None:
    assert "do it in an activity" in drive(in_a_thread).result


FOREIGN = asyncio.new_event_loop()
FOREIGN.close()


@workflow.defn
async def awaiting_a_foreign_future() -> None:
    await asyncio.Future(loop=FOREIGN)


def test_awaiting_a_future_of_another_loop_is_an_explained_error_at_once(drive: Start) -> None:
    run = drive(awaiting_a_foreign_future, start=False)

    with pytest.raises(
        WorkflowBugError, match=r"attached to a different loop; .* wait for anything else in an activity"
    ):
        run.send(run.started)


@workflow.defn
async def with_a_bad_callback() -> None:
    asyncio.get_running_loop().call_soon(list[int]().pop)
    await asyncio.sleep(0)


def test_what_a_callback_raises_is_a_bug(drive: Start) -> None:
    run = drive(with_a_bad_callback, start=False)

    with pytest.raises(WorkflowBugError, match="pop from empty list"):
        run.send(run.started)


@workflow.defn
async def many_tasks() -> int:
    for _ in range(200):
        await asyncio.create_task(asyncio.sleep(0))
    return 200


def test_tasks_that_are_done_are_forgotten(drive: Start) -> None:
    run = drive(many_tasks)

    assert run.result == 200
    assert len(vars(run.execution.loop)["_tasks"]) < 40
