"""A history that no longer fits the annotations of the code: the run says which of them, and what the history has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from greenroom import ContractError, NondeterminismError, PayloadDecodeError, workflow
from greenroom.runtime.core.messages import UpdateReceived
from tests.core.driving import Drive

Start = Callable[..., Drive]
F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Old:
    sku: str


@dataclass
class New:
    sku: str
    size: int


@dataclass
class Lenient:
    sku: str
    size: int = 0


def takes(kind: Any) -> Callable[[F], F]:
    """Say the type of the argument ``item``, which an annotation inside a function cannot."""

    def annotate(function: F) -> F:
        function.__annotations__["item"] = kind
        return function

    return annotate


def cart(kind: Any) -> Any:
    @workflow.defn(name="cart")
    class Cart:
        @workflow.run
        @takes(kind)
        async def run(self, first: str, item: Any) -> None:
            await workflow.execute_activity("pack", result_type=str)

    return Cart


def packing(kind: Any, *, catches: bool = False, waits: bool = False) -> Any:
    @workflow.defn(name="packing")
    class Packing:
        def __init__(self) -> None:
            self.may_go_on = not waits

        @workflow.run
        async def run(self) -> None:
            handle = workflow.start_activity("pack", result_type=kind)
            await workflow.wait_condition(lambda: self.may_go_on)
            try:
                await handle
            except PayloadDecodeError:
                if not catches:
                    raise
                await workflow.execute_activity("apologise", result_type=str)
            await workflow.execute_activity("send", result_type=str)

        @workflow.signal
        def go_on(self) -> None:
            self.may_go_on = True

    return Packing


def listening(kind: Any, *, more: bool = False, channel: bool = False) -> Any:
    @workflow.defn(name="listening")
    class Listening:
        @workflow.run
        async def run(self) -> None:
            if channel:
                await workflow.signal_channel().receive("mail", result_type=kind)
                workflow.start_activity("read")
            await workflow.wait_condition(lambda: False)

        if more:

            @workflow.signal(name="add")
            @takes(kind)
            async def add_more(self, item: Any, count: int) -> None:
                await workflow.execute_activity("pack")

        else:

            @workflow.signal
            @takes(kind)
            async def add(self, item: Any) -> None:
                await workflow.execute_activity("pack")

        @workflow.update
        @takes(kind)
        async def change(self, item: Any) -> None:
            await workflow.execute_activity("pack")

    return Listening


RUN = "run run-1 of workflow 'flow-1': the history has "
CURE = (
    "; let the code read the old form too (a default for a new field, an annotation that allows both), or keep the old "
    'code for old runs in the else branch of `if workflow.patched("…"):`; then resume the run'
)


def told(run: Drive, target: Any) -> str:
    with pytest.raises(ContractError) as caught:
        run.replayed(target=target)
    text = str(caught.value)
    assert text.startswith(RUN)
    assert text.endswith(CURE)
    return text.removeprefix(RUN).removesuffix(CURE)


def test_a_start_says_which_argument_of_which_workflow(drive: Start) -> None:
    run = drive(cart(Old), "tea", Old("x1"))

    words = told(run, cart(New))

    assert words.startswith("{'sku': 'x1'} for the argument 'item' of workflow 'cart', and the code wants New: args[1]")
    assert "size" in words


def test_a_start_says_which_argument_is_missing_or_too_many(drive: Start) -> None:
    @workflow.defn(name="cart")
    async def shorter(first: str) -> None:
        await workflow.execute_activity("pack", result_type=str)

    @workflow.defn(name="cart")
    async def longer(first: str, item: Old, count: int) -> None:
        await workflow.execute_activity("pack", result_type=str)

    run = drive(cart(Old), "tea", Old("x1"))

    has = "the arguments ['tea', {'sku': 'x1'}] for workflow 'cart', and the code takes "
    assert told(run, shorter) == f"{has}(first): it takes 1 argument, 2 were given"
    assert told(run, longer) == f"{has}(first, item, count): it misses count"


def test_a_form_that_can_read_the_old_one_too_is_no_difference(drive: Start) -> None:
    run = drive(cart(Old), "tea", Old("x1"))

    run.put_away(run.replayed(target=cart(Lenient)))


@pytest.mark.parametrize("catches", [False, True])
@pytest.mark.parametrize("waits", [False, True])
def test_a_result_says_which_activity(drive: Start, catches: bool, waits: bool) -> None:
    run = drive(packing(Old, waits=waits))
    run.complete(1, {"sku": "x1"})
    if waits:
        run.signal("go_on")
    if waits and catches:
        # It is long past when the code goes another way: what differs is told.
        with pytest.raises(NondeterminismError, match="apologise"):
            run.replayed(target=packing(New, catches=catches, waits=waits))
        return

    words = told(run, packing(New, catches=catches, waits=waits))

    assert words.startswith("{'sku': 'x1'} for the result of activity 'pack', and the code wants New: ")


def test_a_result_that_did_not_fit_when_it_came_is_replayed_as_it_was(drive: Start) -> None:
    run = drive(packing(New, catches=True))
    run.complete(1, {"sku": "x1"})
    run.complete(2, "sorry")

    run.put_away(run.replayed())
    with pytest.raises(NondeterminismError):
        run.replayed(target=listening(Old))


def test_a_signal_says_which_argument_of_which_handler(drive: Start) -> None:
    run = drive(listening(Old))
    run.signal("add", Old("x1"))

    words = told(run, listening(New))

    assert words.startswith(
        "{'sku': 'x1'} for the argument 'item' of signal 'add' of workflow 'listening', and the code wants New: args[0]"
    )


def test_a_signal_says_which_argument_is_missing(drive: Start) -> None:
    run = drive(listening(Old))
    run.signal("add", Old("x1"))

    assert told(run, listening(Old, more=True)) == (
        "the arguments [{'sku': 'x1'}] for signal 'add' of workflow 'listening', and the code takes (item, count): "
        "the handler misses count"
    )


def test_a_signal_that_a_channel_reads_says_what_the_history_has(drive: Start) -> None:
    run = drive(listening(Old, channel=True))
    run.signal("mail", Old("x1"))

    words = told(run, listening(New, channel=True))

    assert words.startswith("{'sku': 'x1'} for the argument 1 of signal 'mail' of workflow 'listening': args[0]")


def test_a_dead_letter_is_replayed_as_it_was(drive: Start) -> None:
    run = drive(listening(New))
    run.signal("add", Old("x1"))

    run.put_away(run.replayed())


def test_an_update_says_which_argument_of_which_handler(drive: Start) -> None:
    run = drive(listening(Old))
    run.send(UpdateReceived("change", run.converter.encode_args((Old("x1"),)), "u"))

    words = told(run, listening(New))

    assert words.startswith("{'sku': 'x1'} for the argument 'item' of update 'change' of workflow 'listening', and the")


def going_on(kind: Any) -> Any:
    @workflow.defn(name="going on")
    @takes(kind)
    async def goes_on(first: str, item: Any = None) -> None:
        workflow.continue_as_new(first, "a sku")

    return goes_on


def test_a_run_that_went_on_as_new_is_replayed_as_it_was_whatever_its_arguments_are_to_be_now(drive: Start) -> None:
    run = drive(going_on(str), "x")

    run.put_away(run.replayed(target=going_on(int)))
