"""Who has sent a message is said by the sender, and stands beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from greenroom import (
    Future,
    Runtime,
    Supervision,
    WorkflowFailureError,
    WorkflowIDConflictPolicy,
    WorkflowUpdateStage,
    workflow,
)
from greenroom.runtime.core.messages import SignalReceived, encode_message
from greenroom.runtime.signal_calls import signal_message
from greenroom.testing import TestRuntime

REPLACE = WorkflowIDConflictPolicy.TERMINATE_EXISTING


@workflow.defn(name="identity.desk")
class Desk:
    @workflow.run
    async def run(self, goes_on: bool = False) -> None:
        await workflow.signal_channel().receive("close")
        if goes_on:
            workflow.continue_as_new(False)

    @workflow.signal
    def note(self) -> None:
        """It is only heard."""

    @workflow.signal
    def stumble(self) -> None:
        raise LookupError("a bug")

    @workflow.update
    async def who(self) -> str:
        info = workflow.current_update_info()
        return "" if info is None else info.identity


def make(**options: Any) -> TestRuntime:
    return TestRuntime(workflows=[Desk], **options)


def told(runtime: TestRuntime, run_id: str | None = None) -> list[tuple[str, object]]:
    """Kind and identity of each message of a client."""
    history = runtime.wait(runtime.get_workflow_handle("desk", run_id=run_id).fetch_history())
    wanted = ("Started", "Received", "Accepted", "CancelRequested", "Terminated")
    return [(each.kind, each.facts.get("identity")) for each in history.events if each.kind.endswith(wanted)]


@pytest.mark.parametrize("default", [None, "the shop"])
def test_who_has_sent_it_stands_beside_each_message_of_a_client_and_nowhere_if_nobody_has_said(
    default: str | None,
) -> None:
    with make(identity=default) as runtime:
        started = runtime.wait(runtime.start_workflow(Desk.run, id="desk", identity="ada"))
        for handle in (started, runtime.get_workflow_handle("desk")):
            runtime.wait(handle.signal("note"))
            runtime.wait(handle.signal("note", idempotency_key="once" if handle is started else "twice"))
            runtime.wait(handle.execute_update(Desk.who))
        runtime.wait(runtime.get_workflow_handle("desk", identity="bob").cancel())
        with pytest.raises(WorkflowFailureError):
            runtime.wait(started.result())

        assert told(runtime) == [
            ("WorkflowStarted", "ada"),
            *[("SignalReceived", "ada")] * 2,
            ("UpdateAccepted", "ada"),
            *[("SignalReceived", default)] * 2,
            ("UpdateAccepted", default),
            ("WorkflowCancelRequested", "bob"),
        ]


def test_a_start_that_is_given_nothing_but_an_id_is_on_behalf_of_whom_the_client_speaks_for() -> None:
    with make(identity="the shop") as runtime:
        runtime.start_workflow(Desk.run, id="desk").get()

        assert told(runtime) == [("WorkflowStarted", "the shop")]


def test_who_has_sent_it_is_known_of_what_has_waited_and_gone_on() -> None:
    with make() as runtime:
        first = runtime.wait(runtime.start_workflow(Desk.run, True, id="desk"))
        ada = runtime.get_workflow_handle("desk", identity="ada")
        runtime.wait(ada.signal("note", delay=60))
        runtime.wait(ada.start_update("later", wait_for_stage=WorkflowUpdateStage.ADMITTED))
        runtime.wait(first.signal("close"))
        runtime.advance(120)
        second = runtime.wait(ada.describe()).run_id
        runtime.wait(
            runtime.signal_with_start(Desk.run, id="desk", signal=Desk.note, id_conflict_policy=REPLACE, identity="bob")
        )

        assert told(runtime, first.run_id) == [("WorkflowStarted", None), ("SignalReceived", None)]
        assert told(runtime, second) == [
            ("WorkflowStarted", None),
            ("SignalReceived", "ada"),
            ("WorkflowTerminated", "bob"),
        ]
        assert told(runtime) == [("WorkflowStarted", "bob"), ("SignalReceived", "bob")]


def test_who_has_reset_or_forked_a_run_stands_in_both_histories_and_in_what_describes_it() -> None:
    with make() as runtime:
        desk = runtime.wait(runtime.start_workflow(Desk.run, id="desk"))
        by_carol = runtime.get_workflow_handle("desk", identity="carol")

        fork = runtime.wait(by_carol.fork(at="last", id="fork"))
        again = runtime.wait(by_carol.reset(to="last", reason="to try"))

        old = runtime.wait(runtime.get_workflow_handle("desk", run_id=desk.run_id).fetch_history())
        assert (old.events[-1].kind, old.events[-1].facts["identity"]) == ("WorkflowReset", "carol")
        for handle in (fork, again):
            copied = runtime.wait(handle.describe()).copied_from
            assert copied is not None
            assert copied.identity == "carol"
            events = runtime.wait(handle.fetch_history()).events
            [fact] = [event.facts["identity"] for event in events if event.kind == "HistoryCopied"]
            assert fact == "carol"


def test_who_has_suspended_or_resumed_a_run_is_told_in_the_log_and_while_it_is_suspended(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "greenroom")
    with make() as runtime:
        runtime.wait(runtime.start_workflow(Desk.run, id="desk"))
        by_carol = runtime.get_workflow_handle("desk", identity="carol")
        runtime.wait(by_carol.suspend("for lunch"))

        told = runtime.wait(by_carol.describe()).suspended_error
        assert told == "suspended by request of 'carol': for lunch"

        runtime.wait(by_carol.resume())

        lines = [record.getMessage() for record in caplog.records if "by request" in record.getMessage()]
        assert [line.rpartition(") ")[2] for line in lines] == [f"is {told}", "is resumed by request of 'carol'"]


def test_who_has_resumed_a_run_without_what_it_stopped_at_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "greenroom")
    with make(auto_skip=False, supervision=Supervision(max_restarts=3)) as runtime:
        runtime.wait(runtime.start_workflow(Desk.run, id="desk"))
        by_carol = runtime.get_workflow_handle("desk", identity="carol")
        runtime.wait(by_carol.signal(Desk.stumble))
        runtime.wait(by_carol.suspend("before it is restarted"))

        runtime.wait(by_carol.resume(skip=True))

        lines = [record.getMessage() for record in caplog.records if "resumed by request" in record.getMessage()]
        assert [line.rpartition(") ")[2] for line in lines] == ["is resumed by request of 'carol'"]
        assert runtime.wait(by_carol.execute_update(Desk.who)) == "carol"


def test_an_update_handler_knows_on_whose_behalf_it_is_asked_for() -> None:
    with make(identity="the shop") as runtime:
        asked = runtime.update_with_start(
            Desk.run, id="desk", id_conflict_policy=REPLACE, update=Desk.who, identity="ada"
        )
        others = [runtime.get_workflow_handle("desk", identity=each) for each in (None, "bob")]
        by_others = [handle.execute_update(Desk.who) for handle in others]

        assert runtime.wait(runtime.wait(asked).result()) == "ada"
        assert [runtime.wait(each) for each in by_others] == ["the shop", "bob"]


def test_a_signal_of_nobody_is_written_as_it_always_was() -> None:
    assert encode_message(signal_message("note", b"")) == encode_message(SignalReceived("note", b""))


def test_what_cannot_be_an_identity_is_refused() -> None:
    with Runtime.in_memory(workflows=[Desk]) as runtime:
        calls: list[Callable[[Any], Future[Any] | object]] = [
            lambda identity: Runtime("somewhere", identity=identity),
            lambda identity: runtime.start_workflow(Desk.run, identity=identity),
            lambda identity: runtime.get_workflow_handle("desk", identity=identity),
        ]
        for call in calls:
            for wrong, error in [("", ValueError), ("ü" * 241, ValueError), (5, TypeError)]:
                with pytest.raises(error, match="identity"):
                    call(wrong)


@pytest.mark.parametrize("call", ["signal", "execute_update", "start_update"])
def test_an_identity_that_is_given_with_a_message_is_told_where_it_belongs(call: str) -> None:
    stage = {"wait_for_stage": WorkflowUpdateStage.ACCEPTED} if call == "start_update" else {}
    with make() as runtime:
        handle: Any = runtime.start_workflow(Desk.run, id="desk").get()

        for option, words in [("identity", r"get_workflow_handle\(…, identity=…\)"), ("cents", "in their order")]:
            with pytest.raises(TypeError, match=rf"{call}\(\) has no {option}=.*{words}"):
                getattr(handle, call)("who", **stage, **{option: "ada"})

        assert told(runtime) == [("WorkflowStarted", None)]
