"""What people write by mistake where a workflow or an activity is expected, in words."""

from __future__ import annotations

from collections.abc import Collection
from types import CoroutineType, MethodType
from typing import NoReturn

__all__ = ["refuse_a_call", "refuse_an_instance", "refuse_unknown"]


def refuse_a_call(kind: str, target: object) -> None:
    """Refuse what came of calling an async function in the place of the function itself.

    Args:
        kind: what was expected ("workflow").

    Raises:
        TypeError: it is a coroutine, which is closed: Python need not warn that it was never awaited.
    """
    if isinstance(target, CoroutineType):
        target.close()
        raise TypeError(
            f"this is a call of {target.__qualname__}(); pass {target.__name__} itself and then its arguments: the "
            f"runtime calls the {kind}"
        )


def refuse_an_instance(target: object) -> None:
    """Refuse the method of an instance where that of a workflow class is expected.

    Raises:
        TypeError: it is one, and its instance would be no run's.
    """
    if isinstance(target, MethodType) and not isinstance(target.__self__, type):
        kind = type(target.__self__).__name__
        raise TypeError(
            f"this is {target.__name__} of an instance of {kind}, and each run makes its own; "
            f"pass {kind}.{target.__name__}"
        )


def refuse_unknown(call: str, options: Collection[str]) -> NoReturn:
    """Refuse options that a call of a handle does not have.

    Args:
        call: the call ("signal()").
        options: their names, one at least.

    Raises:
        TypeError: always.
    """
    if "identity" in options:
        raise TypeError(
            f"{call} has no identity=: a handle speaks on somebody's behalf, get_workflow_handle(…, identity=…)"
        )
    name = next(iter(options))
    raise TypeError(f"{call} has no {name}=; the arguments of the handler are given in their order, without names")
