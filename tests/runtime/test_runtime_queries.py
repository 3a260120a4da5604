"""Queries: answered by the run's code in its turn, from what is on disk, and without a trace."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from dataclasses import dataclass
from typing import Any, cast

import pytest

from greenroom import Future, QueryRejectCondition, Runtime, activity, workflow
from greenroom.runtime.model.errors import (
    InvalidWorkflowError,
    JournalCorruptError,
    JournalWriteError,
    MailboxFullError,
    NondeterminismError,
    NotRegisteredError,
    PayloadDecodeError,
    ReadOnlyContextError,
    RuntimeClosedError,
    WorkflowNotFoundError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowSuspendedError,
)
from greenroom.runtime.model.handler_definitions import BUILT_IN_QUERIES
from greenroom.runtime.model.options import WorkflowExecutionStatus
from greenroom.storage import MemoryStore, Tree
from greenroom.testing import TestRuntime, replay_every_prefix
from tests.runtime.rig import WAIT

NOTE: contextvars.ContextVar[str] = contextvars.ContextVar("note", default="none")


@dataclass
class Basket:
    items: list[str]
    total: int


@activity.defn(name="queries.price")
def price(item: str) -> int:
    return len(item)


@workflow.defn(name="queries.shop")
class Shop:
    def __init__(self) -> None:
        self.basket = Basket([], 0)
        self.is_done = False

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: self.is_done)
        return self.basket.total

    @workflow.signal
    async def add(self, item: str) -> None:
        if item == "poison":
            raise LookupError("no such item")
        self.basket.items.append(item)
        cost = await workflow.execute_activity(price, item)
        self.basket.total += cost

    @workflow.signal
    def pay(self) -> None:
        self.is_done = True

    @workflow.query
    def total(self) -> int:
        return self.basket.total

    @workflow.query(name="the basket", description="what is in it")
    def what(self, up_to: int = 100) -> Basket:
        return Basket(self.basket.items[:up_to], self.basket.total)

    @workflow.query
    def fails(self) -> None:
        raise LookupError("nothing there")

    @workflow.query
    def misfit(self) -> int:
        return cast("int", "text")

    @workflow.query
    def note(self) -> str:
        before = NOTE.get()
        NOTE.set("left behind")
        return before


@workflow.defn(name="queries.forbidden")
class Forbidden:
    """What a query tries that may only read."""

    def __init__(self) -> None:
        self.gate: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.timer: Any = None
        self.seen = ""

    @workflow.run
    async def run(self) -> str:
        self.timer = asyncio.get_running_loop().call_later(1000, print)
        self.seen = await self.gate
        return self.seen

    @workflow.signal
    def open(self, word: str) -> None:
        self.gate.set_result(word)

    @workflow.query
    def attempt(self, what: str) -> str:
        actions: dict[str, Any] = {
            "activity": lambda: workflow.start_activity(price, "more"),
            "task": lambda: asyncio.get_running_loop().create_task(asyncio.sleep(0)),
            "timer": lambda: asyncio.get_running_loop().call_later(1, print),
            "callback": lambda: asyncio.get_running_loop().call_soon(print),
            "timer at once": lambda: asyncio.get_running_loop().call_later(0, print),
            "timer in the past": lambda: asyncio.get_running_loop().call_at(-1, print),
            "random": workflow.random,
            "uuid4": workflow.uuid4,
            "uuid7": workflow.uuid7,
            "condition": lambda: workflow.wait_condition(lambda: True).send(None),
            "sleep": lambda: workflow.sleep(1).send(None),
            "signal": lambda: workflow.get_external_workflow_handle("f").signal("open", "more").send(None),
            "poll": lambda: workflow.signal_channel().poll("more"),
            "update handler": lambda: workflow.set_update_handler("more", print),
            "handler": lambda: workflow.set_signal_handler("more", print),
            "query handler": lambda: workflow.set_query_handler("more", print),
            "side effect": lambda: workflow.side_effect(lambda: 1),
            "wake": lambda: self.gate.set_result("by a query"),
            "cancel": lambda: self.timer.cancel(),
        }
        actions[what.removeprefix("swallow ")]() if not what.startswith("swallow ") else self.swallow(actions[what[8:]])
        return "done"

    def swallow(self, action: Any) -> None:
        try:
            action()
        except ReadOnlyContextError:
            self.swallowed = True


@workflow.defn(name="queries.closures")
async def closures() -> str:
    words: list[str] = []
    workflow.set_query_handler("words", lambda: list(words))

    def anything(name: str, *args: Any) -> list[Any]:
        return [name, *args]

    workflow.set_dynamic_query_handler(anything)
    channel = workflow.signal_channel()
    words.append(await channel.receive("word"))
    workflow.set_query_handler("words", None)
    assert workflow.get_query_handler("words") is None
    assert workflow.get_dynamic_query_handler() is not None
    await channel.receive("end")
    return "ended"


@workflow.defn(name="queries.init")
class SetsInInit:
    def __init__(self) -> None:
        workflow.set_query_handler("state", lambda: "set by __init__")

    @workflow.run
    async def run(self) -> None:
        await workflow.signal_channel().receive("end")

    @workflow.query
    def state(self) -> str:
        return "declared"


@workflow.defn(name="queries.awaits")
async def awaits() -> None:
    async def later() -> int:
        return 1

    workflow.set_query_handler("later", lambda: later())
    await workflow.signal_channel().receive("end")


@workflow.defn(name="queries.dice")
class Dice:
    """Throws dice before and after it is asked."""

    @workflow.run
    async def run(self) -> list[str]:
        seen = self.throw()
        await workflow.signal_channel().receive("on")
        return seen + self.throw()

    def throw(self) -> list[str]:
        return [str(workflow.random().random()), str(workflow.uuid4()), str(workflow.uuid7())]

    @workflow.query
    def ask(self, what: str) -> str:
        try:
            return str({"random": workflow.random, "uuid4": workflow.uuid4, "uuid7": workflow.uuid7}[what]())
        except ReadOnlyContextError as error:
            return f"refused in {error.context}"


@workflow.defn(name="queries.replaced")
class Replaced:
    @workflow.run
    async def run(self) -> list[bool]:
        channel = workflow.signal_channel()
        seen = [
            workflow.get_query_handler("ask") == self.ask,
            workflow.get_query_handler("other") is None,
            workflow.get_dynamic_query_handler() == self.anything,
        ]
        await channel.receive("on")
        workflow.set_query_handler("ask", lambda: "set")
        workflow.set_dynamic_query_handler(self.anything_set)
        await channel.receive("on")
        workflow.set_query_handler("ask", None)
        await channel.receive("on")
        workflow.set_dynamic_query_handler(None)
        seen += [workflow.get_query_handler("ask") is None, workflow.get_dynamic_query_handler() is None]
        await channel.receive("on")
        return seen

    @workflow.query
    def ask(self) -> str:
        return "declared"

    @workflow.query(dynamic=True)
    def anything(self, name: str, *args: Any) -> str:
        return f"declared for all: {name}"

    def anything_set(self, name: str, *args: Any) -> str:
        return f"set for all: {name}"


WORKFLOWS = [Shop, Forbidden, closures, SetsInInit, awaits, Dice, Replaced]


def make(store: MemoryStore | None = None, *workflows: Any, **options: Any) -> TestRuntime:
    return TestRuntime(store, workflows=workflows or WORKFLOWS, activities=[price], **options)


def shop(runtime: TestRuntime, *items: str) -> Any:
    handle = runtime.wait(runtime.start_workflow(Shop.run, id="shop"))
    for item in items:
        runtime.wait(handle.signal(Shop.add, item))
    runtime.run_until_idle()
    return handle


def failed(runtime: TestRuntime, future: Future[Any]) -> WorkflowQueryFailedError:
    with pytest.raises(WorkflowQueryFailedError) as caught:
        runtime.wait(future)
    return caught.value


def test_a_query_is_answered_by_its_handler_in_the_type_that_it_is_annotated_with() -> None:
    with make() as runtime:
        handle = shop(runtime, "tea", "milk")

        assert runtime.wait(handle.query(Shop.what, 1)) == Basket(["tea"], 7)
        assert runtime.wait(handle.query("total")) == 7
        assert runtime.wait(handle.query("the basket", result_type=Basket)) == Basket(["tea", "milk"], 7)
        assert runtime.wait(handle.query("the basket")) == {"items": ["tea", "milk"], "total": 7}


def test_a_query_waits_behind_the_mail_that_was_there_before_it() -> None:
    with make(auto_skip=False) as runtime:
        started = runtime.start_workflow(Shop.run, id="shop")
        handle = runtime.get_workflow_handle("shop")
        handle.signal(Shop.add, "tea")
        asked = handle.query(Shop.what)
        handle.signal(Shop.add, "milk")
        runtime.wait(started)

        assert runtime.wait(asked).items == ["tea"]


def test_a_query_leaves_no_trace_in_the_history_and_makes_no_commit() -> None:
    with make() as runtime:
        handle = shop(runtime, "tea")
        runtime.run_until_idle()
        length, commits = len(runtime.wait(handle.fetch_history()).events), runtime.store.commits
        for _ in range(100):
            runtime.wait(handle.query(Shop.total))

        assert len(runtime.wait(handle.fetch_history()).events) == length
        assert runtime.store.commits == commits
        replay_every_prefix(runtime)


def test_an_answer_is_told_only_once_what_it_shows_is_on_disk() -> None:
    with make(auto_skip=False) as runtime:
        handle = shop(runtime)
        runtime.store.fail_commit(1)
        paid = handle.signal(Shop.add, "tea")
        asked = handle.query(Shop.what)
        # Both in one sweep, and so in one commit.
        runtime.hands.dispatcher.sweep()

        assert isinstance(paid.exception(), JournalWriteError)
        assert isinstance(asked.exception(), JournalWriteError)
        assert runtime.wait(handle.query(Shop.what)) == Basket([], 0)


def test_a_run_that_has_ended_is_asked_as_its_history_leaves_it() -> None:
    store = MemoryStore()
    with make(store) as runtime:
        handle = shop(runtime, "tea", "milk")
        runtime.wait(handle.signal(Shop.pay))
        runtime.wait(handle.result())
        at_once = runtime.wait(handle.query(Shop.what))
    with make(store) as runtime:
        handle = runtime.get_workflow_handle("shop")
        later: list[Future[Any]] = [handle.query(Shop.what), handle.query(Shop.total), handle.query("nobody")]

        assert at_once == Basket(["tea", "milk"], 7)
        assert [runtime.wait(each) for each in later[:2]] == [at_once, 7]
        assert isinstance(failed(runtime, later[2]).__cause__, NotRegisteredError)
        assert len(runtime.hands.directory) == 0


def test_a_query_in_the_sweep_in_which_the_run_ends_is_answered_by_what_is_written() -> None:
    with make(auto_skip=False) as runtime:
        handle = shop(runtime, "tea")
        runtime.run_until_idle()
        handle.signal(Shop.pay)
        asked = handle.query(Shop.what)
        runtime.hands.dispatcher.sweep()
        runtime.run_until_idle()

        assert runtime.wait(asked) == Basket(["tea"], 3)


def test_a_suspended_run_is_asked_as_it_was_before_the_turn_that_stopped_it() -> None:
    with make(check_leaks=False) as runtime:
        handle = shop(runtime, "tea")
        runtime.wait(handle.signal(Shop.add, "poison"))

        assert runtime.wait(handle.describe()).status is WorkflowExecutionStatus.SUSPENDED
        assert runtime.wait(handle.query(Shop.what)) == Basket(["tea"], 3)
        with pytest.raises(WorkflowSuspendedError):
            runtime.wait(handle.result())


def test_a_run_that_was_suspended_before_its_first_turn_says_so() -> None:
    @workflow.defn(name="queries.broken")
    class Broken:
        def __init__(self) -> None:
            raise LookupError("at once")

        @workflow.run
        async def run(self) -> None:
            """Is never come to."""

    with make(None, Broken, check_leaks=False) as runtime:
        handle = runtime.wait(runtime.start_workflow(Broken.run, id="b"))

        assert failed(runtime, handle.query("anything")).reason == "the run has not taken a turn yet"


def test_a_run_that_was_ended_before_its_first_turn_says_so() -> None:
    @workflow.defn(name="queries.never")
    class Never:
        def __init__(self) -> None:
            raise LookupError("at once")

        @workflow.run
        async def run(self) -> None:
            """Is never come to."""

    with make(None, Never, check_leaks=False) as runtime:
        handle = runtime.wait(runtime.start_workflow(Never.run, id="n"))
        runtime.wait(handle.terminate())

        assert failed(runtime, handle.query("anything")).reason == "the run has not taken a turn yet"


def test_a_history_that_the_code_no_longer_has_is_the_callers_error_and_changes_nothing() -> None:
    store = MemoryStore()
    with make(store) as runtime:
        handle = shop(runtime, "tea")
        runtime.wait(handle.signal(Shop.pay))
        runtime.wait(handle.result())

    @workflow.defn(name="queries.shop")
    class Changed:
        @workflow.run
        async def run(self) -> None:
            await workflow.sleep(1)

        @workflow.query
        def total(self) -> int:
            return 0

    with make(store, Changed) as runtime:
        handle = runtime.get_workflow_handle("shop")

        assert isinstance(failed(runtime, handle.query("total")).__cause__, NondeterminismError)
        assert runtime.wait(handle.describe()).status is WorkflowExecutionStatus.COMPLETED


def test_a_bug_of_changed_code_is_told_as_what_was_raised() -> None:
    store = MemoryStore()
    with make(store) as runtime:
        shop(runtime)

    @workflow.defn(name="queries.shop")
    class Changed:
        @workflow.run
        async def run(self) -> int:
            raise LookupError("no such shop")

        @workflow.query
        def total(self) -> int:
            return 0

    with make(store, Changed) as runtime:
        handle = runtime.get_workflow_handle("shop")

        assert failed(runtime, handle.query("total")).reason == "LookupError: no such shop"


def test_a_damaged_history_is_told_to_who_asks() -> None:
    store = MemoryStore()
    with make(store) as runtime:
        handle = shop(runtime, "tea")
        runtime.wait(handle.signal(Shop.pay))
        runtime.wait(handle.result())
    key, value = next(row for row in store.scan(Tree.RUNS, b"", b"\xff" * 20, limit=100) if row[0][8] == 0x10)
    store.commit({Tree.RUNS: {key: value[:-1] + bytes([value[-1] ^ 1])}})
    with make(store, check_leaks=False) as runtime, pytest.raises(JournalCorruptError):
        runtime.wait(runtime.get_workflow_handle("shop").query(Shop.total))


def test_a_dormant_run_is_brought_back_to_answer() -> None:
    with make() as runtime:
        handle = shop(runtime, "tea")
        runtime.run_until_idle()
        assert runtime.hands.directory.evict() == 1

        assert runtime.wait(handle.query(Shop.total)) == 3


@pytest.mark.parametrize(
    ("condition", "paid", "terminated"),
    [
        (QueryRejectCondition.NONE, True, True),
        (QueryRejectCondition.NOT_OPEN, False, False),
        (QueryRejectCondition.NOT_COMPLETED_CLEANLY, True, False),
    ],
)
def test_a_condition_refuses_runs_that_stand_otherwise(
    condition: QueryRejectCondition, paid: bool, terminated: bool
) -> None:
    with make() as runtime:
        handle = shop(runtime, "tea")
        while_open = runtime.wait(handle.query(Shop.total, reject_condition=condition))
        runtime.wait(handle.signal(Shop.pay))
        runtime.wait(handle.result())
        ended = runtime.wait(runtime.start_workflow(Shop.run, id="ended"))
        runtime.wait(ended.terminate(reason="enough"))
        asked = [each.query(Shop.total, reject_condition=condition) for each in (handle, ended)]
        runtime.run_until_idle()

    rejected = [each.exception() for each in asked]
    assert (while_open, [error is None for error in rejected]) == (3, [paid, terminated])
    assert {error.status for error in rejected if isinstance(error, WorkflowQueryRejectedError)} == {
        status for status, was_asked in (("COMPLETED", paid), ("TERMINATED", terminated)) if not was_asked
    }


@pytest.mark.parametrize(
    ("query", "args", "cause", "told"),
    [
        ("nobody", (), NotRegisteredError, "no query named 'nobody'"),
        ("total", (1,), TypeError, "its handler takes no arguments, 1 were given"),
        ("the basket", ("one",), PayloadDecodeError, "a str where int is annotated"),
        ("misfit", (), PayloadDecodeError, "query 'misfit' returned 'text', which does not fit its annotation, int"),
    ],
)
def test_what_cannot_be_asked_or_answered_is_told_and_the_run_goes_on(
    query: str, args: tuple[Any, ...], cause: type[Exception], told: str
) -> None:
    with make() as runtime:
        handle = shop(runtime, "tea")
        error = failed(runtime, handle.query(query, *args))

        assert told in error.reason
        assert isinstance(error.__cause__, cause) or getattr(error.__cause__, "type", "") == cause.__name__
        assert runtime.wait(handle.query(Shop.total)) == 3


def test_what_a_handler_raises_goes_to_who_asks_with_its_class_and_its_place() -> None:
    with make() as runtime:
        error = failed(runtime, shop(runtime).query(Shop.fails))

        assert error.reason == "LookupError: nothing there"
        assert getattr(error.__cause__, "type", "") == "LookupError"
        assert "in fails" in getattr(error.__cause__, "stack", "")


def test_a_handler_that_gives_something_to_be_awaited_is_refused() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(awaits, id="a"))

        assert "a query cannot wait: write it without async" in failed(runtime, handle.query("later")).reason


def test_a_context_variable_that_a_query_sets_stays_behind_with_it() -> None:
    with make() as runtime:
        handle = shop(runtime)

        assert [runtime.wait(handle.query(Shop.note)) for _ in range(2)] == ["none", "none"]


@pytest.mark.parametrize(
    "what",
    [
        "activity",
        "task",
        "timer",
        "timer at once",
        "timer in the past",
        "callback",
        "random",
        "uuid4",
        "uuid7",
        "condition",
        "sleep",
        "signal",
        "poll",
        "update handler",
        "handler",
        "query handler",
        "side effect",
        "wake",
        "cancel",
    ],
)
def test_a_query_that_would_change_the_run_is_refused_and_the_run_is_as_a_replay_makes_it(what: str) -> None:
    with make(auto_skip=False) as runtime:
        handle = runtime.wait(runtime.start_workflow(Forbidden.run, id="f"))
        runtime.run_until_idle()
        error = failed(runtime, handle.query(Forbidden.attempt, what))
        runtime.wait(handle.signal(Forbidden.open, "by a signal"))

        assert isinstance(error.__cause__, ReadOnlyContextError)
        assert runtime.wait(handle.result()) == "by a signal"
        replay_every_prefix(runtime)


def test_mail_behind_a_query_that_has_marred_the_run_is_taken_by_the_replayed_one() -> None:
    with make(auto_skip=False) as runtime:
        handle = runtime.wait(runtime.start_workflow(Forbidden.run, id="f"))
        asked = handle.query(Forbidden.attempt, "wake")
        handle.signal(Forbidden.open, "by a signal")
        after = handle.query("nobody")

        assert runtime.wait(handle.result()) == "by a signal"
        assert isinstance(asked.exception(), WorkflowQueryFailedError)
        assert isinstance(failed(runtime, after).__cause__, NotRegisteredError)


def test_handlers_are_set_replaced_and_removed_at_run_time_and_the_catch_all_gets_the_rest() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(closures, id="c"))
        first = runtime.wait(handle.query("words"))
        runtime.wait(handle.signal("word", "one"))

        assert first == []
        assert runtime.wait(handle.query("words")) == ["words"]
        assert runtime.wait(handle.query("other", 1, 2)) == ["other", 1, 2]


def test_handlers_of_the_class_are_replaced_and_removed_and_the_catch_all_too() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(Replaced.run, id="r"))
        answers: list[str] = []
        for _ in range(4):
            for query in ("ask", "other"):
                asked: Future[Any] = handle.query(query)
                runtime.run_until_idle()
                answers.append(asked.get() if asked.exception() is None else type(asked.exception()).__name__)
            runtime.wait(handle.signal("on"))

        assert answers == [
            *("declared", "declared for all: other"),
            *("set", "set for all: other"),
            *("set for all: ask", "set for all: other"),
            *("WorkflowQueryFailedError", "WorkflowQueryFailedError"),
        ]
        assert runtime.wait(handle.result()) == [True] * 5
        replay_every_prefix(runtime)


def test_a_query_cannot_throw_dice_and_the_run_draws_as_if_nobody_had_asked() -> None:
    def drawn(*asked: str) -> list[str]:
        with make(seed=1) as runtime:
            handle = runtime.wait(runtime.start_workflow(Dice.run, id="d"))
            for what in asked:
                assert runtime.wait(handle.query(Dice.ask, what)) == "refused in a query"
            runtime.wait(handle.signal("on"))
            result = runtime.wait(handle.result())
            replay_every_prefix(runtime)
            return result

    assert drawn("random", "uuid4", "uuid7") == drawn()
    assert len(set(drawn())) == 6


def test_a_query_before_the_first_turn_waits_for_it() -> None:
    with make(auto_skip=False) as runtime:
        started = runtime.start_workflow(closures, id="c")
        asked = runtime.get_workflow_handle("c").query("words")
        runtime.wait(started)

        assert runtime.wait(asked) == []


def test_what_init_sets_goes_before_what_the_class_declares() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(SetsInInit.run, id="i"))

        assert runtime.wait(handle.query("state")) == "set by __init__"


def test_an_async_query_handler_is_refused_where_it_is_declared() -> None:
    with pytest.raises(InvalidWorkflowError, match=r"wait\(\) answers a query and cannot wait: write it without async"):

        @workflow.defn
        class Waits:
            @workflow.run
            async def run(self) -> None:
                """Does nothing."""

            @workflow.query
            async def wait(self) -> None:
                """Would wait."""


def test_an_async_query_handler_is_refused_where_it_is_set() -> None:
    @workflow.defn(name="queries.sets async")
    async def sets() -> None:
        async def wait() -> None:
            """Would wait."""

        workflow.set_query_handler("wait", wait)

    refusal = pytest.raises(WorkflowSuspendedError, match="a query handler cannot wait: write it without async")
    with make(None, sets, check_leaks=False) as runtime, refusal:
        runtime.wait(runtime.execute_workflow(sets))


@pytest.mark.parametrize("name", sorted(BUILT_IN_QUERIES))
def test_a_handler_of_what_every_run_answers_is_refused_where_it_is_declared_and_where_it_is_set(name: str) -> None:
    refusal = f"every run answers the query '{name}' by itself: give the handler another name"
    with pytest.raises(InvalidWorkflowError, match=refusal):

        @workflow.defn(name="queries.declares one of all")
        class Declares:
            @workflow.run
            async def run(self) -> None:
                """Does nothing."""

            @workflow.query(name=name)
            def of_all(self) -> str:
                return "mine"

    @workflow.defn(name="queries.sets one of all")
    async def sets() -> None:
        workflow.set_query_handler(name, lambda: "mine")

    with make(None, sets, check_leaks=False) as runtime, pytest.raises(WorkflowSuspendedError, match=refusal):
        runtime.wait(runtime.execute_workflow(sets))


def test_who_asks_for_what_cannot_be_asked_is_told_at_once() -> None:
    with make() as runtime:
        handle = shop(runtime)
        with pytest.raises(TypeError, match="query 'total' takes no arguments, 1 were given"):
            handle.query(Shop.total, 1)
        with pytest.raises(PayloadDecodeError):
            handle.query(Shop.what, "one")
        with pytest.raises(TypeError, match=r"is not a query handler: decorate it with @workflow\.query"):
            handle.query(Shop.add)
        of_one: Any = Shop()
        with pytest.raises(
            TypeError, match=r"total of an instance of Shop, and each run makes its own; pass Shop\.total"
        ):
            handle.query(of_one.total)
        with pytest.raises(TypeError, match=r"add of an instance of Shop, and each run makes its own; pass Shop\.add"):
            handle.signal(of_one.add, "tea", 1)
        with pytest.raises(TypeError, match="reject_condition is 2; give a member of QueryRejectCondition"):
            handle.query(Shop.total, reject_condition=2)
        with pytest.raises(WorkflowNotFoundError):
            runtime.wait(runtime.get_workflow_handle("nobody").query(Shop.total))


def test_too_many_queries_that_wait_are_refused() -> None:
    with make(mailbox_limit=3, auto_skip=False) as runtime:
        handle = runtime.wait(runtime.start_workflow(Shop.run, id="shop"))
        asked = [handle.query(Shop.total) for _ in range(5)]
        runtime.run_until_idle()

        assert [type(each.exception()) for each in asked] == [type(None)] * 3 + [MailboxFullError] * 2


def test_who_waits_for_a_replay_when_the_runtime_closes_is_told() -> None:
    store = MemoryStore()
    with make(store) as runtime:
        handle = shop(runtime, *["tea"] * 150)
        runtime.wait(handle.signal(Shop.pay))
        runtime.wait(handle.result())
    with make(store) as runtime:
        asked = runtime.get_workflow_handle("shop").query(Shop.total)
        runtime.hands.dispatcher.sweep()

    assert isinstance(asked.exception(), RuntimeClosedError)


def test_queries_are_awaited_in_asyncio_and_got_in_threads() -> None:
    async def program() -> list[str]:
        async with Runtime.in_memory(workflows=[Shop], activities=[price]) as runtime:
            handle = await runtime.start_workflow(Shop.run)
            await handle.signal(Shop.add, "tea")
            return (await handle.query(Shop.what)).items

    with Runtime.in_memory(workflows=[Shop], activities=[price]) as runtime:
        handle = runtime.start_workflow(Shop.run).get(timeout=WAIT)

        assert handle.query(Shop.total).get(timeout=WAIT) == 0
    assert asyncio.run(program()) == ["tea"]


def test_a_refusal_that_a_handler_swallows_still_has_the_run_brought_back() -> None:
    with make(auto_skip=False, guard="static") as runtime:
        handle = runtime.wait(runtime.start_workflow(Forbidden.run, id="f"))
        answer = runtime.wait(handle.query(Forbidden.attempt, "swallow wake"))
        runtime.wait(handle.signal(Forbidden.open, "by a signal"))

        assert answer == "done"
        assert runtime.wait(handle.result()) == "by a signal"


def test_a_run_that_a_query_has_marred_is_brought_back_though_another_runs_commit_fails() -> None:
    with make(auto_skip=False) as runtime:
        handle = runtime.wait(runtime.start_workflow(Forbidden.run, id="f"))
        other = runtime.wait(runtime.start_workflow(Shop.run, id="shop"))
        runtime.run_until_idle()
        runtime.store.fail_commit(1)
        asked, lost = handle.query(Forbidden.attempt, "wake"), other.signal(Shop.add, "tea")
        runtime.hands.dispatcher.sweep()
        runtime.advance(1)
        runtime.wait(handle.signal(Forbidden.open, "by a signal"))

        assert isinstance(lost.exception(), JournalWriteError)
        assert isinstance(asked.exception(), JournalWriteError)
        assert runtime.wait(handle.result()) == "by a signal"


@workflow.defn(name="queries.raises")
class Raises:
    """What ends badly in a query, and changes from one query to the next."""

    def __init__(self) -> None:
        self.gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @workflow.run
    async def run(self, is_short: bool) -> None:
        waiting = asyncio.ensure_future(self.wait())
        await (asyncio.sleep(0) if is_short else waiting)

    async def wait(self) -> None:
        await self.gate

    @workflow.query
    def raises(self, what: str) -> None:
        raise {"cancelled": asyncio.CancelledError, "exit": GeneratorExit, "unspeakable": Unspeakable}[what]("no")

    @workflow.query
    def wakes(self) -> None:
        self.gate.set_result(None)

    @workflow.query
    def is_woken(self) -> bool:
        return self.gate.done()


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise LookupError("it cannot be said")


@pytest.mark.parametrize("is_short", [False, True], ids=["open", "ended"])
@pytest.mark.parametrize("what", ["cancelled", "exit", "unspeakable"])
def test_whatever_a_handler_raises_everybody_is_answered(what: str, is_short: bool) -> None:
    with make(None, Raises) as runtime:
        handle = runtime.wait(runtime.start_workflow(Raises.run, is_short, id="r"))
        runtime.run_until_idle()
        before, asked, after = handle.query("is_woken"), handle.query("raises", what), handle.query("is_woken")

        assert (runtime.wait(before), runtime.wait(after)) == (False, False)
        assert failed(runtime, asked).__cause__ is not None


def test_queries_that_share_a_replay_do_not_see_what_one_of_them_has_marred() -> None:
    with make(None, Raises) as runtime:
        handle = runtime.wait(runtime.start_workflow(Raises.run, True, id="r"))
        runtime.wait(handle.result())
        mars, after = handle.query("wakes"), handle.query("is_woken")

        assert isinstance(failed(runtime, mars).__cause__, ReadOnlyContextError)
        assert runtime.wait(after) is False


def test_queries_that_were_refused_leave_the_order_of_tasks_as_a_replay_has_it() -> None:
    cancelled: list[str] = []

    @activity.defn(name="queries.note")
    def note(number: int) -> int:
        return number

    @workflow.defn(name="queries.group")
    class Group:
        def __init__(self) -> None:
            self.goes = False

        @workflow.run
        async def run(self) -> None:
            await workflow.wait_condition(lambda: self.goes)

            async def child(number: int) -> None:
                try:
                    await asyncio.sleep(1000)
                except asyncio.CancelledError:
                    workflow.start_activity(note, number)
                    raise

            async def fail() -> None:
                await asyncio.sleep(0)
                raise LookupError("now")

            try:
                async with asyncio.TaskGroup() as tasks:
                    for number in range(6):
                        tasks.create_task(child(number))
                    tasks.create_task(fail())
            except* LookupError:
                cancelled.append("group")

        @workflow.signal
        def go(self) -> None:
            self.goes = True

        @workflow.query
        def tries(self) -> None:
            asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().create_task(asyncio.sleep(0))

    for refusals in (0, 1, 3, 4, 6):
        with TestRuntime(workflows=[Group], activities=[note], check_leaks=False) as runtime:
            handle = runtime.wait(runtime.start_workflow(Group.run, id="g"))
            for _ in range(refusals):
                failed(runtime, handle.query(Group.tries))
            runtime.wait(handle.signal(Group.go))
            runtime.run_until_idle()
            replay_every_prefix(runtime)


def test_who_is_not_to_ask_is_told_though_the_history_can_no_longer_be_replayed() -> None:
    store = MemoryStore()
    with make(store) as runtime:
        handle = shop(runtime, "tea")
        runtime.wait(handle.signal(Shop.pay))
        runtime.wait(handle.result())
    with make(store, closures) as runtime:
        asked = runtime.get_workflow_handle("shop").query("total", reject_condition=QueryRejectCondition.NOT_OPEN)
        with pytest.raises(WorkflowQueryRejectedError):
            runtime.wait(asked)


def test_a_suspended_run_whose_mailbox_is_full_can_be_asked() -> None:
    with make(check_leaks=False, mailbox_limit=3) as runtime:
        handle = shop(runtime, "tea")
        for word in ("poison", "milk", "milk"):
            runtime.wait(handle.signal(Shop.add, word))

        assert runtime.wait(handle.query(Shop.what)) == Basket(["tea"], 3)


def test_too_many_queries_that_wait_for_a_replay_are_refused() -> None:
    with make(mailbox_limit=3) as runtime:
        handle = shop(runtime, "tea")
        runtime.wait(handle.signal(Shop.pay))
        runtime.wait(handle.result())
        asked = [handle.query(Shop.total) for _ in range(5)]
        runtime.run_until_idle()

        assert [type(each.exception()) for each in asked] == [type(None)] * 3 + [MailboxFullError] * 2


def test_a_side_effect_that_wakes_a_task_is_a_bug_even_if_the_code_catches_it() -> None:
    @workflow.defn(name="queries.side")
    async def side() -> str:
        gate = asyncio.get_running_loop().create_future()
        waiting = asyncio.ensure_future(asyncio.shield(gate))
        await workflow.sleep(1)
        with contextlib.suppress(ReadOnlyContextError):
            workflow.side_effect(lambda: gate.set_result(None))
        return str(waiting)

    refusal = pytest.raises(WorkflowSuspendedError, match="not allowed in a side effect")
    with TestRuntime(workflows=[side], activities=[], check_leaks=False) as runtime, refusal:
        runtime.wait(runtime.execute_workflow(side))
