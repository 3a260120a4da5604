"""A phrasebook for those who know Temporal's Clojure SDK: each thing that its page on workflows says, said in Python.

The order is that of the page. Each part has a workflow or two, and below them a function that runs them and returns
what is printed. The workflows are functions with handlers as closures, as over there; how they look as classes, with
state on ``self``, is shown by the other examples (``listing.py`` is a good one to begin with).

Run it with ``python examples/phrasebook.py``.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greenroom import (
    ActivityError,
    ApplicationError,
    ApplicationErrorCategory,
    Future,
    Runtime,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowAlreadyStartedError,
    WorkflowIDConflictPolicy,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
    activity,
    workflow,
)

SECONDS = 10  # how long this program waits for any one answer
PARTS: list[tuple[str, Callable[[Runtime], object]]] = []


def part(title: str) -> Callable[[Callable[[Runtime], object]], Callable[[Runtime], object]]:
    def add(show: Callable[[Runtime], object]) -> Callable[[Runtime], object]:
        PARTS.append((title, show))
        return show

    return add


def refused(answer: Future[Any]) -> str:
    try:
        return str(answer.get(timeout=SECONDS))
    except WorkflowUpdateFailedError as error:
        return str(error.cause)
    except WorkflowAlreadyStartedError as error:
        return type(error).__name__


# What a workflow is: a function that decides, declared (defworkflow), with parameters and a result. What touches the
# world is an activity (defactivity): a plain function, which can be called without any of this.


@activity.defn
def greet(name: str) -> str:
    return f"Hi, {name}"


@workflow.defn
async def my_workflow(name: str) -> str:
    return await workflow.execute_activity(greet, name)


@part("a workflow")
def show_workflow(runtime: Runtime) -> object:
    assert greet("Kyle") == "Hi, Kyle"
    return runtime.execute_workflow(my_workflow, "Ada").get(timeout=SECONDS)


# Constraints: no clock, no dice and no files in a workflow. It has a clock and dice of its own, which give the same in
# each replay, and side effects, whose value is recorded. What breaks this is refused when it is declared.


@workflow.defn
async def constrained() -> bool:
    token = workflow.uuid4()
    roll = workflow.random().randint(1, 6)
    home = workflow.side_effect(lambda: str(Path.home()), result_type=str)
    return workflow.now().year > 2000 and token.version == 4 and 1 <= roll <= 6 and home != ""


@part("its own clock and dice, and a side effect")
def show_constraints(runtime: Runtime) -> object:
    return runtime.execute_workflow(constrained).get(timeout=SECONDS)


# Registering: what is declared is known. A list in its place says which workflows and activities there are.


@part("registered by hand")
def show_registering(_: Runtime) -> object:
    with Runtime.in_memory(workflows=[my_workflow], activities=[greet]) as runtime:
        return runtime.execute_workflow(my_workflow, "Grace").get(timeout=SECONDS)


# Starting (create-workflow, start, get-result): a start gives a handle, and a handle the result.


@part("started, and its result got later")
def show_start(runtime: Runtime) -> object:
    handle = runtime.start_workflow(my_workflow, "Kyle", id="kyle").get(timeout=SECONDS)
    return handle.id, handle.result().get(timeout=SECONDS)


# Workflow id conflict policy: what is to happen if a workflow of that id is open.


@workflow.defn
async def singleton(name: str) -> str:
    return f"{name} heard {await workflow.signal_channel().receive('my-signal', result_type=str)}"


@part("three conflict policies")
def show_conflicts(runtime: Runtime) -> object:
    first = runtime.start_workflow(singleton, "first", id="my-singleton").get(timeout=SECONDS)
    failed = refused(runtime.start_workflow(singleton, "second", id="my-singleton"))
    existing = runtime.start_workflow(
        singleton, "third", id="my-singleton", id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING
    ).get(timeout=SECONDS)
    fourth = runtime.start_workflow(
        singleton, "fourth", id="my-singleton", id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING
    ).get(timeout=SECONDS)
    fourth.signal("my-signal", "hello").get(timeout=SECONDS)
    return failed, existing.run_id == first.run_id, fourth.result().get(timeout=SECONDS)


# With a start (signal-with-start): the run that is open is told, or one is started and told: both, or neither.


@part("a signal with a start: to one that is there, and to one that is not")
def show_signal_with_start(runtime: Runtime) -> object:
    runtime.start_workflow(singleton, "first", id="told").get(timeout=SECONDS)
    results: list[str] = []
    for name in ("second", "third"):
        handle = runtime.signal_with_start(singleton, name, id="told", signal="my-signal", signal_args=["hello"])
        results.append(handle.get(timeout=SECONDS).result().get(timeout=SECONDS))
    return results


# Promises: what an activity gives can be awaited. A future from elsewhere cannot, since a replay could not repeat when
# it is done: that is refused at once.

OTHER_LOOP = asyncio.new_event_loop()
FOREIGN = OTHER_LOOP.create_future()
OTHER_LOOP.close()


@workflow.defn
async def waits_for_a_foreign_promise() -> str:
    try:
        await FOREIGN
    except RuntimeError:
        return "refused"
    return "not refused"


@workflow.defn
async def chained(condition: bool) -> str:
    # Where one branch has nothing to wait for, resolved() and rejected() are promises too.
    promise = workflow.start_activity(greet, "you") if condition else workflow.resolved("nobody greeted")
    return f"{await promise}, and so on"


@part("promises: a foreign one, one of an activity, one that is resolved")
def show_promises(runtime: Runtime) -> object:
    foreign = runtime.execute_workflow(waits_for_a_foreign_promise).get(timeout=SECONDS)
    chains = [runtime.execute_workflow(chained, condition).get(timeout=SECONDS) for condition in (True, False)]
    return foreign, *chains


@workflow.defn
async def all_and_race() -> list[str]:
    both = await workflow.gather(*[workflow.start_activity(greet, name) for name in ("Ada", "Grace")])
    first = await workflow.race(workflow.start_activity(greet, "the fast one"), workflow.sleep(3600))
    return [*both, str(first)]


@part("all of several promises, and a race")
def show_all_and_race(runtime: Runtime) -> object:
    return runtime.execute_workflow(all_and_race).get(timeout=SECONDS)


# Await: park until a condition holds. Signals: raw handlers, which may be set at run time and close over local state.


@workflow.defn
async def raw_signals() -> list[str]:
    heard: list[str] = []

    def hear(name: str, *args: int) -> None:
        heard.append(f"{name}{args}")

    workflow.set_dynamic_signal_handler(hear)  # for one name alone: set_signal_handler(name, ...)
    await workflow.wait_condition(lambda: len(heard) > 1)
    return heard


@part("raw signal handlers, and await")
def show_raw_signals(runtime: Runtime) -> object:
    handle = runtime.start_workflow(raw_signals).get(timeout=SECONDS)
    handle.signal("up", 1)
    handle.signal("down", 2, 3)
    return handle.result().get(timeout=SECONDS)


# A signal channel: read what has come, in order, waiting for it (<!) or not (poll).


@workflow.defn
async def channel() -> tuple[str, str | None]:
    signals = workflow.signal_channel()
    message = await signals.receive("MySignal", result_type=str)
    return message, signals.poll("MySignal", result_type=str)


@part("a signal channel, read until it is empty")
def show_channel(runtime: Runtime) -> object:
    handle = runtime.start_workflow(channel).get(timeout=SECONDS)
    handle.signal("MySignal", "hello")
    return handle.result().get(timeout=SECONDS)


# Queries look, and change nothing. Updates change something and answer; what a validator raises refuses one before it
# leaves a trace. Of an update that was started there is a handle, which is found again by the update's id.


@dataclass
class Counter:
    value: int


@workflow.defn
async def stateful(init: int) -> int:
    state = Counter(init)

    def my_query() -> int:
        return state.value

    def increment(amount: int) -> int:
        state.value += amount
        return state.value

    def check_amount(amount: int) -> None:
        if amount < 0:
            raise ValueError("the amount must be positive")

    workflow.set_query_handler("my-query", my_query)
    workflow.set_update_handler("increment", increment, validator=check_amount)
    await workflow.wait_condition(lambda: state.value >= 10)
    return state.value


@part("a query")
def show_query(runtime: Runtime) -> object:
    handle = runtime.start_workflow(stateful, 4, id="stateful").get(timeout=SECONDS)
    return handle.query("my-query").get(timeout=SECONDS)


@part("updates: one, one that is refused, one that is started")
def show_updates(runtime: Runtime) -> object:
    handle = runtime.get_workflow_handle("stateful", result_type=int)
    done = handle.execute_update("increment", 1).get(timeout=SECONDS)
    negative = refused(handle.execute_update("increment", -1))
    started = handle.start_update(
        "increment", 5, id="my-idempotency-key", wait_for_stage=WorkflowUpdateStage.COMPLETED
    ).get(timeout=SECONDS)
    found = handle.get_update_handle("my-idempotency-key", result_type=int)
    return done, negative, started.id, found.result().get(timeout=SECONDS), handle.result().get(timeout=SECONDS)


# An update with a start must say what is to happen if a workflow of that id is open.


@part("an update with a start, and one more")
def show_update_with_start(runtime: Runtime) -> object:
    results: list[int] = []
    for _ in range(2):
        handle = runtime.update_with_start(
            *(stateful, 0),
            id="counted",
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            update="increment",
            update_args=[5],
            result_type=int,
        )
        results.append(handle.get(timeout=SECONDS).result().get(timeout=SECONDS))
    return results


# A handler that waits can be overtaken by another one: a lock (new-lock, with-lock) makes them take turns. A workflow
# that returns leaves handlers that are at work behind, unless it waits for them first (every-handler-finished?).


@workflow.defn
async def coordinated(expected: int) -> list[str]:
    done: list[str] = []
    heard = 0
    lock = workflow.new_lock()

    async def process(name: str) -> int:
        nonlocal heard
        heard += 1
        async with lock:
            before = len(done)
            greeting = await workflow.execute_activity(greet, name)  # others are heard meanwhile
            assert len(done) == before
            done.append(greeting)
        return len(done)

    workflow.set_update_handler("process", process)
    await workflow.wait_condition(lambda: heard == expected)
    await workflow.wait_condition(workflow.all_handlers_finished)
    return done


@part("a lock, and handlers that are waited for")
def show_lock(runtime: Runtime) -> object:
    handle = runtime.start_workflow(coordinated, 3).get(timeout=SECONDS)
    updates = [handle.execute_update("process", name, result_type=int) for name in ("Kyle", "Ada", "Grace")]
    return [update.get(timeout=SECONDS) for update in updates], handle.result().get(timeout=SECONDS)


# External workflows: a handle of another workflow, from within one. It can be signalled and cancelled; not asked.


@workflow.defn
async def worker() -> str:
    return await workflow.signal_channel().receive("new-task", result_type=str)


@workflow.defn
async def coordinator(worker_ids: list[str]) -> list[str]:
    for number, worker_id in enumerate(worker_ids):
        await workflow.get_external_workflow_handle(worker_id).signal("new-task", f"task {number}")
    return worker_ids


@part("external workflows, signalled")
def show_external(runtime: Runtime) -> object:
    names = ["worker-0", "worker-1"]
    workers = [runtime.start_workflow(worker, id=name).get(timeout=SECONDS) for name in names]
    runtime.execute_workflow(coordinator, names).get(timeout=SECONDS)
    return [each.result().get(timeout=SECONDS) for each in workers]


@workflow.defn
async def supervisor(worker_id: str) -> str | None:
    external = workflow.get_external_workflow_handle(worker_id)
    await external.cancel("enough")
    return external.execution.workflow_id


@workflow.defn
async def tireless_worker() -> str:
    try:
        await workflow.wait_condition(lambda: False)
    except asyncio.CancelledError:
        return f"cancelled: {workflow.cancellation_reason()}"
    return "never"


@part("an external workflow, cancelled")
def show_external_cancel(runtime: Runtime) -> object:
    tireless = runtime.start_workflow(tireless_worker, id="worker-2").get(timeout=SECONDS)
    return runtime.execute_workflow(supervisor, "worker-2").get(timeout=SECONDS), tireless.result().get(timeout=SECONDS)


# Exceptions: what an activity raises is tried again unless it is non-retryable. It comes with its type and details.


@activity.defn
def fail_for_good() -> None:
    raise ApplicationError(
        "this error is non-retryable",
        {"code": 7},
        type="my-fatal-error",
        non_retryable=True,
        category=ApplicationErrorCategory.BENIGN,  # expected: the log has it at DEBUG
    )


@workflow.defn
async def catching() -> str:
    try:
        await workflow.execute_activity(fail_for_good)
    except ActivityError as error:
        if isinstance(error.cause, ApplicationError):
            return f"{error.cause.type}: {error.cause.message}, {error.cause.details}"
    return "no error"


@part("an exception that crosses from an activity")
def show_exceptions(runtime: Runtime) -> object:
    return runtime.execute_workflow(catching).get(timeout=SECONDS)


# Versioning: runs that have come by here with the code as it was go on by it, new ones take the highest version.
# ``versioning.py`` has both, side by side.


@activity.defn
def greet_warmly(name: str) -> str:
    return f"Welcome, {name}"


@workflow.defn
async def versioned(name: str) -> str:
    version = workflow.get_version("warmer", workflow.DEFAULT_VERSION, 1)
    if version == workflow.DEFAULT_VERSION:
        return await workflow.execute_activity(greet, name)
    return await workflow.execute_activity(greet_warmly, name)


@part("code with versions")
def show_versions(runtime: Runtime) -> object:
    return runtime.execute_workflow(versioned, "Ada").get(timeout=SECONDS)


# Continue-as-new: a new run with a new history goes on where this one ends. Options of the new run may be given.


@activity.defn
def fetch_next_batch(number: int) -> list[str]:
    return [f"item {number}.{index}" for index in range(3)] if number < 4 else []


@workflow.defn
async def batches(batch_number: int, processed: int) -> int:
    items = await workflow.execute_activity(fetch_next_batch, batch_number)
    if items:
        workflow.continue_as_new(batch_number + 1, processed + len(items), run_timeout=3600)
    return processed


@part("continued as new")
def show_continued(runtime: Runtime) -> object:
    return runtime.execute_workflow(batches, 0, 0).get(timeout=SECONDS)


# Search attributes: what a workflow is found by is given at its start, and changed by itself. There is nothing to
# register before: a key has a name and a type.

CUSTOMER = SearchAttributeKey.for_keyword("CustomerId")
STATUS = SearchAttributeKey.for_keyword("OrderStatus")


@workflow.defn
async def order() -> None:
    workflow.upsert_search_attributes([STATUS.value_set("processing")])
    await workflow.execute_activity(greet, "the one who packs it")
    workflow.upsert_search_attributes([STATUS.value_set("completed")])


@part("search attributes, of the start and upserted")
def show_search_attributes(runtime: Runtime) -> object:
    given = TypedSearchAttributes([SearchAttributePair(CUSTOMER, "12345")])
    handle = runtime.start_workflow(order, search_attributes=given).get(timeout=SECONDS)
    handle.result().get(timeout=SECONDS)
    attributes = handle.describe().get(timeout=SECONDS).typed_search_attributes
    return attributes.get(CUSTOMER), attributes.get(STATUS)


def main(runtime: Runtime) -> None:
    for title, show in PARTS:
        print(f"{title}: {show(runtime)}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, Runtime(Path(folder) / "phrasebook.journal") as runtime:
        main(runtime)
