"""Random workflows with children, that continue as new, are repeated, cancel and signal each other; the same in every
process.

A program is plain data, as in ``programs``; here several workflows and their children interpret one each, and whatever
one of them is told or reads, it records. Run as a script it prints a digest of the journals of a range of seeds.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from greenroom import (
    ActivityError,
    ApplicationError,
    ChildWorkflowCancellationType,
    ChildWorkflowError,
    Future,
    ParentClosePolicy,
    RetryPolicy,
    WorkflowAlreadyStartedError,
    WorkflowIDReusePolicy,
    workflow,
)
from greenroom.runtime.core.messages import WorkflowStarted
from greenroom.testing import RecordedRun, TestRuntime
from greenroom.testing.prefixes import replay
from tests.property.family_programs import CONTAINERS, LEAVES, Event, Node, Root, case
from tests.property.programs import echo, flaky

FATAL = "Fatal"
CAUGHT = (
    *(ActivityError, ApplicationError, ChildWorkflowError, WorkflowAlreadyStartedError),
    *(TimeoutError, ExceptionGroup),
)

is_mended = False
"""Whether the handler of ``break_down`` can take its signal."""


def mend(*, mended: bool) -> None:
    """Have the code of the workflows mended, or as it was in the beginning."""
    global is_mended
    is_mended = mended


@workflow.defn(name="property.family")
class Family:
    """Interprets a program, of which each run of a chain has what the one before it has not come to."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.children: list[workflow.ChildWorkflowHandle[Any]] = []
        self.rest: list[Node] = []
        self.notes = self.tokens = self.born = 0

    @workflow.run
    async def run(self, program: list[Node]) -> list[Any]:
        self.rest = program
        while self.rest:
            node, *self.rest = self.rest
            await self.guarded(node)
        return self.log

    @workflow.signal
    async def note(self, token: str) -> None:
        self.notes += 1
        self.heard("note", token)
        if self.notes % 3 == 0:
            self.log.append(await workflow.execute_activity(echo, self.notes))

    @workflow.signal
    def renew(self, token: str) -> None:
        self.heard("renew", token)
        workflow.continue_as_new(self.rest)

    @workflow.signal
    def break_down(self, token: str) -> None:
        if not is_mended:
            raise KeyError(token)
        self.heard("break_down", token)

    @workflow.update
    async def book(self, token: str, how: int) -> str:
        self.heard("book", token)
        match how:
            case 1:
                await workflow.sleep(1.5)
            case 2:
                await workflow.execute_activity(echo, how)
            case 3:
                raise ApplicationError("booked out")
            case _:
                pass
        return token

    @book.validator
    def check(self, token: str, how: int) -> None:
        if how == 4:
            raise ValueError("refused")

    @workflow.query
    def heard_of(self) -> int:
        return len(self.log)

    def heard(self, kind: str, token: str) -> None:
        """What has been taken stands in the history once."""
        workflow.side_effect(lambda: [kind, token])
        self.log.append([kind, token])

    def token(self) -> str:
        self.tokens += 1
        return f"{workflow.info().run_id} {self.tokens:04}"

    async def guarded(self, node: Node) -> None:
        """Perform a node; what it raises is logged and the program goes on, unless it is to end the run."""
        try:
            await self.perform(node)
        except CAUGHT as error:
            if isinstance(error, ApplicationError) and error.type == FATAL:
                raise
            self.log.append([node[0], type(error).__name__])

    async def perform(self, node: Node) -> None:
        kind, *rest = node
        self.log.append(kind)
        self.log.append([kind, await PERFORM[kind](self, *rest)])

    # Leaves.

    async def ok(self, value: int) -> int:
        return await workflow.execute_activity(flaky, value, value % 2)

    async def sleep(self, seconds: float) -> None:
        await workflow.sleep(seconds)

    async def receive(self, name: str, seconds: float) -> None:
        token = await workflow.signal_channel().receive(name, timeout=seconds)
        self.heard(name, token)

    async def poll(self, name: str) -> None:
        token = workflow.signal_channel().poll(name)
        if token is not None:
            self.heard(name, token)

    async def count(self, count: int, seconds: float) -> None:
        await workflow.wait_condition(lambda: self.notes >= count, timeout=seconds)

    async def fail(self, times: int) -> None:
        if workflow.info().attempt <= times:
            raise ApplicationError("this run is over", type=FATAL)

    async def again(self) -> None:
        workflow.continue_as_new(self.rest)

    async def again_later(self, seconds: float) -> None:
        workflow.continue_as_new(self.rest, backoff_start_interval=seconds)

    async def child(self, options: dict[str, Any], program: list[Node]) -> Any:
        return await workflow.execute_child_workflow(Family.run, program, **self.options(options))

    async def start(self, options: dict[str, Any], program: list[Node]) -> None:
        self.children.append(await workflow.start_child_workflow(Family.run, program, **self.options(options)))

    async def hasty(self, options: dict[str, Any], program: list[Node]) -> None:
        """Start a child, and think better of it in the same turn."""
        task = asyncio.create_task(self.child(options, program))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            self.log.append("taken back")

    async def join(self, place: int) -> Any:
        return await self.children[place % len(self.children)] if self.children else None

    async def drop(self, place: int) -> None:
        if self.children:
            self.children[place % len(self.children)].cancel()

    async def greet(self, place: int, name: str) -> None:
        if self.children:
            await self.children[place % len(self.children)].signal(name, self.token())

    async def tell(self, to: str, name: str) -> None:
        await workflow.get_external_workflow_handle(to).signal(name, self.token())

    async def ask_to_end(self, whom: str) -> None:
        await workflow.get_external_workflow_handle(whom).cancel("enough")

    async def with_start(self, to: str, name: str, program: list[Node]) -> None:
        await workflow.signal_with_start(Family.run, program, id=to, signal=name, signal_args=[self.token()])

    async def nothing(self) -> None:
        pass

    def options(self, given: dict[str, Any]) -> dict[str, Any]:
        """Those of a child, of what a program says of it."""
        self.born += 1
        made: dict[str, Any] = {
            "parent_close_policy": ParentClosePolicy(given["close"]),
            "cancellation_type": ChildWorkflowCancellationType(given["cancel"]),
        }
        if given["named"]:
            made["id"] = f"{workflow.info().workflow_id}/{self.born % 3}"
        if given["attempts"]:
            made["retry_policy"] = RetryPolicy(maximum_attempts=given["attempts"])
        made.update(given["limits"])
        return made

    # Containers.

    async def sequence(self, nodes: list[Node]) -> None:
        for node in nodes:
            await self.guarded(node)

    async def gather(self, nodes: list[Node]) -> None:
        await workflow.gather(*map(self.perform, nodes))

    async def group(self, nodes: list[Node]) -> None:
        async with asyncio.TaskGroup() as group:
            for node in nodes:
                group.create_task(self.perform(node))

    async def race(self, nodes: list[Node]) -> None:
        await workflow.race(*map(self.guarded, nodes))

    async def brief(self, seconds: float, node: Node) -> None:
        async with asyncio.timeout(seconds):
            await self.perform(node)

    async def shield(self, seconds: float, node: Node) -> None:
        async with asyncio.timeout(seconds):
            await asyncio.shield(self.perform(node))

    async def stubborn(self, nodes: list[Node]) -> None:
        try:
            await self.sequence(nodes)
        except asyncio.CancelledError:
            self.log.append("not yet")
            await workflow.sleep(0.7)


PERFORM: dict[str, Callable[..., Awaitable[object]]] = {kind: getattr(Family, kind) for kind in {*LEAVES, *CONTAINERS}}


def start(runtime: TestRuntime, root: Root) -> Future[Any]:
    """Start one, unless a client that was answered by nobody has started it before."""
    reuse = WorkflowIDReusePolicy.REJECT_DUPLICATE
    return runtime.start_workflow(Family.run, root.program, id=root.id, id_reuse_policy=reuse, **root.options)


def send(runtime: TestRuntime, event: Event) -> Future[Any]:
    """Do what an event says."""
    handle = runtime.get_workflow_handle(event.target)
    token = f"client {event.value:04}"
    match event.kind:
        case "cancel":
            return handle.cancel(token)
        case "terminate":
            return handle.terminate(reason=token)
        case "query":
            return handle.query("heard_of")
        case "book":
            return handle.execute_update("book", token, event.value % 5, id=token)
        case "later":
            return handle.signal("note", token, delay=0.5 + event.value % 5)
        case "keyed":
            return handle.signal("note", token, idempotency_key=token)
        case "with_start":
            return runtime.signal_with_start(
                Family.run, [["receive", "mail", 3.0]], id=event.target, signal="mail", signal_args=[token]
            )
        case _:
            return handle.signal(event.kind, token)


def drive(runtime: TestRuntime, seed: int) -> list[RecordedRun]:
    """Run the workflows of a seed to their ends, and return what is recorded of them."""
    roots, events = case(seed)
    for root in roots:
        start(runtime, root)
    for event in events:
        runtime.advance(event.seconds)
        send(runtime, event)
    for event in events:
        if event.kind == "keyed":
            send(runtime, event)
    runtime.advance(10_000)
    return runtime.recorded()


def replay_all(runtime: TestRuntime) -> int:
    """Replay every prefix of every run that has begun; gives how many there are."""
    count = 0
    for run in runtime.recorded():
        # Some are ended before they begin: none of their code has run.
        if run.turns and isinstance(run.messages()[0], WorkflowStarted):
            for length in range(len(run.turns) + 1):
                replay(run, runtime.hands, prefix=length)
                count += 1
    return count


def digest(seeds: range) -> str:
    """One digest over the journals of many seeds."""
    whole = hashlib.sha256()
    for seed in seeds:
        with TestRuntime(seed=seed, check_leaks=False) as runtime:
            for run in drive(runtime, seed):
                whole.update(run.bytes())
    return whole.hexdigest()


if __name__ == "__main__":
    first, last, garbage = map(int, sys.argv[1:4])
    # Other addresses for everything that comes after.
    kept = [bytearray(Random(garbage).randrange(1, 5000)) for _ in range(garbage)]
    print(digest(range(first, last)))
