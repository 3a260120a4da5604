"""How a call starts a workflow: its options stand in one list, and what is asked for is checked before it is sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from enum import IntEnum
from typing import Any, TypedDict

from .model.definitions import DEFINITION, WorkflowDefinition
from .model.durations import to_limit
from .model.ids import check_id
from .model.mistakes import refuse_a_call
from .model.options import (
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
    WorkflowOptions,
    encode_workflow_options,
)
from .model.payload_converter import PayloadConverter
from .model.payload_errors import PayloadDecodeError
from .model.registry import Registry
from .shell.starting import StartRequest

__all__ = ["StartOptions", "definition_to_start", "start_request", "workflow_definition_of"]

Duration = timedelta | float

FAIL = WorkflowIDConflictPolicy.FAIL
ALLOW_DUPLICATE = WorkflowIDReusePolicy.ALLOW_DUPLICATE
TERMINATE_IF_RUNNING = WorkflowIDReusePolicy.TERMINATE_IF_RUNNING


class StartOptions(TypedDict, total=False):
    """The options of a start, as ``Runtime.start_workflow`` explains them.

    Lengths of time are ``timedelta`` or seconds; None is no limit.
    """

    id: str | None
    id_conflict_policy: WorkflowIDConflictPolicy
    id_reuse_policy: WorkflowIDReusePolicy
    run_timeout: Duration | None
    execution_timeout: Duration | None


_NAMES = tuple(StartOptions.__annotations__)
_NO_OPTIONS = WorkflowOptions()
_NO_OPTIONS_DATA = encode_workflow_options(_NO_OPTIONS)


def workflow_definition_of(target: object) -> WorkflowDefinition:
    """The definition of a class, a function or a run method.

    Raises:
        TypeError: it was never declared as a workflow, or it is an instance of a workflow class.
    """
    kind = type(target)
    refuse_a_call("workflow", target)
    if hasattr(kind, DEFINITION):
        raise TypeError(
            f"this is an instance of the workflow class {kind.__name__}, and each run makes its own; "
            f"pass {kind.__name__} or {kind.__name__}.{getattr(kind, DEFINITION).run.__name__}"
        )
    definition = getattr(target, DEFINITION, None)
    if not isinstance(definition, WorkflowDefinition):
        raise TypeError(f"{target!r} is not a workflow; declare its class or function with @workflow.defn")
    return definition


def definition_to_start(workflow: object, workflows: Registry[WorkflowDefinition]) -> WorkflowDefinition:
    """The registered workflow that a caller means.

    Args:
        workflow: its class, its run method, the function, or its registered name.
        workflows: those that may run.

    Raises:
        NotRegisteredError: no such workflow is registered.
        TypeError: it is no workflow.
        ValueError: its name is that of another one here.
    """
    if isinstance(workflow, str):
        return workflows.get(workflow)
    definition = workflow_definition_of(workflow)
    if workflows.get(definition.name) is not definition:
        raise ValueError(
            f"another workflow is registered under the name {definition.name!r}; give one of the two another name with "
            "@workflow.defn(name=…)"
        )
    return definition


def start_request(
    definition: WorkflowDefinition,
    args: tuple[object, ...],
    options: StartOptions,
    *,
    converter: PayloadConverter,
    answer: Callable[[str, str], Any] | None = None,
) -> StartRequest:
    """What is asked of the shell.

    Args:
        definition: the workflow.
        args: its arguments.
        options: what the caller gave, names that are no options included.
        converter: encodes the arguments.
        answer: makes what the caller gets of the workflow id and the run id.

    Raises:
        TypeError: the arguments do not fit it, there is no such option, or a policy is none.
        ValueError: an option that cannot be so.
        PayloadError: an argument cannot be stored, or is not of the type that its annotation allows.
    """
    for name in options:
        if name not in _NAMES:
            raise TypeError(
                f"no start option {name!r} (there are: {', '.join(_NAMES)}); "
                "the workflow's own arguments are positional"
            )
    problem = definition.signature.problem_with(args)
    if problem is not None:
        raise TypeError(f"workflow {definition.name!r} {problem}")
    data = converter.encode_args(args)
    # The run would be suspended by arguments that its annotations do not allow: better to say so here.
    try:
        converter.decode_args(data, definition.signature.arg_types)
    except PayloadDecodeError as error:
        raise definition.signature.misfit(f"workflow {definition.name!r}", error) from None
    conflict = options.get("id_conflict_policy", FAIL)
    if conflict.__class__ is not WorkflowIDConflictPolicy:
        raise _no_policy("id_conflict_policy", conflict, WorkflowIDConflictPolicy)
    reuse = options.get("id_reuse_policy", ALLOW_DUPLICATE)
    if reuse.__class__ is not WorkflowIDReusePolicy:
        raise _no_policy("id_reuse_policy", reuse, WorkflowIDReusePolicy)
    if reuse is TERMINATE_IF_RUNNING and conflict is not FAIL:
        raise ValueError("TERMINATE_IF_RUNNING says what to do with an open run; leave out id_conflict_policy")
    stored, stored_data = _NO_OPTIONS, _NO_OPTIONS_DATA
    run_timeout, execution_timeout = options.get("run_timeout"), options.get("execution_timeout")
    if run_timeout is not None or execution_timeout is not None:
        stored = WorkflowOptions(
            run_timeout_ns=to_limit(run_timeout, "run_timeout"),
            execution_timeout_ns=to_limit(execution_timeout, "execution_timeout"),
        )
        stored_data = encode_workflow_options(stored)
    given_id = options.get("id")
    workflow_id = "" if given_id is None else check_id(given_id, "workflow id")
    return StartRequest(definition.name, data, workflow_id, stored, stored_data, conflict, reuse, answer)


def _no_policy(option: str, given: object, policies: type[IntEnum]) -> TypeError:
    members = ", ".join(policies.__members__)
    return TypeError(f"{option} is {given!r}; give a member of {policies.__name__}: {members}")
