"""Values on their way through a runtime: live and replayed they are the same, and whatever a converter does is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from pydantic import BaseModel, field_validator

from greenroom import (
    ActivityError,
    ApplicationError,
    Converter,
    PayloadConverter,
    PayloadDecodeError,
    PayloadEncodeError,
    PayloadTooLargeError,
    RawValue,
    RetryPolicy,
    RetryState,
    TypeCodec,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    activity,
    workflow,
)
from greenroom.testing import TestRuntime, replay_every_prefix
from tests.model.payload_strategies import plain, same, typed_values
from tests.runtime.rig import WAIT, error_of

PLACES = ("argument", "activity", "side effect", "signal", "end")


class Seen:
    """A workflow that takes a value everywhere, and what each of its lives saw.

    Args:
        hint: the annotation everywhere; None for none at all.
    """

    def __init__(self, hint: Any, *, annotated: bool) -> None:
        self.values: dict[str, list[Any]] = {place: [] for place in PLACES}
        read: Any = hint if annotated else Any

        def act(value: Any) -> Any:
            self.values["activity"].append(value)
            return value

        async def run(value: Any) -> Any:
            self.values["argument"].append(value)
            workflow.set_query_handler("value", answer)
            self.values["activity"].append(await workflow.execute_activity(act, value))
            self.values["side effect"].append(workflow.side_effect(lambda: value, result_type=read))
            self.values["signal"].append(await workflow.signal_channel().receive("value", result_type=read))
            self.values["end"].append(value)
            return value

        def answer(value: Any) -> Any:
            return value

        for function, types in ((act, ("value", "return")), (run, ("value", "return")), (answer, ("value", "return"))):
            function.__annotations__ = dict.fromkeys(types, hint) if annotated else {}
        self.hint = read
        self.activity = activity.defn(name="seen.act")(act)
        self.workflow: Any = workflow.defn(name="seen.run")(run)

    def live(self, value: Any) -> list[Any]:
        """Run it; gives what its callers got."""
        with TestRuntime(workflows=[self.workflow], activities=[self.activity], max_residents=1) as runtime:
            handle = runtime.start_workflow(self.workflow, value).get(timeout=WAIT)
            asked = handle.query("value", value, result_type=self.hint).get(timeout=WAIT)
            handle.signal("value", value).get(timeout=WAIT)
            result = handle.result().get(timeout=WAIT)
            replay_every_prefix(runtime)
            return [asked, result]


@pytest.mark.slow
@pytest.mark.parametrize("annotated", [True, False], ids=["annotated", "not annotated"])
def test_a_value_is_the_same_live_and_replayed_wherever_it_comes_in(annotated: bool) -> None:
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(typed_values())
    def check(typed: tuple[Any, Any]) -> None:
        hint, value = typed
        expected = value if annotated else plain(value)
        seen = Seen(hint, annotated=annotated)

        told = seen.live(value)

        assert all(same(each, expected) for each in told)
        for place, values in seen.values.items():
            assert len(values) > 2, f"nothing was replayed at {place}"
            assert all(same(each, expected) for each in values)

    check()


# --- raw values ---


@dataclass
class Order:
    number: int
    price: Decimal


@activity.defn(name="payloads.forward")
def forward(raw: RawValue, *more: RawValue) -> RawValue:
    return more[-1] if more else raw


@activity.defn(name="payloads.count_orders")
def count_orders(*orders: Order) -> int:
    return sum(order.number for order in orders)


@workflow.defn(name="payloads.Relay")
class Relay:
    def __init__(self) -> None:
        self.heard: list[bytes] = []

    @workflow.run
    async def run(self, raw: RawValue) -> RawValue:
        await workflow.wait_condition(lambda: bool(self.heard))
        assert await workflow.execute_activity(count_orders, Order(1, Decimal(1)), Order(2, Decimal(2))) == 3
        return await workflow.execute_activity(forward, raw, RawValue(b"\x01\x01"), raw)

    @workflow.signal(dynamic=True)
    def anything(self, name: str, *args: RawValue) -> None:
        self.heard += [name.encode(), *(raw.payload for raw in args)]

    @workflow.query(dynamic=True)
    def whatever(self, name: str, *args: RawValue) -> RawValue:
        return args[0]


def test_raw_values_pass_through_dynamic_handlers_activities_and_results_unread() -> None:
    order = Order(7, Decimal("1.50"))
    payload = Converter().encode(order)
    with TestRuntime(workflows=[Relay], activities=[forward, count_orders]) as runtime:
        handle = runtime.start_workflow(Relay.run, RawValue(payload)).get(timeout=WAIT)
        asked: Any = handle.query("what?", order, result_type=Order).get(timeout=WAIT)
        handle.signal("some", order, 1).get(timeout=WAIT)
        raw = handle.result().get(timeout=WAIT)

        assert (asked, raw) == (order, RawValue(payload))
        assert Converter().decode(raw.payload, Order) == order
        assert replay_every_prefix(runtime) > 0


@workflow.defn(name="payloads.miscounting")
async def miscounting() -> str:
    wrong: Any = "three"
    try:
        await workflow.execute_activity(count_orders, Order(1, Decimal(1)), wrong)
    except PayloadDecodeError as error:
        return error.path
    return "counted"


def test_arguments_behind_a_star_are_held_against_its_annotation() -> None:
    with TestRuntime(workflows=[miscounting], activities=[count_orders]) as runtime:
        assert runtime.execute_workflow(miscounting).get(timeout=WAIT) == "args[1]"


# --- converters of the user's ---


class JsonConverter:
    """All that a converter needs."""

    def encode(self, value: object) -> bytes:
        return b"\x80" + json.dumps(value).encode()

    def decode(self, data: bytes, hint: Any = Any) -> Any:
        if data[:1] != b"\x80":
            raise PayloadDecodeError("", "not of this converter")
        return json.loads(data[1:])

    def check(self, value: object, data: bytes, hint: Any) -> None:
        if hint is int and not isinstance(value, int):
            raise TypeError("no int")

    def encode_args(self, args: tuple[object, ...]) -> bytes:
        return self.encode(args)

    def decode_args(self, data: bytes, hints: tuple[Any, ...] | None) -> list[Any]:
        values: list[Any] = self.decode(data)
        return values


def why(error: ActivityError) -> str:
    cause = error.cause
    return f"{cause.type}: {cause.message}" if isinstance(cause, ApplicationError) else repr(cause)


@activity.defn(name="payloads.echo", retry_policy=RetryPolicy(maximum_attempts=1))
def echo(value: Any) -> Any:
    return {1} if value == "set" else value


@workflow.defn(name="payloads.echoing")
async def echoing(value: Any) -> Any:
    try:
        return await workflow.execute_activity(echo, value)
    except ActivityError as error:
        return why(error)


OPTIONS: dict[str, Any] = {"workflows": [echoing], "activities": [echo]}


def run_with(converter: PayloadConverter, value: Any) -> Any:
    with TestRuntime(converter=converter, **OPTIONS) as runtime:
        result = runtime.execute_workflow(echoing, value).get(timeout=WAIT)
        replay_every_prefix(runtime)
        return result


def test_a_converter_may_be_any_object_with_the_five_methods() -> None:
    assert run_with(JsonConverter(), {"a": [1]}) == {"a": [1]}
    assert run_with(JsonConverter(), (1, 2)) == [1, 2]


def test_what_is_no_converter_is_refused_with_what_it_lacks() -> None:
    wrong: Any = json
    with pytest.raises(TypeError, match="it has no encode, decode, check, encode_args, decode_args"):
        TestRuntime(converter=wrong)


def test_an_argument_that_a_converter_of_the_users_refuses_is_the_callers_error() -> None:
    with TestRuntime(converter=JsonConverter(), **OPTIONS) as runtime, pytest.raises(TypeError, match="set"):
        runtime.start_workflow(echoing, {1})


def test_an_activity_whose_result_a_converter_of_the_users_refuses_has_failed() -> None:
    assert run_with(JsonConverter(), "set") == "TypeError: Object of type set is not JSON serializable"


class Failing(Converter):
    """Raises what it is told to in one of its methods, from the moment that it is armed."""

    def __init__(self, method: str, error: BaseException) -> None:
        super().__init__()
        self.error: BaseException | None = None
        inner: Callable[..., Any] = getattr(self, method)

        def armed(*args: Any) -> Any:
            if self.error is not None:
                raise self.error
            return inner(*args)

        self._ready = error
        setattr(self, method, armed)

    def arm(self) -> None:
        self.error = self._ready

    def disarm(self) -> None:
        self.error = None


@workflow.defn(name="payloads.Listener")
class Listener:
    def __init__(self) -> None:
        self.heard: list[int] = []

    @workflow.run
    async def run(self) -> list[int]:
        await workflow.wait_condition(lambda: len(self.heard) == 1)
        return self.heard

    @workflow.signal
    def hear(self, number: int) -> None:
        self.heard.append(number)

    @workflow.query
    def told(self, number: int) -> int:
        return number


@pytest.mark.parametrize("error", [RuntimeError("no"), ApplicationError("no"), ValueError("no")], ids=repr)
def test_a_signal_that_a_converter_cannot_decode_is_a_dead_letter_whatever_it_raises(error: Exception) -> None:
    converter = Failing("decode_args", error)
    with TestRuntime(workflows=[Listener], activities=[], converter=converter) as runtime:
        handle = runtime.start_workflow(Listener.run).get(timeout=WAIT)
        converter.arm()
        handle.signal("hear", 1).get(timeout=WAIT)
        asked = error_of(handle.query("told", 1))
        converter.disarm()
        handle.signal("hear", 2).get(timeout=WAIT)

        assert handle.result().get(timeout=WAIT) == [2]
        assert isinstance(asked, WorkflowQueryFailedError)
        assert "no" in str(asked)
        assert "SignalDeadLettered" in handle.fetch_history().get(timeout=WAIT).kinds()


@pytest.mark.parametrize("method", ["encode_args", "encode", "decode", "check", "decode_args"])
def test_an_activity_always_ends_whatever_a_converter_raises(method: str) -> None:
    converter = Failing(method, RuntimeError("no converter"))

    @activity.defn(name="payloads.arms", retry_policy=RetryPolicy(maximum_attempts=1))
    def arms(value: int) -> int:
        converter.arm()
        if method == "encode_args":
            raise ApplicationError("failed", {"details": 1})
        return value

    @workflow.defn(name="payloads.waiting")
    async def waiting() -> str:
        try:
            await workflow.execute_activity(arms, 1)
        except (ActivityError, RuntimeError) as error:
            converter.disarm()
            return f"{error.__cause__ or error}"
        converter.disarm()
        return "went well"

    with TestRuntime(workflows=[waiting], activities=[arms], converter=converter) as runtime:
        told = runtime.execute_workflow(waiting).get(timeout=WAIT)

    assert "no converter" in told or (method, told) == ("decode_args", "went well")


class Money:
    def __init__(self, cents: int) -> None:
        self.cents = cents


def never(value: object) -> Any:
    raise ApplicationError("this currency is not stored", non_retryable=True)


@workflow.defn(name="payloads.paying")
async def paying() -> object:
    return Money(3)


def test_a_failure_that_a_codec_raises_fails_the_workflow_and_anything_else_suspends_it() -> None:
    def ended(encode: Callable[[Money], object]) -> tuple[WorkflowExecutionStatus, BaseException]:
        converter = Converter(types=[TypeCodec(Money, "money", encode, Money)])
        with TestRuntime(workflows=[paying], activities=[], converter=converter) as runtime:
            handle = runtime.start_workflow(paying).get(timeout=WAIT)
            error = error_of(handle.result())
            return handle.describe().get(timeout=WAIT).status, error.__cause__ or error

    status, error = ended(never)
    assert (status, str(error)) == (WorkflowExecutionStatus.FAILED, "this currency is not stored")
    status, error = ended(lambda money: 1 / 0)
    assert status is WorkflowExecutionStatus.SUSPENDED
    assert "the codec 'money' cannot encode it: ZeroDivisionError" in str(error)


@workflow.defn(name="payloads.charging")
async def charging() -> None:
    await workflow.execute_activity(echo, Money(3))


def test_an_argument_that_cannot_be_stored_ends_the_run_as_what_was_raised_and_nothing_is_scheduled() -> None:
    def ended(encode: Callable[[Money], object]) -> WorkflowExecutionStatus:
        converter = Converter(types=[TypeCodec(Money, "money", encode, Money)])
        with TestRuntime(workflows=[charging], activities=[echo], converter=converter) as runtime:
            handle = runtime.start_workflow(charging).get(timeout=WAIT)
            error_of(handle.result())
            assert "ActivityScheduled" not in handle.fetch_history().get(timeout=WAIT).kinds()
            return handle.describe().get(timeout=WAIT).status

    assert ended(never) is WorkflowExecutionStatus.FAILED
    assert ended(lambda money: 1 / 0) is WorkflowExecutionStatus.SUSPENDED


@workflow.defn(name="payloads.refusing")
async def refusing() -> None:
    raise ApplicationError("refused", {"details": 1}, type="Refused")


def test_a_workflow_fails_as_it_says_though_a_converter_cannot_store_its_details() -> None:
    converter = Failing("encode_args", RuntimeError("no converter"))
    with TestRuntime(workflows=[refusing], activities=[], converter=converter) as runtime:
        result = runtime.execute_workflow(refusing)
        converter.arm()
        error = error_of(result)

    assert isinstance(error, WorkflowFailureError)
    assert isinstance(error.cause, ApplicationError)
    assert (error.cause.type, error.cause.details) == ("Refused", ())
    assert error.cause.message == "refused [details left out: no converter]"


@workflow.defn(name="payloads.telling")
async def telling(sent: bytes) -> RawValue:
    return RawValue(JsonConverter().encode(json.loads(sent)))


def test_what_one_call_encodes_in_its_own_way_goes_through_as_bytes_or_unread() -> None:
    with TestRuntime(workflows=[telling], activities=[]) as runtime:
        handle = runtime.start_workflow(telling, b'{"a": 1}').get(timeout=WAIT)
        raw: Any = runtime.get_workflow_handle(handle.id, result_type=RawValue).result().get(timeout=WAIT)

        assert JsonConverter().decode(raw.payload) == {"a": 1}
        assert replay_every_prefix(runtime) > 0


def test_a_type_with_a_codec_goes_through_a_workflow_without_an_annotation() -> None:
    converter = Converter(types=[TypeCodec(Money, "money", lambda money: money.cents, Money)])

    assert run_with(converter, [Money(3)])[0].cents == 3


def test_a_payload_that_is_too_large_is_told_where_it_is_made() -> None:
    converter = Converter(limit=1_000)
    with TestRuntime(converter=converter, **OPTIONS) as runtime:
        with pytest.raises(PayloadTooLargeError, match=r"2,005 bytes is over the limit of 1,000"):
            runtime.start_workflow(echoing, "x" * 2_000)
        with pytest.raises(PayloadEncodeError, match="nested deeper than 100 levels"):
            runtime.start_workflow(echoing, nested(102))


def nested(depth: int) -> Any:
    return (nested(depth - 1),) if depth else ()


# --- models ---


class Ticket(BaseModel):
    seat: int
    price: Decimal = Decimal("9.50")

    @field_validator("seat")
    @classmethod
    def exists(cls, seat: int) -> int:
        if seat > 100:
            raise ValueError("there is no such seat")
        return seat


@activity.defn(name="payloads.book", retry_policy=RetryPolicy(maximum_attempts=1))
def book(ticket: Ticket) -> list[Ticket]:
    return [ticket]


@workflow.defn(name="payloads.booking")
async def booking(ticket: Ticket) -> dict[str, Ticket]:
    assert type(ticket) is Ticket
    booked = await workflow.execute_activity(book, ticket)
    assert type(booked[0]) is Ticket
    return {"booked": booked[0]}


@workflow.defn(name="payloads.wrong_booking")
async def wrong_booking() -> str:
    try:
        await workflow.execute_activity("payloads.book", {"seat": 101}, result_type=list[Ticket])
    except ActivityError as error:
        return f"{error.retry_state} {why(error)}"
    return "booked"


def test_models_go_through_workflows_and_activities() -> None:
    with TestRuntime(workflows=[booking], activities=[book]) as runtime:
        assert runtime.execute_workflow(booking, Ticket(seat=3)).get(timeout=WAIT) == {"booked": Ticket(seat=3)}
        assert replay_every_prefix(runtime) > 0


def test_what_a_validator_refuses_is_the_callers_error_and_fails_an_activity_for_good() -> None:
    wrong: Any = {"seat": 101}
    with TestRuntime(workflows=[booking, wrong_booking], activities=[book]) as runtime:
        with pytest.raises(PayloadDecodeError, match="there is no such seat") as caught:
            runtime.start_workflow(booking, wrong)
        told = runtime.execute_workflow(wrong_booking).get(timeout=WAIT)

    assert caught.value.path == "args[0]"
    assert told.startswith(f"{RetryState.NON_RETRYABLE_FAILURE} PayloadDecodeError: ")
    assert "seat: Value error, there is no such seat" in told
