"""What a declared workflow is: the names under which its parts are known, and their types."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any

from .dynamic_workflows import RawSignature, problems_of_dynamic
from .errors import InvalidWorkflowError
from .handler_definitions import HANDLER_KINDS, MARK, HandlerDefinition, mark, marks_of, problem_with_query
from .interfaces import DEFINITION, is_interface, name_of, problems_of_class
from .options import HandlerUnfinishedPolicy
from .payload_converter import PayloadConverter
from .payload_errors import PayloadDecodeError
from .signatures import Signature

__all__ = ["DEFINITION", "WorkflowDefinition", "define_class", "define_function"]


class WorkflowDefinition:
    """A workflow type.

    Attributes:
        name: the name it is registered under and recorded with; of one that runs every type, the type asked for.
        aliases: names that runs were recorded with before.
        target: the class or function that the user wrote.
        run: the async function that is the workflow; of a class, without its instance.
        handlers: of a class: kind ("signal", "query", "update") to its handlers by name; None is the catch-all.
        takes_input: whether ``__init__`` gets the workflow's arguments too.
        failure_exception_types: exceptions that close a run as failed; others are bugs and suspend it.
        is_interface: whether it only says what another one, of the same name, can be asked; such a one never runs.
        is_dynamic: whether it runs every workflow type that has no definition of its own, and gets its input unread.
        signature: what a start of it looks like.
    """

    __slots__ = (
        "aliases",
        "failure_exception_types",
        "handlers",
        "is_class",
        "is_dynamic",
        "is_interface",
        "name",
        "run",
        "signature",
        "takes_input",
        "target",
    )

    def __init__(
        self,
        name: str,
        target: Callable[..., Any],
        run: Callable[..., Any],
        *,
        is_class: bool,
        handlers: Mapping[str, Mapping[str | None, HandlerDefinition]],
        takes_input: bool,
        failure_exception_types: tuple[type[BaseException], ...],
        is_dynamic: bool = False,
        is_interface: bool = False,
        aliases: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.aliases = aliases
        self.target = target
        self.run = run
        self.is_class = is_class
        self.handlers = handlers
        self.takes_input = takes_input
        self.failure_exception_types = failure_exception_types
        self.is_dynamic = is_dynamic
        self.is_interface = is_interface
        self.signature = (RawSignature if is_dynamic else Signature)(run, skip=int(is_class))

    def named(self, name: str) -> WorkflowDefinition:
        """What runs the workflow type of that name: the same, but that one which runs every type goes by this one."""
        if not self.is_dynamic:
            return self
        # Loaded here: few runtimes have a workflow that runs every type.
        from copy import copy

        other = copy(self)
        other.name = name
        return other

    @property
    def place(self) -> str:
        """Where it stands: module and qualified name."""
        return f"{self.target.__module__}.{self.target.__qualname__}"

    def check(self, data: bytes, converter: PayloadConverter) -> None:
        """See that the arguments of a start, as they are stored, fit the annotations.

        Raises:
            PayloadError: they do not; it names the parameter.
        """
        try:
            converter.decode_args(data, self.signature.arg_types)
        except PayloadDecodeError as error:
            raise self.signature.misfit(f"workflow {self.name!r}", error) from None

    def __repr__(self) -> str:
        return f"<workflow {self.name!r}>"


def define_function(
    function: Callable[..., Any],
    *,
    name: str | None,
    failure_exception_types: tuple[type[BaseException], ...],
    is_dynamic: bool = False,
    aliases: tuple[str, ...] = (),
) -> WorkflowDefinition:
    """A workflow from one async function.

    Raises:
        InvalidWorkflowError: with every reason why it cannot be one.
    """
    if not inspect.isfunction(function):
        raise InvalidWorkflowError(repr(function), ["decorate a class or an async function with @workflow.defn"])
    problems = _problems_of_run(function, "the function")
    if next(iter(inspect.signature(function).parameters), "") == "self":
        problems.append("it is a method: decorate the class with @workflow.defn and this method with @workflow.run")
    if is_dynamic:
        problems += problems_of_dynamic(function, "the function", name=name, aliases=aliases)
    problems += _problems_of_aliases(name or function.__name__, aliases)
    if problems:
        raise InvalidWorkflowError(function.__qualname__, problems)
    return WorkflowDefinition(
        name or function.__name__,
        function,
        function,
        is_class=False,
        handlers={},
        takes_input=False,
        failure_exception_types=failure_exception_types,
        is_dynamic=is_dynamic,
        aliases=aliases,
    )


def define_class(
    cls: type,
    *,
    name: str | None,
    failure_exception_types: tuple[type[BaseException], ...],
    is_dynamic: bool = False,
    aliases: tuple[str, ...] = (),
) -> WorkflowDefinition:
    """A workflow from a class with one ``@workflow.run`` method; if that is abstract, an interface.

    Raises:
        InvalidWorkflowError: with every reason why it cannot be one.
    """
    problems: list[str] = []
    runs: list[Callable[..., Any]] = []
    handlers: dict[str, dict[str | None, HandlerDefinition]] = {kind: {} for kind in HANDLER_KINDS}
    members = _members(cls)
    for attribute, function in members.items():
        notes = marks_of(function)
        if "run" in notes:
            runs.append(function)
            problems += _problems_of_run(function, f"{attribute}()")
        kinds = [kind for kind in ("run", *HANDLER_KINDS) if kind in notes]
        if len(kinds) > 1:
            decorators = " and ".join(f"@workflow.{kind}" for kind in kinds)
            problems.append(f"{attribute}() is decorated with both {decorators}")
        for kind in HANDLER_KINDS:
            if kind in notes:
                heard = notes[kind]["name"]
                if heard in handlers[kind]:
                    what = "catch-all" if heard is None else f"{kind} {heard!r}"
                    problems.append(f"two handlers for {what}")
                if kind == "query" and (problem := problem_with_query(heard)):
                    problems.append(f"{attribute}(): {problem}")
                problems += _problems_of_handler(kind, function, f"{attribute}()", is_dynamic=heard is None)
                handlers[kind][heard] = handler = _handler(function, notes[kind], members)
                if handler.validator is not None:
                    problems += _problems_of_validator(handler.validator, function)
        if "init" in notes and attribute != "__init__":
            problems.append(f"{attribute}() is decorated with @workflow.init, which is for __init__")
    if len(runs) != 1:
        found = ", ".join(f"{each.__name__}()" for each in runs) or "none"
        problems.append(f"exactly one method must be decorated with @workflow.run (found: {found})")
    takes_input = "init" in marks_of(getattr(cls, "__init__", None))
    abstract = len(runs) == 1 and is_interface(cls, runs[0])
    if len(runs) == 1:
        problems += problems_of_class(cls, runs[0], handlers, name=name, is_dynamic=is_dynamic)
        if not abstract:
            problems += _problems_of_init(cls, runs[0], takes_input)
        if is_dynamic:
            problems += problems_of_dynamic(runs[0], f"{runs[0].__name__}()", skip=1, name=name, aliases=aliases)
    problems += _problems_of_aliases(name or cls.__name__, aliases)
    if problems:
        raise InvalidWorkflowError(cls.__qualname__, problems)
    return WorkflowDefinition(
        name or name_of(cls),
        cls,
        _own(cls, runs[0]),
        is_class=True,
        handlers=handlers,
        takes_input=takes_input,
        failure_exception_types=failure_exception_types,
        is_dynamic=is_dynamic,
        is_interface=abstract,
        aliases=aliases,
    )


def _handler(
    function: Callable[..., Any], facts: Mapping[str, Any], members: Mapping[str, Callable[..., Any]]
) -> HandlerDefinition:
    validator = facts.get("validator")
    if validator is not None:
        # A subclass may have one of its own under the same name.
        validator = members.get(validator.__name__, validator)
    return HandlerDefinition(
        facts["name"],
        function,
        method=True,
        description=facts["description"],
        unfinished_policy=facts.get("unfinished_policy", HandlerUnfinishedPolicy.WARN_AND_ABANDON),
        validator=validator,
    )


def _members(cls: type) -> dict[str, Callable[..., Any]]:
    """The functions of a class and its bases by attribute, bases first.

    An override without a decorator keeps its base's notes; one that is no function, such as None, removes it.
    """
    found: dict[str, Callable[..., Any]] = {}
    for base in reversed(cls.__mro__):
        for attribute, value in vars(base).items():
            if not inspect.isfunction(value):
                found.pop(attribute, None)
                continue
            inherited = marks_of(found.get(attribute))
            if inherited and not marks_of(value):
                setattr(value, MARK, inherited)
            found[attribute] = value
    return found


def _own(cls: type, run: Callable[..., Any]) -> Callable[..., Any]:
    """The run method as the class's own: a reference to an inherited one could not tell which class is meant."""
    if run.__name__ in vars(cls) or not isinstance(run, types.FunctionType):
        return run
    own = types.FunctionType(run.__code__, run.__globals__, run.__name__, run.__defaults__, run.__closure__)
    own.__kwdefaults__ = run.__kwdefaults__
    own.__annotations__ = run.__annotations__
    own.__doc__ = run.__doc__
    own.__module__ = cls.__module__
    own.__qualname__ = f"{cls.__qualname__}.{run.__name__}"
    mark(own, "run")
    setattr(cls, run.__name__, own)
    return own


def _problems_of_aliases(name: str, aliases: tuple[str, ...]) -> list[str]:
    return [f"the alias {name!r} is its name; aliases are names that it had before"] if name in aliases else []


def _problems_of_run(function: Callable[..., Any], what: str) -> list[str]:
    problems: list[str] = []
    if not inspect.iscoroutinefunction(function):
        problems.append(f"{what} must be `async def`")
    return problems + _problems_of_arguments(function, what)


def _problems_of_handler(kind: str, function: Callable[..., Any], what: str, *, is_dynamic: bool) -> list[str]:
    problems = _problems_of_arguments(function, what)
    positional = [p for p in inspect.signature(function).parameters.values() if p.kind is not p.KEYWORD_ONLY]
    if not positional:
        problems.append(f"{what} takes no self: it is called as a method, with the run's own instance first")
    if is_dynamic and len(positional) < 2 and not any(p.kind is p.VAR_POSITIONAL for p in positional):
        problems.append(f"{what} hears every {kind} and must take the {kind}'s name first")
    if kind == "query" and inspect.iscoroutinefunction(function):
        problems.append(f"{what} answers a query and cannot wait: write it without async")
    return problems


def _problems_of_validator(validator: Callable[..., Any], update: Callable[..., Any]) -> list[str]:
    problems: list[str] = []
    what = f"{validator.__name__}()"
    if inspect.iscoroutinefunction(validator):
        problems.append(f"{what} is a validator and cannot wait: write it without async")
    least, most = Signature(validator, skip=1).arity
    fewest, greatest = Signature(update, skip=1).arity
    if least > fewest or most < greatest:
        wanted = ", ".join(map(_shown, list(inspect.signature(update).parameters.values())[1:])) or "nothing"
        problems.append(f"{what} is a validator and must take what {update.__name__}() takes: {wanted}")
    return problems


def _problems_of_arguments(function: Callable[..., Any], what: str) -> list[str]:
    problems: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
            problems.append(f"{what} needs the keyword-only argument {parameter.name!r}: arguments are positional")
        if parameter.kind is parameter.VAR_KEYWORD:
            problems.append(
                f"{what} takes **{parameter.name}: arguments are positional; put many inputs in one dataclass"
            )
    return problems


def _problems_of_init(cls: type, run: Callable[..., Any], takes_input: bool) -> list[str]:
    parameters = list(inspect.signature(cls).parameters.values())
    if takes_input:
        expected = list(inspect.signature(run).parameters.values())[1:]
        if [_shape(p) for p in parameters] != [_shape(p) for p in expected]:
            wanted = ", ".join(map(_shown, expected)) or "nothing"
            return [f"__init__ is decorated with @workflow.init and must take what run takes: {wanted}"]
        return []
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if needed:
        return [f"__init__ needs {', '.join(needed)}: decorate it with @workflow.init to get the workflow's arguments"]
    return []


def _shape(parameter: inspect.Parameter) -> tuple[object, ...]:
    return parameter.name, parameter.kind, parameter.default is parameter.empty


def _shown(parameter: inspect.Parameter) -> str:
    return str(parameter.replace(annotation=parameter.empty))
