"""What our futures add to what pykka promises of its own (which `tests/contract` checks)."""

from __future__ import annotations

import asyncio
import gc
import queue
import signal
import sys
import threading
import weakref
from collections.abc import Callable
from contextvars import Context
from datetime import timedelta
from functools import partial
from typing import Any, TypeVarTuple

import pykka
import pytest

from greenroom.actors import Actor, BlockingCallError, Dispatcher, Future, hold_wakeups

Ts = TypeVarTuple("Ts")


def test_done_and_exception_say_what_is_known_without_waiting() -> None:
    value, failed = Future[int](), Future[int]()
    error = ValueError("mine")
    assert (value.done(), value.exception()) == (False, None)
    assert repr(value) == "<greenroom.Future pending>"

    value.set(1)
    failed.fail(error)

    assert (value.done(), value.exception()) == (True, None)
    assert (failed.done(), failed.exception()) == (True, error)
    assert (repr(value), repr(failed)) == ("<greenroom.Future done>", "<greenroom.Future failed: ValueError('mine')>")
    with pytest.raises(queue.Full):
        failed.fail(error)


def test_set_exception_with_nothing_to_set_is_refused() -> None:
    with pytest.raises(ValueError, match="no exception is being handled"):
        Future[int]().set_exception()


def test_callbacks_are_called_in_order_with_the_future_or_at_once_if_it_is_done() -> None:
    future, calls = Future[int](), list[tuple[str, Any]]()
    future.add_done_callback(lambda done: calls.append(("first", done.get())))
    future.add_done_callback(lambda done: calls.append(("second", done.get())))
    assert calls == []

    future.set(1)
    future.add_done_callback(lambda done: calls.append(("late", done.get())))

    assert calls == [("first", 1), ("second", 1), ("late", 1)]


def test_a_callback_that_raises_is_logged_and_the_others_are_called(caplog: pytest.LogCaptureFixture) -> None:
    future, calls = Future[int](), list[int]()

    def fail(done: Future[int]) -> None:
        raise RuntimeError("mine")

    future.add_done_callback(fail)
    future.add_done_callback(lambda done: calls.append(1))
    future.set(1)

    assert calls == [1]
    assert "done callback of a future raised" in caplog.text


def test_an_interrupt_in_a_callback_reaches_the_setter_after_everybody_has_been_told() -> None:
    future, calls = Future[int](), list[int]()

    def interrupt(done: Future[int]) -> None:
        raise KeyboardInterrupt

    future.add_done_callback(interrupt)
    future.add_done_callback(lambda done: calls.append(1))

    with pytest.raises(KeyboardInterrupt):
        future.set(1)
    assert calls == [1]


def test_callbacks_of_a_derived_future_are_called_once_its_sources_are_done() -> None:
    first, second = Future[int](), Future[int]()
    joined, calls = first.join(second), list[Any]()
    joined.add_done_callback(lambda done: calls.append(done.get()))

    second.set(2)
    assert (joined.done(), calls) == (False, [])

    first.set(1)
    assert (joined.done(), calls) == (True, [[1, 2]])

    unasked = first.map(str)
    unasked.add_done_callback(lambda done: calls.append("first"))
    unasked.add_done_callback(lambda done: calls.append("second"))
    assert calls[1:] == ["first", "second"]


def test_callbacks_of_a_future_with_a_foreign_hook_are_called_too() -> None:
    source, outcome = pykka.ThreadingFuture[int](), Future[Any]()
    derived: Future[int] = Future()
    derived.add_done_callback(lambda done: outcome.set(done.exception()))
    derived.set_get_hook(lambda timeout: 1 // source.get(timeout=timeout))

    source.set(0)

    assert isinstance(outcome.get(timeout=30), ZeroDivisionError)


def test_a_hook_set_while_a_thread_waits_is_used_by_it(
    threads: Callable[[Callable[[], object]], threading.Thread],
) -> None:
    future, outcome, is_waiting = Future[int](), Future[int](), threading.Event()

    class Noting(Future[int]):
        def add_done_callback(self, fn: Callable[[Future[int]], object]) -> None:
            super().add_done_callback(fn)
            is_waiting.set()

    future = Noting()
    threads(lambda: outcome.set(future.get(timeout=30)))
    assert is_waiting.wait(30)

    future.set_get_hook(lambda timeout: 7)

    assert outcome.get(timeout=30) == 7


def test_a_second_thread_waits_for_the_one_that_computes_a_derived_value(
    threads: Callable[[Callable[[], object]], threading.Thread],
) -> None:
    computing, go_on, calls = threading.Event(), threading.Event(), list[int]()
    derived: Future[int] = Future()

    def compute(timeout: float | None) -> int:
        calls.append(1)
        computing.set()
        assert go_on.wait(30)
        return 5

    derived.set_get_hook(compute)
    outcomes = [Future[int](), Future[int]()]
    threads(lambda: outcomes[0].set(derived.get()))
    assert computing.wait(30)

    with pytest.raises(pykka.Timeout):
        derived.get(timeout=0)
    threads(lambda: outcomes[1].set(derived.get(timeout=30)))
    go_on.set()

    assert [outcome.get(timeout=30) for outcome in outcomes] == [5, 5]
    assert calls == [1]


def test_a_waiter_that_timed_out_leaves_nothing_behind() -> None:
    future = Future[int]()
    seen: list[Any] = []
    future.add_done_callback(seen.append)

    with pytest.raises(pykka.Timeout):
        future.get(timeout=0.001)

    future.set(1)
    assert seen == [future]


def test_one_of_many_waiters_is_forgotten_without_a_look_at_the_others() -> None:
    times = 0

    class Waiter:
        def __call__(self, future: object) -> None: ...

        __hash__ = object.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal times
            times += 1
            return self is other

    future, waiters = Future[int](), [Waiter() for _ in range(100)]
    for waiter in waiters:
        future.add_done_callback(waiter)

    for waiter in reversed(waiters):
        getattr(future, "_forget")(waiter)  # noqa: B009  # what get() and await do at their end

    assert not getattr(future, "_waiters")  # noqa: B009  # likewise
    assert times == 0


def test_a_failed_get_leaves_no_cycle() -> None:
    gc.disable()
    try:
        future = Future[int]()
        future.fail(ValueError("mine"))
        with pytest.raises(ValueError, match="mine"):
            future.get()
        gone = weakref.ref(future)
        del future
        assert gone() is None
    finally:
        gc.enable()


def test_ctrl_c_ends_a_blocking_get() -> None:
    future = Future[int]()

    def interrupt(signum: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        with pytest.raises(KeyboardInterrupt):
            future.get()
    finally:
        signal.signal(signal.SIGALRM, before)


def test_only_one_of_many_setters_wins(
    threads: Callable[[Callable[[], object]], threading.Thread], impatient_interpreter: None
) -> None:
    futures = [Future[int]() for _ in range(200)]
    called, refused = list[int](), list[int]()
    for future in futures:
        future.add_done_callback(lambda done: called.append(done.get()))

    def set_all(number: int) -> None:
        for future in futures:
            try:
                future.set(number)
            except queue.Full:
                refused.append(number)

    for thread in [threads(partial(set_all, number)) for number in range(3)]:
        thread.join()

    assert sorted(called) == sorted(future.get() for future in futures)
    assert (len(called), len(refused)) == (200, 400)


# On a dispatcher thread


def test_a_timeout_may_be_a_timedelta_wherever_it_is_passed_on() -> None:
    pending, hooked = Future[int](), Future[Any]()
    hooked.set_get_hook(lambda timeout: timeout)

    for waiting in (pending, pending.map(str), pending.join(Future[int]())):
        with pytest.raises(pykka.Timeout, match=r"no outcome within 0\.00\d+ s"):
            waiting.get(timeout=timedelta(milliseconds=1))
    with pytest.raises(pykka.Timeout):
        pending.get(timeout=timedelta(seconds=-1))
    assert hooked.get(timeout=timedelta(seconds=90)) == pytest.approx(90, abs=60)


def test_a_timeout_that_is_no_length_of_time_is_refused() -> None:
    timeout: Any = "5"

    with pytest.raises(TypeError, match="the timeout is a str; give a timedelta or a number of seconds"):
        Future[int]().get(timeout=timeout)


def on(dispatcher: Dispatcher, fn: Callable[[], Any]) -> Any:
    """Run ``fn`` on the dispatcher's thread and return its value."""
    outcome = Future[Any]()

    def run() -> None:
        try:
            outcome.set(fn())
        except BaseException:
            outcome.set_exception()

    dispatcher.call_soon(run)
    return outcome.get(timeout=30)


def test_a_blocking_get_on_a_dispatcher_thread_is_refused(dispatcher: Dispatcher) -> None:
    future = Future[int]()

    with pytest.raises(BlockingCallError, match="'test-dispatcher' would stop every actor"):
        on(dispatcher, future.get)
    with pytest.raises(BlockingCallError):
        on(dispatcher, future.map(str).get)
    with pytest.raises(BlockingCallError):
        on(dispatcher, lambda: future.get(timeout=1))
    with pytest.raises(pykka.Timeout):
        on(dispatcher, lambda: future.get(timeout=0))


def test_a_get_that_need_not_wait_is_allowed_on_a_dispatcher_thread(dispatcher: Dispatcher) -> None:
    future = Future[int]()
    future.set(1)

    assert on(dispatcher, future.get) == 1
    assert on(dispatcher, future.map(str).get) == "1"


# In asyncio


def test_await_returns_the_value_and_never_blocks_the_loop(dispatcher: Dispatcher) -> None:
    future = Future[int]()

    async def main() -> tuple[int, str]:
        waiter = asyncio.create_task(asyncio.wait_for(future.map(str), 30))
        await asyncio.sleep(0)
        assert not waiter.done()
        dispatcher.call_soon(future.set, 1)
        return await future, await waiter

    assert asyncio.run(main()) == (1, "1")


def test_await_raises_the_same_exception_as_get() -> None:
    done, pending, error = Future[int](), Future[int](), ValueError("mine")
    done.fail(error)

    async def main() -> None:
        asyncio.get_running_loop().call_soon(pending.fail, error)
        for future in (done, pending):
            with pytest.raises(ValueError, match="mine") as caught:
                await future
            assert caught.value is error

    asyncio.run(main())


def test_stops_of_many_actors_are_awaited_without_a_thread_for_each() -> None:
    by_hand = Dispatcher()
    refs = [Actor.start(dispatcher=by_hand) for _ in range(20)]
    before = threading.active_count()

    async def stop_all() -> list[bool]:
        stopping = [asyncio.ensure_future(awaited(ref.stop(block=False))) for ref in refs]
        await asyncio.sleep(0)
        assert threading.active_count() == before
        while by_hand.sweep():
            pass
        return await asyncio.gather(*stopping)

    async def awaited(stopping: pykka.Future[bool]) -> bool:
        return await stopping

    assert asyncio.run(stop_all()) == [True] * 20
    assert [ref.stop(block=False).get() for ref in refs] == [False] * 20


def test_a_callback_is_called_as_often_as_it_was_added_and_needs_no_hash() -> None:
    called: list[object] = []

    class Callback(list[object]):
        def __call__(self, future: object) -> None:
            called.append(future)

    future, callback = Future[int](), Callback()
    future.add_done_callback(callback)
    future.add_done_callback(callback)

    future.set(1)

    assert called == [future, future]


def test_a_cancelled_waiter_leaves_the_future_alone() -> None:
    future = Future[int]()

    async def main() -> int:
        waiter = asyncio.ensure_future(future)
        other = asyncio.ensure_future(future)
        await asyncio.sleep(0)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        assert not future.done()
        future.set(1)
        return await other

    assert asyncio.run(main()) == 1


def test_loops_on_several_threads_may_await_one_future(
    threads: Callable[[Callable[[], object]], threading.Thread],
) -> None:
    future, outcomes = Future[int](), [Future[int](), Future[int]()]
    are_waiting = threading.Barrier(3)

    async def wait() -> int:
        asyncio.get_running_loop().call_soon(are_waiting.wait, 30)
        return await future

    def run(outcome: Future[int]) -> None:
        outcome.set(asyncio.run(wait()))

    for outcome in outcomes:
        threads(partial(run, outcome))
    are_waiting.wait(30)
    future.set(1)

    assert [outcome.get(timeout=30) for outcome in outcomes] == [1, 1]


def test_a_future_with_a_foreign_hook_can_be_awaited() -> None:
    source = pykka.ThreadingFuture[int]()
    joined = Future[Any]()
    joined.set(1)

    async def main() -> Any:
        asyncio.get_running_loop().call_soon(source.set, 2)
        return await joined.join(source)

    assert asyncio.run(main()) == [1, 2]


def test_held_wakeups_are_one_call_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []
    futures = [Future[int]() for _ in range(5)]

    class CountingLoop(asyncio.SelectorEventLoop):
        def call_soon_threadsafe(
            self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
        ) -> asyncio.Handle:
            calls.append(callback)
            return super().call_soon_threadsafe(callback, *args, context=context)

    async def main() -> list[int]:
        waiters = [asyncio.ensure_future(future) for future in futures]
        await asyncio.sleep(0)
        with hold_wakeups():
            for number, future in enumerate(futures):
                with hold_wakeups():
                    future.set(number)
            assert calls == []
        assert len(calls) == 1
        return await asyncio.gather(*waiters)

    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        assert runner.run(main()) == [0, 1, 2, 3, 4]


def test_a_closed_loop_is_ignored() -> None:
    future = Future[int]()

    async def wait() -> int:
        return await future

    loop = asyncio.new_event_loop()
    task = loop.create_task(wait())
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()

    future.set(1)

    assert future.get() == 1
    setattr(task, "_log_destroy_pending", False)  # noqa: B010  # the loop went away under it, on purpose
    coroutine = task.get_coro()
    assert coroutine is not None
    coroutine.close()


def test_a_future_that_failed_and_that_nobody_looked_at_stays_silent(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    future = Future[int]()
    future.fail(ValueError("mine"))

    del future
    gc.collect()

    assert capsys.readouterr().err == ""
    assert caplog.text == ""


def test_importing_the_actor_layer_does_not_import_asyncio() -> None:
    import subprocess

    code = "import sys, greenroom.actors; sys.exit('asyncio' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
