"""A logger that tells each thing once: it is silent while a turn is replayed from the history."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import MutableMapping
from typing import Any

from .core.context import Info, current_or_none

__all__ = ["WorkflowLogger", "logger"]


class WorkflowLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger for workflow code: silent in a replay, and its records say which run wrote them.

    Queries and validators are no part of a replay: they are heard. Outside a workflow it is an ordinary logger.

    Attributes:
        workflow_info_on_message: whether messages end with the workflow's id, the run's id and its type.
        workflow_info_on_extra: whether records have them as ``workflow_id``, ``run_id`` and ``workflow_type``.
        log_during_replay: whether replays are heard too.
    """

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__(logger, None)
        self.workflow_info_on_message = True
        self.workflow_info_on_extra = True
        self.log_during_replay = False

    def isEnabledFor(self, level: int) -> bool:
        """Whether a record of that level would be heard now."""
        return (self.log_during_replay or not _is_repeated()) and super().isEnabledFor(level)

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """As ``logging.Logger.log``."""
        if not self.isEnabledFor(level):
            return
        told, kwargs = self.process(msg, kwargs)
        if self.workflow_info_on_message and (info := _info()) is not None:
            run = f" (workflow {info.workflow_id!r}, run {info.run_id}, type {info.workflow_type})"
            told = f"{told}{run.replace('%', '%%') if args else run}"
        # This method is not who logs.
        kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1
        self.logger.log(level, told, *args, **kwargs)

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Give a record what it is to say of the run."""
        info = _info() if self.workflow_info_on_extra else None
        if info is not None:
            facts = {"workflow_id": info.workflow_id, "run_id": info.run_id, "workflow_type": info.workflow_type}
            kwargs["extra"] = {**facts, **(kwargs.get("extra") or {})}
        return msg, dict(kwargs)


def _info() -> Info | None:
    context = current_or_none()
    return None if context is None else context.info()


def _is_repeated() -> bool:
    """Whether the code that runs now does what it has done before, or is being put away."""
    context = current_or_none()
    return context is not None and (context.is_replaying() or asyncio.get_running_loop().is_closed())


logger = WorkflowLogger(logging.getLogger("greenroom.workflow"))
"""What workflow code logs with."""
