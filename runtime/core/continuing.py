"""A run that ends so that another one goes on in its place, with new arguments and a history of its own."""

from __future__ import annotations

from typing import NoReturn

from ..model.definitions import WorkflowDefinition
from ..model.failure_groups import leaves
from ..model.options import WorkflowOptions
from ..model.registry import Registry
from .call_sites import call_site
from .commands import ContinueAsNew
from .endings import Endings
from .updates import current_update

__all__ = ["ContinueAsNewError", "Continuing", "continuation_in"]


class ContinueAsNewError(BaseException):
    """Ends the run that raises it; only ``workflow.continue_as_new`` makes it.

    Derives from BaseException so that ``except Exception`` lets it pass.
    """

    def __init__(self, command: ContinueAsNew) -> None:
        super().__init__(f"the run goes on as a new one of workflow {command.name!r}")
        self.command = command


def continuation_in(error: BaseException) -> ContinueAsNewError | None:
    """What ends a run so; in a group that a task group has made of it, too."""
    return next((leaf for leaf in leaves(error) if isinstance(leaf, ContinueAsNewError)), None)


class Continuing(Endings):
    """The end of a run that is no end of its workflow."""

    # Those that can be started, by all their names; None if that is not known.
    _workflows: Registry[WorkflowDefinition] | None

    __slots__ = ("_workflows",)

    def continue_as_new(
        self,
        name: str,
        args: tuple[object, ...],
        options: WorkflowOptions,
        declared: WorkflowDefinition | None = None,
    ) -> NoReturn:
        """End the run, and have another one begin.

        Args:
            name: its workflow type.
            declared: it, if it is given by reference.
            options: those of the new run; ``memo`` and ``search_attributes`` are None to take those of this run.
        """
        self.check_may_change("continuing as new")
        if current_update() is not None:
            self.raise_bug(
                RuntimeError(
                    "an update handler cannot continue as new: whoever asked for the update would never hear of it; "
                    "set a flag there, and have the main function wait for it and for all_handlers_finished()"
                )
            )
        data = self._converter.encode_args(args)
        recorded = self._recorded[-1] if self._recorded else None
        known = declared or self._workflow_named(name)
        if declared is None and known is not None:
            name = known.name
        # What the history has stands, whatever the code or this release says of the arguments now.
        if not isinstance(recorded, ContinueAsNew):
            if declared is not None:
                declared.check(data, self._converter)
        elif known is not None and recorded.name in known.aliases:
            name = recorded.name
        raise ContinueAsNewError(ContinueAsNew(0, name, call_site(1), data, options))

    def _workflow_named(self, name: str) -> WorkflowDefinition | None:
        """The workflow that has a name, or had it; None if nothing is known of it, or it runs every type."""
        found = None if self._workflows is None else self._workflows.find(name)
        return None if found is None or found.is_dynamic else found

    def raised(self, error: BaseException) -> None:
        if self.put_away:
            # It ends of something else.
            return
        continuation = continuation_in(error)
        if continuation is None:
            super().raised(error)
        elif self.closing is None:
            self.closing = continuation.command
