"""What a result comes back as: the type of who asks, or what the workflow is annotated with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from greenroom import workflow
from greenroom.runtime.model.errors import PayloadDecodeError
from greenroom.storage import MemoryStore
from greenroom.testing import TestRuntime, crash_sweep, start_once


@dataclass
class Summary:
    photos: int


@dataclass
class Other:
    name: str


@workflow.defn(name="results.sums_up")
async def sums_up(photos: int) -> Summary:
    return Summary(photos)


def make(store: MemoryStore | None = None, *workflows: Any) -> TestRuntime:
    return TestRuntime(store, workflows=workflows or [sums_up], activities=[])


def test_a_result_by_id_is_of_the_type_that_the_workflow_is_annotated_with() -> None:
    store = MemoryStore()
    with make(store) as runtime:
        handle = runtime.get_workflow_handle("listing")
        runtime.wait(runtime.start_workflow(sums_up, 3, id="listing"))
        while_open = runtime.wait(handle.result())
    with make(store) as runtime:
        ended = runtime.wait(runtime.get_workflow_handle("listing").result())

    assert (while_open, ended) == (Summary(3), Summary(3))


def test_a_result_of_a_workflow_that_is_not_declared_is_plain_data() -> None:
    store = MemoryStore()
    with make(store) as runtime:
        runtime.wait(runtime.execute_workflow(sums_up, 3, id="listing"))

    @workflow.defn(name="results.another")
    async def another() -> None:
        """Is not asked for."""

    with make(store, another) as runtime:
        assert runtime.wait(runtime.get_workflow_handle("listing").result()) == {"photos": 3}


def test_the_type_that_is_asked_for_goes_first() -> None:
    with make() as runtime:
        runtime.wait(runtime.execute_workflow(sums_up, 3, id="listing"))
        plain = runtime.wait(runtime.get_workflow_handle("listing", result_type=object).result())
        misfit = runtime.get_workflow_handle("listing", result_type=Other).result()

        assert plain == {"photos": 3}
        with pytest.raises(PayloadDecodeError, match="Other"):
            runtime.wait(misfit)


def test_a_sweep_finds_the_same_result_after_a_crash_as_before() -> None:
    def scenario(runtime: TestRuntime) -> object:
        return runtime.wait(start_once(runtime, sums_up, 3, id="listing").result())

    assert crash_sweep(scenario, make=make).points > 0
