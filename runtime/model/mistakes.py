"""What people write by mistake where a workflow or an activity is expected, in words."""

from __future__ import annotations

import inspect

__all__ = ["refuse_a_call"]


def refuse_a_call(kind: str, target: object) -> None:
    """Refuse what came of calling an async function in the place of the function itself.

    Args:
        kind: what was expected ("workflow").

    Raises:
        TypeError: it is a coroutine, which is closed: Python need not warn that it was never awaited.
    """
    if inspect.iscoroutine(target):
        target.close()
        raise TypeError(
            f"this is a call of {target.__qualname__}(); pass {target.__name__} itself and then its arguments: the "
            f"runtime calls the {kind}"
        )
