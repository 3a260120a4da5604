"""An interface says what a workflow takes; what runs is what is registered under its name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

import pytest

from greenroom import NotRegisteredError, RawValue, Runtime, workflow
from greenroom.runtime.model.errors import InvalidWorkflowError
from greenroom.runtime.model.registry import workflows
from tests.runtime.rig import WAIT


@workflow.defn(name="interfaces.order")
class Order(ABC):
    @workflow.run
    @abstractmethod
    async def run(self, item: str) -> str: ...

    @workflow.signal(name="paid")
    @abstractmethod
    def pay(self, cents: int) -> None: ...

    @workflow.query
    @abstractmethod
    def total(self) -> int: ...

    @workflow.update
    @abstractmethod
    async def rename(self, item: str) -> str: ...


@workflow.defn
class Implementation(Order):
    @workflow.init
    def __init__(self, item: str) -> None:
        self.item = item
        self.paid = 0

    async def run(self, item: str) -> str:
        await workflow.wait_condition(lambda: self.paid > 0)
        return f"{self.item} for {self.paid}"

    def pay(self, cents: int) -> None:
        self.paid += cents

    def total(self) -> int:
        return self.paid

    @workflow.update
    async def rename(self, item: str) -> str:
        before, self.item = self.item, item
        return before


@workflow.defn(name="interfaces.said")
class Said(Protocol):
    @workflow.run
    async def run(self, number: int) -> int: ...

    @workflow.signal
    def go(self) -> None: ...


@workflow.defn(name="interfaces.said")
class Elsewhere:
    """Not derived from it: found by the name."""

    def __init__(self) -> None:
        self.may_go = False

    @workflow.run
    async def run(self, number: int) -> int:
        await workflow.wait_condition(lambda: self.may_go)
        return number + 1

    @workflow.signal
    def go(self) -> None:
        self.may_go = True


@workflow.defn(name="interfaces.nobody")
class Nobody(Protocol):
    @workflow.run
    async def run(self) -> int: ...


def test_an_interface_starts_and_addresses_what_implements_it() -> None:
    with Runtime.in_memory() as runtime:
        order = runtime.start_workflow(Order.run, "tea").get(timeout=WAIT)

        assert order.execute_update(Order.rename, "coffee").get(timeout=WAIT) == "tea"
        assert order.query(Order.total).get(timeout=WAIT) == 0
        order.signal(Order.pay, 300).get(timeout=WAIT)
        assert order.result().get(timeout=WAIT) == "coffee for 300"
        assert order.describe().get(timeout=WAIT).workflow_type == "interfaces.order"


@pytest.mark.parametrize("target", [Order, Order.run, Implementation, Implementation.run, "interfaces.order"])
def test_an_interface_its_implementation_and_the_name_are_the_same_workflow(target: Any) -> None:
    with Runtime.in_memory(workflows=[Implementation]) as runtime:
        order = runtime.start_workflow(target, "tea").get(timeout=WAIT)
        order.signal("paid", 5).get(timeout=WAIT)

        assert order.result().get(timeout=WAIT) == "tea for 5"


def test_a_class_of_the_same_name_implements_a_protocol_without_being_derived_from_it() -> None:
    with Runtime.in_memory() as runtime:
        handle = runtime.start_workflow(Said.run, 1).get(timeout=WAIT)
        handle.signal(Said.go).get(timeout=WAIT)

        assert handle.result().get(timeout=WAIT) == 2


def test_an_interface_takes_nobodys_place_among_the_registered() -> None:
    assert workflows.get("interfaces.order").target is Implementation
    assert workflows.find("interfaces.nobody") is None


def test_an_interface_that_nothing_implements_is_not_registered() -> None:
    with Runtime.in_memory() as runtime, pytest.raises(NotRegisteredError, match=r"interfaces\.nobody"):
        runtime.start_workflow(Nobody.run)


def test_an_interface_cannot_be_listed_to_run() -> None:
    with pytest.raises(TypeError, match="Order is an interface and cannot run; list the class that implements it"):
        Runtime.in_memory(workflows=[Order])


def test_the_arguments_are_checked_by_what_runs() -> None:
    wrong: Any = 5

    with Runtime.in_memory() as runtime:
        start: Any = runtime.start_workflow
        with pytest.raises(TypeError, match=r"workflow .interfaces\.order. misses item"):
            start(Order.run)
        with pytest.raises(Exception, match=r"args\[0\]"):
            start(Order.run, wrong)


def test_a_subclass_that_is_not_declared_is_no_workflow() -> None:
    class Undeclared(Implementation):
        """Only its base is declared."""

    with Runtime.in_memory() as runtime, pytest.raises(TypeError, match="declare its class or function"):
        runtime.start_workflow(Undeclared)


def test_a_derived_class_has_the_name_of_its_interface_unless_it_is_given_one() -> None:
    class Other(Implementation):
        """Is declared beside what it is derived from."""

    @workflow.defn(name="interfaces.order by hand")
    class ByHand(Order):
        async def run(self, item: str) -> str:
            return item

        def pay(self, cents: int) -> None:
            """Is not needed."""

        def total(self) -> int:
            return 0

        @workflow.update
        async def rename(self, item: str) -> str:
            return item

    workflow.defn(Other)

    assert workflows.get("Other").target is Other
    assert workflows.get("interfaces.order by hand").target is ByHand
    assert workflows.get("interfaces.order").target is Implementation
    with Runtime.in_memory(workflows=[ByHand, Implementation]) as runtime:
        assert runtime.execute_workflow(ByHand.run, "tea").get(timeout=WAIT) == "tea"


class Half(Order):
    async def run(self, item: str) -> str:
        return item

    def pay(self, cents: int) -> None:
        """Is written."""


class DeafFromScratch(Said):
    async def run(self, number: int) -> int:
        return number


class Narrow(Said):
    async def run(self) -> int:  # type: ignore[override]  # what is tested: it takes less than it should
        return 0

    def go(self) -> None:
        """Is written."""


class Renaming(Said):
    async def run(self, number: int) -> int:
        return number

    @workflow.signal(name="went")
    def go(self) -> None:
        """Hears another name."""


class Both(Said, Nobody):
    async def run(self, number: int = 0) -> int:
        return number

    def go(self) -> None:
        """Is written."""


@pytest.mark.parametrize(
    ("cls", "reason"),
    [
        (Half, r"rename\(\), total\(\) abstract and run\(\) is not: write what is missing, or make run\(\) abstract"),
        (DeafFromScratch, r"go\(\) is promised by the protocol Said: write it"),
        (Narrow, r"run\(\) must take what Said.run\(\) takes"),
        (Renaming, r"it has no signal 'go', which Said promises"),
        (Both, r"implements interfaces of different names \('interfaces.said', 'interfaces.nobody'\): choose one"),
    ],
)
def test_what_does_not_do_what_its_interface_says_is_refused_when_it_is_declared(cls: Any, reason: str) -> None:
    with pytest.raises(InvalidWorkflowError, match=reason):
        workflow.defn(cls)


class Everything(Protocol):
    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> None: ...


def test_an_interface_is_not_dynamic() -> None:
    with pytest.raises(InvalidWorkflowError, match="an interface is for one workflow type"):
        workflow.defn(dynamic=True)(Everything)
