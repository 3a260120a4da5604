"""What cannot be reset, and a reset that cannot be written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from greenroom import JournalError
from tests.runtime.copied import Steps, begun, make


def test_a_turn_that_there_is_not_is_refused() -> None:
    with make() as runtime:
        steps = begun(runtime, "end")
        delayed = runtime.start_workflow(Steps.run, id="delayed", start_delay=timedelta(hours=1)).get()

        with pytest.raises(ValueError, match=r"cannot go on from turn 3: turns 0 to 2 of it can be copied"):
            steps.reset(to=3).get()
        with pytest.raises(ValueError, match="has not begun: it has no turns to copy"):
            delayed.reset(to="start").get()
        steps.reset(to=2).get()
        with pytest.raises(ValueError, match=r"has another run after run .*; reset that one"):
            runtime.get_workflow_handle("steps", run_id=steps.run_id).reset(to=1).get()
        delayed.terminate().get()


def test_of_two_resets_at_once_one_is_refused_and_nothing_is_heard_twice() -> None:
    with make() as runtime:
        steps = begun(runtime, "x", "y")

        again, refused = steps.reset(to="start"), steps.reset(to="last")

        with pytest.raises(ValueError, match=r"has another run after run .*; reset that one"):
            refused.get()
        steps.signal(Steps.hear, "end").get()
        assert again.get().result().get() == ["A", "B", "x", "y", "end"]


@pytest.mark.parametrize("to", [-1, "end", ""])
def test_a_turn_that_can_be_none_is_refused_at_once(to: Any) -> None:
    with make() as runtime:
        handle = runtime.get_workflow_handle("steps")

        with pytest.raises(ValueError, match=r"to is .*; give the number of a turn, from 0 on, 'start' or 'last'"):
            handle.reset(to=to)


@pytest.mark.parametrize("to", [True, None, 1.5])
def test_what_is_no_turn_is_refused_at_once(to: Any) -> None:
    with make() as runtime:
        handle = runtime.get_workflow_handle("steps")

        with pytest.raises(TypeError, match=r"to is .*; give the number of a turn, 'start' or 'last'"):
            handle.reset(to=to)
        with pytest.raises(TypeError, match="give a member of ResetReapplyType"):
            handle.reset(to=1, reapply="none")  # type: ignore[arg-type]


def test_a_reset_that_cannot_be_written_changes_nothing() -> None:
    with make() as runtime:
        steps = begun(runtime, "x")
        runtime.store.fail_commit()

        with pytest.raises(JournalError):
            steps.reset(to=1).get()
        steps.signal(Steps.hear, "end").get()

        assert runtime.wait(steps.result()) == ["A", "B", "x", "end"]
        assert len(runtime.recorded()) == 1
