"""The process that is killed: a real runtime with the two players, which says how far it is and ends itself."""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from greenroom import Runtime
from greenroom.runtime.client import WorkflowHandle
from greenroom.storage import Batch, Journal
from tests.crash.faults import plant
from tests.crash.points import wrap

from .players import FOLLOWER, LEADER, Game, player

__all__ = ["Orders", "main"]

SAMPLE_TURNS = 500


class Orders(NamedTuple):
    """What one process is to do.

    Args:
        journal: its directory.
        begins: whether the players are to be started.
        signals: how many each player sends.
        every: after how many each continues as new.
        window: how many may be on their way to either.
        kill_after: how many turns on disk are its end; 0 for none.
        fault: the control to plant.
    """

    journal: str
    begins: bool
    signals: int
    every: int
    window: int
    kill_after: int
    fault: str = ""


class _Count:
    """Counts the turns that are on disk, and kills this process from another thread when there are enough: that falls
    wherever the dispatcher lets other threads run, in the midst of a commit or a release."""

    def __init__(self, kill_after: int) -> None:
        self._kill_after = kill_after
        self._turns = 0
        self._open = 0
        self._enough = threading.Event()
        if kill_after:
            threading.Thread(target=self._kill, daemon=True).start()

    def install(self) -> None:
        """Have this process's copy of the library counted."""

        def make_append(append: Callable[..., int]) -> Callable[..., int]:
            def append_and_count(*args: Any, **kwargs: Any) -> int:
                self._open += 1
                return append(*args, **kwargs)

            return append_and_count

        def make_commit(commit: Callable[..., None]) -> Callable[..., None]:
            def commit_and_count(*args: Any) -> None:
                commit(*args)
                self._note()

            return commit_and_count

        wrap(Batch, "append_turn", make_append)
        wrap(Journal, "commit", make_commit)

    def _note(self) -> None:
        """The turns that were appended are on disk."""
        before, self._turns, self._open = self._turns, self._turns + self._open, 0
        if before // SAMPLE_TURNS != self._turns // SAMPLE_TURNS:
            _say("memory", self._turns, _rss_anon_kib())
        if 0 < self._kill_after <= self._turns:
            self._enough.set()

    def _kill(self) -> None:
        self._enough.wait()
        os.kill(os.getpid(), signal.SIGKILL)


def main(argument: str) -> int:
    """Play until both are done, or until this process is killed."""
    orders = Orders(*json.loads(argument))
    faulthandler.enable()
    logging.basicConfig(level=logging.WARNING)
    if orders.fault:
        plant(orders.fault)
    _Count(orders.kill_after).install()
    with Runtime(orders.journal) as runtime:
        if orders.begins:
            for name, peer in ((FOLLOWER, LEADER), (LEADER, FOLLOWER)):
                game = Game(peer, orders.signals, orders.every, orders.window, leads=name == LEADER)
                runtime.start_workflow(player, game, id=name).get(timeout=60)
        for name in (LEADER, FOLLOWER):
            handle: WorkflowHandle[int] = runtime.get_workflow_handle(name, result_type=int)
            _say("result", name, handle.result().get())
    return 0


def _say(*line: Any) -> None:
    os.write(1, json.dumps(line).encode() + b"\n")


def _rss_anon_kib() -> int:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        name, _, rest = line.partition(":")
        if name == "RssAnon":
            return int(rest.split()[0])
    raise RuntimeError("this system does not tell RssAnon; Linux does, in /proc/self/status")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
