"""How a workflow calls an activity."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, TypeVarTuple, Unpack, overload

from .core.context import current
from .core.handles import ActivityHandle
from .model.activity_definition import definition_of
from .model.durations import to_limit, to_ns
from .model.ids import check_id
from .model.mistakes import refuse_a_call
from .model.options import ActivityCancellationType, ActivityOptions
from .model.retry import RetryPolicy
from .model.texts import writable
from .workflow_options import ActivityCallOptions

__all__ = [
    "execute_activity",
    "execute_activity_method",
    "start_activity",
    "start_activity_method",
]

R = TypeVar("R")
Ts = TypeVarTuple("Ts")


@overload
def start_activity(
    activity: Callable[[*Ts], Awaitable[R]], *args: *Ts, **options: Unpack[ActivityCallOptions]
) -> ActivityHandle[R]: ...
@overload
def start_activity(
    activity: Callable[[*Ts], R], *args: *Ts, **options: Unpack[ActivityCallOptions]
) -> ActivityHandle[R]: ...
@overload
def start_activity(
    activity: str, *args: Any, result_type: type[R], **options: Unpack[ActivityCallOptions]
) -> ActivityHandle[R]: ...
@overload
def start_activity(activity: str, *args: Any, **options: Unpack[ActivityCallOptions]) -> ActivityHandle[Any]: ...
def start_activity(activity: Any, *args: object, result_type: Any = None, **options: Any) -> ActivityHandle[Any]:
    """Schedule an activity now; the handle is a future of its result.

    An option that is left out is as the activity was declared; without a timeout there is none.

    Args:
        activity: a declared activity, or the name of one.
        *args: its arguments.
        result_type: the type of the result, when the activity is given by name.
        start_to_close_timeout: how long one attempt may take (seconds or timedelta, like the other timeouts).
        schedule_to_close_timeout: how long all attempts together may take.
        schedule_to_start_timeout: how long an attempt may wait for a thread.
        heartbeat_timeout: the longest silence of an attempt, between two calls of ``activity.heartbeat()``.
        retry_policy: when to try again; the default tries again for ever, after 1 s, 2 s, 4 s … up to 100 s.
        cancellation_type: what cancelling the handle means: to ask the activity to end and wait no longer, to wait for
            its answer besides, or to leave it alone and wait no longer.
        summary: a line for people.

    Raises:
        TypeError: it is no activity, the arguments do not fit it, or there is no such option.
        ValueError: no timeout or name can be so, or a reference to an activity whose name another one has taken.
        PayloadError: an argument that cannot be stored, or is not of the type that its annotation allows.
        NotInWorkflowError: the caller is not workflow code.
        ReadOnlyContextError: it is, but in a place that may only read, such as a wait condition.
    """
    if isinstance(activity, str):
        check_id(activity, "activity name")
        return current().start_activity(
            activity, args, _stored(_NO_OPTIONS, options), Any if result_type is None else result_type
        )
    definition = definition_of(activity)
    if definition is None:
        refuse_a_call("activity", activity)
        raise TypeError(f"{activity!r} is not an activity; declare it with @activity.defn")
    if definition.needs_instance and args:
        _refuse_an_instance(activity, args[0])
    stored = _stored(definition.options, options) if options else definition.options
    least, most = definition.arity
    if not least <= len(args) <= most:
        raise TypeError(f"activity {definition.name!r} {definition.problem_with(args)}")
    hint = definition.result_type if result_type is None else result_type
    return current().start_activity(definition.name, args, stored, hint, definition)


@overload
async def execute_activity(
    activity: Callable[[*Ts], Awaitable[R]], *args: *Ts, **options: Unpack[ActivityCallOptions]
) -> R: ...
@overload
async def execute_activity(activity: Callable[[*Ts], R], *args: *Ts, **options: Unpack[ActivityCallOptions]) -> R: ...
@overload
async def execute_activity(
    activity: str, *args: Any, result_type: type[R], **options: Unpack[ActivityCallOptions]
) -> R: ...
@overload
async def execute_activity(activity: str, *args: Any, **options: Unpack[ActivityCallOptions]) -> Any: ...
async def execute_activity(activity: Any, *args: object, **options: Any) -> Any:
    """Schedule an activity and wait for its result.

    Args:
        activity, *args, **options: those of ``start_activity``, ``result_type`` among them.

    Raises:
        ActivityError: it failed for good; its ``cause`` says why.
        TypeError, ValueError, PayloadError, NotInWorkflowError, ReadOnlyContextError: as for ``start_activity``.
    """
    return await start_activity(activity, *args, **options)


@overload
def start_activity_method(
    activity: Callable[[Any, *Ts], Awaitable[R]], *args: *Ts, **options: Unpack[ActivityCallOptions]
) -> ActivityHandle[R]: ...
@overload
def start_activity_method(
    activity: Callable[[Any, *Ts], R], *args: *Ts, **options: Unpack[ActivityCallOptions]
) -> ActivityHandle[R]: ...
def start_activity_method(activity: Any, *args: object, **options: Any) -> ActivityHandle[Any]:
    """Schedule an activity that is a method, named by its class: ``start_activity_method(Shop.charge, order)``.

    Args:
        activity: the method; ``start_activity`` takes that of an instance.
        *args, **options: those of ``start_activity``.

    Raises:
        TypeError: it is not a method that is named by its class.
        ValueError, PayloadError, NotInWorkflowError, ReadOnlyContextError: as for ``start_activity``.
    """
    _refuse_no_method(activity, "start_activity")
    return start_activity(activity, *args, **options)


@overload
async def execute_activity_method(
    activity: Callable[[Any, *Ts], Awaitable[R]], *args: *Ts, **options: Unpack[ActivityCallOptions]
) -> R: ...
@overload
async def execute_activity_method(
    activity: Callable[[Any, *Ts], R], *args: *Ts, **options: Unpack[ActivityCallOptions]
) -> R: ...
async def execute_activity_method(activity: Any, *args: object, **options: Any) -> Any:
    """Schedule an activity that is a method, named by its class, and wait for its result.

    Args:
        activity, *args, **options: those of ``start_activity_method``.

    Raises:
        ActivityError: it failed for good; its ``cause`` says why.
        TypeError: it is not a method that is named by its class.
        ValueError, PayloadError, NotInWorkflowError, ReadOnlyContextError: as for ``start_activity``.
    """
    _refuse_no_method(activity, "execute_activity")
    return await start_activity(activity, *args, **options)


def _refuse_no_method(activity: object, instead: str) -> None:
    """Refuse what has no place for an instance: checkers take its first parameter for one, and the call would not."""
    definition = definition_of(activity)
    if isinstance(activity, str):
        what = f"{activity!r} is the name of an activity"
    elif definition is None or (definition.needs_instance and not isinstance(activity, type)):
        # What is no activity at all is told so by the call.
        return
    elif isinstance(activity, type):
        what = f"activity {definition.name!r} is a class"
    elif inspect.ismethod(activity):
        what = f"activity {definition.name!r} is a method that has its instance already"
    else:
        what = f"activity {definition.name!r} is a function"
    raise TypeError(f"{what} and no method that is named by its class, such as Shop.charge; use {instead}")


def _refuse_an_instance(activity: Any, first: object) -> None:
    """Refuse the instance of a method as its first argument: whichever instance performs it is the runtime's."""
    name = activity.__name__
    if any(vars(base).get(name) is activity for base in type(first).__mro__):
        raise TypeError(
            f"{activity.__qualname__} was given an instance of {type(first).__name__} as its first argument; pass the "
            f"method of the instance, or use start_activity_method or execute_activity_method, without an instance"
        )


# Option -> the field of the stored options: time is stored in nanoseconds, under a name that says so.
_FIELDS = {name: f"{name}_ns" if name.endswith("_timeout") else name for name in ActivityCallOptions.__annotations__}

_KINDS: dict[str, tuple[type, str]] = {
    "cancellation_type": (ActivityCancellationType, "an ActivityCancellationType"),
    "retry_policy": (RetryPolicy, "a RetryPolicy"),
}

_NO_OPTIONS = ActivityOptions()


def _stored(base: ActivityOptions, given: dict[str, Any]) -> ActivityOptions:
    """The options of the declaration with those that were given in front of them."""
    fields = {name: getattr(base, name) for name in base.__struct_fields__}
    # A history may have a limit of nothing, from before that was refused.
    to_stored = to_ns if current().is_replaying() else to_limit
    for name, value in given.items():
        field = _FIELDS.get(name)
        if field is None:
            raise TypeError(
                f"no activity option {name!r} (there are: {', '.join(sorted(_FIELDS))}); "
                "the activity's own arguments are positional"
            )
        if value is None:
            continue
        if name == "summary":
            fields[field] = writable(value, "summary")
        elif name in _KINDS:
            # What is of another kind could be written into the history, but not be read again.
            _check_kind(name, value)
            fields[field] = value
        else:
            fields[field] = to_stored(value, name)
    return ActivityOptions(**fields)


def _check_kind(name: str, value: object) -> None:
    kind, words = _KINDS[name]
    if not isinstance(value, kind):
        raise TypeError(f"{name} is {value!r}; give {words}")
