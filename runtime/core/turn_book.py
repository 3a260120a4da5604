"""What one turn asks for, numbered and in order; a replay is given what its history has.

One counter numbers all commands of a run. What is taken back in the turn that asked for it never reaches the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, Protocol, TypeVar

from ..model.errors import ReadOnlyContextError
from ..model.payload_converter import PayloadConverter
from .call_sites import call_site
from .commands import Command, CompleteUpdate, RecordPatch, StartTimer
from .loop import WorkflowLoop
from .tasks import RunPutAway

__all__ = ["TurnBook", "patch_key"]

T = TypeVar("T")

# The frames between who asks and the command: `_ask` and the method of the commander that calls it.
_COLLECTING = 2


class Renamed(Protocol):
    """What may be recorded under names that it had before."""

    @property
    def name(self) -> str: ...

    @property
    def aliases(self) -> tuple[str, ...]: ...


class TurnBook:
    """The commands of a run, a turn at a time.

    Attributes:
        closing: the command that closed the run, once there is one.
        put_away: whether the run is being put away, and may not ask for anything.
    """

    # Here and in what builds on it, up to executions: of more than 30 attributes Python keeps a dict for each object.
    __slots__ = (
        "_bug",
        "_converter",
        "_last_id",
        "_misfit",
        "_recorded",
        "_turn",
        "closing",
        "loop",
        "put_away",
    )

    def __init__(self, converter: PayloadConverter) -> None:
        self.loop: WorkflowLoop
        self.closing: Command | None = None
        self.put_away = False
        self._converter = converter
        self._bug: BaseException | None = None
        self._last_id = 0
        # What this turn has asked for, and what the history says it asked for if it is replayed.
        # By number; what has none, by what it is and its name.
        self._turn: dict[int | str, Command] = {}
        self._recorded: Sequence[Command] | None = None
        # What does not fit the code's annotations: in which replayed turn, why, and the words for it.
        self._misfit: tuple[Sequence[Command], object, Callable[[], str]] | None = None

    def asked(self) -> list[Command]:
        """What the turn has asked for, in order; what closes the run comes last."""
        commands = list(self._turn.values())
        if self.closing is not None:
            commands.append(self.closing)
        return commands

    def is_replaying(self) -> bool:
        """Whether this turn is in the history already."""
        return self._recorded is not None

    def is_read_only(self) -> bool:
        """Whether what runs now may only read."""
        return bool(self.loop.read_only)

    def check_may_change(self, action: str) -> None:
        """Refuse ``action`` while only reading is allowed, or while the run is being put away."""
        if self.loop.read_only:
            raise ReadOnlyContextError(action, self.loop.read_only)
        if self.put_away:
            raise RunPutAway(action)

    def raise_bug(self, bug: BaseException) -> NoReturn:
        """Raise ``bug``, which stops the run even if the code catches it: the history may not have it another time."""
        if self._bug is None and not self.loop.read_only:
            self._bug = bug
        raise bug

    def _only_reading(self, where: str, function: Callable[[], T]) -> T:
        """What ``function`` gives, which may read the run and do nothing to it."""
        loop, order = self.loop, self.loop.order
        loop.read_only, loop.is_marred = where, False
        try:
            return function()
        finally:
            loop.read_only = ""
            loop.order = order

    def _check_is_unmarred(self, where: str) -> None:
        if self.loop.is_marred:
            bug = ReadOnlyContextError("waking a task, or cancelling or starting something,", where)
            # Also if the code catches it: the run is no longer what a replay would make of it.
            self._bug = self._bug or bug
            raise bug

    def _note_misfit(self, reason: object, words: Callable[[], str]) -> None:
        """A replay has met what it cannot read as the code wants it."""
        if self._recorded is not None:
            self._misfit = self._recorded, reason, words

    # How it is written down.

    def _next(self, action: str) -> int:
        if self.loop.read_only or self.put_away:
            self.check_may_change(action)
        self._last_id += 1
        return self._last_id

    def _ask(self, number: int, command: type[Command], name: str, *fields: Any, key: int | None = None) -> None:
        if self.closing is not None:
            return
        if self._recorded is None or not self._repeats(number, command, name, key=key):
            self._turn[number if key is None else key] = command(number, name, call_site(_COLLECTING), *fields)

    def _repeats(self, number: int, command: type[Command], name: str, *, key: int | None = None) -> bool:
        """Whether a replay asks for what the history has in this place; the recorded command then stands for it."""
        recorded = self._recorded
        # What an update's handler gives in the turn in which the run ends comes after that.
        if recorded is None or (self.closing is not None and command is not CompleteUpdate):
            return False
        place = len(self._turn)
        if place >= len(recorded):
            return False
        expected = recorded[place]
        if expected.id != number or expected.__class__ is not command:
            self._pass_deprecated()
            place = len(self._turn)
            if place >= len(recorded):
                return False
            expected = recorded[place]
            if expected.id != number or expected.__class__ is not command:
                return False
        if expected.name != name and command is not StartTimer:
            return False
        self._turn[number if key is None else key] = expected
        return True

    def _repeats_renamed(self, number: int, command: type[Command], name: str, definition: Renamed) -> bool:
        """As ``_repeats``, for what the history has under another name that it had or has got."""
        if not definition.aliases:
            return False
        names = definition.name, *definition.aliases
        if any(self._repeats(number, command, each) for each in names if each != name):
            return True
        # In its place may stand something that is yet to be taken back.
        for recorded in self._recorded or ():
            if recorded.id == number and isinstance(recorded, command) and recorded.name in names:
                self._turn[number] = recorded
                return True
        return False

    def _pass_deprecated(self) -> None:
        """Take over the deprecated patches that the history has in this place, whether or not the code asks for them:
        it need not any more."""
        recorded = self._recorded or ()
        for place in range(len(self._turn), len(recorded)):
            marker = recorded[place]
            if not (isinstance(marker, RecordPatch) and marker.is_deprecated):
                return
            self._turn[patch_key(marker.name)] = marker


def patch_key(patch_id: str) -> str:
    """Under which key the marker of a patch stands in its turn."""
    return f"patch {patch_id}"
