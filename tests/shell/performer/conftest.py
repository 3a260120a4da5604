"""A performer with its reports in a queue, and attempts made from plain functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

import pytest

from greenroom.runtime import activity
from greenroom.runtime.model.activity_definition import define_activity, definition_of
from greenroom.runtime.model.options import ActivityOptions
from greenroom.runtime.model.payloads import Converter
from greenroom.runtime.shell.performer import Completed, Failed, Outcome, Performer, Task


@pytest.fixture
def converter() -> Converter:
    return Converter()


@pytest.fixture
def reports() -> SimpleQueue[tuple[Task, Outcome]]:
    return SimpleQueue()


@pytest.fixture
def performer(converter: Converter, reports: SimpleQueue[tuple[Task, Outcome]]) -> Iterator[Performer]:
    performer = Performer(
        converter=converter, report=lambda task, outcome: reports.put((task, outcome)), clock=lambda: 42
    )
    yield performer
    performer.close(grace=0)


@pytest.fixture
def make(converter: Converter) -> Callable[..., Task]:
    """``make(fn, *args, item=1, attempt=1)`` is an attempt of run 7 to call ``fn`` with these arguments."""

    def make(fn: Callable[..., Any], *args: object, item: int = 1, attempt: int = 1) -> Task:
        definition = definition_of(fn) or define_activity(fn)
        info = activity.Info(
            activity_id=str(item),
            activity_type=definition.name,
            attempt=attempt,
            workflow_id="order-7",
            run_id="run-7",
            workflow_type="order",
            scheduled_at_ns=1_000_000_000,
            attempt_scheduled_at_ns=2_000_000_000,
            started_at_ns=2_000_000_000,
            options=ActivityOptions(start_to_close_timeout_ns=30_000_000_000),
        )
        return Task(7, item, definition, converter.encode_args(args), info)

    return make


@pytest.fixture
def outcome(reports: SimpleQueue[tuple[Task, Outcome]]) -> Callable[[], Outcome]:
    """The next outcome that is reported."""
    return lambda: reports.get(timeout=10)[1]


@pytest.fixture
def result(outcome: Callable[[], Outcome], converter: Converter) -> Callable[[], Any]:
    """The next result that is reported, decoded."""

    def result() -> Any:
        reported = outcome()
        assert isinstance(reported, Completed), reported
        return converter.decode(reported.result)

    return result


@pytest.fixture
def failed(outcome: Callable[[], Outcome]) -> Callable[[], Failed]:
    """The next outcome that is reported, which must be a failure."""

    def failed() -> Failed:
        reported = outcome()
        assert isinstance(reported, Failed), reported
        return reported

    return failed
