"""Children: started and heard of in the transactions of their parents' turns, whoever dies when."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from greenroom import (
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    ParentClosePolicy,
    RawValue,
    RetryPolicy,
    TerminatedError,
    WorkflowAlreadyStartedError,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowIDReusePolicy,
    WorkflowNotFoundError,
    WorkflowSuspendedError,
    workflow,
)
from greenroom import ChildWorkflowCancellationType as Cancel
from greenroom.storage import MemoryStore, check
from greenroom.testing import TestRuntime, crash_sweep, start_once

STATUS = WorkflowExecutionStatus


@workflow.defn
class Child:
    """Doubles a number, once it is told to if it is to wait."""

    def __init__(self) -> None:
        self.is_told = False

    @workflow.run
    async def run(self, number: int, kind: str = "") -> int:
        info = workflow.info()
        if kind == "fails" and info.attempt < 3:
            raise ApplicationError("not this child")
        if kind.startswith("goes on") and number < 3:
            workflow.continue_as_new(number + 1, kind)
        if kind in ("waits", "cleans up", "goes on and waits"):
            try:
                await workflow.wait_condition(lambda: self.is_told)
            except asyncio.CancelledError:
                if kind != "cleans up":
                    raise
                await workflow.sleep(60)
                return -1
        return 2 * number

    @workflow.signal
    def tell(self) -> None:
        self.is_told = True


@workflow.defn
async def parent(kind: str = "", retried: bool = False) -> int:
    policy = RetryPolicy(initial_interval=1) if retried else None
    return await workflow.execute_child_workflow(Child.run, 1, kind, id="child", retry_policy=policy)


@workflow.defn
async def tells() -> tuple[str, int, bool]:
    child = await workflow.start_child_workflow(Child.run, 4, "waits", id="child")
    await child.signal(Child.tell)
    return child.workflow_id, await child, child.first_execution_run_id is not None


@workflow.defn
async def tells_late(kind: str = "") -> str:
    child = await workflow.start_child_workflow(Child.run, 1, kind, id="child")
    await workflow.signal_channel().receive("go")
    try:
        await child.signal(Child.tell)
    except ApplicationError as error:
        return str(error.type)
    return "told" if await child == 6 else "lost"


@workflow.defn
async def leaves(policy: ParentClosePolicy, how: str) -> int:
    await workflow.start_child_workflow(Child.run, 4, "waits", id="child", parent_close_policy=policy)
    if how == "fails":
        raise ApplicationError("no parent")
    if how == "goes on":
        workflow.continue_as_new(policy, "waits", workflow=waits)
    if how == "waits":
        await workflow.wait_condition(lambda: False)
    return 0


@workflow.defn
async def waits(policy: ParentClosePolicy, how: str) -> None:
    await workflow.wait_condition(lambda: False)


@workflow.defn
async def cancels(kind: Cancel, child_kind: str) -> str:
    child = await workflow.start_child_workflow(Child.run, 4, child_kind, id="child", cancellation_type=kind)
    await workflow.sleep(1)
    child.cancel()
    try:
        return f"{await child} after {workflow.now().second % 10}"
    except (ChildWorkflowError, asyncio.CancelledError) as error:
        return f"{type(error).__name__} after {workflow.now().second}"


@workflow.defn
async def is_cancelled() -> int:
    return await workflow.execute_child_workflow(Child.run, 4, "waits", id="child")


@workflow.defn
async def knows(kind: str) -> tuple[str, str, str, str]:
    return await workflow.execute_child_workflow(grandchild, kind, id="middle")


@workflow.defn
async def grandchild(kind: str) -> tuple[str, str, str, str]:
    info = workflow.info()
    if info.workflow_id == "middle":
        policy = RetryPolicy(initial_interval=1)
        return await workflow.execute_child_workflow(grandchild, kind, id="bottom", retry_policy=policy)
    if kind == "repeated" and info.attempt == 1:
        raise ApplicationError("not this one")
    if kind == "goes on":
        workflow.continue_as_new("")
    assert info.parent is not None
    assert info.root is not None
    return info.parent.workflow_id, info.parent.run_id, info.root.workflow_id, info.root.run_id


@workflow.defn
async def is_a_relative(how: str) -> list[str]:
    info = workflow.info()
    below = {"top": "middle", "middle": "bottom"}.get(info.workflow_id)
    if below is not None:
        policy = RetryPolicy(initial_interval=1)
        return await workflow.execute_child_workflow(is_a_relative, how, id=below, retry_policy=policy)
    if info.continued_run_id is None and how == "goes on":
        workflow.continue_as_new(how)
    if info.continued_run_id is None:
        raise ApplicationError("not this run")
    assert info.parent is not None
    assert info.root is not None
    return [info.workflow_id, info.parent.workflow_id, info.root.workflow_id]


@workflow.defn
async def many(count: int) -> list[int]:
    return await workflow.gather(*(workflow.execute_child_workflow(Child.run, number) for number in range(count)))


@workflow.defn
async def ends_another(workflow_id: str) -> str:
    try:
        await workflow.get_external_workflow_handle(workflow_id).cancel("enough")
    except ApplicationError as error:
        return str(error.type)
    return "asked"


@workflow.defn
async def says_why() -> str | None:
    try:
        await workflow.wait_condition(lambda: False)
    except asyncio.CancelledError:
        return workflow.cancellation_reason()
    return None


@workflow.defn
async def is_told_why() -> str | None:
    child = await workflow.start_child_workflow(says_why, id="says why")
    await workflow.get_external_workflow_handle("says why").cancel("enough")
    return await child


WORKFLOWS = [
    *(
        Child,
        parent,
        tells,
        tells_late,
        is_a_relative,
        leaves,
        waits,
        cancels,
        is_cancelled,
        knows,
        grandchild,
        many,
        ends_another,
    ),
    *(says_why, is_told_why),
]


def make(**options: Any) -> TestRuntime:
    return TestRuntime(workflows=WORKFLOWS, **options)


def status(runtime: TestRuntime, workflow_id: str) -> WorkflowExecutionStatus:
    return runtime.get_workflow_handle(workflow_id).describe().get().status


@pytest.mark.parametrize("evict", [False, True])
def test_a_child_gives_its_result_to_its_parent(evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        assert runtime.execute_workflow(parent, id="parent").get() == 2
        assert status(runtime, "child") is STATUS.COMPLETED
        assert check(runtime.hands.journal) == []


@pytest.mark.parametrize("evict", [False, True])
def test_a_parent_waits_for_the_runs_that_go_on_from_its_child(evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        assert runtime.execute_workflow(parent, "goes on", id="parent").get() == 6
        assert len(runtime.recorded()) == 4


def test_a_parent_waits_for_the_repetitions_of_its_child() -> None:
    with make() as runtime:
        assert runtime.execute_workflow(parent, "fails", True, id="parent").get() == 2


def test_a_child_that_fails_fails_who_waits_for_it_with_its_cause() -> None:
    with make() as runtime:
        with pytest.raises(WorkflowFailureError) as failed:
            runtime.execute_workflow(parent, "fails", id="parent").get()

        error = failed.value.cause
        assert isinstance(error, ChildWorkflowError)
        assert (error.workflow_type, error.workflow_id) == ("Child", "child")
        assert isinstance(error.cause, ApplicationError)
        assert error.cause.message == "not this child"


@pytest.mark.parametrize("evict", [False, True])
def test_a_child_is_signalled_by_its_handle(evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        assert runtime.execute_workflow(tells, id="parent").get() == ("child", 8, True)


@pytest.mark.parametrize("kind", ["", "goes on", "repeated"])
def test_a_child_knows_its_parent_and_the_root_of_the_tree(kind: str) -> None:
    with make() as runtime:
        found = runtime.execute_workflow(knows, kind, id="top").get()

        run_ids = {run.header.workflow_id: run.header.run_id for run in runtime.recorded()}
        assert found == ("middle", run_ids["middle"], "top", run_ids["top"])


@pytest.mark.parametrize("how", ["returns", "fails", "goes on", "terminated", "timed out"])
@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (ParentClosePolicy.TERMINATE, STATUS.TERMINATED),
        (ParentClosePolicy.REQUEST_CANCEL, STATUS.CANCELLED),
        (ParentClosePolicy.ABANDON, STATUS.RUNNING),
    ],
)
def test_a_parent_that_ends_however_it_does_treats_its_child_by_its_policy(
    policy: ParentClosePolicy, expected: WorkflowExecutionStatus, how: str
) -> None:
    with make() as runtime:
        kind = how if how in ("returns", "fails", "goes on") else "waits"
        handle = runtime.start_workflow(leaves, policy, kind, id="parent", run_timeout=60).get()
        runtime.run_until_idle()
        if how == "terminated":
            handle.terminate().get()
        if how == "timed out":
            runtime.advance(61)
        runtime.run_until_idle()

        assert status(runtime, "child") is expected
        assert check(runtime.hands.journal) == []


def test_a_parent_whose_code_is_not_there_treats_its_child_by_its_policy_too() -> None:
    store = MemoryStore()
    with TestRuntime(store, workflows=WORKFLOWS) as runtime:
        args = (ParentClosePolicy.TERMINATE, "waits")
        handle = runtime.start_workflow(leaves, *args, id="parent").get()
        runtime.run_until_idle()
        handle.suspend().get()

    with TestRuntime(store, workflows=WORKFLOWS) as runtime:
        runtime.get_workflow_handle("parent").terminate().get()
        runtime.run_until_idle()

        assert status(runtime, "child") is STATUS.TERMINATED
        assert check(runtime.hands.journal) == []


@pytest.mark.parametrize("evict", [False, True])
@pytest.mark.parametrize(
    ("kind", "child_kind", "said"),
    [
        (Cancel.WAIT_CANCELLATION_COMPLETED, "waits", "CancelledError after 21"),
        (Cancel.WAIT_CANCELLATION_COMPLETED, "cleans up", "-1 after 1"),
        (Cancel.WAIT_CANCELLATION_REQUESTED, "cleans up", "CancelledError after 21"),
        (Cancel.TRY_CANCEL, "cleans up", "CancelledError after 21"),
        (Cancel.ABANDON, "waits", "CancelledError after 21"),
    ],
)
def test_a_child_is_cancelled_as_its_type_says(kind: Cancel, child_kind: str, said: str, evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        assert runtime.execute_workflow(cancels, kind, child_kind, id="parent").get() == said


def test_a_cancelled_parent_cancels_the_child_that_it_waits_for() -> None:
    with make() as runtime:
        handle = runtime.start_workflow(is_cancelled, id="parent").get()
        runtime.run_until_idle()
        handle.cancel("enough").get()

        with pytest.raises(WorkflowFailureError):
            handle.result().get()
        assert status(runtime, "parent") is STATUS.CANCELLED
        assert status(runtime, "child") is STATUS.CANCELLED


def test_a_child_whose_id_is_taken_fails_at_its_start() -> None:
    with make() as runtime:
        runtime.start_workflow(Child.run, 1, "waits", id="child").get()

        with pytest.raises(WorkflowFailureError) as failed:
            runtime.execute_workflow(parent, id="parent").get()
        assert isinstance(failed.value.cause, WorkflowAlreadyStartedError)


def test_a_child_without_an_id_gets_one_that_a_replay_gives_again() -> None:
    with make(evict_after_every_turn=True) as runtime:
        assert runtime.execute_workflow(many, 5).get() == [0, 2, 4, 6, 8]
        ids = {run.header.workflow_id for run in runtime.recorded()}
        assert len(ids) == 6


@pytest.mark.parametrize("evict", [False, True])
def test_another_workflow_is_asked_to_end_and_knows_why(evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        other = runtime.start_workflow(Child.run, 1, "waits", id="other").get()

        assert runtime.execute_workflow(ends_another, "other").get() == "asked"
        with pytest.raises(WorkflowFailureError) as ended:
            other.result().get()
        assert isinstance(ended.value.cause, CancelledError)
        assert runtime.execute_workflow(is_told_why).get() == "enough"
        assert runtime.execute_workflow(ends_another, "other").get() == "ExternalWorkflowExecutionNotFound"


def test_a_child_that_is_terminated_fails_its_parent() -> None:
    with make() as runtime:
        handle = runtime.start_workflow(is_cancelled, id="parent").get()
        runtime.run_until_idle()
        runtime.get_workflow_handle("child").terminate(reason="by hand").get()

        with pytest.raises(WorkflowFailureError) as failed:
            handle.result().get()
        assert isinstance(failed.value.cause, ChildWorkflowError)
        assert isinstance(failed.value.cause.cause, TerminatedError)


@pytest.mark.parametrize("evict", [False, True])
def test_a_child_that_has_ended_is_not_taken_for_another_workflow_of_its_id(evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        handle = runtime.start_workflow(tells_late, id="parent").get()
        runtime.get_workflow_handle("child").result().get()
        other = runtime.start_workflow(Child.run, 4, "waits", id="child").get()

        handle.signal("go").get()

        assert handle.result().get() == "ExternalWorkflowExecutionNotFound"
        assert other.describe().get().status is STATUS.RUNNING


def test_the_end_of_a_parent_that_has_not_heard_of_that_of_its_child_is_nothing_to_another_workflow_of_its_id() -> None:
    with make() as runtime:
        handle = runtime.start_workflow(leaves, ParentClosePolicy.TERMINATE, "waits", id="parent").get()
        runtime.run_until_idle()
        handle.suspend().get()
        child = runtime.get_workflow_handle("child")
        child.signal(Child.tell).get()
        child.result().get()
        other = runtime.start_workflow(Child.run, 4, "waits", id="child").get()

        handle.terminate("enough").get()
        runtime.run_until_idle()

        assert other.describe().get().status is STATUS.RUNNING


@pytest.mark.parametrize("how", ["goes on", "fails"])
def test_the_runs_that_go_on_from_a_child_know_its_parent_too(how: str) -> None:
    with make() as runtime:
        middle = runtime.execute_workflow(is_a_relative, how, id="top").get()

        assert middle == ["bottom", "middle", "top"]


def test_a_child_is_signalled_in_whichever_run_of_its_chain_is_there() -> None:
    with make() as runtime:
        handle = runtime.start_workflow(tells_late, "goes on and waits", id="parent").get()
        runtime.run_until_idle()

        handle.signal("go").get()

        assert handle.result().get() == "told"


@pytest.mark.parametrize(("flow", "args"), [(parent, ["goes on"]), (tells, []), (many, [3]), (parent, ["fails", True])])
def test_wherever_the_process_dies_children_run_once_and_are_heard_once(flow: Any, args: list[Any]) -> None:
    def scenario(runtime: TestRuntime) -> object:
        return start_once(runtime, flow, *args, id="parent").result().get()

    assert crash_sweep(scenario, make=make).points > 4


def test_options_that_cannot_be_are_refused_with_those_that_can() -> None:
    wrong: Any = {"id_reuse_policy": WorkflowIDReusePolicy.TERMINATE_IF_RUNNING}

    @workflow.defn
    async def tries(which: int) -> None:
        options: list[dict[str, Any]] = [wrong, {"retries": 3}, {"parent_close_policy": 1}]
        if which >= len(options):
            nobodys: Any = {"parent_close_policy": ParentClosePolicy.ABANDON}
            await workflow.signal_with_start("Child", 1, id="child", signal="tell", **nobodys)
        await workflow.execute_child_workflow("Child", 1, **options[which])

    with TestRuntime(workflows=[Child, tries], failure_exception_types=[TypeError, ValueError]) as runtime:
        told = ["never replaces an open workflow", "no option 'retries'", "give a member of", "of signal_with_start"]
        for which, said in enumerate(told):
            with pytest.raises(WorkflowFailureError, match=said):
                runtime.execute_workflow(tries, which).get()


def another_child() -> Any:
    @workflow.defn(name="Child")
    async def child(number: int) -> int:
        return -number

    return child


@pytest.mark.usefixtures("declared")
@pytest.mark.parametrize("how", ["as a child", "with a signal"])
@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ("nobody", "no workflow named 'Child' "),
        ("a dynamic one", "no workflow named 'Child' "),
        ("another of the name", "what would run under the name 'Child' is .*another_child"),
    ],
)
def test_a_workflow_that_is_referred_to_and_not_there_is_not_started(how: str, listed: str, said: str) -> None:
    @workflow.defn(dynamic=True)
    async def anything(args: Sequence[RawValue]) -> None:
        """Is not what is meant."""

    @workflow.defn
    async def starts() -> None:
        if how == "as a child":
            await workflow.start_child_workflow(Child.run, 1, id="child")
        await workflow.signal_with_start(Child.run, 1, id="child", signal=Child.tell)

    others: dict[str, list[Any]] = {"nobody": [], "a dynamic one": [anything]}
    with TestRuntime(workflows=[starts, *others.get(listed, [another_child()])]) as runtime:
        with pytest.raises(WorkflowSuspendedError, match=said):
            runtime.execute_workflow(starts).get()
        with pytest.raises(WorkflowNotFoundError):
            runtime.get_workflow_handle("child").describe().get()
