"""What workflow code can wait for: what its own loop has made. Anything else is refused, with what to do instead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from inspect import CORO_CREATED, getcoroutinestate, isasyncgen, isawaitable, iscoroutine
from typing import Any, NoReturn, cast

from ..model.activity_definition import DEFINITION as ACTIVITY
from ..model.articles import with_article

__all__ = ["as_futures", "check_awaitable", "close_unstarted", "explain"]

Refuse = Callable[[BaseException], NoReturn]

_CURE = (
    "a workflow can only wait for what it made itself or got from greenroom.workflow: wait for anything else in an "
    "activity"
)

# Where a class comes from that is not to be waited for here, and what its instances are.
_FOREIGN = {
    "concurrent": "a future of a pool of threads or processes",
    "pykka": "a future of a runtime, of a handle or of an actor",
}

# What Python says of an await that cannot be.
_SAID = ("attached to a different loop", "got bad yield", "can't be used in 'await' expression")


def explain(error: BaseException) -> None:
    """Say what to do of an ``await`` that asyncio has refused, in a note; of other errors nothing."""
    if isinstance(error, BaseExceptionGroup):
        for each in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            explain(each)
    elif error.__class__ in (RuntimeError, TypeError):
        said = error.args[0] if error.args else ""
        if (
            isinstance(said, str)
            and any(each in said for each in _SAID)
            and _CURE not in getattr(error, "__notes__", ())
        ):
            error.add_note(_CURE)


def check_awaitable(call: str, given: object, refuse: Refuse, place: int = 0) -> None:
    """See to it that workflow code can wait for something.

    Args:
        call: who is to wait for it, for the message.
        given: what was passed.
        refuse: raises what is an error whatever the code catches: if a foreign thing is done already depends on the
            world, and would be otherwise in a replay.
        place: which argument it is, if there are several.

    Raises:
        TypeError: nothing in this workflow can wait for it.
    """
    which = f"argument {place}, " if place else ""
    if kind := _foreign(given):
        refuse(TypeError(f"{call} cannot wait for {which}{kind}; {_CURE}"))
    if not isawaitable(given):
        raise TypeError(f"{call} cannot wait for {which}{_unawaitable(call, given)}")


def as_futures(call: str, given: Iterable[object], refuse: Refuse) -> list[asyncio.Future[Any]]:
    """A future for each awaitable, tasks begun in their order; the same awaitable is the same future.

    Raises:
        TypeError: one of them cannot be waited for; none is begun.
    """
    awaitables = list(given)
    loop = asyncio.get_running_loop()
    futures: dict[int, asyncio.Future[Any]] = {}
    try:
        for place, each in enumerate(awaitables, 1):
            check_awaitable(call, each, refuse, place)
        for each in awaitables:
            if id(each) not in futures:
                futures[id(each)] = _as_future(each, loop)
    except BaseException:
        for each in awaitables:
            close_unstarted(each)
        raise
    return [futures[id(each)] for each in awaitables]


def close_unstarted(given: object) -> None:
    """Forget a coroutine: otherwise Python warns, whenever the collector runs, that it was never awaited."""
    if iscoroutine(given) and getcoroutinestate(given) == CORO_CREATED:
        given.close()


def _as_future(given: Any, loop: asyncio.AbstractEventLoop) -> asyncio.Future[Any]:
    if asyncio.isfuture(given):
        return given
    return loop.create_task(given if iscoroutine(given) else _awaited(given))


async def _awaited(given: Any) -> Any:
    return await given


def _foreign(given: object) -> str:
    """What it is, if only another loop or a thread can wait for it; else ""."""
    if asyncio.isfuture(given):
        return "" if given.get_loop() is asyncio.get_running_loop() else "a future of another event loop"
    packages = (kind.__module__.partition(".")[0] for kind in type(given).__mro__)
    return next((_FOREIGN[package] for package in packages if package in _FOREIGN), "")


def _unawaitable(call: str, given: object) -> str:
    kind = type(given).__name__
    if callable(given):
        name = getattr(given, "__name__", kind)
        if hasattr(given, ACTIVITY):
            return f"the activity {name!r} itself: write workflow.execute_activity({name}, …)"
        return f"the function {name!r} itself: call it, {name}(…)"
    if isasyncgen(given):
        return "an async generator: read it with async for"
    if isinstance(given, Collection) and not isinstance(given, (str, bytes)):
        several = call if call == "race" else "gather"
        return f"{with_article(kind)}: write {several}(*…) to wait for what is in it"
    return f"{with_article(kind)}, which nobody can await"
