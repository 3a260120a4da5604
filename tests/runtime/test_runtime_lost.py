"""A journal that can never be written again stops its runtime: everybody is told, and the next opening goes on."""

from __future__ import annotations

import pytest

from greenroom import JournalError, activity, workflow
from greenroom.storage import FencedError, OutcomeUnknownError, StorageError
from greenroom.testing import TestRuntime


@activity.defn
def shout(word: str) -> str:
    return word.upper()


@workflow.defn
async def shouting(word: str) -> str:
    return await workflow.execute_activity(shout, word)


LOST = [OutcomeUnknownError("the disk", "it is gone"), FencedError("the journal")]


@pytest.mark.parametrize("error", LOST, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("after", [False, True], ids=["not written", "written"])
def test_a_lost_journal_fails_who_waits_and_who_asks_and_is_whole_when_opened_again(
    error: StorageError, after: bool
) -> None:
    with TestRuntime() as runtime:
        handle = runtime.wait(runtime.start_workflow(shouting, "hello", id="one"))
        result = handle.result()

        runtime.store.fail_commit(1, error, after=after)
        runtime.run_until_idle()
        with pytest.raises(JournalError):
            result.get(timeout=0)
        with pytest.raises(JournalError):
            runtime.start_workflow(shouting, "hello", id="two").get(timeout=0)
        commits = runtime.hands.sweep.commits
        runtime.advance(60)
        assert runtime.hands.sweep.commits == commits

        runtime.crash()
        assert runtime.wait(runtime.get_workflow_handle("one").result()) == "HELLO"
