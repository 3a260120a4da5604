"""Signals to other workflows: awaited until they are in the other's mailbox, or refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from greenroom.runtime import workflow
from greenroom.runtime.core.bugs import WorkflowBugError, beneath
from greenroom.runtime.core.commands import SignalExternal
from greenroom.runtime.core.messages import ChildStarted, ExternalSignalResolved
from greenroom.runtime.model.errors import ApplicationError
from greenroom.runtime.model.failure_writing import to_failure
from greenroom.runtime.model.payload_errors import PayloadDecodeError
from tests.core.driving import Drive

Start = Callable[..., Drive]


@workflow.defn
class Other:
    @workflow.signal(name="greet")
    def hear(self, name: str) -> None:
        """Hears a greeting."""

    @workflow.signal(dynamic=True)
    def anything(self, name: str) -> None:
        """Hears anything."""

    def not_a_signal(self) -> None:
        """Is not for others."""

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)


@workflow.defn
async def greeting(run_id: str | None) -> str:
    other = workflow.get_external_workflow_handle("other", run_id=run_id)
    try:
        await other.signal(Other.hear, "Kyle")
    except ApplicationError as error:
        return f"{error.type}"
    return f"{other.id} {other.run_id} {other!r}"


@pytest.mark.parametrize(
    ("run_id", "shown"), [(None, "other None <workflow 'other'>"), ("r", "other r <workflow 'other' run r>")]
)
def test_a_signal_that_arrives_lets_the_sender_go_on(drive: Start, run_id: str | None, shown: str) -> None:
    run = drive(greeting, run_id)

    run.send(ExternalSignalResolved(1))

    (command,) = run.all_of(SignalExternal)
    assert (command.name, command.workflow_id, command.run_id) == ("greet", "other", run_id or "")
    assert run.result == shown


def test_a_signal_that_is_refused_is_an_error_of_the_wait(drive: Start) -> None:
    run = drive(greeting, None)

    refusal = ApplicationError("there is none", type="ExternalWorkflowExecutionNotFound")
    run.send(ExternalSignalResolved(1, to_failure(refusal, run.converter)))

    assert run.result == "ExternalWorkflowExecutionNotFound"


@workflow.defn
async def giving_up(wait: bool) -> str:
    other = workflow.get_external_workflow_handle("other")
    task = asyncio.create_task(other.signal("greet", "Kyle"))
    await asyncio.sleep(0)
    if wait:
        await workflow.sleep(1)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        await workflow.sleep(1)
        return "cancelled"
    return "sent"


def test_a_signal_that_is_cancelled_in_its_turn_is_never_sent(drive: Start) -> None:
    run = drive(giving_up, False)

    run.fire()

    assert run.all_of(SignalExternal) == []
    assert run.execution.pending == {}
    assert run.result == "cancelled"


@pytest.mark.parametrize("refused", [False, True])
def test_a_signal_that_is_on_its_way_cannot_be_taken_back_but_its_news_is_ignored(drive: Start, refused: bool) -> None:
    run = drive(giving_up, True)
    run.fire()

    failure = to_failure(ApplicationError("gone"), run.converter) if refused else None
    run.send(ExternalSignalResolved(1, failure))
    run.fire()

    assert len(run.all_of(SignalExternal)) == 1
    assert run.result == "cancelled"


BAD: dict[str, Any] = {"no handler": Other.not_a_signal, "a catch-all": Other.anything}


@workflow.defn
async def signalling_wrongly(what: str) -> str:
    await workflow.get_external_workflow_handle("other").signal(BAD[what])
    return "sent"


CALLS: dict[str, tuple[Any, ...]] = {
    "too few": (),
    "too many": ("Kyle", "Ada"),
    "a number": (7,),
}


@workflow.defn
async def signalling_badly(how: str, whom: str) -> str:
    args = CALLS[how]
    match whom:
        case "external":
            await workflow.get_external_workflow_handle("other").signal(Other.hear, *args)
        case "child":
            await (await workflow.start_child_workflow(Other.run)).signal(Other.hear, *args)
        case _:
            await workflow.signal_with_start(Other.run, id="other", signal=Other.hear, signal_args=args)
    return "sent"


def _start(run: Drive) -> None:
    run.send(run.started)
    run.send(ChildStarted(1, "run"))


@pytest.mark.parametrize("whom", ["external", "child", "with a start"])
@pytest.mark.parametrize(
    ("how", "error", "said"),
    [
        ("too few", TypeError, "signal 'greet' misses name"),
        ("too many", TypeError, "signal 'greet' takes 1 argument, 2 were given"),
        ("a number", PayloadDecodeError, "signal 'greet' cannot take its argument 'name'"),
    ],
)
def test_arguments_that_do_not_fit_the_handler_are_refused_at_the_call(
    drive: Start, whom: str, how: str, error: type[Exception], said: str
) -> None:
    run = drive(signalling_badly, how, whom, start=False)

    with pytest.raises(WorkflowBugError, match=said) as refused:
        _start(run)

    assert isinstance(beneath(refused.value), error)


@workflow.defn
async def signalling_plainly() -> str:
    await workflow.get_external_workflow_handle("other").signal("greet", 7)
    return "sent"


@workflow.defn
async def signalling_by_reference() -> str:
    await workflow.get_external_workflow_handle("other").signal(Other.hear, cast(Any, 7))
    return "sent"


def test_a_signal_that_was_sent_though_it_does_not_fit_is_replayed(drive: Start) -> None:
    run = drive(signalling_plainly)
    run.send(ExternalSignalResolved(1))

    replayed = run.replayed(target=signalling_by_reference)

    assert replayed.asked() == run.last
    run.put_away(replayed)


@pytest.mark.parametrize(
    ("what", "said"), [("no handler", "is not a signal handler"), ("a catch-all", "pass the name")]
)
def test_a_reference_to_what_has_no_signal_name_is_refused(drive: Start, what: str, said: str) -> None:
    run = drive(signalling_wrongly, what, start=False)

    with pytest.raises(WorkflowBugError, match=said):
        run.send(run.started)


WRONG: dict[str, tuple[Any, ...]] = {
    "an empty name": ("",),
    "a name that cannot be written": ("\ud800",),
    "a name that is too long": ("x" * 500,),
    "too few arguments": (Other.hear,),
    "an argument of another type": (Other.hear, 7),
}


@workflow.defn
async def sending(what: str) -> None:
    await workflow.get_external_workflow_handle("other").signal(*WRONG[what])


@workflow.defn
async def sending_with_a_start(what: str) -> None:
    signal, *args = WRONG[what]
    await workflow.signal_with_start(sending, what, id="other", signal=signal, signal_args=args)


@pytest.mark.parametrize("target", [sending, sending_with_a_start])
@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("an empty name", "signal name is empty"),
        ("a name that cannot be written", "signal name has .* lone surrogates"),
        ("a name that is too long", "signal name has 500 bytes"),
        ("too few arguments", "signal 'greet' misses name"),
        ("an argument of another type", "signal 'greet' cannot take its argument 'name'"),
    ],
)
def test_a_signal_that_cannot_be_is_refused_where_it_is_sent(drive: Start, target: Any, what: str, said: str) -> None:
    run = drive(target, what, start=False)

    with pytest.raises(WorkflowBugError, match=said):
        run.send(run.started)

    assert run.all_of(SignalExternal) == []


RUN_IDS: dict[str, Any] = {"a number": 5, "what cannot be written": "\ud800"}


@workflow.defn
async def meaning_a_run(what: str) -> None:
    await workflow.get_external_workflow_handle("other", run_id=RUN_IDS[what]).signal("greet", "Kyle")


@pytest.mark.parametrize(("what", "said"), [("a number", "run id is an int"), ("what cannot be written", "run id has")])
def test_a_run_id_that_cannot_be_one_is_refused_with_its_handle(drive: Start, what: str, said: str) -> None:
    run = drive(meaning_a_run, what, start=False)

    with pytest.raises(WorkflowBugError, match=said):
        run.send(run.started)


@workflow.defn
async def with_arguments_in_one(how: str) -> None:
    given: Any = "tea" if how == "a text" else 5
    await workflow.signal_with_start(sending, how, id="other", signal="greet", signal_args=given)


@pytest.mark.parametrize(("how", "said"), [("a text", "signal_args is 'tea'"), ("a number", "signal_args is 5")])
def test_arguments_that_are_no_list_of_them_are_refused(drive: Start, how: str, said: str) -> None:
    run = drive(with_arguments_in_one, how, start=False)

    with pytest.raises(WorkflowBugError, match=said):
        run.send(run.started)
