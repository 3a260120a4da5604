"""What must not be left behind when a runtime has closed."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterable

from ..runtime.core.execution import Execution
from ..runtime.shell.hands import Hands
from ..runtime.shell.workflow_actor import WorkflowActor
from ..storage import Journal, check

__all__ = ["LeakCheck", "broken_promises"]


def broken_promises(journal: Journal) -> list[str]:
    """What is wrong with a journal, or why that cannot be known, a line each."""
    try:
        return [str(problem) for problem in check(journal)]
    except Exception as error:
        # The runtime must be closed all the same.
        return [f"the journal could not be checked: {error!r}"]


class LeakCheck:
    """Made before a runtime closes; asked once it has closed.

    Args:
        hands: of the runtime that is about to close.
    """

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._actors: list[WorkflowActor] = hands.directory.residents()
        self._executions = [actor.execution for actor in self._actors if actor.execution is not None]

    def leaks(self) -> list[str]:
        """One line for each thing that was left behind."""
        found: list[str] = []
        for actor in self._actors:
            if actor.execution is not None:
                found.append(f"{actor} still holds its execution")
            if len(actor.actor_inbox):
                found.append(f"{actor} has {len(actor.actor_inbox)} messages that nobody took")
        found += [f"the coroutine {name} would not end" for name in _alive(self._executions)]
        waiting = len(self._hands.waiters)
        if waiting:
            found.append(f"{waiting} callers still wait for a result")
        if not self._hands.dispatcher.idle:
            found.append("requests that nobody has answered")
        return found


def _alive(executions: Iterable[Execution]) -> list[str]:
    names: list[str] = []
    for execution in executions:
        for task in asyncio.all_tasks(execution.loop):
            coroutine = task.get_coro()
            if inspect.iscoroutine(coroutine) and inspect.getcoroutinestate(coroutine) != inspect.CORO_CLOSED:
                names.append(coroutine.__qualname__)
    return sorted(names)
