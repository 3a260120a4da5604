"""Workflows that are told every kind of message, ask for every kind of command, and store every kind of value."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntFlag
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Generic, NamedTuple, NotRequired, TypedDict, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from greenroom import (
    ActivityCancellationType,
    Converter,
    RetryPolicy,
    TypeCodec,
    WorkflowUpdateStage,
    activity,
    workflow,
)
from greenroom.runtime.model.errors import ActivityError, ApplicationError, WorkflowSuspendedError
from greenroom.testing import TestRuntime

T = TypeVar("T")


class Suit(Enum):
    HEARTS = "h"
    SPADES = "s"


class Shape(Enum):
    """Stored by name: its value cannot be."""

    MARKER = object()

    def __repr__(self) -> str:
        return f"Shape.{self.name}"


class Mode(IntFlag):
    READ = 1
    WRITE = 2


class Point(NamedTuple):
    x: int
    y: float = 0.5


class Money:
    """A class that only a codec knows how to store."""

    def __init__(self, cents: int) -> None:
        self.cents = cents

    def __repr__(self) -> str:
        return f"Money({self.cents})"


def _money(cents: int) -> Money:
    return Money(cents)


MONEY = TypeCodec(Money, "golden-money", lambda money: money.cents, _money)


@dataclass(frozen=True)
class Card:
    number: str
    until: date


@dataclass(frozen=True)
class Invoice:
    number: str
    until: date


class Event(msgspec.Struct, frozen=True):
    at: date
    who: str | UUID


class Settings(TypedDict):
    suit: Suit
    until: NotRequired[date]


@dataclass
class Box(Generic[T]):
    content: T


@dataclass
class Everything:
    """A field for each type that comes back exactly."""

    nothing: None
    truth: bool
    number: float
    text: str
    surrogate: str
    data: bytes
    changeable: bytearray
    small: int
    large: int
    negative: int
    complex_: complex
    decimal: Decimal
    uuid: UUID
    utc: datetime
    naive: datetime
    folded: datetime
    zoned: datetime
    offset: datetime
    named: datetime
    day: date
    clock: time
    zoned_clock: time
    span: timedelta
    path: Path
    posix: PurePosixPath
    windows: PureWindowsPath
    pair: tuple[int, str]
    pairs: tuple[tuple[int, Suit], ...]
    distinct: set[tuple[int, Suit]]
    frozen: frozenset[UUID]
    suit: Suit
    shape: Shape
    mode: Mode
    point: Point
    money: Money
    card: Card
    event: Event
    settings: Settings
    boxed: list[Box[dict[Suit, list[Card | None]]]]
    paid_by: Card | Invoice
    either: list[str | UUID]
    when: list[date | datetime]


DAY = date(2030, 1, 31)
EVERYTHING = Everything(
    nothing=None,
    truth=True,
    number=-0.0,
    text="grün",
    surrogate="\ud800",
    data=b"\0\xff",
    changeable=bytearray(b"ab"),
    small=-7,
    large=2**64,
    negative=-(2**200),
    complex_=complex(1.5, -0.0),
    decimal=Decimal("1.50"),
    uuid=UUID(int=5),
    utc=datetime(2030, 1, 31, 12, 30, 5, 7, tzinfo=UTC),
    naive=datetime(2030, 1, 31, 12, 30),
    folded=datetime(2030, 10, 27, 1, 30, fold=1),
    zoned=datetime(2030, 10, 27, 1, 30, fold=1, tzinfo=ZoneInfo("Europe/Lisbon")),
    offset=datetime(2030, 1, 31, tzinfo=timezone(timedelta(hours=-3, seconds=7))),
    named=datetime(2030, 1, 31, tzinfo=timezone(timedelta(hours=2), "CAT")),
    day=DAY,
    clock=time(23, 59, 59, 999999),
    zoned_clock=time(1, 2, tzinfo=UTC),
    span=timedelta(days=-1, seconds=2, microseconds=3),
    path=Path("a/b"),
    posix=PurePosixPath("/e"),
    windows=PureWindowsPath("c:/d"),
    pair=(1, "one"),
    pairs=((1, Suit.HEARTS), (2, Suit.SPADES)),
    distinct={(1, Suit.HEARTS)},
    frozen=frozenset({UUID(int=6)}),
    suit=Suit.SPADES,
    shape=Shape.MARKER,
    mode=Mode.READ | Mode.WRITE,
    point=Point(1, 2.5),
    money=Money(199),
    card=Card("1", DAY),
    event=Event(DAY, UUID(int=8)),
    settings={"suit": Suit.HEARTS},
    boxed=[Box({Suit.HEARTS: [Card("2", DAY), None]})],
    paid_by=Invoice("3", DAY),
    either=["text", UUID(int=7)],
    when=[DAY, datetime(2030, 1, 31)],
)
UNANNOTATED: dict[str, Any] = {
    **vars(EVERYTHING),
    "pairs": ((1, "h"), (2, "s")),
    "distinct": {(1, "h")},
    "suit": "s",
    "shape": "MARKER",
    "mode": 3,
    "point": (1, 2.5),
    "card": {"number": "1", "until": DAY},
    "event": {"at": DAY, "who": UUID(int=8)},
    "settings": {"suit": "h"},
    "boxed": [{"content": {"h": [{"number": "2", "until": DAY}, None]}}],
    "paid_by": {"number": "3", "until": DAY},
}


@activity.defn(name="golden.echo")
def echo(everything: Everything, unannotated: Any) -> Everything:
    _see(unannotated, UNANNOTATED)
    return everything


@activity.defn(name="golden.tell")
def tell(everything: Everything) -> Any:
    return everything


@workflow.defn(name="golden.payloads")
async def payloads(everything: Everything, unannotated: Any) -> Everything:
    """Stops, live or replayed, if anything is not what it was; that is told by repr, which shows types and signs."""
    _see(everything, EVERYTHING)
    _see(unannotated, UNANNOTATED)
    _see(await workflow.execute_activity(echo, everything, everything), EVERYTHING)
    _see(await workflow.execute_activity(tell, everything), UNANNOTATED)
    _see(workflow.side_effect(lambda: EVERYTHING, result_type=Everything), EVERYTHING)
    _see(workflow.side_effect(lambda: EVERYTHING), UNANNOTATED)
    return everything


def _see(found: object, expected: object) -> None:
    if repr(found) != repr(expected):
        raise AssertionError(f"{found!r} is not {expected!r}")


@activity.defn(name="golden.patient")
async def patient() -> str:
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        return "tidied up"
    return "slept"


@activity.defn(name="golden.silent")
async def silent() -> None:
    activity.heartbeat(DAY, "half way")
    await asyncio.sleep(3600)


@workflow.defn(name="golden.host")
class Host:
    """Updates that are answered and that fail, signals that cannot be taken, and a buggy one that is skipped."""

    def __init__(self) -> None:
        self.guests: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        try:
            await workflow.get_external_workflow_handle("golden-nobody").signal("hello")
        except ApplicationError as error:
            self.guests.append(type(error).__name__)
        try:
            workflow.side_effect(_fails)
        except ApplicationError as error:
            self.guests.append(f"{error.type}")
        await workflow.wait_condition(lambda: "last" in self.guests)
        return self.guests

    @workflow.signal
    async def greet(self, name: str, card: Card) -> None:
        if name == "poison":
            raise LookupError("a bug")
        self.guests.append(f"{name} {card.number}")

    @workflow.update
    async def seat(self, name: str) -> Card:
        await workflow.sleep(1)
        self.guests.append(name)
        return Card(name, DAY)

    @workflow.update
    def refuse(self, name: str) -> None:
        raise ApplicationError(f"not {name}", Card(name, DAY), type="Refused")


def _fails() -> int:
    raise ValueError("it cannot be read")


@workflow.defn(name="golden.cancelled")
async def cancelled() -> None:
    policy = RetryPolicy(maximum_attempts=1)
    try:
        await workflow.execute_activity(silent, heartbeat_timeout=10, retry_policy=policy)
    except ActivityError:
        await workflow.sleep(1)
    tried = workflow.start_activity(patient, cancellation_type=ActivityCancellationType.TRY_CANCEL)
    waited = workflow.start_activity(patient, cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED)
    try:
        await workflow.sleep(86400)
    except asyncio.CancelledError:
        tried.cancel()
        waited.cancel()
        if await waited != "tidied up":
            raise AssertionError("it has heard of nothing") from None
        raise


@workflow.defn(name="golden.sleeper")
async def sleeper() -> None:
    await workflow.sleep(86400)


def converter() -> Converter:
    """What these runs were recorded with."""
    return Converter(types=[MONEY])


def record(runtime: TestRuntime) -> None:
    """Have the runs take place: the host is left open, with updates that are answered."""
    runtime.wait(runtime.wait(runtime.start_workflow(payloads, EVERYTHING, EVERYTHING, id="payloads")).result())

    to_cancel = runtime.wait(runtime.start_workflow(cancelled, id="cancelled"))
    runtime.advance(60)
    runtime.wait(to_cancel.cancel("no longer wanted"))
    runtime.run_until_idle()
    runtime.start_workflow(sleeper, id="run timed out", run_timeout=10)
    runtime.start_workflow(sleeper, id="execution timed out", execution_timeout=10)
    runtime.advance(20)
    to_terminate = runtime.wait(runtime.start_workflow(sleeper, id="terminated"))
    runtime.wait(to_terminate.terminate(reason="enough"))

    host = runtime.wait(runtime.start_workflow(Host.run, id="host"))
    runtime.wait(host.signal("greet", "not a card", 7))
    runtime.wait(host.signal("greet", "poison", Card("1", DAY)))
    runtime.run_until_idle()
    try:
        runtime.wait(host.result())
    except WorkflowSuspendedError:
        runtime.wait(host.resume(skip=True))
    runtime.wait(host.execute_update(Host.seat, "first", id="seat"))
    runtime.wait(host.start_update(Host.refuse, "second", id="refuse", wait_for_stage=WorkflowUpdateStage.COMPLETED))
    runtime.wait(host.signal(Host.greet, "third", Card("3", DAY)))
    runtime.run_until_idle()
