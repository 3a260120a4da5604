"""Plays one game to its end, in processes that are killed one after the other, and looks at what is on disk."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from random import Random
from statistics import median
from typing import NamedTuple

from greenroom.storage import Journal, check

from .child import Orders
from .counting import Chain, count, turns_of

__all__ = ["Plan", "Soak"]

ROOT = Path(__file__).resolve().parents[2]
FLAT = 1.1
LIMIT_S = 3600.0


class Plan(NamedTuple):
    """How to play.

    Args:
        signals: how many each player sends the other.
        every: after how many each continues as new.
        window: how many may be on their way to either.
        kill_turns: a process is killed after so many new turns, at least and at most; None never kills.
        look_every: after so many kills the journal is checked and counted as a whole.
        seed: what the numbers of turns are drawn from.
        fault: how the library is broken on purpose; empty for not at all.
    """

    signals: int = 100_000
    every: int = 1000
    window: int = 10
    kill_turns: tuple[int, int] | None = (2000, 5000)
    look_every: int = 10
    seed: str = "0"
    fault: str = ""


class Soak:
    """One game.

    Attributes:
        new_turns: how many turns each killed process has added, counted in the journal.
        chains: what the chains have done in the end, by the name of the player.
        findings: broken promises.
        memory: samples of RssAnon in KiB of each process, in order.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        self._journal = folder / "journal"
        self._plan = plan
        self._dice = Random(plan.seed)
        self._turns = 0
        self.new_turns: list[int] = []
        self.chains: dict[str, Chain] = {}
        self.findings: list[str] = []
        self.memory: list[list[int]] = []

    @property
    def kills(self) -> int:
        """How many processes were killed."""
        return len(self.new_turns)

    def play(self) -> None:
        """Play until both players are done, or something is found."""
        while not self.findings and self._run():
            self._note_turns()
            if self.kills % self._plan.look_every == 0:
                self._look()
        self._look()
        if not self.findings:
            self._judge_memory()

    def _run(self) -> bool:
        """Run one process; whether it was killed."""
        plan = self._plan
        kill_after = 0 if plan.kill_turns is None else self._dice.randint(*plan.kill_turns)
        orders = Orders(
            str(self._journal), not self.memory, plan.signals, plan.every, plan.window, kill_after, plan.fault
        )
        done = subprocess.run(
            [sys.executable, "-m", "tests.chains.child", json.dumps(orders)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        # Half a line was never said.
        lines = [json.loads(line) for line in done.stdout.splitlines(keepends=True) if line.endswith("\n")]
        self.memory.append([kib for kind, _, kib in lines if kind == "memory"])
        results = {name: heard for kind, name, heard in lines if kind == "result"}
        if done.stderr:
            self.findings.append(f"process {len(self.memory)} complained: {done.stderr[-2000:]}")
        if done.returncode not in (0, -signal.SIGKILL):
            self.findings.append(f"process {len(self.memory)} ended with code {done.returncode}")
        elif done.returncode == 0 and results != dict.fromkeys(("leader", "follower"), plan.signals):
            self.findings.append(f"the players have returned {results}")
        return done.returncode == -signal.SIGKILL

    def _note_turns(self) -> None:
        journal = Journal.open(self._journal, read_only=True)
        try:
            before, self._turns = self._turns, turns_of(journal)
        finally:
            journal.close()
        self.new_turns.append(self._turns - before)

    def _look(self) -> None:
        self.findings += [f"check: {problem}" for problem in check(self._journal)]
        journal = Journal.open(self._journal, read_only=True)
        try:
            self.chains = count(journal)
        finally:
            journal.close()
        self.findings += [finding for chain in self.chains.values() for finding in chain.findings]

    def _judge_memory(self) -> None:
        first, last = self.memory_of_quarters()
        if last > FLAT * first:
            self.findings.append(f"RssAnon was {first:.0f} KiB in the first quarter and is {last:.0f} in the last")

    def memory_of_quarters(self) -> tuple[float, float]:
        """RssAnon in KiB in the first and in the last quarter: of the processes, or of the samples of a single one."""
        peaks = [max(samples) for samples in self.memory if samples] if self.kills else self.memory[0]
        quarter = max(1, len(peaks) // 4)
        return median(peaks[:quarter]), median(peaks[-quarter:])
