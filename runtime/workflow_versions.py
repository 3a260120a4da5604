"""How workflow code is changed while runs are under way: the old runs keep the old way, the new ones take the new."""

from __future__ import annotations

from .core.changes import DEFAULT_VERSION
from .core.context import current
from .model.ids import check_id

__all__ = ["DEFAULT_VERSION", "deprecate_patch", "get_version", "patched"]


_LAST_VERSION = 2**63 - 1


def patched(patch_id: str, /) -> bool:
    """Whether the run takes the new code: ``if workflow.patched("…")``, with the old code in the other branch.

    True for a run that comes here for the first time now, and for one that has taken the new code here before. False
    for one that has passed here before the change, from then on in the whole run. The answer stays as it is for as
    long as the run lives.

    Args:
        patch_id: names the change; another change needs another id.

    Raises:
        TypeError: the id is no string.
        ValueError: the id cannot be one.
        NotInWorkflowError: the caller is not workflow code.
        ReadOnlyContextError: it is, but in a place that may only read, such as a query or a wait condition.
    """
    return current().patched(check_id(patch_id, "patch id"))


def deprecate_patch(patch_id: str, /) -> None:
    """Say in place of ``patched`` that there is no old code any more: every run that is open took the new code.

    It may be taken out when the runs that ``patched`` has told True have ended too.

    Args:
        patch_id: the patch.

    Raises:
        TypeError: the id is no string.
        ValueError: the id cannot be one.
        NotInWorkflowError: the caller is not workflow code.
        ReadOnlyContextError: it is, but in a place that may only read, such as a query or a wait condition.
    """
    current().deprecate_patch(check_id(patch_id, "patch id"))


def get_version(change_id: str, min_supported: int, max_supported: int) -> int:
    """Which version of a change the run has, for code that is changed again and again in one place.

    ``max_supported`` for a run that comes here for the first time now, and from then on in that run, whatever the code
    says later; ``DEFAULT_VERSION`` for one that has passed here before the change.

    Args:
        change_id: names the change.
        min_supported: the oldest version that the code still has; ``DEFAULT_VERSION`` for that before the first change.
        max_supported: the newest, which new runs get.

    Raises:
        UnsupportedVersionError: the run has another version; it is suspended until the code has that one again.
        TypeError: the id is no string, or a version is no int.
        ValueError: the id cannot be one, or the versions are no range.
        NotInWorkflowError: the caller is not workflow code.
        ReadOnlyContextError: it is, but in a place that may only read, such as a query or a wait condition.
    """
    check_id(change_id, "change id")
    for name, version in (("min_supported", min_supported), ("max_supported", max_supported)):
        if not isinstance(version, int) or isinstance(version, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"{name} of the change {change_id!r} is {version!r}; give an int")
    if not DEFAULT_VERSION <= min_supported <= max_supported <= _LAST_VERSION:
        raise ValueError(
            f"the change {change_id!r} has the versions {min_supported} to {max_supported}; the first must be at least "
            f"{DEFAULT_VERSION} (workflow.DEFAULT_VERSION), and not above the last, which is {_LAST_VERSION} at most"
        )
    return current().get_version(change_id, min_supported, max_supported)
