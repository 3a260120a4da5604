"""How a call starts a workflow: its options stand in one list, and what is asked for is checked before it is sent."""

# No `from __future__ import annotations`: each annotation of a typed dict would be compiled whenever this is imported.

from collections.abc import Callable, Sequence
from datetime import timedelta
from enum import IntEnum
from functools import partial
from typing import Any

from .core.messages import SignalReceived
from .model.definitions import WorkflowDefinition
from .model.durations import to_limit, to_ns
from .model.errors import NotRegisteredError
from .model.ids import check_id
from .model.memos import encode_start_memo
from .model.message_calls import argument_list, checked_call
from .model.options import (
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
    WorkflowOptions,
    encode_workflow_options,
)
from .model.payload_converter import PayloadConverter
from .model.registry import Registry
from .model.retry import RetryPolicy, check_policy
from .model.start_notes import NoteOptions, stored_notes
from .model.workflow_reference import workflow_asked_for
from .shell.starting import StartRequest
from .signal_calls import signal_message

__all__ = ["StartOptions", "definition_to_start", "identity_of", "start_request"]

Duration = timedelta | float

USE_EXISTING = WorkflowIDConflictPolicy.USE_EXISTING
FAIL = WorkflowIDConflictPolicy.FAIL
ALLOW_DUPLICATE = WorkflowIDReusePolicy.ALLOW_DUPLICATE
TERMINATE_IF_RUNNING = WorkflowIDReusePolicy.TERMINATE_IF_RUNNING


class StartOptions(NoteOptions, total=False):
    """The options of a start, as ``Runtime.start_workflow`` explains them.

    Lengths of time are ``timedelta`` or seconds; None is no limit.
    """

    id: str | None
    id_conflict_policy: WorkflowIDConflictPolicy
    id_reuse_policy: WorkflowIDReusePolicy
    run_timeout: Duration | None
    execution_timeout: Duration | None
    retry_policy: RetryPolicy | None
    start_delay: Duration | None
    start_signal: str | Callable[..., Any] | None
    start_signal_args: Sequence[Any]
    request_id: str | None
    identity: str | None


_NAMES = frozenset(StartOptions.__annotations__)
_NOTES = frozenset(NoteOptions.__annotations__)
_ID_ALONE = frozenset(("id",))
_SIGNAL = frozenset(("start_signal", "start_signal_args"))
_POLICIES = frozenset(("id_conflict_policy", "id_reuse_policy"))
# What a start is told of ids is not kept with the run.
_UNSTORED = frozenset(
    ("id", "id_conflict_policy", "id_reuse_policy", "start_signal", "start_signal_args", "request_id", "identity")
)
# Option → its field among those that are stored, and what makes that of it.
_STORED: dict[str, tuple[str, Callable[[Any, str], Any]]] = {
    "run_timeout": ("run_timeout_ns", to_limit),
    "execution_timeout": ("execution_timeout_ns", to_limit),
    "retry_policy": ("retry_policy", lambda given, name: check_policy(given)),
    "start_delay": ("start_delay_ns", to_ns),
}
_NO_OPTIONS = WorkflowOptions()
_NO_OPTIONS_DATA = encode_workflow_options(_NO_OPTIONS)


def definition_to_start(workflow: object, workflows: Registry[WorkflowDefinition]) -> WorkflowDefinition:
    """The registered workflow that a caller means.

    Args:
        workflow: its class, its run method, an interface of it, the function, or its registered name; any name, if one
            that is registered runs every type.
        workflows: those that may run.

    Raises:
        NotRegisteredError: no such workflow is registered.
        TypeError: it is no workflow, or runs every type and none in particular.
        ValueError: its name is that of another one here, or cannot be one.
    """
    if isinstance(workflow, str):
        named = workflows.get(workflow)
        return named.named(check_id(workflow, "workflow name")) if named.is_dynamic else named
    definition = workflow_asked_for(workflow)
    registered = workflows.get(definition.name)
    if definition.is_interface:
        return registered.named(definition.name)
    if registered.is_dynamic:
        raise NotRegisteredError("workflow", definition.name, workflows.names())
    if registered is not definition:
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
    answer: Callable[[str, str, str], Any] | None = None,
    identity: str = "",
) -> StartRequest:
    """What is asked of the shell.

    Args:
        definition: the workflow.
        args: its arguments.
        options: what the caller gave, names that are no options included.
        converter: encodes the arguments.
        answer: makes what the caller gets of the workflow id, the run id, and the id of the first run of its chain.
        identity: on whose behalf it is started if the options do not say; empty for nobody's.

    Raises:
        TypeError: the arguments do not fit it, there is no such option, or a policy is none.
        ValueError: an option that cannot be so.
        PayloadError: an argument cannot be stored, or is not of the type that its annotation allows.
    """
    is_plain = _ID_ALONE.issuperset(options)
    if not is_plain and not _NAMES.issuperset(options):
        name = next(name for name in options if name not in _NAMES)
        raise TypeError(
            f"no start option {name!r} (there are: {', '.join(StartOptions.__annotations__)}); "
            "the workflow's own arguments are positional"
        )
    problem = definition.signature.problem_with(args)
    if problem is not None:
        raise TypeError(f"workflow {definition.name!r} {problem}")
    data = converter.encode_args(args)
    # The run would be suspended by arguments that its annotations do not allow: better to say so here.
    definition.check(data, converter)
    given_id = options.get("id")
    workflow_id = "" if given_id is None else check_id(given_id, "workflow id")
    if is_plain:
        return StartRequest(
            *(definition.name, data, workflow_id, _NO_OPTIONS, _NO_OPTIONS_DATA, FAIL, ALLOW_DUPLICATE, answer),
            identity=identity,
        )
    if "identity" in options:
        identity = identity_of(options["identity"], identity)
    signal = None if _SIGNAL.isdisjoint(options) else _signal(options, converter, identity)
    # Who has something to say to a workflow means the one that is there.
    conflict, reuse = FAIL if signal is None else USE_EXISTING, ALLOW_DUPLICATE
    if not _POLICIES.isdisjoint(options):
        conflict, reuse = _policies(options, conflict)
    stored, stored_data = _NO_OPTIONS, _NO_OPTIONS_DATA
    if not _UNSTORED.issuperset(options):
        stored = _stored_options(options, converter)
        stored_data = encode_workflow_options(stored)
    return StartRequest(
        *(definition.name, data, workflow_id, stored, stored_data, conflict, reuse, answer, signal),
        request_id=_request_id(options, workflow_id) if "request_id" in options else "",
        identity=identity,
    )


def identity_of(given: str | None, default: str = "") -> str:
    """On whose behalf a client speaks; empty if that is not said.

    Raises:
        TypeError: it is no string.
        ValueError: it is empty, or too long to be kept.
    """
    return default if given is None else check_id(given, "identity")


def _policies(
    options: StartOptions, default: WorkflowIDConflictPolicy
) -> tuple[WorkflowIDConflictPolicy, WorkflowIDReusePolicy]:
    """What is to become of a start whose workflow id is taken."""
    conflict = options.get("id_conflict_policy", default)
    if conflict.__class__ is not WorkflowIDConflictPolicy:
        raise _no_policy("id_conflict_policy", conflict, WorkflowIDConflictPolicy)
    reuse = options.get("id_reuse_policy", ALLOW_DUPLICATE)
    if reuse.__class__ is not WorkflowIDReusePolicy:
        raise _no_policy("id_reuse_policy", reuse, WorkflowIDReusePolicy)
    if reuse is not TERMINATE_IF_RUNNING:
        return conflict, reuse
    if "id_conflict_policy" in options:
        raise ValueError("TERMINATE_IF_RUNNING says what to do with an open run; leave out id_conflict_policy")
    return FAIL, reuse


def _request_id(options: StartOptions, workflow_id: str) -> str:
    """What the caller calls the request, empty if it has no name for it."""
    given = options.get("request_id")
    if given is None:
        return ""
    if not workflow_id:
        raise ValueError("request_id= needs id=: a repeated request finds its run by both")
    return check_id(given, "request id")


def _signal(options: StartOptions, converter: PayloadConverter, identity: str) -> SignalReceived | None:
    """The signal that goes with a start."""
    given = options.get("start_signal")
    args = argument_list(options["start_signal_args"], "start_signal_args") if "start_signal_args" in options else ()
    if given is None:
        if args:
            raise TypeError("start_signal_args without start_signal: say which signal they are for")
        return None
    name, data, _ = checked_call(converter, "signal", given, args)
    return signal_message(name, data, identity=identity)


def _stored_options(options: StartOptions, converter: PayloadConverter) -> WorkflowOptions:
    """What stands in the header and the first message of the run."""
    fields: dict[str, Any] = {}
    for name in _STORED:
        if name in options and (given := options.get(name)) is not None:
            field, stored = _STORED[name]
            fields[field] = stored(given, name)
    if not _NOTES.isdisjoint(options):
        fields |= stored_notes(options, partial(encode_start_memo, converter=converter))
    return WorkflowOptions(**fields)


def _no_policy(option: str, given: object, policies: type[IntEnum]) -> TypeError:
    members = ", ".join(policies.__members__)
    return TypeError(f"{option} is {given!r}; give a member of {policies.__name__}: {members}")
