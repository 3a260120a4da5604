"""What a declared activity is: its name, the code to call, the types of the call and its default options."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from .articles import with_article
from .durations import to_limit
from .errors import InvalidActivityError, PayloadDecodeError, PayloadError
from .ids import check_aliases, check_id
from .lazy import lazy
from .options import ActivityCancellationType, ActivityOptions
from .retry import RetryPolicy
from .signatures import Signature
from .texts import writable

__all__ = ["ActivityDefinition", "RetryPredicate", "declare", "define_activity", "definition_of", "definitions_of"]

RetryPredicate = Callable[[BaseException], object]
"""Called with what an attempt has raised; if what it returns is false, there is no other attempt."""

DEFINITION = "__greenroom_activity__"
_NO_OPTIONS = ActivityOptions()


class ActivityDefinition:
    """An activity type. The types of its call are resolved when they are first needed.

    Attributes:
        name: the name it is registered under and recorded with.
        aliases: names that it was recorded with before.
        fn: what is called with the arguments: a function, a bound method, or a class until an instance of it is given.
        is_async: whether calling ``fn`` gives something to await.
        in_process: whether it is performed in a process of its own.
        is_interruptible: whether a cancellation raises an exception in the thread that performs it.
        is_retryable: says of what an attempt has raised whether there may be another; None to go by the policy alone.
        options: the defaults that stand on the decorator; what a caller says goes before them.
        needs_instance: whether ``fn`` is a method or a class that still lacks its instance, and so cannot be performed.
        arity: the least and the most positional arguments it takes.
    """

    def __init__(
        self,
        name: str,
        fn: Callable[..., Any],
        options: ActivityOptions = _NO_OPTIONS,
        *,
        is_retryable: RetryPredicate | None = None,
        no_thread_cancel_exception: bool = False,
        in_process: bool = False,
        declared: Signature | None = None,
        aliases: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.aliases = aliases
        self.fn = fn
        self.is_async = _is_async(fn)
        self.is_retryable = is_retryable
        self.no_thread_cancel_exception = no_thread_cancel_exception
        self.in_process = in_process
        self.is_interruptible = not (self.is_async or in_process or no_thread_cancel_exception)
        self.options = options
        self.needs_instance = _needs_instance(fn)
        called = _called(fn)
        self._signature = Signature(called, skip=1 if self.needs_instance else 0, declared=declared)
        try:
            self.arity = self._signature.arity
        except ValueError:
            # Some functions written in C tell nothing about themselves.
            self.arity = (0, sys.maxsize)

    @property
    def place(self) -> str:
        """Where it stands: module and qualified name, as far as a callable tells them."""
        names = getattr(self.fn, "__module__", None), getattr(self.fn, "__qualname__", None) or repr(self.fn)
        return ".".join(filter(None, names))

    @property
    def is_dynamic(self) -> bool:
        """Whether it stands for activities that are not declared; none does."""
        return False

    @lazy
    def arg_types(self) -> tuple[Any, ...] | None:
        """The type of each positional argument; None for a function that does not tell."""
        try:
            return self._signature.arg_types
        except ValueError:
            return None

    @lazy
    def checked_types(self) -> tuple[Any, ...] | None:
        """The type of each positional argument; None if any argument will do, as far as annotations tell."""
        types = self.arg_types
        return types if types and any(each is not Any for each in types) else None

    @lazy
    def result_type(self) -> Any:
        """The type of the result; ``Any`` where nothing is said."""
        try:
            return self._signature.result_type
        except ValueError:
            return Any

    def problem_with(self, args: tuple[object, ...]) -> str | None:
        """Why a call with these arguments cannot work whatever the code does, or None."""
        try:
            return self._signature.problem_with(args)
        except ValueError:
            return None

    def misfit(self, error: PayloadError) -> PayloadDecodeError:
        """The error of a call with arguments that do not fit their annotations.

        Args:
            error: what came of decoding them; its path begins with the place of the argument, as ``args[0]``.
        """
        return self._signature.misfit(f"activity {self.name!r}", error)

    def bound_to(self, fn: Callable[..., Any]) -> ActivityDefinition:
        """The same activity performed by ``fn``, such as the method of one instance; what an override leaves out of its
        annotations is as it is declared here."""
        return ActivityDefinition(
            self.name,
            fn,
            self.options,
            is_retryable=self.is_retryable,
            no_thread_cancel_exception=self.no_thread_cancel_exception,
            in_process=self.in_process,
            declared=self._signature,
            aliases=self.aliases,
        )

    def __repr__(self) -> str:
        return f"<activity {self.name!r}>"


def define_activity(
    fn: Callable[..., Any],
    *,
    name: str | None = None,
    aliases: Iterable[str] = (),
    start_to_close_timeout: timedelta | float | None = None,
    schedule_to_close_timeout: timedelta | float | None = None,
    schedule_to_start_timeout: timedelta | float | None = None,
    heartbeat_timeout: timedelta | float | None = None,
    retry_policy: RetryPolicy | None = None,
    is_retryable: RetryPredicate | None = None,
    cancellation_type: ActivityCancellationType | None = None,
    no_thread_cancel_exception: bool = False,
    executor: str = "thread",
    summary: str | None = None,
) -> ActivityDefinition:
    """Make a definition of a function, a method or a class whose instances can be called.

    Args:
        fn: what performs the activity.
        name: the name to register it under; the function's or class's own name if None.
        aliases: names that it had before.
        start_to_close_timeout: default limit of one attempt; this and the other lengths are ``timedelta`` or seconds.
        schedule_to_close_timeout: default limit of all attempts and the waits between them.
        schedule_to_start_timeout: default limit of an attempt's wait for a thread.
        heartbeat_timeout: default longest silence of an attempt.
        retry_policy: default for how failed attempts are repeated.
        is_retryable: says of what an attempt has raised whether there may be another.
        cancellation_type: default for whether a workflow that cancels it waits for its answer.
        no_thread_cancel_exception: have a cancellation raise nothing in the thread of a sync activity.
        executor: where a sync activity is performed, "thread" or "process".
        summary: a line for people.

    Raises:
        InvalidActivityError: with every reason why it cannot be an activity.
    """
    problems = _problems_of_target(fn)
    own_name = name if name is not None else getattr(fn, "__name__", None)
    old_names, wrong = _aliases(own_name, aliases)
    problems += _problems_of_name(own_name) + wrong + _problems_of_executor(fn, executor)
    problems += _problems_of_predicate(is_retryable)

    def length(value: timedelta | float | None, option: str) -> int | None:
        try:
            return to_limit(value, option)
        except (TypeError, ValueError) as error:
            problems.append(str(error))
            return None

    options = ActivityOptions(
        start_to_close_timeout_ns=length(start_to_close_timeout, "start_to_close_timeout"),
        schedule_to_close_timeout_ns=length(schedule_to_close_timeout, "schedule_to_close_timeout"),
        schedule_to_start_timeout_ns=length(schedule_to_start_timeout, "schedule_to_start_timeout"),
        heartbeat_timeout_ns=length(heartbeat_timeout, "heartbeat_timeout"),
        retry_policy=retry_policy,
        cancellation_type=cancellation_type or ActivityCancellationType.TRY_CANCEL,
        summary=None if not isinstance(summary, str) else writable(summary, "summary"),
    )
    problems += _problem_of_type("retry_policy", retry_policy, RetryPolicy) + _problem_of_type("summary", summary, str)
    problems += _problem_of_type("cancellation_type", cancellation_type, ActivityCancellationType)
    if problems or own_name is None:
        raise InvalidActivityError(_label(fn), problems)
    return ActivityDefinition(
        own_name,
        fn,
        options,
        is_retryable=is_retryable,
        no_thread_cancel_exception=no_thread_cancel_exception,
        in_process=executor == "process",
        aliases=old_names,
    )


def declare(fn: Callable[..., Any], definition: ActivityDefinition) -> None:
    """Leave the definition on what it defines, for ``definition_of`` to find.

    Raises:
        InvalidActivityError: ``fn`` takes no attributes, as functions written in C do not.
    """
    try:
        setattr(fn, DEFINITION, definition)
    except (AttributeError, TypeError) as error:
        raise InvalidActivityError(
            _label(fn), ["it cannot carry a declaration; wrap it in a function of your own"]
        ) from error


def definition_of(obj: object) -> ActivityDefinition | None:
    """The activity that ``obj`` is, or None if it was never declared as one.

    What was given is what will be called: a method keeps its instance, and a decorator put around a declared activity
    stays around it.

    Args:
        obj: a declared function, a method of an instance, or an instance of a declared class.
    """
    definition = getattr(obj, DEFINITION, None)
    if not isinstance(definition, ActivityDefinition) or not callable(obj):
        return None
    return definition if definition.fn is obj else definition.bound_to(obj)


def definitions_of(obj: object) -> list[ActivityDefinition]:
    """Every activity that ``obj`` brings: itself, or all declared methods of an instance, bases first.

    Args:
        obj: one item of what a user lists as ``activities=[…]``.

    Raises:
        InvalidActivityError: there is none, or it lacks the instance that it is a method of.
    """
    itself = definition_of(obj)
    if itself is not None:
        if itself.needs_instance:
            instance = "an instance of the class" if isinstance(obj, type) else "an instance, or the method of one,"
            raise InvalidActivityError(_label(obj), [f"it has no instance to be called on; pass {instance} instead"])
        return [itself]
    methods = [] if isinstance(obj, type) else _declared_methods(obj)
    if not methods:
        reason = "it is no activity and has no method that is one; decorate it with @activity.defn"
        if isinstance(obj, type):
            reason = "it is a class and no activity; pass an instance of it"
        raise InvalidActivityError(_label(obj), [reason])
    return methods


def _declared_methods(instance: object) -> list[ActivityDefinition]:
    """The declared methods of an instance; an override without a decorator is the activity that its base declared."""
    found: dict[str, ActivityDefinition] = {}
    for base in reversed(type(instance).__mro__):
        for attribute, value in vars(base).items():
            # Never through the instance: that would run its properties.
            definition = getattr(getattr(value, "__func__", value), DEFINITION, None)
            if isinstance(definition, ActivityDefinition) and attribute != DEFINITION:
                found[attribute] = definition
    return [definition.bound_to(getattr(instance, attribute)) for attribute, definition in found.items()]


def _called(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function that holds the signature of what is called."""
    owner = fn if isinstance(fn, type) else type(fn)
    if inspect.isfunction(getattr(owner, "__call__", None)):  # noqa: B004 - not whether, but which function is called
        called: Callable[..., Any] = getattr(fn, "__call__")  # noqa: B004,B009 - mypy takes fn.__call__ for no callable
        return called
    return fn


def _is_async(fn: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(_called(fn))


def _needs_instance(fn: Callable[..., Any]) -> bool:
    if isinstance(fn, type):
        return True
    # While a class is being made its methods are plain functions: the place in the name and `self` tell them apart.
    inside = getattr(fn, "__qualname__", "").rpartition(".")[0]
    if not inspect.isfunction(fn) or not inside or inside.endswith("<locals>"):
        return False
    return next(iter(inspect.signature(fn).parameters), None) == "self"


def _problems_of_target(fn: object) -> list[str]:
    kind = type(fn).__name__
    if kind in ("staticmethod", "classmethod"):
        return [f"put @{kind} above @activity.defn, so that the function itself is declared"]
    if isinstance(fn, str):
        return [f"a name is given by keyword: @activity.defn(name={fn!r})"]
    if not callable(fn):
        return ["it cannot be called; decorate a function, a method or a class with __call__"]
    return _problems_of_code(fn)


def _problem_of_type(option: str, value: object, wanted: type) -> list[str]:
    if value is None or isinstance(value, wanted):
        return []
    return [f"{option} is {with_article(type(value).__name__)}; give {with_article(wanted.__name__)}"]


def _problems_of_name(name: object) -> list[str]:
    if name is None or name == "<lambda>":
        return ["it has no name of its own; give it one with @activity.defn(name=…)"]
    try:
        check_id(name, "activity name")
    except (TypeError, ValueError) as error:
        return [str(error)]
    return []


def _aliases(name: object, aliases: Iterable[str]) -> tuple[tuple[str, ...], list[str]]:
    """The names that it had before, and what is wrong with them."""
    try:
        checked = check_aliases(aliases, "an activity")
    except (TypeError, ValueError) as error:
        return (), [str(error)]
    own = [f"the alias {name!r} is its name; aliases are names that it had before"] if name in checked else []
    return checked, own


def _problems_of_executor(fn: Callable[..., Any], executor: str) -> list[str]:
    """Why another process could not find what is declared, which it looks for by module and name."""
    if executor not in ("thread", "process"):
        return [f"executor is {executor!r}; give 'thread' or 'process'"]
    if executor == "thread" or not callable(fn):
        return []
    if _is_async(fn):
        return ["it is async and runs on a loop; a process performs plain functions"]
    if not inspect.isfunction(fn) or _needs_instance(fn):
        return ["a process has no instance to call it on; declare a function of a module"]
    if "<" in fn.__qualname__:
        return ["a process cannot find it inside another function; move it to the top of a module"]
    if fn.__module__ == "__main__" and not hasattr(sys.modules["__main__"], "__file__"):
        return ["a process cannot find it in a program that is no file; put it into a module and import that"]
    return []


def _problems_of_predicate(is_retryable: object) -> list[str]:
    if is_retryable is None or (callable(is_retryable) and not _is_async(is_retryable)):
        return []
    return [f"is_retryable is {is_retryable!r}; give a plain function of what an attempt has raised"]


def _problems_of_code(fn: Callable[..., Any]) -> list[str]:
    if isinstance(fn, type) and not any("__call__" in vars(base) for base in fn.__mro__):
        return ["its instances cannot be called; give the class a __call__ method, or decorate its methods"]
    called = _called(fn)
    problems: list[str] = []
    if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
        problems.append("it is a generator; an activity returns one value")
    try:
        parameters = inspect.signature(called).parameters.values()
    except ValueError:
        # Some functions written in C tell nothing about themselves.
        return problems
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
            problems.append(f"it needs the keyword-only argument {parameter.name!r}; arguments are positional")
        if parameter.kind is parameter.VAR_KEYWORD:
            problems.append(f"it takes **{parameter.name}; arguments are positional, put many inputs in one dataclass")
    return problems


def _label(obj: object) -> str:
    inner = getattr(obj, "__func__", obj)
    return str(getattr(inner, "__qualname__", None) or repr(obj))
