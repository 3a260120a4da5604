"""Going on as a new run, and what a run knows of the one before it."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar, Unpack, overload

from .core.context import current
from .model.attribute_values import encode_attributes
from .model.durations import to_limit, to_ns
from .model.ids import check_id
from .model.options import WorkflowOptions, change_options
from .model.retry import check_policy
from .model.search_attributes import checked_start
from .model.workflow_reference import workflow_asked_for
from .workflow_options import ContinueOptions

__all__ = [
    "continue_as_new",
    "get_last_completion_result",
    "get_last_failure",
    "has_last_completion_result",
]

T = TypeVar("T")


def continue_as_new(*args: object, **options: Unpack[ContinueOptions]) -> NoReturn:
    """End this run, and have another one of the same workflow id begin in its place, with a history of its own.

    It raises what ends the run, and so never returns. Whoever waits for the result waits for that of the new run. What
    was sent to the workflow and not read yet goes on to the new run, in order; what is under way, such as activities,
    timers and handlers, does not.

    Args:
        *args: the arguments of the new run.
        workflow: its class, its run method, the function, or the registered name of another workflow type that is to
            go on; if not given, this one.
        run_timeout: how long the new run may take (seconds or timedelta), from when it may take its first turn. The
            execution timeout goes on over all runs.
        retry_policy: what is to be done if the new run fails.
        backoff_start_interval: how long after the end of this run the new one takes its first turn.
        memo: that of the new run, ``{}`` for none; if not given, that of this run as it is now.
        search_attributes: those of the new run, ``TypedSearchAttributes.empty`` for none; if not given, those of this
            run as they are now.

    Raises:
        TypeError: the arguments do not fit the workflow, it is no workflow, or there is no such option.
        ValueError: an option that cannot be so.
        PayloadError: an argument cannot be stored, or is not of the type that its annotation allows.
        RuntimeError: an update handler asks for it.
        NotInWorkflowError: the caller is not workflow code.
        ReadOnlyContextError: it is, but in a place that may only read, such as a query.
    """
    context = current()
    for name in options:
        if name not in ContinueOptions.__annotations__:
            raise TypeError(
                f"no option {name!r} of continue_as_new (there are: {', '.join(ContinueOptions.__annotations__)}); "
                "the workflow's own arguments are positional"
            )
    workflow = options.get("workflow")
    if isinstance(workflow, str):
        context.continue_as_new(check_id(workflow, "workflow name"), args, _next(context.options(), options))
    definition = context.definition() if workflow is None else workflow_asked_for(workflow)
    problem = definition.signature.problem_with(args)
    if problem is not None:
        raise TypeError(f"workflow {definition.name!r} {problem}")
    # One that runs every type goes on as what it was asked for; one that was renamed goes on under its new name.
    is_itself = workflow is None and definition.is_dynamic
    name = context.info().workflow_type if is_itself else definition.name
    context.continue_as_new(name, args, _next(context.options(), options), definition)


def _next(options: WorkflowOptions, given: ContinueOptions) -> WorkflowOptions:
    """The options of the new run."""
    options = change_options(options, memo=None, search_attributes=None, start_delay_ns=0)
    if "run_timeout" in given:
        options = change_options(options, run_timeout_ns=to_limit(given["run_timeout"], "run_timeout"))
    if "retry_policy" in given:
        options = change_options(options, retry_policy=check_policy(given["retry_policy"]))
    memo, attributes = given.get("memo"), given.get("search_attributes")
    if memo is not None:
        options = change_options(options, memo=current().memo_of(memo))
    if attributes is not None:
        options = change_options(options, search_attributes=encode_attributes(checked_start(attributes)))
    delay = to_ns(given.get("backoff_start_interval"), "backoff_start_interval")
    return options if delay is None else change_options(options, start_delay_ns=delay)


def has_last_completion_result() -> bool:
    """Whether a run before this one, in its chain or of its schedule, has returned something.

    Raises:
        NotInWorkflowError: the caller is not workflow code.
    """
    return current().has_last_result()


@overload
def get_last_completion_result(result_type: type[T]) -> T | None: ...
@overload
def get_last_completion_result() -> Any: ...
def get_last_completion_result(result_type: Any = Any) -> Any:
    """What the last run before this one that completed has returned; None if there is none.

    Args:
        result_type: the type it is read as; plain data if not given.

    Raises:
        NotInWorkflowError: the caller is not workflow code.
        PayloadDecodeError: it is not of that type.
    """
    return current().last_result(result_type)


def get_last_failure() -> BaseException | None:
    """How the run before this one failed, if this one repeats it as its retry policy says; None if it does not.

    Raises:
        NotInWorkflowError: the caller is not workflow code.
    """
    return current().last_failure()
