"""An opening that fails or is given up half way leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from pathlib import Path

import pytest

from greenroom import Runtime, workflow
from greenroom.runtime.shell.hands import Hands
from tests.runtime.rig import WAIT


@workflow.defn(name="opening.done")
async def done() -> str:
    return "done"


def open_runtime(path: Path) -> Runtime:
    return Runtime(path, workflows=[done], activities=[])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def settings() -> tuple[object, ...]:
    return sys.getswitchinterval(), gc.get_threshold()


def test_an_opening_for_which_there_is_no_thread_lets_the_journal_go(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = settings()

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            open_runtime(path).open()
    after = settings()

    assert after == before
    with open_runtime(path) as runtime:
        assert runtime.execute_workflow(done).get(timeout=WAIT) == "done"


def test_an_opening_that_is_cancelled_is_closed_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = settings()
    recovering, may_go_on = threading.Event(), threading.Event()
    recover = Hands.recover

    def slow(hands: Hands) -> None:
        recovering.set()
        assert may_go_on.wait(WAIT)
        recover(hands)

    async def program() -> None:
        async def serve() -> None:
            async with open_runtime(path):
                raise AssertionError("it was not cancelled")

        serving = asyncio.create_task(serve())
        await asyncio.to_thread(recovering.wait, WAIT)
        serving.cancel()
        await asyncio.sleep(0)
        may_go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await serving

    with monkeypatch.context() as patch:
        patch.setattr(Hands, "recover", slow)
        asyncio.run(program())

    assert settings() == before
    with open_runtime(path) as runtime:
        assert runtime.execute_workflow(done).get(timeout=WAIT) == "done"
