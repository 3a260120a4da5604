"""One journal and the processes that have it one after the other: run a child, kill it, audit what is left."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from greenroom.storage import FormatError, Journal, LocationError, check

from .audit import audit
from .books import SLIP
from .evidence import Evidence
from .fates import RELAY
from .orders import Orders
from .replays import replay
from .runs import Run, read_runs

__all__ = ["ROOT", "End", "Site", "When"]

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 90.0
ASKED_AGAIN = 40
STARTED_AGAIN = 8
HEALINGS = 3
ASKED_AGAIN_AT_LAST = 500


class When(NamedTuple):
    """The instant of a kill: so long after the child said something, whatever the speed of the machine.

    Args:
        seconds: the delay.
        progress: what the child must have said: ``opening`` or ``open``.
        promises: how many acknowledgements it must have given out after that.
    """

    seconds: float
    progress: str = "open"
    promises: int = 0


class End(NamedTuple):
    """How a child ended."""

    is_killed: bool
    is_done: bool
    findings: list[str]


class Site:
    """A directory with a journal, the log of acknowledgements and the log of effects.

    Args:
        path: the directory; a journal in it is taken over.
        seed: what the load of each generation is drawn from, together with its number.
        generation: how many processes had the journal before.
        evidence: what is known of it already.
        known: its open runs as (workflow id, type).
    """

    def __init__(
        self,
        path: Path,
        seed: str,
        *,
        generation: int = 0,
        evidence: Evidence | None = None,
        known: Sequence[tuple[str, str]] = (),
    ) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.journal = path / "journal"
        self.seed = seed
        self.generation = generation
        self.evidence = Evidence() if evidence is None else evidence
        self.known = list(known)
        self._acks = path / "acks.log"
        self._effects = path / "effects.log"
        self._effects_read = 0
        self._last = (0, 0)
        self._ended: list[str] = []

    def run(self, *, kill: When | None = None, environment: dict[str, str] | None = None, **orders: Any) -> End:
        """Run one child until it is killed or done.

        Args:
            kill: when to kill it.
            environment: more of it; ``GREENROOM_CRASH_MARKS`` is filled in.
            **orders: what the child is to do, see ``Orders``.
        """
        self.generation += 1
        effects = os.open(self._effects, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        acks, child_acks = os.pipe()
        wish = self._wish(effects, child_acks, orders)
        marks = {"GREENROOM_CRASH_MARKS": f"{child_acks},{effects}", **(environment or {})}
        with open(self.path / f"stderr-{self.generation}.log", "wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.crash.child", json.dumps(wish)],
                cwd=ROOT,
                env={**os.environ, **marks},
                pass_fds=(effects, child_acks),
                stdin=subprocess.DEVNULL,
                stderr=stderr,
            )
        os.close(effects)
        os.close(child_acks)
        try:
            is_stuck = self._listen(process, acks, kill)
        finally:
            os.close(acks)
            if process.poll() is None and not self._is_ending(process):
                process.kill()
                process.wait()
        return self._judge(process.returncode, is_stuck=is_stuck, is_healing=wish.heal)

    def _wish(self, effects: int, acks: int, orders: dict[str, Any]) -> Orders:
        """What a child is to do: much of what was asked of others it asks again."""
        evidence = self.evidence
        most = ASKED_AGAIN_AT_LAST if orders.get("heal") else ASKED_AGAIN
        # Another run of a relay's workflow would not know of the one before.
        updates = [
            (told.workflow_id, told.update_id)
            for told in evidence.updates.values()
            if not told.workflow_id.startswith(RELAY)
        ]
        starts = [(each, kind, evidence.limits[each]) for each, kind in evidence.requested.items()]
        signals = [(workflow_id, name, token) for token, (workflow_id, name) in evidence.keyed.items()]
        return Orders(
            *(str(self.journal), effects, acks, self.seed, self.generation, self.known),
            *(updates[-most:], starts[-STARTED_AGAIN:], signals[-most:], self._ended),
            **orders,
        )

    def heal(self) -> End:
        """Have everything that is open come to its end; what begins meanwhile is for another process."""
        end = self.run(heal=True)
        for _ in range(HEALINGS):
            if end.is_done and self.known and not end.findings:
                end = self.run(heal=True)
        findings = [*end.findings]
        if not findings and (not end.is_done or self.known):
            findings.append(f"{len(self.known)} runs did not come to their end: {self.known[:5]}")
        return end._replace(findings=[f"healing: {finding}" for finding in findings])

    def _listen(self, process: subprocess.Popen[bytes], acks: int, kill: When | None) -> bool:
        """Log what the child acknowledges until it has ended; whether it had to be ended because it was stuck."""
        limit = time.monotonic() + LIMIT_S
        kill_at: float | None = None
        said, promised = len(self.evidence.progress), self.evidence.acknowledgements
        with open(self._acks, "ab") as log:
            while True:
                now = time.monotonic()
                if now >= limit:
                    process.send_signal(signal.SIGABRT)
                    return True
                if kill_at is not None and now >= kill_at:
                    process.kill()
                    kill_at = None
                ready, _, _ = select.select([acks], [], [], (limit if kill_at is None else kill_at) - now)
                if not ready:
                    continue
                chunk = os.read(acks, 1 << 16)
                log.write(chunk)
                if not chunk:
                    return False
                self.evidence.take(chunk)
                if (
                    kill is not None
                    and kill.progress in self.evidence.progress[said:]
                    and self.evidence.acknowledgements - promised >= kill.promises
                ):
                    kill_at, kill = time.monotonic() + kill.seconds, None

    def _is_ending(self, process: subprocess.Popen[bytes]) -> bool:
        try:
            process.wait(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _judge(self, code: int, *, is_stuck: bool, is_healing: bool) -> End:
        self.evidence.end()
        with open(self._effects, "rb") as file:
            file.seek(self._effects_read)
            effects = file.read()
        self._effects_read += len(effects)
        self.evidence.take(effects)
        self.evidence.end()
        findings = self.audit(is_final=is_healing)
        is_killed, is_done = code == -signal.SIGKILL, code == 0
        stderr = self.path / f"stderr-{self.generation}.log"
        if is_stuck:
            findings.append(f"generation {self.generation} was stuck; its stacks are in {stderr}")
        elif not is_killed and not is_done:
            last = stderr.read_text(errors="replace").strip().splitlines()[-1:]
            findings.append(f"generation {self.generation} ended with code {code}: {' '.join(last)} (see {stderr})")
        else:
            stderr.unlink()
        return End(is_killed, is_done, findings)

    def audit(self, *, is_final: bool = False) -> list[str]:
        """Hold the journal against the evidence, and learn what is open; in the end replay every history as well."""
        if not (self.journal / "journal" / "data.mdb").exists():
            return self._nothing("there is no data file")
        try:
            findings = [f"check: {problem}" for problem in check(self.journal)]
            journal = Journal.open(self.journal, read_only=True)
        except (LocationError, FormatError) as error:
            return self._nothing(str(error))
        try:
            findings += audit(journal, self.evidence)
            runs = read_runs(journal)
            if is_final:
                findings += replay(runs)
                findings += [f"rows of run {run_no} are left" for run_no in journal.being_deleted()]
            self._ended = [run.header.workflow_id for run in runs if _is_over(run)]
            self.known = [(run.header.workflow_id, run.header.workflow_type) for run in runs if run.status.is_open]
            position = (journal.epoch, journal.sequence)
        except ValueError as error:
            return [*findings, f"it cannot be read: {error}"]
        finally:
            journal.close()
        if position < self._last or position[1] < self._last[1]:
            findings.append(f"epoch and sequence were {self._last} and are {position}")
        self._last = position
        return findings

    def _nothing(self, why: str) -> list[str]:
        """A journal that cannot be opened for reading is fine only while nobody was told of anything in it."""
        if self.evidence.acknowledgements or self._last != (0, 0):
            return [f"the journal is gone: {why}"]
        return []


def _is_over(run: Run) -> bool:
    """Whether it is a slip that is only waiting to be deleted."""
    return run.header.workflow_id.startswith(SLIP) and not run.status.is_open
