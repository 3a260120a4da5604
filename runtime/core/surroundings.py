"""What workflow code can ask of the run that it belongs to, beside asking for something to be done."""

from __future__ import annotations

import asyncio
import contextvars
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from ..model.activity_definition import ActivityDefinition
from ..model.definitions import WorkflowDefinition
from ..model.failure_reading import to_exception
from ..model.handler_definitions import HandlerDefinition
from ..model.memos import encode_start_memo
from ..model.options import WorkflowOptions
from ..model.payload_converter import PayloadConverter
from ..model.registry import Registry
from ..model.search_attributes import SearchAttributeUpdate, TypedSearchAttributes
from .bugs import WorkflowBugError
from .channels import SignalChannel
from .commands import UpsertMemo, UpsertSearchAttributes
from .conditions import Conditions
from .context import Info
from .flags import LIVE_INFO
from .handler_table import HandlerTable
from .handling import Handling
from .loop import WorkflowLoop
from .messages import WorkflowStarted
from .notes import Notes
from .origins import RunReference
from .relatives import Relatives
from .run_info import info_of
from .updates import UpdateInfo, current_update

__all__ = ["Surroundings"]


class Surroundings(Relatives):
    """A run with its loop, its conditions and its handlers.

    Attributes:
        started: the message that began the run.
        turns: how many there were, this one included.
        history_size: bytes of the turns that are written; whoever writes and reads them counts.
        known_as: what people know the run as, where its history begins as that of another run.
    """

    __slots__ = (
        "_conditions",
        "_context",
        "_handling",
        "_info",
        "_instance",
        "_notes",
        "_signals",
        "history_size",
        "is_near_update_limit",
        "known_as",
        "started",
        "turns",
    )

    LOOP: ClassVar[type[WorkflowLoop]] = WorkflowLoop
    HANDLING: ClassVar[type[Handling]] = Handling

    def __init__(
        self,
        started: WorkflowStarted,
        converter: PayloadConverter,
        failure_types: tuple[type[BaseException], ...],
        activities: Registry[ActivityDefinition] | None,
        workflows: Registry[WorkflowDefinition] | None,
    ) -> None:
        super().__init__(started.run_id, converter, failure_types, activities, workflows)
        self.started = started
        self.turns: int = 0
        self.history_size: int = 0
        self.known_as: RunReference | None = None
        # The run's own: nothing of the thread that happens to take the turn can be seen, nothing stays behind there.
        self._context = contextvars.Context()
        self.loop = self.LOOP(self, first_order=zlib.crc32(started.run_id.encode()))
        self._conditions = Conditions(self.loop)
        self._handling = self.HANDLING(self, self.loop, converter, self._context)
        self._signals = self._handling.signals
        self._instance: object = None
        self.is_near_update_limit = False
        # Most runs note nothing.
        self._notes: Notes | None = None
        # What waits for something of it asks anew in each turn, and often.
        self._info: Info | None = None

    def info(self) -> Info:
        # A run that has noted nothing needs no notes to say so.
        is_bare = self._notes is None and not self.started.options.search_attributes
        known, attributes = self._info, TypedSearchAttributes.empty if is_bare else self.notes.attributes
        if (
            known is None
            or known.history_length != self.turns
            or known.history_size != self.history_size
            or known.typed_search_attributes is not attributes
            or known.is_near_update_limit is not self.is_near_update_limit
        ):
            known = self._info = info_of(
                self.started,
                self.loop.started_ns,
                self.turns,
                self.history_size,
                attributes,
                is_near_update_limit=self.is_near_update_limit,
            )
        return known

    def info_now(self, kept: Info) -> Info:
        return self.info() if self.started.flags & LIVE_INFO else kept

    def become(self, started: WorkflowStarted) -> None:
        """Go on as another run than the one that the history has begun as, with random numbers of its own.

        Raises:
            WorkflowBugError: what the code wants to be told of the new seed has failed.
        """
        self.started, self._info = started, None
        before = self.loop.enter()
        try:
            self._context.run(self.reseed, started.run_id)
        except Exception as error:
            raise WorkflowBugError(error) from error
        finally:
            self.loop.leave(before)

    def options(self) -> WorkflowOptions:
        return self.started.options

    def has_last_result(self) -> bool:
        return self.started.origin is not None and self.started.origin.last_result is not None

    def last_result(self, result_type: Any) -> Any:
        data = None if self.started.origin is None else self.started.origin.last_result
        return None if data is None else self._converter.decode(data, result_type)

    def last_failure(self) -> BaseException | None:
        failure = None if self.started.origin is None else self.started.origin.last_failure
        return None if failure is None else to_exception(failure, self._converter)

    def cancellation_reason(self) -> str | None:
        return self._cancel_reason

    def payload_converter(self) -> PayloadConverter:
        return self._converter

    def instance(self) -> object:
        return self._instance

    def now_ns(self) -> int:
        return self.loop.now_ns

    def is_condition_met(self, predicate: Callable[[], object]) -> bool:
        return self._conditions.is_met(predicate)

    def add_condition(self, predicate: Callable[[], object], future: asyncio.Future[None]) -> None:
        self.check_may_change("waiting for a condition")
        self._conditions.add(predicate, future)

    def set_handler(
        self,
        kind: str,
        name: str | None,
        handler: Callable[..., Any] | None,
        validator: Callable[..., Any] | None = None,
    ) -> None:
        self.check_may_change(f"setting {'an' if kind == 'update' else 'a'} {kind} handler")
        definition = None if handler is None else HandlerDefinition(name, handler, validator=validator)
        self._handling.table(kind).set_handler(name, definition)

    def get_handler(self, kind: str, name: str | None) -> Callable[..., Any] | None:
        handler = self._handling.table(kind).handler(name)
        return None if handler is None else handler.fn

    def handlers(self, kind: str) -> HandlerTable:
        """Those of one kind: "signal", "update" or "query"."""
        return self._handling.table(kind)

    @property
    def workflow_type(self) -> str:
        """The registered name."""
        return self.started.workflow_type

    def signal_channel(self) -> SignalChannel:
        return SignalChannel(self._signals)

    def all_handlers_finished(self) -> bool:
        return not self._handling.at_work

    def current_update(self) -> UpdateInfo | None:
        return current_update()

    # What the run notes of itself.

    @property
    def notes(self) -> Notes:
        """Its memo, its search attributes and its current details."""
        if self._notes is None:
            self._notes = Notes(self.started.options)
        return self._notes

    def memo(self) -> Mapping[str, bytes]:
        return self.notes.memo

    def memo_value(self, payload: bytes, hint: Any) -> Any:
        return self._converter.decode(payload, hint)

    def memo_of(self, values: Mapping[str, Any]) -> bytes:
        return encode_start_memo(values, self._converter)

    def upsert_memo(self, updates: Mapping[str, Any]) -> None:
        number = self._next("upserting the memo")
        if self._recorded is None or not self._repeats(number, UpsertMemo, ""):
            self._ask(number, UpsertMemo, "", self.notes.memo_changes(updates, self._converter))
        # What is asked for after the end is dropped.
        asked = self._turn.get(number)
        if isinstance(asked, UpsertMemo):
            self.notes.change_memo(asked.changes)

    def upsert_search_attributes(self, updates: Sequence[SearchAttributeUpdate[Any]]) -> None:
        number = self._next("upserting search attributes")
        if self._recorded is None or not self._repeats(number, UpsertSearchAttributes, ""):
            self._ask(number, UpsertSearchAttributes, "", self.notes.attribute_changes(updates))
        asked = self._turn.get(number)
        if isinstance(asked, UpsertSearchAttributes):
            self.notes.change_attributes(asked.changes)

    def current_details(self) -> str:
        return "" if self._notes is None else self._notes.details

    def set_current_details(self, details: str) -> None:
        self.check_may_change("setting the current details")
        self.notes.details = details
