"""What can be declared as an activity, under which name, and what its definition knows."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from greenroom.runtime import activity
from greenroom.runtime.model.activity_definition import define_activity, definition_of, definitions_of
from greenroom.runtime.model.errors import InvalidActivityError, NotRegisteredError, PayloadDecodeError
from greenroom.runtime.model.options import ActivityOptions
from greenroom.runtime.model.registry import activities
from greenroom.runtime.model.retry import RetryPolicy

if TYPE_CHECKING:
    from decimal import Decimal

F = TypeVar("F", bound=Callable[..., Any])


@activity.defn
def refund(order: Order, cents: int = 0) -> Receipt:
    return Receipt(order.name, cents)


@activity.defn(
    name="charge_card", start_to_close_timeout=30, retry_policy=RetryPolicy(maximum_attempts=3), summary="a charge"
)
async def charge(order: Order) -> Receipt:
    return Receipt(order.name, 0)


@dataclass
class Order:
    name: str


@dataclass
class Receipt:
    name: str
    cents: int


class Payments:
    def __init__(self, bank: str) -> None:
        self.bank = bank

    @activity.defn
    def pay(self, order: Order) -> str:
        return f"{self.bank}: {order.name}"

    @activity.defn(name="pay_back")
    async def repay(self, order: Order) -> str:
        return f"{self.bank}: {order.name}"

    @staticmethod
    @activity.defn(name="rate_of_payments")
    def rate(currency: str) -> float:
        return 1.0

    @property
    def closed(self) -> bool:
        raise AssertionError("looking for activities must not run properties")


@activity.defn
class Courier:
    def __init__(self, city: str) -> None:
        self.city = city

    async def __call__(self, order: Order) -> str:
        return f"{order.name} to {self.city}"


def logged(fn: F) -> F:
    @functools.wraps(fn)
    def wrapper(*args: Any) -> Any:
        return ("logged", fn(*args))

    wrapped: Any = wrapper
    return wrapped  # type: ignore[no-any-return]  # a decorator as people write them


def test_a_declared_function_stays_the_function_it_is() -> None:
    assert refund(Order("tea"), 5) == Receipt("tea", 5)


def test_a_function_is_named_after_itself() -> None:
    definition = definition_of(refund)

    assert definition is not None
    assert (definition.name, definition.fn, definition.is_async) == ("refund", refund, False)
    assert definition.options == ActivityOptions()


def test_types_declared_further_down_the_module_are_resolved() -> None:
    definition = definition_of(refund)

    assert definition is not None
    assert definition.arg_types == (Order, int)
    assert definition.result_type is Receipt


def test_the_decorator_gives_name_and_default_options() -> None:
    definition = definition_of(charge)

    assert definition is not None
    assert (definition.name, definition.is_async) == ("charge_card", True)
    assert definition.options == ActivityOptions(
        start_to_close_timeout_ns=30_000_000_000, retry_policy=RetryPolicy(maximum_attempts=3), summary="a charge"
    )


def test_every_length_of_time_has_its_place() -> None:
    definition = define_activity(
        refund,
        start_to_close_timeout=timedelta(seconds=1),
        schedule_to_close_timeout=2,
        schedule_to_start_timeout=0.5,
    )

    options = definition.options
    assert options.start_to_close_timeout_ns == 1_000_000_000
    assert options.schedule_to_close_timeout_ns == 2_000_000_000
    assert options.schedule_to_start_timeout_ns == 500_000_000


def test_types_that_only_checkers_know_leave_the_activity_untyped() -> None:
    def pay(amount: Decimal) -> None: ...

    definition = define_activity(pay)

    assert definition.arg_types == (Any,)


def test_a_function_that_tells_nothing_has_no_types() -> None:
    definition = define_activity(functools.partial(max, 1), name="largest")

    assert definition.name == "largest"
    assert definition.result_type is Any
    assert definition.problem_with((1, 2)) is None


def test_a_partial_is_an_activity_under_a_given_name() -> None:
    definition = define_activity(functools.partial(refund, cents=5), name="refund_five")

    assert definition.fn(Order("tea")) == Receipt("tea", 5)


def test_a_method_of_an_instance_carries_its_instance() -> None:
    payments = Payments("mine")
    definition = definition_of(payments.pay)

    assert definition is not None
    assert (definition.name, definition.needs_instance, definition.arg_types) == ("pay", False, (Order,))
    assert definition.fn(Order("tea")) == "mine: tea"


def test_an_instance_brings_all_its_methods() -> None:
    found = {each.name: each for each in definitions_of(Payments("mine"))}

    assert sorted(found) == ["pay", "pay_back", "rate_of_payments"]
    assert found["pay"].fn(Order("tea")) == "mine: tea"
    assert found["pay_back"].is_async
    assert found["rate_of_payments"].fn("EUR") == 1.0


def test_an_override_without_a_decorator_is_the_same_activity() -> None:
    class Loud(Payments):
        def pay(self, order: Order) -> str:
            return "LOUD"

    found = {each.name: each for each in definitions_of(Loud("mine"))}

    assert found["pay"].fn(Order("tea")) == "LOUD"


def test_an_override_without_annotations_has_those_of_its_base() -> None:
    class Fake(Payments):
        def pay(self, order):  # type: ignore[no-untyped-def]  # that is the claim
            return order.name

    found = {each.name: each for each in definitions_of(Fake("mine"))}

    assert found["pay"].arg_types == (Order,)
    assert found["pay"].result_type is str


def test_a_method_without_its_instance_cannot_be_performed() -> None:
    definition = definition_of(Payments.pay)

    assert definition is not None
    assert definition.needs_instance
    assert definition.arg_types == (Order,)
    with pytest.raises(InvalidActivityError, match=r"Payments\.pay: it has no instance"):
        definitions_of(Payments.pay)


def test_an_instance_of_a_declared_class_is_one_activity() -> None:
    (definition,) = definitions_of(Courier("Rome"))

    assert (definition.name, definition.is_async, definition.needs_instance) == ("Courier", True, False)
    assert definition.arg_types == (Order,)


def test_a_declared_class_needs_an_instance() -> None:
    definition = definition_of(Courier)

    assert definition is not None
    assert definition.needs_instance
    assert definition.arg_types == (Order,)
    with pytest.raises(InvalidActivityError, match="pass an instance of the class"):
        definitions_of(Courier)


def test_a_decorator_around_a_declared_activity_stays_around_it() -> None:
    wrapped = logged(refund)
    definition = definition_of(wrapped)

    assert definition is not None
    assert definition.name == "refund"
    assert definition.fn(Order("tea"), 5) == ("logged", Receipt("tea", 5))
    assert definition.arg_types == (Order, int)


def test_arguments_are_checked_only_if_an_annotation_says_something() -> None:
    def untyped(order: Any) -> Any:
        return order

    def partly(order: Any, cents: int) -> Any:
        return order, cents

    assert define_activity(untyped).checked_types is None
    assert define_activity(str.upper, name="upper").checked_types is None
    assert define_activity(partly).checked_types == (Any, int)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("args[1]", "args[1]: activity 'refund' cannot take its argument 'cents': no"),
        ("args[0].name", "args[0].name: activity 'refund' cannot take its argument 'order': no"),
        ("args[2]", "args[2]: activity 'refund' cannot take that: no"),
        ("", "activity 'refund' cannot take that: no"),
    ],
)
def test_arguments_that_do_not_fit_are_told_by_name(path: str, words: str) -> None:
    definition = activities.get("refund")

    assert str(definition.misfit(PayloadDecodeError(path, "no"))) == words


def test_what_can_be_performed_is_known_once_declared() -> None:
    assert activities.get("charge_card") is definition_of(charge)

    with pytest.raises(NotRegisteredError):
        activities.get("pay_back")


@pytest.mark.parametrize("stranger", [print, 5, "refund", Payments, object()])
def test_what_was_never_declared_is_no_activity(stranger: object) -> None:
    assert definition_of(stranger) is None
    with pytest.raises(InvalidActivityError):
        definitions_of(stranger)


def test_all_problems_are_told_at_once() -> None:
    def bad(*, key: str, **more: int) -> Iterator[int]:
        yield 1

    with pytest.raises(InvalidActivityError) as caught:
        activity.defn(name="", start_to_close_timeout=-1, schedule_to_start_timeout=float("nan"))(bad)

    reasons = "\n".join(caught.value.reasons)
    assert len(caught.value.reasons) == 6
    for said in (
        "generator",
        "'key'",
        "**more",
        "activity name is empty",
        "start_to_close_timeout",
        "schedule_to_start_timeout",
    ):
        assert said in reasons


def test_options_of_the_wrong_type_are_refused() -> None:
    wrong: Any = "3 times"

    with pytest.raises(InvalidActivityError, match="retry_policy is a str; give a RetryPolicy"):
        activity.defn(retry_policy=wrong)(refund)


def test_an_async_generator_is_refused() -> None:
    async def bad() -> AsyncIterator[int]:
        yield 1

    with pytest.raises(InvalidActivityError, match="generator"):
        activity.defn(bad)


def test_a_lambda_needs_a_name() -> None:
    with pytest.raises(InvalidActivityError, match="give it one"):
        activity.defn(lambda: 1)

    assert define_activity(lambda: 1, name="one").name == "one"


def test_a_name_in_the_place_of_the_function_is_explained() -> None:
    wrong: Any = "charge"

    with pytest.raises(InvalidActivityError, match=r"@activity.defn\(name='charge'\)"):
        activity.defn(wrong)


def test_decorators_in_the_wrong_order_are_explained() -> None:
    def rate() -> float:
        return 1.0

    with pytest.raises(InvalidActivityError, match="put @staticmethod above"):
        activity.defn(staticmethod(rate))


def test_what_cannot_be_called_is_refused() -> None:
    class Plain:
        pass

    wrong: Any = 5
    with pytest.raises(InvalidActivityError, match="cannot be called"):
        activity.defn(wrong)
    with pytest.raises(InvalidActivityError, match="__call__"):
        activity.defn(Plain)


def test_a_function_written_in_c_cannot_carry_a_declaration() -> None:
    with pytest.raises(InvalidActivityError, match="wrap it"):
        activity.defn(len)
