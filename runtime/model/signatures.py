"""The types of a function's positional arguments and of its result, resolved when they are first needed."""

from __future__ import annotations

import inspect
import logging
import sys
import typing
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, Unpack, get_origin

from .lazy import lazy
from .payload_errors import PayloadDecodeError, PayloadError

__all__ = ["Signature"]

logger = logging.getLogger("greenroom")

_TOLD: set[str] = set()


class Signature:
    """What a call of one function looks like.

    Types are resolved at first use, so that an annotation may name something declared further down its module.

    Args:
        function: the function; a bound method counts without its first parameter.
        skip: how many leading parameters callers do not pass (``self``).
        declared: of what the function overrides: where it is not annotated, the annotations of that count.
    """

    def __init__(self, function: Callable[..., Any], *, skip: int = 0, declared: Signature | None = None) -> None:
        self._function = function
        self._skip = skip
        self._declared = declared

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each positional parameter; ``*args`` are not in it."""
        return tuple(parameter.name for parameter in self._positional())

    @lazy
    def arg_types(self) -> tuple[Any, ...]:
        """The annotation of each positional parameter, ``Any`` where there is none.

        Behind them stands ``*tuple[T, ...]`` if the function has ``*args: T``.
        """
        declared = () if self._declared is None else self._declared.arg_types
        types = [self._type(parameter, place, declared) for place, parameter in enumerate(self._positional())]
        for parameter in inspect.signature(self._function).parameters.values():
            if parameter.kind is not parameter.VAR_POSITIONAL:
                continue
            rest = self._hints.get(parameter.name, Any)
            if parameter.annotation is parameter.empty:
                types += declared[len(types) :]
            elif rest is not Any and get_origin(rest) is not Unpack:
                types.append(Unpack[tuple.__class_getitem__((rest, ...))])
        return tuple(types)

    def _type(self, parameter: inspect.Parameter, place: int, declared: tuple[Any, ...]) -> Any:
        if parameter.annotation is not parameter.empty or place >= len(declared):
            return self._hints.get(parameter.name, Any)
        # What stands for the rest of the arguments is no type of one of them.
        return Any if get_origin(declared[place]) is Unpack else declared[place]

    @lazy
    def result_type(self) -> Any:
        """The annotation of the result, ``Any`` where there is none."""
        if (
            self._declared is not None
            and inspect.signature(self._function).return_annotation is inspect.Signature.empty
        ):
            return self._declared.result_type
        return self._hints.get("return", Any)

    @lazy
    def arity(self) -> tuple[int, int]:
        """The least and the most positional arguments."""
        positional = self._positional()
        parameters = inspect.signature(self._function).parameters.values()
        endless = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        return sum(p.default is p.empty for p in positional), sys.maxsize if endless else len(positional)

    def problem_with(self, args: Sequence[object]) -> str | None:
        """Why a call with these positional arguments could not work, or None."""
        least, most = self.arity
        if least <= len(args) <= most:
            return None
        if len(args) > most:
            return f"takes {most or 'no'} argument{'' if most == 1 else 's'}, {len(args)} were given"
        positional = self._positional()
        missing = [p.name for p in positional[len(args) :] if p.default is p.empty]
        return f"misses {', '.join(missing)}"

    def misfit(self, what: str, error: PayloadError) -> PayloadDecodeError:
        """The error of a call with arguments that do not fit their annotations, with the name of the parameter.

        Args:
            what: what was called, as ``update 'submit'``.
            error: what came of decoding them; its path begins with the place of the argument, as ``args[0]``.
        """
        place = error.path.removeprefix("args[").partition("]")[0]
        names = self.names
        name = f"its argument {names[int(place)]!r}" if place.isdecimal() and int(place) < len(names) else "that"
        return PayloadDecodeError(error.path, f"{what} cannot take {name}: {error.reason}")

    def _positional(self) -> list[inspect.Parameter]:
        parameters = [*inspect.signature(self._function).parameters.values()]
        positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        return positional[self._skip :]

    @lazy
    def _hints(self) -> dict[str, Any]:
        try:
            return typing.get_type_hints(self._function, include_extras=True)
        except Exception:
            # A name that only exists for type checkers, or inside a function, spoils no other annotation.
            try:
                return self._hints_one_by_one()
            except Exception:
                # Some callables do not tell what they are made of.
                return {}

    def _hints_one_by_one(self) -> dict[str, Any]:
        hints: dict[str, Any] = {}
        unknown: list[str] = []
        names = getattr(inspect.unwrap(self._function), "__globals__", {})
        for parameter, annotation in getattr(self._function, "__annotations__", {}).items():
            one = SimpleNamespace(__annotations__={parameter: annotation})
            try:
                hints |= typing.get_type_hints(one, globalns=names, include_extras=True)
            except Exception as error:
                unknown.append(f"{parameter}: {annotation} ({error})")
        what = f"{getattr(self._function, '__qualname__', self._function)}: {', '.join(unknown)}"
        # A handler that is set at run time has a signature in each run.
        if unknown and what not in _TOLD:
            _TOLD.add(what)
            logger.warning(
                "annotations cannot be resolved, and what they stand for comes as plain data, in %s; import the names "
                "when the program runs, not only for type checkers, and declare classes at the top of a module",
                what,
            )
        return hints
