"""What people name when they change the code of runs: the version before the first change, what is asked of a patch."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from .context import Info

__all__ = ["DEFAULT_VERSION", "Activates", "PatchActivationInput"]

DEFAULT_VERSION: int = -1
"""The version of what a run has passed before anybody asked for one."""


class PatchActivationInput(msgspec.Struct, frozen=True):
    """What is asked before a run takes a patch that is new to it.

    Attributes:
        patch_id: the patch, as ``workflow.patched`` names it.
        workflow_info: the run: its ids, its type, when it began.
    """

    patch_id: str
    workflow_info: Info


Activates = Callable[[PatchActivationInput], bool]
