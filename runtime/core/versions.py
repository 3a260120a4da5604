"""Which way a run takes where its code was changed: what it was told the first time, for as long as it lives.

A live turn takes the new way and leaves a marker. A replayed one goes by the marker of that very turn; if there is
none, the run has passed the place before the change, and takes the old way wherever it comes there again.
"""

from __future__ import annotations

import asyncio
from inspect import iscoroutine
from typing import TypeVar

from ..model.activity_definition import ActivityDefinition
from ..model.definitions import WorkflowDefinition
from ..model.errors import UnsupportedVersionError
from ..model.payload_converter import PayloadConverter
from ..model.registry import Registry
from .call_sites import call_site
from .changes import DEFAULT_VERSION, Activates, PatchActivationInput
from .commands import Command, RecordPatch, RecordVersion
from .messages import WorkflowStarted
from .surroundings import Surroundings
from .turn_book import patch_key

__all__ = ["Versions"]

M = TypeVar("M", bound=Command)

CALLBACK = "patch_activation_callback"


class Versions(Surroundings):
    """A run whose code may change while it is under way.

    Args:
        activates: asked before a patch is taken that is new to the run; None takes all.
    """

    __slots__ = ("_activates", "_answers", "_too_early")

    def __init__(
        self,
        started: WorkflowStarted,
        converter: PayloadConverter,
        failure_types: tuple[type[BaseException], ...],
        activities: Registry[ActivityDefinition] | None,
        workflows: Registry[WorkflowDefinition] | None,
        activates: Activates | None,
    ) -> None:
        super().__init__(started, converter, failure_types, activities, workflows)
        self._activates = activates
        # The key of a marker → what was answered, a marker or not.
        self._answers: dict[str, int] = {}
        # The last patch that was said to be old and that this run does not have.
        self._too_early = ""

    def patched(self, patch_id: str) -> bool:
        self.check_may_change(f"workflow.patched({patch_id!r})")
        return self._patch(patch_id, is_deprecated=False)

    def deprecate_patch(self, patch_id: str) -> None:
        self.check_may_change(f"workflow.deprecate_patch({patch_id!r})")
        self._patch(patch_id, is_deprecated=True)

    def get_version(self, change_id: str, min_supported: int, max_supported: int) -> int:
        self.check_may_change(f"workflow.get_version({change_id!r}, …)")
        key = f"version {change_id}"
        version = self._answers.get(key)
        if version is None:
            version = self._answers[key] = self._first_version(key, change_id, max_supported)
        if not min_supported <= version <= max_supported:
            started = self.started
            self.raise_bug(
                UnsupportedVersionError(
                    started.workflow_id,
                    started.run_id,
                    self.turns - 1,
                    change_id=change_id,
                    version=version,
                    min_supported=min_supported,
                    max_supported=max_supported,
                    site=call_site(1),
                )
            )
        return version

    def _patch(self, patch_id: str, *, is_deprecated: bool) -> bool:
        key = patch_key(patch_id)
        answer = self._answers.get(key)
        if answer is None:
            answer = self._answers[key] = self._first_patch(key, patch_id, is_deprecated=is_deprecated)
        return bool(answer)

    # Neither is dropped after the end of the run, as other commands are: what an update's handler gives in that turn is
    # not dropped either, and may follow from the answer.

    def _first_patch(self, key: str, patch_id: str, *, is_deprecated: bool) -> bool:
        if self._recorded is not None:
            marker = self._marker(RecordPatch, patch_id)
            if marker is not None and not marker.is_deprecated:
                self._turn[key] = marker
            if marker is None and is_deprecated:
                self._too_early = patch_id
            return marker is not None
        if not is_deprecated and self._activates is not None and not self._is_activated(self._activates, patch_id):
            return False
        self._turn[key] = RecordPatch(0, patch_id, call_site(1), is_deprecated)
        return True

    def _first_version(self, key: str, change_id: str, max_supported: int) -> int:
        if self._recorded is None:
            self._turn[key] = RecordVersion(0, change_id, call_site(1), max_supported)
            return max_supported
        marker = self._marker(RecordVersion, change_id)
        if marker is None:
            return DEFAULT_VERSION
        self._turn[key] = marker
        return marker.version

    def _marker(self, kind: type[M], name: str) -> M | None:
        """What the history has in this turn under that name."""
        self._pass_deprecated()
        found = (each for each in self._recorded or () if isinstance(each, kind) and each.name == name)
        return next(found, None)

    def _is_activated(self, activates: Activates, patch_id: str) -> bool:
        asked = PatchActivationInput(patch_id, self.info())
        try:
            answer: object = self._only_reading(CALLBACK, lambda: activates(asked))
        except (Exception, asyncio.CancelledError) as error:
            self.raise_bug(error)
        self._check_is_unmarred(CALLBACK)
        if iscoroutine(answer):
            answer.close()
        if answer.__class__ is not bool:
            self.raise_bug(
                TypeError(
                    f"{CALLBACK} gave {answer!r} for the patch {patch_id!r} of workflow {self.started.workflow_id!r}; "
                    "give a function that returns True or False"
                )
            )
        return answer is True
