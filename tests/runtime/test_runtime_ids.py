"""Workflow ids: who may have one when, and which run a handle means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from greenroom import Runtime, workflow
from greenroom.runtime.client import WorkflowHandle
from greenroom.runtime.model.errors import (
    ApplicationError,
    NotRegisteredError,
    PayloadError,
    TerminatedError,
    WorkflowAlreadyStartedError,
    WorkflowClosedError,
    WorkflowFailureError,
    WorkflowNotFoundError,
)
from greenroom.runtime.model.ids import run_id_of
from greenroom.runtime.model.options import WorkflowExecutionStatus as Status
from greenroom.runtime.model.options import WorkflowIDConflictPolicy as Conflict
from greenroom.runtime.model.options import WorkflowIDReusePolicy as Reuse
from greenroom.runtime.model.payloads import Converter
from greenroom.testing import TestRuntime
from tests.runtime.rig import WAIT, error_of


@workflow.defn
class Errand:
    """Ends as it is told: by a signal, or at once by its argument."""

    def __init__(self) -> None:
        self.ending: str | None = None

    @workflow.run
    async def run(self, ending: str = "") -> str:
        await workflow.wait_condition(lambda: bool(ending or self.ending))
        if "fail" in (ending, self.ending):
            raise ApplicationError("as asked")
        return ending or str(self.ending)

    @workflow.signal
    def end(self, how: str) -> None:
        self.ending = how


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with Runtime.in_memory(workflows=[Errand]) as runtime:
        yield runtime


def start(runtime: Runtime, **options: Any) -> WorkflowHandle[Any]:
    return runtime.start_workflow(Errand.run, id="errand", **options).get(timeout=WAIT)


def closed(runtime: Runtime, status: Status) -> WorkflowHandle[Any]:
    """A run of the id that has ended with this status."""
    if status is Status.TIMED_OUT:
        handle = start(runtime, run_timeout=0.001)
        error_of(handle.result())
    else:
        handle = start(runtime)
        if status is Status.TERMINATED:
            handle.terminate().get(timeout=WAIT)
        else:
            handle.signal(Errand.end, "fail" if status is Status.FAILED else "well").get(timeout=WAIT)
    assert handle.describe().get(timeout=WAIT).status is status
    return handle


@pytest.mark.parametrize("conflict", Conflict)
@pytest.mark.parametrize("reuse", [Reuse.ALLOW_DUPLICATE, Reuse.ALLOW_DUPLICATE_FAILED_ONLY, Reuse.REJECT_DUPLICATE])
def test_a_running_id_is_governed_by_the_conflict_policy_whatever_may_be_reused(
    runtime: Runtime, conflict: Conflict, reuse: Reuse
) -> None:
    first = start(runtime)
    future = runtime.start_workflow(Errand.run, "new", id="errand", id_conflict_policy=conflict, id_reuse_policy=reuse)

    match conflict:
        case Conflict.FAIL:
            error = error_of(future)
            assert isinstance(error, WorkflowAlreadyStartedError)
            assert (error.workflow_id, error.run_id, error.workflow_type) == ("errand", first.run_id, "Errand")
        case Conflict.USE_EXISTING:
            assert future.get(timeout=WAIT).run_id == first.run_id
            first.signal(Errand.end, "old").get(timeout=WAIT)
            assert future.get(timeout=WAIT).result().get(timeout=WAIT) == "old"
        case Conflict.TERMINATE_EXISTING:
            assert future.get(timeout=WAIT).result().get(timeout=WAIT) == "new"
            assert first.describe().get(timeout=WAIT).status is Status.TERMINATED


ENDED = [Status.COMPLETED, Status.FAILED, Status.TERMINATED, Status.TIMED_OUT]


@pytest.mark.parametrize("conflict", Conflict)
@pytest.mark.parametrize("status", ENDED)
@pytest.mark.parametrize("reuse", [Reuse.ALLOW_DUPLICATE, Reuse.ALLOW_DUPLICATE_FAILED_ONLY, Reuse.REJECT_DUPLICATE])
def test_a_closed_id_is_governed_by_the_reuse_policy_whatever_the_conflict_policy(
    runtime: Runtime, reuse: Reuse, status: Status, conflict: Conflict
) -> None:
    first = closed(runtime, status)
    may = {
        Reuse.ALLOW_DUPLICATE: True,
        Reuse.ALLOW_DUPLICATE_FAILED_ONLY: status is not Status.COMPLETED,
        Reuse.REJECT_DUPLICATE: False,
    }[reuse]

    future = runtime.start_workflow(
        Errand.run, "again", id="errand", id_conflict_policy=conflict, id_reuse_policy=reuse
    )

    if may:
        second = future.get(timeout=WAIT)
        assert second.run_id != first.run_id
        assert second.result().get(timeout=WAIT) == "again"
    else:
        error = error_of(future)
        assert isinstance(error, WorkflowAlreadyStartedError)
        assert error.run_id == first.run_id


def test_terminate_if_running_replaces_an_open_run(runtime: Runtime) -> None:
    first = start(runtime)

    second = start(runtime, id_reuse_policy=Reuse.TERMINATE_IF_RUNNING)

    assert second.run_id != first.run_id
    assert first.describe().get(timeout=WAIT).status is Status.TERMINATED


def test_terminate_if_running_leaves_no_say_to_a_conflict_policy(runtime: Runtime) -> None:
    with pytest.raises(ValueError, match="leave out id_conflict_policy"):
        start(runtime, id_reuse_policy=Reuse.TERMINATE_IF_RUNNING, id_conflict_policy=Conflict.USE_EXISTING)


@pytest.mark.parametrize(
    ("option", "given", "members"),
    [
        (
            "id_reuse_policy",
            "REJECT_DUPLICATE",
            "WorkflowIDReusePolicy: ALLOW_DUPLICATE, ALLOW_DUPLICATE_FAILED_ONLY, ",
        ),
        ("id_reuse_policy", 3, "WorkflowIDReusePolicy: ALLOW_DUPLICATE, "),
        ("id_reuse_policy", None, "WorkflowIDReusePolicy: ALLOW_DUPLICATE, "),
        ("id_reuse_policy", Conflict.FAIL, "WorkflowIDReusePolicy: ALLOW_DUPLICATE, "),
        ("id_conflict_policy", "FAIL", "WorkflowIDConflictPolicy: FAIL, USE_EXISTING, TERMINATE_EXISTING"),
        ("id_conflict_policy", 1, "WorkflowIDConflictPolicy: FAIL, "),
        ("id_conflict_policy", None, "WorkflowIDConflictPolicy: FAIL, "),
        ("id_conflict_policy", Reuse.REJECT_DUPLICATE, "WorkflowIDConflictPolicy: FAIL, "),
    ],
)
def test_what_is_no_policy_is_refused_with_those_there_are(
    runtime: Runtime, option: str, given: object, members: str
) -> None:
    with pytest.raises(TypeError) as caught:
        start(runtime, **{option: given})

    assert str(caught.value).startswith(f"{option} is {given!r}; give a member of {members}")


def test_a_handle_without_a_run_id_means_the_current_run(runtime: Runtime) -> None:
    start(runtime).signal(Errand.end, "first").get(timeout=WAIT)
    latest = runtime.get_workflow_handle("errand")
    assert latest.result().get(timeout=WAIT) == "first"

    start(runtime).signal(Errand.end, "second").get(timeout=WAIT)

    assert latest.result().get(timeout=WAIT) == "second"


def test_a_handle_with_a_run_id_means_that_run_for_ever(runtime: Runtime) -> None:
    first = start(runtime)
    first.signal(Errand.end, "first").get(timeout=WAIT)
    second = start(runtime)

    pinned = runtime.get_workflow_handle("errand", run_id=first.run_id)

    assert pinned.result().get(timeout=WAIT) == "first"
    assert isinstance(error_of(pinned.signal(Errand.end, "late")), WorkflowClosedError)
    assert second.describe().get(timeout=WAIT).status is Status.RUNNING


def test_a_run_id_of_another_workflow_is_not_found(runtime: Runtime) -> None:
    run_id = start(runtime).run_id

    other = runtime.get_workflow_handle("another", run_id=run_id)

    assert isinstance(error_of(other.describe()), WorkflowNotFoundError)


@pytest.mark.parametrize("run_id", ["0000000000000063-0000000000000000", "nonsense", "0" * 33])
def test_a_run_id_that_no_run_has_is_not_found_by_any_request(runtime: Runtime, run_id: str) -> None:
    start(runtime)
    handle = runtime.get_workflow_handle("errand", run_id=run_id)

    for future in (
        handle.result(),
        handle.signal("end", "x"),
        handle.terminate(),
        handle.resume(),
        handle.describe(),
        handle.fetch_history(),
    ):
        error = error_of(future)
        assert isinstance(error, WorkflowNotFoundError)
        assert not isinstance(error, WorkflowClosedError)
        assert run_id in str(error)


def test_an_unknown_id_is_not_found_by_any_request(runtime: Runtime) -> None:
    handle = runtime.get_workflow_handle("nobody")

    for future in (handle.result(), handle.signal("end"), handle.terminate(), handle.describe()):
        error = error_of(future)
        assert isinstance(error, WorkflowNotFoundError)
        assert error.workflow_id == "nobody"


def test_a_closed_run_refuses_messages_and_says_how_it_ended(runtime: Runtime) -> None:
    handle = closed(runtime, Status.COMPLETED)

    for future in (handle.signal(Errand.end, "again"), handle.terminate(), handle.resume()):
        error = error_of(future)
        assert isinstance(error, WorkflowClosedError)
        assert (error.run_id, error.status) == (handle.run_id, "COMPLETED")


def test_a_terminated_run_tells_everybody_who_waits_the_reason(runtime: Runtime) -> None:
    handle = start(runtime)
    waiting = [handle.result() for _ in range(3)]

    handle.terminate(reason="no longer needed").get(timeout=WAIT)

    for future in [*waiting, handle.result()]:
        error = error_of(future)
        assert isinstance(error, WorkflowFailureError)
        assert isinstance(error.cause, TerminatedError)
        assert "no longer needed" in str(error)


def test_a_run_that_was_terminated_without_a_reason_says_that(runtime: Runtime) -> None:
    handle = start(runtime)

    handle.terminate().get(timeout=WAIT)

    assert str(error_of(handle.result())).endswith("did not complete: terminated, no reason was given")


def test_details_of_a_termination_are_told_to_who_waits_and_stand_in_the_history(runtime: Runtime) -> None:
    handle = start(runtime)

    handle.terminate("order", {"paid": 3}, reason="fraud").get(timeout=WAIT)

    for future in (handle.result(), handle.result()):
        error = error_of(future)
        assert isinstance(error, WorkflowFailureError)
        assert isinstance(error.cause, TerminatedError)
        assert (error.cause.message, error.cause.details) == ("fraud", ("order", {"paid": 3}))
    event = handle.fetch_history().get(timeout=WAIT).events[-1]
    assert (event.kind, event.facts) == ("WorkflowTerminated", {"reason": "fraud", "details": ["order", {"paid": 3}]})


def test_details_that_cannot_be_stored_are_refused_at_the_call(runtime: Runtime) -> None:
    handle = start(runtime)

    with pytest.raises(PayloadError):
        handle.terminate(object())

    assert handle.describe().get(timeout=WAIT).status is Status.RUNNING


@pytest.mark.parametrize("reason", [5, None, b"enough"])
def test_a_reason_that_is_no_string_is_refused_at_the_call(runtime: Runtime, reason: Any) -> None:
    handle = start(runtime)

    with pytest.raises(TypeError, match=f"the reason is an? {type(reason).__name__}; give a string"):
        handle.terminate(reason=reason)

    assert handle.describe().get(timeout=WAIT).status is Status.RUNNING


def test_execute_workflow_gives_the_result_of_the_existing_run_if_told_to_use_it(runtime: Runtime) -> None:
    first = start(runtime)
    result = runtime.execute_workflow(Errand.run, "unused", id="errand", id_conflict_policy=Conflict.USE_EXISTING)

    first.signal(Errand.end, "shared").get(timeout=WAIT)

    assert result.get(timeout=WAIT) == "shared"


def test_execute_workflow_fails_as_the_start_does(runtime: Runtime) -> None:
    start(runtime)

    assert isinstance(error_of(runtime.execute_workflow(Errand.run, id="errand")), WorkflowAlreadyStartedError)


def test_a_start_without_an_id_makes_one_up(runtime: Runtime) -> None:
    handles = [runtime.start_workflow(Errand.run).get(timeout=WAIT) for _ in range(20)]

    assert len({handle.id for handle in handles}) == 20


def test_a_workflow_without_an_id_is_found_by_the_one_it_got(runtime: Runtime) -> None:
    handle = runtime.start_workflow(Errand.run).get(timeout=WAIT)

    found = runtime.get_workflow_handle(handle.id)

    assert found.describe().get(timeout=WAIT).run_id == handle.run_id == handle.id
    found.signal("end", "well").get(timeout=WAIT)
    assert found.result().get(timeout=WAIT) == "well"


def test_the_run_id_of_a_workflow_with_another_id_is_not_its_id(runtime: Runtime) -> None:
    handle = start(runtime)

    assert isinstance(error_of(runtime.get_workflow_handle(str(handle.run_id)).describe()), WorkflowNotFoundError)


def test_an_id_that_nobody_chose_is_taken_like_any_other_and_can_be_used_again(runtime: Runtime) -> None:
    first = runtime.start_workflow(Errand.run).get(timeout=WAIT)
    taken = runtime.start_workflow(Errand.run, id=first.id)
    assert isinstance(error_of(taken), WorkflowAlreadyStartedError)
    first.signal("end", "first").get(timeout=WAIT)
    assert first.result().get(timeout=WAIT) == "first"

    second = runtime.start_workflow(Errand.run, "second", id=first.id).get(timeout=WAIT)

    assert second.run_id != first.run_id
    assert runtime.get_workflow_handle(first.id).result().get(timeout=WAIT) == "second"
    assert runtime.get_workflow_handle(first.id, run_id=first.run_id).result().get(timeout=WAIT) == "first"


def test_an_id_that_a_run_to_come_will_get_by_itself_is_refused() -> None:
    with TestRuntime(workflows=[Errand]) as runtime:
        own_id = run_id_of(runtime.hands.journal.store_uuid.encode(), 7)

        with pytest.raises(ValueError, match="is kept for a run to come; choose another"):
            runtime.start_workflow(Errand.run, id=own_id).get()


@pytest.mark.parametrize("id", ["", "a\nb", "\ud800", "é" * 241])
def test_an_id_that_cannot_be_one_is_refused_at_once(runtime: Runtime, id: str) -> None:
    with pytest.raises(ValueError, match="workflow id"):
        runtime.start_workflow(Errand.run, id=id)
    with pytest.raises(ValueError, match="workflow id"):
        runtime.get_workflow_handle(id)


@pytest.mark.parametrize("id", [5, "", "x\n", b"x"])
def test_a_run_id_that_cannot_be_one_is_refused_where_the_handle_is_made(runtime: Runtime, id: Any) -> None:
    if id == "":
        assert runtime.get_workflow_handle("x", run_id=id, first_execution_run_id=id).run_id is None
        return
    for refused in ({"run_id": id}, {"first_execution_run_id": id}):
        with pytest.raises((TypeError, ValueError), match="run id"):
            runtime.get_workflow_handle("x", **refused)
    with pytest.raises((TypeError, ValueError), match="run id"):
        workflow.get_external_workflow_handle("x", run_id=id)


@pytest.mark.parametrize("id", ["x" * 480, "é" * 240, "with space/and:signs?", "日本語"])
def test_an_id_may_be_anything_printable_up_to_480_bytes(runtime: Runtime, id: str) -> None:
    assert runtime.execute_workflow(Errand.run, "well", id=id).get(timeout=WAIT) == "well"
    assert runtime.get_workflow_handle(id).result().get(timeout=WAIT) == "well"


def test_a_start_by_name_by_class_and_by_method_is_the_same(runtime: Runtime) -> None:
    for target in ("Errand", Errand, Errand.run):
        assert runtime.execute_workflow(target, "well").get(timeout=WAIT) == "well"


def test_a_workflow_that_is_not_registered_is_refused_with_the_names_that_are(runtime: Runtime) -> None:
    with pytest.raises(NotRegisteredError, match=r"declared: 'Errand'"):
        runtime.start_workflow("Errant")


def test_the_run_method_of_an_instance_is_refused_since_each_run_makes_its_own(runtime: Runtime) -> None:
    run_of_one: Any = Errand().run

    with pytest.raises(TypeError, match=r"run of an instance of Errand, and each run makes its own; pass Errand\.run$"):
        runtime.start_workflow(run_of_one, "well")


def test_what_is_no_workflow_is_refused(runtime: Runtime) -> None:
    with pytest.raises(TypeError, match=r"is not a workflow; declare"):
        runtime.start_workflow(Converter)


def test_an_instance_of_a_workflow_class_is_refused(runtime: Runtime) -> None:
    target: Any = Errand()
    for call in (runtime.start_workflow, runtime.execute_workflow):
        with pytest.raises(TypeError, match=r"instance of the workflow class Errand, .*; pass Errand or Errand\.run"):
            call(target, "done")
    with pytest.raises(TypeError, match="instance of the workflow class Errand"):
        Runtime.in_memory(workflows=[target])


def test_arguments_that_do_not_fit_are_refused_before_anything_is_written(runtime: Runtime) -> None:
    with pytest.raises(TypeError, match="Errand"):
        runtime.start_workflow("Errand", "one", "two", id="errand")

    assert isinstance(error_of(runtime.get_workflow_handle("errand").describe()), WorkflowNotFoundError)


def test_arguments_that_cannot_be_stored_are_refused_before_anything_is_written(runtime: Runtime) -> None:
    with pytest.raises(PayloadError):
        runtime.start_workflow("Errand", object(), id="errand")

    assert isinstance(error_of(runtime.get_workflow_handle("errand").describe()), WorkflowNotFoundError)


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("inf")])
def test_a_timeout_that_cannot_be_one_is_refused(runtime: Runtime, timeout: float) -> None:
    with pytest.raises(ValueError, match="run_timeout"):
        runtime.start_workflow(Errand.run, run_timeout=timeout)
