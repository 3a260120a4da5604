"""How a message is sent to a workflow: what cannot be is refused where it is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from .handler_definitions import handler_asked_for
from .ids import check_id
from .mistakes import refuse_an_instance
from .payload_converter import PayloadConverter
from .payload_errors import PayloadDecodeError
from .signatures import Signature

__all__ = ["argument_list", "checked_call"]


def checked_call(
    converter: PayloadConverter, kind: str, handler: str | Callable[..., Any], args: tuple[object, ...]
) -> tuple[str, bytes, Signature | None]:
    """The name, the stored arguments and, of a handler that is referred to, the signature.

    Args:
        kind: "signal", "query" or "update".

    Raises:
        TypeError: the arguments do not fit the handler that is referred to.
        ValueError: the name cannot be one.
        PayloadError: an argument cannot be stored, or is not of the type that the handler's annotation allows.
    """
    if isinstance(handler, str):
        return check_id(handler, f"{kind} name"), converter.encode_args(args), None
    refuse_an_instance(handler)
    name, signature = handler_asked_for(kind, handler)
    data = converter.encode_args(args)
    problem = signature.problem_with(args)
    if problem is not None:
        raise TypeError(f"{kind} {name!r} {problem}")
    try:
        converter.decode_args(data, signature.arg_types)
    except PayloadDecodeError as error:
        raise signature.misfit(f"{kind} {name!r}", error) from None
    return name, data, signature


def argument_list(given: object, option: str) -> tuple[object, ...]:
    """The arguments of a message that are given as one option.

    Raises:
        TypeError: it is no list of them; a text would be taken for one argument a letter.
    """
    if isinstance(given, (str, bytes)) or not isinstance(given, Sequence):
        raise TypeError(f"{option} is {given!r}; give a list of the arguments, as in {option}=[{given!r}]")
    return tuple(cast("Sequence[object]", given))
