"""Random workflow programs, and what one run of each leaves in the journal; the same in every process.

A program is plain data that one workflow interprets. A seed gives the program, the signals that it gets and when. Run
as a script it prints a digest of the histories of a range of seeds, so that processes can be compared.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import sys
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, NamedTuple

from greenroom import ActivityCancellationType, Future, SearchAttributeKey, activity, workflow
from greenroom.runtime.client import WorkflowHandle
from greenroom.runtime.core.commands import UpsertSearchAttributes
from greenroom.runtime.model.attribute_index import prefixes_of, request_prefix
from greenroom.runtime.model.attribute_values import Stored, decode_attributes, encode_attributes, merged
from greenroom.runtime.model.errors import ActivityError, ApplicationError, WorkflowClosedError, WorkflowFailureError
from greenroom.runtime.model.retry import RetryPolicy
from greenroom.runtime.model.run_facts import decode_facts
from greenroom.storage import check, unpack_prefixes
from greenroom.testing import RecordedRun, TestRuntime

Node = list[Any]

COUNT = SearchAttributeKey.for_int("Count")
TAGS = SearchAttributeKey.for_keyword_list("Tags")

LEAVES = (
    *("ok", "ok", "ok_async", "flaky", "doomed", "counted", "sleep", "asleep", "receive", "condition"),
    *("patient", "patient", "side", "random", "uuid", "raise", "nothing", "note", "note"),
)
CONTAINERS = (
    *("gather", "group", "timeout", "wait_for", "first", "locked", "shield", "sequence", "completed"),
    *("all_of", "settled", "race", "some_of", "as_they_come", "limited", "within"),
)
LIMITED = ("timeout", "wait_for", "shield", "limited", "within")

side_effects = itertools.count()

is_mended = False
"""Whether the handler of ``break_down`` can take its signal; it may become so, and never the other way round."""


@activity.defn(name="property.echo")
def echo(value: int) -> int:
    return value


@activity.defn(name="property.echo_async")
async def echo_async(value: int) -> int:
    await asyncio.sleep(value / 100)
    return value


@activity.defn(name="property.flaky")
def flaky(value: int, failures: int) -> int:
    if activity.info().attempt <= failures:
        raise ValueError(f"attempt {activity.info().attempt}")
    return value


@activity.defn(name="property.doomed")
def doomed() -> None:
    raise ApplicationError("never", type="Doomed", non_retryable=True)


@activity.defn(name="property.patient")
async def patient(answer: int, seconds: float) -> str:
    """Takes its time, and answers a cancellation in one of three ways."""
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        await asyncio.sleep(seconds / 3)
        if answer == 0:
            raise
        if answer == 1:
            raise ApplicationError("instead", type="Instead") from None
        return "all the same"
    return "in peace"


@workflow.defn(name="property.program")
class Program:
    """Interprets a program, and returns a log of all that happened in it, in order."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.nudges = 0

    @workflow.run
    async def run(self, program: list[Any]) -> list[Any]:
        for node in program:
            await self.guarded(node)
        return self.log

    @workflow.signal
    async def nudge(self, value: int) -> None:
        self.nudges += 1
        self.log.append(["nudged", value])
        if value % 3 == 0:
            await workflow.sleep(value / 10)
            self.log.append(["slept", value])
        elif value % 3 == 1:
            self.log.append(await workflow.execute_activity(echo, value))

    @workflow.signal
    async def break_down(self, value: int) -> None:
        await workflow.sleep(value / 50)
        if not is_mended:
            raise KeyError(f"{value} is not handled")
        self.log.append(["mended", value])

    async def guarded(self, node: Node) -> None:
        """Perform a node; what it raises is logged and the program goes on."""
        try:
            await self.perform(node)
        except (ActivityError, ApplicationError, TimeoutError, ExceptionGroup) as error:
            self.log.append([node[0], type(error).__name__, workflow.time_ns() - self.begun_ns])

    @property
    def begun_ns(self) -> int:
        return round(workflow.info().start_time.timestamp()) * 1_000_000_000

    async def perform(self, node: Node) -> None:
        kind, *rest = node
        self.log.append(kind)
        self.log.append([kind, await PERFORM[kind](self, *rest)])

    # Leaves.

    async def ok(self, value: int) -> int:
        return await workflow.execute_activity(echo, value)

    async def ok_async(self, value: int) -> int:
        return await workflow.execute_activity(echo_async, value)

    async def flaky(self, value: int, failures: int) -> int:
        return await workflow.execute_activity(flaky, value, failures)

    async def doomed(self) -> None:
        await workflow.execute_activity(doomed)

    async def counted(self, value: int, failures: int) -> int:
        policy = RetryPolicy(maximum_attempts=2)
        return await workflow.execute_activity(flaky, value, failures, retry_policy=policy)

    async def patient(self, kind: int, answer: int, seconds: float) -> str:
        return await workflow.execute_activity(
            patient, answer, seconds, cancellation_type=ActivityCancellationType(kind), heartbeat_timeout=100
        )

    async def sleep(self, seconds: float) -> None:
        await workflow.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def receive(self, name: str, seconds: float) -> Any:
        return await workflow.signal_channel().receive(name, timeout=seconds)

    async def condition(self, count: int, seconds: float) -> int:
        await workflow.wait_condition(lambda: self.nudges >= count, timeout=seconds)
        return self.nudges

    async def side(self) -> int:
        return workflow.side_effect(lambda: next(side_effects), result_type=int)

    async def random(self) -> int:
        return workflow.random().randrange(1_000_000)

    async def uuid(self) -> str:
        return f"{workflow.uuid4()} {workflow.uuid7()}"

    async def fail(self, value: int) -> None:
        raise ApplicationError(f"raised {value}", type="Raised")

    async def nothing(self) -> None:
        pass

    async def note(self, value: int) -> list[Any]:
        """Changes, adds or takes away what the run has noted; its own count is another in each place of the program."""
        workflow.upsert_search_attributes(
            [
                COUNT.value_set(len(self.log)) if value % 4 else COUNT.value_unset(),
                TAGS.value_set([f"t{place}" for place in range(value % 3)]),
            ]
        )
        workflow.upsert_memo({f"n{value % 5}": None if value % 2 else self.log[-1]})
        attributes = workflow.info().typed_search_attributes
        return [attributes.get(COUNT), attributes.get(TAGS), dict(workflow.memo())]

    # Containers.

    async def sequence(self, children: list[Node]) -> None:
        for child in children:
            await self.guarded(child)

    async def gather(self, children: list[Node]) -> None:
        await asyncio.gather(*map(self.perform, children))

    async def group(self, children: list[Node]) -> None:
        async with asyncio.TaskGroup() as group:
            for child in children:
                group.create_task(self.perform(child))

    async def timeout(self, seconds: float, child: Node) -> None:
        async with asyncio.timeout(seconds):
            await self.perform(child)

    async def wait_for(self, seconds: float, child: Node) -> None:
        await asyncio.wait_for(self.perform(child), seconds)

    async def first(self, children: list[Node]) -> list[str]:
        tasks = [asyncio.create_task(self.guarded(child), name=str(place)) for place, child in enumerate(children)]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return [task.get_name() for task in (*done, *pending)]

    async def completed(self, children: list[Node]) -> None:
        # Tasks, not coroutines: asyncio puts what it is given in a set, and a coroutine's hash is its address.
        tasks = [asyncio.create_task(self.guarded(child)) for child in children]
        for each in asyncio.as_completed(tasks):
            await each
            self.log.append("one more")

    async def locked(self, children: list[Node]) -> None:
        lock = asyncio.Lock()

        async def alone(child: Node) -> None:
            async with lock:
                await self.guarded(child)

        await asyncio.gather(*map(alone, children))

    async def all_of(self, children: list[Node]) -> None:
        await workflow.gather(*map(self.perform, children))

    async def settled(self, children: list[Node]) -> list[str]:
        outcomes = await workflow.gather(*map(self.perform, children), return_exceptions=True)
        return [type(outcome).__name__ for outcome in outcomes]

    async def race(self, children: list[Node]) -> None:
        await workflow.race(*map(self.guarded, children))

    async def some_of(self, children: list[Node]) -> list[str]:
        tasks = [asyncio.create_task(self.guarded(child), name=str(place)) for place, child in enumerate(children)]
        when = asyncio.FIRST_COMPLETED if len(children) % 2 else asyncio.ALL_COMPLETED
        done, pending = await workflow.wait(tasks, timeout=len(children) * 2, return_when=when)
        for task in pending:
            task.cancel()
        return [task.get_name() for task in (*done, *pending)]

    async def as_they_come(self, children: list[Node]) -> None:
        for each in workflow.as_completed(map(self.guarded, children), timeout=len(children) * 5):
            await each
            self.log.append("one more")

    async def limited(self, seconds: float, child: Node) -> None:
        async with workflow.timeout(seconds):
            await self.perform(child)

    async def within(self, seconds: float, child: Node) -> None:
        await workflow.wait_for(self.perform(child), seconds)

    async def shield(self, seconds: float, child: Node) -> None:
        async with asyncio.timeout(seconds):
            await asyncio.shield(self.perform(child))


PERFORM: dict[str, Callable[..., Awaitable[object]]] = {
    kind: getattr(Program, "fail" if kind == "raise" else kind) for kind in (*LEAVES, *CONTAINERS)
}


class Case(NamedTuple):
    """A program and what happens to it: (seconds since the last, signal, value) each."""

    program: list[Node]
    signals: list[tuple[float, str, int]]


def case(seed: int) -> Case:
    """The program of a seed."""
    dice = Random(seed)
    program = [_node(dice, depth=3) for _ in range(dice.randint(1, 4))]
    signals = [
        (_seconds(dice, 8), dice.choice(("nudge", "nudge", "mail", "post")), dice.randrange(100))
        for _ in range(dice.randint(0, 6))
    ]
    return Case(program, signals)


def _node(dice: Random, depth: int) -> Node:
    if not depth or dice.random() < 0.45:
        return _leaf(dice)
    kind = dice.choice(CONTAINERS)
    if kind in LIMITED:
        return [kind, _seconds(dice, 10), _node(dice, depth - 1)]
    return [kind, [_node(dice, depth - 1) for _ in range(dice.randint(1, 4))]]


def _leaf(dice: Random) -> Node:
    kind = dice.choice(LEAVES)
    match kind:
        case "ok" | "ok_async" | "raise" | "note":
            return [kind, dice.randrange(1000)]
        case "flaky" | "counted":
            return [kind, dice.randrange(1000), dice.randint(1, 3)]
        case "patient":
            return [kind, dice.randrange(3), dice.randrange(3), _seconds(dice, 12)]
        case "sleep" | "asleep":
            return [kind, 0 if dice.random() < 0.2 else _seconds(dice, 12)]
        case "receive":
            return [kind, dice.choice(("mail", "post")), _seconds(dice, 15)]
        case "condition":
            return [kind, dice.randint(0, 4), _seconds(dice, 15)]
        case _:
            return [kind]


def _seconds(dice: Random, most: float) -> float:
    return round(dice.uniform(0, most), 3)


def end(runtime: TestRuntime, handle: WorkflowHandle[Any]) -> None:
    """Drive a program to its end, whatever that is.

    Some fail as cancelled: on Python 3.11 a TaskGroup whose child fails while it is being left forgets to take its
    cancelling of the task back, and a timeout around it does not know its own cancelling again.
    """
    try:
        runtime.wait(handle.result())
    except WorkflowFailureError:
        pass


def send(handle: WorkflowHandle[Any], name: str, value: int) -> Future[None]:
    """Send a signal; by its value it is for later, has a key and is sent twice, or neither."""
    match value % 7:
        case 0:
            return handle.signal(name, value, delay=value / 20)
        case 1:
            handle.signal(name, value, idempotency_key=f"{name} {value}")
            return handle.signal(name, value, idempotency_key=f"{name} {value}", delay=value % 4)
        case _:
            return handle.signal(name, value)


def mend(*, mended: bool) -> None:
    """Have the code of the programs mended, or as it was in the beginning."""
    global is_mended
    is_mended = mended


def drive(runtime: TestRuntime, seed: int) -> RecordedRun:
    """Run the program of a seed to its end, and return what is recorded of it."""
    global side_effects
    side_effects = itertools.count(seed)
    program, signals = case(seed)
    handle = runtime.wait(runtime.start_workflow(Program.run, program, id=f"program-{seed}"))
    runtime.run_until_idle()
    for seconds, name, value in signals:
        runtime.advance(seconds)
        try:
            runtime.wait(send(handle, name, value))
        except WorkflowClosedError:
            break
        runtime.run_until_idle()
    end(runtime, handle)
    (run,) = runtime.recorded()
    return run


def index_problems(runtime: TestRuntime) -> list[str]:
    """Where the index and the headers of runs disagree, or a header and what its history says was noted."""
    problems = [str(problem) for problem in check(runtime.hands.journal)]
    for run in runtime.recorded():
        facts, noted = decode_facts(run.header.facts), noted_by(run)
        places = unpack_prefixes(run.header.indexed)
        wanted = set(prefixes_of(noted))
        if facts.request_id:
            wanted.add(request_prefix(run.header.workflow_id, facts.request_id))
        if facts.attributes != noted or places != sorted(wanted):
            problems.append(f"run {run.header.run_id} has noted {noted!r} and its header says {facts.attributes!r}")
    return problems


def noted_by(run: RecordedRun) -> bytes:
    """The attributes that a history leaves, as a header has them."""
    stored: Stored = {}
    for commands in run.commands():
        for command in commands:
            if isinstance(command, UpsertSearchAttributes):
                stored = merged(stored, decode_attributes(command.changes))
    return encode_attributes(stored)


def digest(seeds: range) -> str:
    """One digest over the histories of many seeds."""
    whole = hashlib.sha256()
    for seed in seeds:
        with TestRuntime(seed=seed, check_leaks=False) as runtime:
            whole.update(drive(runtime, seed).bytes())
    return whole.hexdigest()


if __name__ == "__main__":
    first, last, garbage = map(int, sys.argv[1:4])
    # Other addresses for everything that comes after.
    kept = [bytearray(Random(garbage).randrange(1, 5000)) for _ in range(garbage)]
    print(digest(range(first, last)))
