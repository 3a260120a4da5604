"""Signals between runs: each is delivered once, and the sender learns what became of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

import pytest

from greenroom import activity, workflow
from greenroom.runtime.model.errors import ApplicationError, MailboxFullError, WorkflowSuspendedError
from greenroom.storage import MemoryStore
from greenroom.testing import Crash, TestRuntime


@workflow.defn
class Inbox:
    def __init__(self) -> None:
        self.texts: list[str] = []

    @workflow.run
    async def run(self, enough: int) -> list[str]:
        await workflow.wait_condition(lambda: len(self.texts) >= enough)
        return self.texts

    @workflow.signal
    def text(self, text: str) -> None:
        if text == "poison":
            raise LookupError("cannot take it")
        self.texts.append(text)


@workflow.defn
async def sends(to: str, *texts: str, run_id: str = "") -> list[str]:
    outcomes: list[str] = []
    for text in texts:
        try:
            await workflow.get_external_workflow_handle(to).signal(Inbox.text, text)
        except ApplicationError as error:
            outcomes.append(str(error.type))
        else:
            outcomes.append("delivered")
    return outcomes


@workflow.defn
async def talks_to_itself() -> Any:
    channel = workflow.signal_channel()
    me = workflow.get_external_workflow_handle(workflow.info().workflow_id)
    await me.signal("thought", 1)
    await me.signal("thought", 2)
    return [await channel.receive("thought"), await channel.receive("thought")]


@activity.defn(name="signals.greet")
async def greet(name: str) -> str:
    await asyncio.sleep(len(name))
    return f"Hi, {name}"


@workflow.defn(name="signals.greeter")
class Greeter:
    """Ends with the third greeting that is given, whatever is still at work."""

    def __init__(self) -> None:
        self.greetings: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: len(self.greetings) >= 3)
        return self.greetings

    @workflow.signal
    async def greet(self, name: str) -> None:
        greeting = await workflow.execute_activity(greet, name)
        self.greetings.append(greeting)


WORKFLOWS = [Inbox, sends, talks_to_itself, Greeter]


def make(store: MemoryStore | None = None, **options: Any) -> TestRuntime:
    return TestRuntime(store, workflows=WORKFLOWS, activities=[greet], **options)


@pytest.mark.parametrize("state", ["resident", "dormant", "reopened"])
def test_a_signal_of_a_run_is_delivered_once(state: str) -> None:
    store = MemoryStore()
    runtime = make(store).open()
    runtime.wait(runtime.start_workflow(Inbox.run, 3, id="inbox"))
    if state == "dormant":
        runtime.hands.directory.evict()
    if state == "reopened":
        runtime.close()
        runtime = make(store).open()

    outcomes = runtime.wait(runtime.execute_workflow(sends, "inbox", "a", "b", "c"))

    assert outcomes == ["delivered"] * 3
    assert runtime.wait(runtime.get_workflow_handle("inbox").result()) == ["a", "b", "c"]
    runtime.close()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_signal_of_a_run_is_delivered_once_wherever_the_process_dies(when: Any) -> None:
    with make() as runtime:
        runtime.wait(runtime.start_workflow(Inbox.run, 2, id="inbox"))
        runtime.wait(runtime.execute_workflow(sends, "inbox", "a", "b", id="sends"))
        commits = runtime.store.commits
    for number in range(1, commits + 1):
        with make(check_leaks=False) as runtime:
            runtime.wait(runtime.start_workflow(Inbox.run, 2, id="inbox"))
            runtime.wait(runtime.start_workflow(sends, "inbox", "a", "b", id="sends"))
            runtime.store.crash_at_commit(number, when)
            with contextlib.suppress(Crash):
                runtime.run_until_idle()
            if runtime.store.is_crashed:
                runtime.crash()

            assert runtime.wait(runtime.get_workflow_handle("sends").result()) == ["delivered"] * 2
            assert runtime.wait(runtime.get_workflow_handle("inbox").result()) == ["a", "b"]


def test_a_run_can_signal_itself() -> None:
    with make() as runtime:
        assert runtime.wait(runtime.execute_workflow(talks_to_itself)) == [1, 2]


def test_a_signal_to_nobody_or_to_a_closed_run_fails_for_the_sender() -> None:
    with make() as runtime:
        runtime.wait(runtime.execute_workflow(Inbox.run, 0, id="closed"))

        for target in ("nobody", "closed"):
            outcomes = runtime.wait(runtime.execute_workflow(sends, target, "a"))
            assert outcomes == ["ExternalWorkflowExecutionNotFound"]


def test_what_a_run_did_not_read_before_it_ended_becomes_a_dead_letter() -> None:
    with make() as runtime:
        runtime.wait(runtime.start_workflow(Inbox.run, 1, id="inbox"))
        senders = [runtime.start_workflow(sends, "inbox", str(n), id=f"sends-{n}") for n in range(4)]
        while runtime.hands.dispatcher.sweep():
            pass

        heard = runtime.wait(runtime.get_workflow_handle("inbox").result())
        told = [runtime.wait(runtime.wait(sender).result()) for sender in senders]
        dead = runtime.hands.journal.dead_letters()

        assert len(heard) == 1
        assert told.count(["delivered"]) == 1 + len(dead)
        assert all("has ended (COMPLETED)" in letter.reason for letter in dead)


def test_a_signal_to_a_suspended_run_is_delivered_and_waits() -> None:
    with make() as runtime:
        inbox = runtime.wait(runtime.start_workflow(Inbox.run, 1, id="inbox"))
        runtime.wait(inbox.signal(Inbox.text, "poison"))
        with pytest.raises(WorkflowSuspendedError):
            runtime.wait(inbox.result())

        outcomes = runtime.wait(runtime.execute_workflow(sends, "inbox", "a", "b"))

        assert outcomes == ["delivered"] * 2
        assert runtime.wait(inbox.describe()).waiting_messages == 3


def test_a_mailbox_that_is_full_refuses_clients_and_runs_and_keeps_what_it_has() -> None:
    with make(mailbox_limit=5) as runtime:
        inbox = runtime.wait(runtime.start_workflow(Inbox.run, 99, id="inbox"))
        runtime.wait(inbox.signal(Inbox.text, "poison"))
        for number in range(4):
            runtime.wait(inbox.signal(Inbox.text, str(number)))

        with pytest.raises(MailboxFullError, match="try again later"):
            runtime.wait(inbox.signal(Inbox.text, "one too many"))
        with pytest.raises(MailboxFullError, match="try again later"):
            runtime.wait(runtime.signal_with_start(Inbox.run, 99, id="inbox", signal=Inbox.text, signal_args=["too"]))
        assert runtime.wait(runtime.execute_workflow(sends, "inbox", "a")) == ["MailboxFull"]
        assert runtime.wait(inbox.describe()).waiting_messages == 5
        runtime.wait(inbox.terminate())


def test_of_four_greetings_at_work_three_end_the_run_and_the_fourth_is_abandoned_and_told_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with make(auto_skip=False) as runtime, caplog.at_level(logging.WARNING, "greenroom"):
        handle = runtime.wait(runtime.start_workflow(Greeter.run, id="greeter"))
        for name in ("Konstantin", "Ada", "Kyle", "Grace"):
            runtime.wait(handle.signal(Greeter.greet, name))
        runtime.run_until_idle()
        before = runtime.wait(handle.describe())
        runtime.advance(20)

        assert len(before.pending_activities) == 4
        assert runtime.wait(handle.result()) == ["Hi, Ada", "Hi, Kyle", "Hi, Grace"]
    [told] = [record.getMessage() for record in caplog.records]
    assert "while a handler was at work" in told
    assert "signal greet" in told
