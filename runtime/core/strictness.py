"""A run under the strict net: what its turns may call is watched, and what its queries leave behind is compared.

It is an execution like any other; only tests, and runtimes that ask for it, make one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol

from ..model.errors import NondeterministicCallError, ReadOnlyContextError
from ..model.handler_definitions import HandlerDefinition
from .bugs import WorkflowBugError
from .changes import Activates
from .commands import Command
from .context import UNRESTRICTED
from .execution import Execution
from .fingerprints import difference, fingerprint
from .handler_table import HandlerError
from .handling import Handling
from .loop import WorkflowLoop
from .versions import CALLBACK

__all__ = ["Net", "StrictExecution", "StrictLoop"]

# What is decided there is recorded, or follows from what is.
_OPEN = ("a side effect", CALLBACK)


class Net(Protocol):
    """What watches the calls of a thread."""

    def know(self, module: str) -> None:
        """Workflows stand in that module: what belongs to its package is workflow code, wherever it is installed."""
        ...

    def spread(self, loop: StrictLoop) -> None:
        """Code of that loop begins to run on this thread."""
        ...

    def fold(self) -> None:
        """It has stopped running."""
        ...


class StrictLoop(WorkflowLoop):
    """The loop of a watched run: the net is spread while this is the running loop."""

    def __init__(self, owner: StrictExecution, *, first_order: int) -> None:
        super().__init__(owner, first_order=first_order)
        self._net = owner.net

    def enter(self) -> Any:
        before = super().enter()
        if before is not self:
            self._net.spread(self)
        return before

    def leave(self, before: Any) -> None:
        if before is not self:
            self._net.fold()
        super().leave(before)

    def caught(self, error: NondeterministicCallError) -> None:
        """The net has caught a call, which raises ``error``: a bug, also if the code catches it."""
        if self.read_only not in ("a query", "an update validator") and isinstance(self.owner, StrictExecution):
            self.owner.note_bug(error)

    @property
    def is_open(self) -> bool:
        """Whether the code that runs now may call anything: its value is recorded, or nobody wants it repeated."""
        return self.read_only in _OPEN or UNRESTRICTED.get()


class StrictHandling(Handling):
    """The handlers of a watched run: a query or a validator that changes what it can reach is refused."""

    __slots__ = ()

    def _read(self, what: str, handler: HandlerDefinition | None, function: Callable[..., Any], *args: Any) -> Any:
        code = None if handler is None else handler.fn if what == "a query" else handler.validator
        if code is None:
            return super()._read(what, handler, function, *args)
        before = fingerprint(code)
        try:
            return super()._read(what, handler, function, *args)
        finally:
            changed = difference(before, fingerprint(code))
            if changed:
                self._loop.is_marred = True
                raise HandlerError from ReadOnlyContextError(f"changing {changed}", what)


class StrictExecution(Execution):
    """A watched run.

    Args:
        net: watches the calls of its turns.
    """

    LOOP: ClassVar[type[WorkflowLoop]] = StrictLoop
    HANDLING: ClassVar[type[Handling]] = StrictHandling

    def __init__(
        self,
        *args: Any,
        net: Net,
        activates: Activates | None = None,
    ) -> None:
        self.net = net
        super().__init__(*args, activates=activates)
        net.know(self._definition.target.__module__)

    def note_bug(self, error: BaseException) -> None:
        """The turn has done what makes it of no use, whatever becomes of the exception."""
        if self._bug is None and not self.put_away:
            self._bug = error

    def _compare(self, produced: Sequence[Command], recorded: Sequence[Command]) -> None:
        if isinstance(self._bug, NondeterministicCallError):
            # The difference follows from the call, which says more.
            raise WorkflowBugError(self._bug)
        super()._compare(produced, recorded)
