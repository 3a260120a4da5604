"""How a workflow starts children, and workflows that are nobody's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, TypeVar, TypeVarTuple, Unpack, cast, overload

from .core.child_handles import ChildWorkflowHandle
from .core.context import current
from .model.definitions import WorkflowDefinition
from .model.durations import to_limit, to_ns
from .model.ids import check_id
from .model.message_calls import argument_list
from .model.options import (
    ChildWorkflowCancellationType,
    ParentClosePolicy,
    WorkflowIDReusePolicy,
    WorkflowOptions,
)
from .model.retry import check_policy
from .model.start_notes import stored_notes
from .model.workflow_reference import workflow_asked_for
from .workflow_declarations import FunctionCoroutine, MethodCoroutine
from .workflow_options import ChildOptions, DetachedOptions

__all__ = ["execute_child_workflow", "signal_with_start", "start_child_workflow"]

R = TypeVar("R")
P = TypeVar("P", bound=IntEnum)
Ts = TypeVarTuple("Ts")


@overload
async def start_child_workflow(
    workflow: Callable[[*Ts], FunctionCoroutine[R]], /, *args: *Ts, **options: Unpack[ChildOptions]
) -> ChildWorkflowHandle[R]: ...
@overload
async def start_child_workflow(
    workflow: Callable[[Any, *Ts], MethodCoroutine[R]], /, *args: *Ts, **options: Unpack[ChildOptions]
) -> ChildWorkflowHandle[R]: ...
@overload
async def start_child_workflow(
    workflow: str, /, *args: Any, result_type: type[R], **options: Unpack[ChildOptions]
) -> ChildWorkflowHandle[R]: ...
@overload
async def start_child_workflow(
    workflow: str | type, /, *args: Any, **options: Unpack[ChildOptions]
) -> ChildWorkflowHandle[Any]: ...
async def start_child_workflow(
    workflow: Any, /, *args: object, result_type: Any = None, **options: Any
) -> ChildWorkflowHandle[Any]:
    """Start a workflow as a child of this one; returns when it is there, not when it has run.

    Args:
        workflow: its class, its run method, the function, or its registered name.
        *args: its arguments.
        result_type: the type of its result, when the workflow is given by name.
        id: its id; if not given, one that is made with the run's own random numbers.
        id_reuse_policy: what to do if a workflow of that id has ended; the default allows another one. One that is open
            is never replaced.
        parent_close_policy: what becomes of it when this run ends, also by continuing as new: it is terminated (the
            default), left alone, or asked to end.
        cancellation_type: what cancelling the handle means: to ask the child to end and wait for its outcome (the
            default), to wait only until it has been asked, to wait no longer at once, or to leave it alone besides.
        run_timeout: how long one run of it may take (seconds or timedelta).
        execution_timeout: how long all its runs may take (likewise).
        retry_policy: how often and how soon a run that has failed is repeated.
        start_delay: how long after the start it takes its first turn.
        memo, search_attributes, static_summary, static_details: what is noted of it, as by a start of a client; nothing
            of this run is passed on by itself.

    Raises:
        WorkflowAlreadyStartedError: its id is taken.
        TypeError: it is no workflow, the arguments do not fit it, or there is no such option.
        ValueError: an option that cannot be so.
        PayloadError: an argument cannot be stored, or is not of the type that its annotation allows.
        NotInWorkflowError: the caller is not workflow code.
        ReadOnlyContextError: it is, but in a place that may only read, such as a wait condition.
    """
    context = current()
    stored, reuse = _options(cast(ChildOptions, options), ChildOptions, "a child workflow")
    name, definition = _named(workflow, args)
    hint = result_type
    if result_type is None:
        hint = Any if definition is None else definition.signature.result_type
    given_id = options.get("id")
    workflow_id = _made_id() if given_id is None else check_id(given_id, "workflow id")
    start, child = context.start_child(name, args, workflow_id, stored, reuse, hint, definition)
    await start
    return cast(ChildWorkflowHandle[Any], child)


@overload
async def execute_child_workflow(
    workflow: Callable[[*Ts], FunctionCoroutine[R]], /, *args: *Ts, **options: Unpack[ChildOptions]
) -> R: ...
@overload
async def execute_child_workflow(
    workflow: Callable[[Any, *Ts], MethodCoroutine[R]], /, *args: *Ts, **options: Unpack[ChildOptions]
) -> R: ...
@overload
async def execute_child_workflow(
    workflow: str, /, *args: Any, result_type: type[R], **options: Unpack[ChildOptions]
) -> R: ...
@overload
async def execute_child_workflow(workflow: str | type, /, *args: Any, **options: Unpack[ChildOptions]) -> Any: ...
async def execute_child_workflow(workflow: Any, /, *args: object, **options: Any) -> Any:
    """Start a workflow as a child of this one and wait for its result.

    Args:
        workflow, *args, **options: those of ``start_child_workflow``, ``result_type`` among them.

    Raises:
        ChildWorkflowError: it ended without a result; its ``cause`` says why.
        WorkflowAlreadyStartedError, TypeError, ValueError, PayloadError, NotInWorkflowError, ReadOnlyContextError: as
            for ``start_child_workflow``.
    """
    return await (await start_child_workflow(workflow, *args, **options))


async def signal_with_start(
    workflow: str | type | Callable[..., Any],
    /,
    *args: object,
    id: str,
    signal: str | Callable[..., Any],
    signal_args: Sequence[Any] = (),
    **options: Unpack[DetachedOptions],
) -> None:
    """Put a signal in the mailbox of another workflow, which is started first if it is not there: both or neither.
    Returns when it is there. The workflow is nobody's child, and goes on when this one has ended.

    Args:
        workflow: what is started if need be: its class, its run method, the function, or its registered name.
        *args: its arguments; one that is there already does not see them.
        id: its id.
        signal: the signal's name, or a reference to its handler. A workflow that is started hears it before its main
            function begins.
        signal_args: the signal's arguments.
        id_reuse_policy: what to do if the last workflow of that id has ended; the default allows another one.
        run_timeout, execution_timeout, retry_policy, start_delay: those of a start.
        memo, search_attributes, static_summary, static_details: likewise.

    Raises:
        WorkflowAlreadyStartedError: the last workflow of that id has ended, and there may not be another one.
        ApplicationError: type ``MailboxFull``: too many messages wait for it.
        TypeError: it is no workflow, the arguments do not fit it or the signal, or there is no such option.
        ValueError: an option that cannot be so.
        PayloadError: an argument cannot be stored, or is not of the type that its annotation allows.
        NotInWorkflowError: the caller is not workflow code.
        ReadOnlyContextError: it is, but in a place that may only read, such as a wait condition.
    """
    context = current()
    stored, reuse = _options(cast(ChildOptions, options), DetachedOptions, "signal_with_start")
    name, definition = _named(workflow, args)
    said = argument_list(signal_args, "signal_args")
    workflow_id = check_id(id, "workflow id")
    await context.signal_with_start(signal, said, name, args, workflow_id, stored, reuse, definition)


def _named(workflow: Any, args: tuple[object, ...]) -> tuple[str, WorkflowDefinition | None]:
    """The name of a workflow, and its definition if it is given by reference, which the arguments must fit."""
    if isinstance(workflow, str):
        return check_id(workflow, "workflow name"), None
    definition = workflow_asked_for(workflow)
    problem = definition.signature.problem_with(args)
    if problem is not None:
        raise TypeError(f"workflow {definition.name!r} {problem}")
    return definition.name, definition


def _made_id() -> str:
    return f"{current().random().getrandbits(128):032x}"


def _options(given: ChildOptions, known: type, what: str) -> tuple[WorkflowOptions, WorkflowIDReusePolicy]:
    for name in given:
        if name not in known.__annotations__:
            raise TypeError(
                f"no option {name!r} of {what} (there are: {', '.join(known.__annotations__)}); "
                "the workflow's own arguments are positional"
            )
    stored = WorkflowOptions(
        execution_timeout_ns=to_limit(given.get("execution_timeout"), "execution_timeout"),
        run_timeout_ns=to_limit(given.get("run_timeout"), "run_timeout"),
        retry_policy=check_policy(given.get("retry_policy")),
        start_delay_ns=to_ns(given.get("start_delay"), "start_delay") or 0,
        parent_close_policy=_member(given, "parent_close_policy", ParentClosePolicy.TERMINATE),
        cancellation_type=_member(
            given, "cancellation_type", ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED
        ),
        **stored_notes(given, current().memo_of),
    )
    reuse = _member(given, "id_reuse_policy", WorkflowIDReusePolicy.ALLOW_DUPLICATE)
    if reuse is WorkflowIDReusePolicy.TERMINATE_IF_RUNNING:
        raise ValueError(
            "what is started here never replaces an open workflow: id_reuse_policy cannot be TERMINATE_IF_RUNNING"
        )
    return stored, reuse


def _member(given: ChildOptions, name: str, default: P) -> P:
    value = cast(dict[str, Any], given).get(name, default)
    if value.__class__ is not default.__class__:
        members = ", ".join(default.__class__.__members__)
        raise TypeError(f"{name} is {value!r}; give a member of {default.__class__.__name__}: {members}")
    return value
