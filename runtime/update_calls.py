"""How an update is asked for: the message, and who waits for it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from ..actors import Future
from ..storage import RunHeader
from .core.messages import UpdateReceived
from .model.ids import check_id
from .model.message_calls import checked_call
from .model.options import WorkflowUpdateStage
from .model.payload_converter import PayloadConverter
from .shell.desk import Desk
from .shell.outcomes import Outcome
from .shell.targets import Target
from .shell.updating import UpdateWaiter
from .update_handle import WorkflowUpdateHandle

__all__ = ["update_message", "update_request"]


def update_message(
    converter: PayloadConverter,
    update: str | Callable[..., Any],
    args: tuple[object, ...],
    update_id: str | None,
    result_type: Any,
) -> tuple[UpdateReceived, Any]:
    """The message that asks for an update, and the type of its result.

    Raises:
        TypeError, ValueError, PayloadError: as ``checked_call`` does.
    """
    name, data, signature = checked_call(converter, "update", update, args)
    checked_id = uuid.uuid4().hex if update_id is None else check_id(update_id, "update id")
    if result_type is None:
        result_type = Any if signature is None else signature.result_type
    return UpdateReceived(name, data, checked_id), result_type


def update_request(
    desk: Desk,
    converter: PayloadConverter,
    update: str | Callable[..., Any],
    args: tuple[object, ...],
    update_id: str | None,
    stage: WorkflowUpdateStage,
    result_type: Any,
) -> tuple[UpdateReceived, UpdateWaiter]:
    """The message that asks for an update, and one who waits for its handle.

    Raises:
        TypeError, ValueError, PayloadError: as ``checked_call`` does, or the stage is none.
    """
    if stage.__class__ is not WorkflowUpdateStage:
        raise TypeError(f"wait_for_stage is {stage!r}; give a member of WorkflowUpdateStage")
    message, hint = update_message(converter, update, args, update_id, result_type)

    def handle(header: RunHeader, outcome: Outcome | None) -> WorkflowUpdateHandle[Any]:
        target = Target(header.workflow_id, header.run_id)
        return WorkflowUpdateHandle(
            desk, converter, target, message.update_id, name=message.name, result_type=hint, outcome=outcome
        )

    return message, UpdateWaiter(Future(), stage, message.name, handle)
