"""What a handler of messages is: the name that it hears, the function, and the types of its arguments and answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .options import HandlerUnfinishedPolicy
from .payload_converter import PayloadConverter
from .payload_errors import PayloadDecodeError
from .signatures import Signature

__all__ = [
    "BUILT_IN_QUERIES",
    "ENHANCED_STACK_TRACE_QUERY",
    "HANDLER_KINDS",
    "MARK",
    "METADATA_QUERY",
    "STACK_TRACE_QUERY",
    "HandlerDefinition",
    "handler_asked_for",
    "handler_name",
    "mark",
    "marks_of",
    "problem_with_query",
]

MARK = "__greenroom_mark__"

HANDLER_KINDS = ("signal", "query", "update")

METADATA_QUERY = "__temporal_workflow_metadata"
STACK_TRACE_QUERY = "__stack_trace"
ENHANCED_STACK_TRACE_QUERY = "__enhanced_stack_trace"

BUILT_IN_QUERIES = frozenset((METADATA_QUERY, STACK_TRACE_QUERY, ENHANCED_STACK_TRACE_QUERY))
"""What every run answers by itself, whatever its handlers are."""


class HandlerDefinition:
    """A handler of signals, queries or updates.

    Attributes:
        name: the name that it hears, None for the catch-all.
        fn: the function; of a class, still without its instance.
        dynamic: whether it hears every name that no other handler hears, and gets the name first.
        description: a line for people and tools.
        unfinished_policy: whether it is told if the run ends while the handler is at work.
        validator: of updates: called first with the same arguments; what it raises refuses the update.
    """

    __slots__ = ("_signature", "description", "dynamic", "fn", "name", "unfinished_policy", "validator")

    def __init__(
        self,
        name: str | None,
        fn: Callable[..., Any],
        *,
        method: bool = False,
        description: str | None = None,
        unfinished_policy: HandlerUnfinishedPolicy = HandlerUnfinishedPolicy.WARN_AND_ABANDON,
        validator: Callable[..., Any] | None = None,
    ) -> None:
        self.name = name
        self.fn = fn
        self.dynamic = name is None
        self.description = description
        self.unfinished_policy = unfinished_policy
        self.validator = validator
        self._signature = Signature(fn, skip=int(method) + int(self.dynamic))

    @property
    def arg_names(self) -> tuple[str, ...]:
        """The names of the arguments; none for a function that does not tell."""
        try:
            return self._signature.names
        except ValueError:
            return ()

    @property
    def arg_types(self) -> tuple[Any, ...] | None:
        """The types of the arguments; None for a function that does not tell."""
        try:
            return self._signature.arg_types
        except ValueError:
            return None

    @property
    def result_type(self) -> Any:
        """The type of what it returns; ``Any`` where nothing is said."""
        try:
            return self._signature.result_type
        except ValueError:
            return Any

    def problem_with(self, args: Sequence[object]) -> str | None:
        """Why a call with these arguments could not work, or None."""
        try:
            return self._signature.problem_with(args)
        except ValueError:
            return None

    def decoded(self, data: bytes, converter: PayloadConverter) -> list[Any]:
        """The arguments of a call.

        Raises:
            PayloadError: they are damaged, or do not fit the annotations.
        """
        try:
            return converter.decode_args(data, self.arg_types)
        except PayloadDecodeError as error:
            raise self._signature.misfit("its handler", error) from None

    def bound_to(self, instance: object) -> HandlerDefinition:
        """The same handler as a method of one instance."""
        bound = HandlerDefinition.__new__(HandlerDefinition)
        bound.name, bound.dynamic, bound.description = self.name, self.dynamic, self.description
        bound.fn = self.fn.__get__(instance)
        bound.unfinished_policy = self.unfinished_policy
        bound.validator = None if self.validator is None else self.validator.__get__(instance)
        bound._signature = self._signature
        return bound


def mark(function: Callable[..., Any], kind: str, **facts: Any) -> None:
    """Leave a note on a method for ``define_class`` to find."""
    setattr(function, MARK, {**marks_of(function), kind: facts})


def marks_of(function: object) -> Mapping[str, Mapping[str, Any]]:
    """The notes that decorators left on a method: kind to facts."""
    marks: Mapping[str, Mapping[str, Any]] = getattr(function, MARK, {})
    return marks


def problem_with_query(name: str | None) -> str | None:
    """Why no handler can have that name, or None."""
    if name in BUILT_IN_QUERIES:
        return f"every run answers the query {name!r} by itself: give the handler another name"
    return None


def handler_name(kind: str, reference: str | Callable[..., Any]) -> str:
    """The name of a signal, query or update given as a string or as a reference to its handler.

    Args:
        kind: which of them ("signal").

    Raises:
        TypeError: a callable that is no handler of that kind, or a catch-all, which has no name of its own.
    """
    return reference if isinstance(reference, str) else handler_asked_for(kind, reference)[0]


def handler_asked_for(kind: str, reference: Callable[..., Any]) -> tuple[str, Signature]:
    """The name of a handler that is given as a reference, and what a call of it must look like.

    Raises:
        TypeError: as ``handler_name`` does.
    """
    facts = marks_of(reference).get(kind)
    if facts is None:
        handler = "an update handler" if kind == "update" else f"a {kind} handler"
        raise TypeError(f"{reference!r} is not {handler}: decorate it with @workflow.{kind} or pass the {kind}'s name")
    if facts["name"] is None:
        raise TypeError(f"{reference!r} hears every {kind}: pass the name of the one you mean")
    return facts["name"], facts["signature"]
