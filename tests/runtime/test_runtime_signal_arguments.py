"""A signal given as a reference to its handler is checked before it is sent; what cannot be taken later is told."""

from __future__ import annotations

import logging

import pytest

from greenroom import PayloadDecodeError, workflow
from greenroom.runtime.start_calls import StartOptions
from greenroom.testing import TestRuntime


@workflow.defn
class Priced:
    def __init__(self) -> None:
        self.price: int | None = None

    @workflow.run
    async def run(self) -> int | None:
        await workflow.wait_condition(lambda: self.price is not None)
        return self.price

    @workflow.signal
    def set_price(self, price: int) -> None:
        self.price = price


def test_too_few_arguments_are_refused_where_the_signal_is_sent() -> None:
    with TestRuntime(workflows=[Priced]) as runtime:
        handle = runtime.wait(runtime.start_workflow(Priced.run, id="it"))

        with pytest.raises(TypeError, match="signal 'set_price' misses price"):
            handle.signal(Priced.set_price)  # type: ignore[arg-type, call-arg]  # that is the claim


def test_an_argument_of_another_type_is_refused_where_the_signal_is_sent() -> None:
    with TestRuntime(workflows=[Priced]) as runtime:
        handle = runtime.wait(runtime.start_workflow(Priced.run, id="it"))

        with pytest.raises(PayloadDecodeError, match="int"):
            handle.signal(Priced.set_price, "one hundred")  # type: ignore[arg-type]  # that is the claim


def test_a_signal_by_name_that_cannot_be_taken_is_a_dead_letter_that_the_log_tells_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with TestRuntime(workflows=[Priced]) as runtime:
        handle = runtime.wait(runtime.start_workflow(Priced.run, id="it"))

        with caplog.at_level(logging.WARNING, "greenroom"):
            runtime.wait(handle.signal("set_price", "one hundred"))

        assert "signal 'set_price' of workflow 'it' is a dead letter" in caplog.text
        assert len(runtime.hands.journal.dead_letters()) == 1


def test_an_option_that_is_none_is_refused_with_those_that_are() -> None:
    with (
        TestRuntime(workflows=[Priced]) as runtime,
        pytest.raises(TypeError) as refused,
    ):
        runtime.start_workflow("Priced", workflow_id="it")  # type: ignore[call-overload]  # that is the claim

    known = ", ".join(StartOptions.__annotations__)
    assert str(refused.value) == (
        f"no start option 'workflow_id' (there are: {known}); the workflow's own arguments are positional"
    )


@workflow.defn(name="Priced")
class OtherPriced:
    @workflow.run
    async def run(self) -> None:
        return None


def test_a_workflow_whose_name_means_another_one_here_is_refused() -> None:
    with TestRuntime(workflows=[Priced]) as runtime, pytest.raises(ValueError, match="another workflow is registered"):
        runtime.start_workflow(OtherPriced.run)
