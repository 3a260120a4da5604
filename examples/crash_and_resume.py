"""Kill a workflow's process with ``kill -9``, twice at the worst moments, and see each run finish with nothing lost.

Run it with ``python examples/crash_and_resume.py``. It exits with 0 only if the journal proves what it says. To see the
proof fail, take the journal away before the second process: ``--lose-journal``.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from greenroom import Runtime, activity, workflow

NAMES = ("Kyle", "Ada", "Grace")
SECONDS = 20  # how long anything here may take before it counts as lost


# The workflows.


class Greetings:
    """An activity with an effect that can be counted: each greeting is a line in a file."""

    def __init__(self, effects: Path, dies_after: str) -> None:
        self.effects = effects
        self.dies_after = dies_after

    @activity.defn
    def greet(self, name: str) -> str:
        with self.effects.open("a") as file:
            file.write(f"{name} {activity.info().idempotency_key}\n")
        if name == self.dies_after:
            os.kill(os.getpid(), signal.SIGKILL)  # the effect is made, and nothing has recorded it
        return f"Hi, {name}"


@workflow.defn
class StatefulGreeter:
    def __init__(self) -> None:
        self.greeted: list[str] = []

    @workflow.run
    async def run(self, max_greetings: int = 3) -> list[str]:
        await workflow.wait_condition(lambda: len(self.greeted) >= max_greetings)
        return self.greeted

    @workflow.signal
    async def greet(self, sender: str, name: str) -> None:
        greeting: str = await workflow.execute_activity_method(Greetings.greet, name)
        await workflow.get_external_workflow_handle(sender).signal("greeting", greeting)
        self.greeted.append(greeting)


@workflow.defn
async def greeting(greeter_id: str, name: str) -> str:
    signals = workflow.signal_channel()
    me = workflow.info().workflow_id
    await workflow.get_external_workflow_handle(greeter_id).signal(StatefulGreeter.greet, me, name)
    return await signals.receive("greeting", result_type=str)


# The two processes. Each is this file, run again with the name of its part.


def begin(folder: Path, dies_after: str) -> None:
    """The first process: it starts the greeter and is killed before it is done."""
    with Runtime(folder / "journal", activities=[Greetings(folder / "effects", dies_after)]) as runtime:
        greeter = runtime.start_workflow(StatefulGreeter.run, id="greeter").get(timeout=SECONDS)
        print("started the greeter", flush=True)
        for name in NAMES:
            print(runtime.execute_workflow(greeting, "greeter", name, id=f"greeting-{name}").get(timeout=SECONDS))
            greeter.describe().get(timeout=SECONDS)  # answered behind the greeter's mail: it has taken all of that
            print("waiting", flush=True)
            sys.stdin.readline()  # the parent answers, or kills


def resume(folder: Path, asked: int) -> None:
    """The second process: same program, same journal. It asks for the greetings that nobody has asked for yet."""
    with Runtime(folder / "journal", activities=[Greetings(folder / "effects", "")]) as runtime:
        for name in NAMES[:asked]:
            print(runtime.get_workflow_handle(f"greeting-{name}").result().get(timeout=SECONDS), "(asked for before)")
        for name in NAMES[asked:]:
            print(runtime.execute_workflow(greeting, "greeter", name, id=f"greeting-{name}").get(timeout=SECONDS))
        greeted = runtime.get_workflow_handle("greeter").result().get(timeout=SECONDS)
        print(f"the greeter returned {greeted}")


# The parent: it kills, starts again, and reads the journal to see whether the promises were kept.


def process(part: str, folder: Path, argument: str) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, part, str(folder), argument]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def say(line: str) -> None:
    print(line, flush=True)


def kill_and_resume(folder: Path, dies_after: str, asked: int, *, loses_journal: bool) -> list[str]:
    """Play one act; give what the journal and the effects say against it."""
    first = process("begin", folder, dies_after)
    assert first.stdin is not None
    assert first.stdout is not None
    with first:
        for line in first.stdout:
            if line != "waiting\n":
                say(f"  process 1: {line.rstrip()}")
            elif dies_after:
                first.stdin.write("go on\n")
                first.stdin.flush()
            else:
                first.send_signal(signal.SIGKILL)
    killed = datetime.now(UTC)
    if first.returncode != -signal.SIGKILL:
        return [f"process 1 was to be killed, and ended with {first.returncode}"]
    say("  process 1: killed with SIGKILL")
    if loses_journal:
        shutil.rmtree(folder / "journal")

    second = process("resume", folder, str(asked))
    output, _ = second.communicate(timeout=SECONDS * 3)
    for line in output.splitlines():
        say(f"  process 2: {line}")
    if second.returncode != 0:
        return [f"process 2 could not finish the work: it ended with {second.returncode}"]
    return verdict(folder, dies_after, killed)


def verdict(folder: Path, dies_after: str, killed: datetime) -> list[str]:
    with Runtime(folder / "journal") as runtime:
        history = runtime.get_workflow_handle("greeter").fetch_history().get(timeout=SECONDS)
    say("  the greeter's history, from the journal:")
    results: list[str] = []
    is_marked = False
    for event in history.events:
        if event.time > killed and not is_marked:
            is_marked = True
            say("    ---- killed here; what follows was decided by another process ----")
        if event.kind == "ActivityCompleted":
            results.append(event.facts["result"])
        facts = [f"  {name}={value}" for name, value in event.facts.items() if name in ("args", "result", "attempt")]
        say(f"    {event.number:>2}  {event.kind:<23}{''.join(facts)}".rstrip())
    effects = [tuple(line.split()) for line in (folder / "effects").read_text().splitlines()]
    for name, key in effects:
        say(f"  effect on the world: greeted {name}, idempotency key {key}")
    return broken_promises(results, history.kinds()[-1], effects, interrupted=dies_after)


def broken_promises(results: list[str], last: str, effects: list[tuple[str, ...]], *, interrupted: str) -> list[str]:
    """Compare what the journal and the file of effects have with what was promised; give what does not hold."""
    broken: list[str] = []
    if results != [f"Hi, {name}" for name in NAMES]:
        broken.append(f"each greeting must stand in the history once and in order; it has {results}")
    if last != "WorkflowCompleted":
        broken.append(f"the run must be completed; its last event is {last}")
    made = Counter(name for name, _ in effects)
    for name in NAMES:
        times = 2 if name == interrupted else 1
        if made[name] != times:
            broken.append(f"the effect of greeting {name} must be made {times} time(s); it was made {made[name]}")
        if len({key for each, key in effects if each == name}) > 1:
            broken.append(f"all attempts at greeting {name} must have one idempotency key; they have several")
    if len({key for _, key in effects}) != len(made):
        broken.append("no two greetings may share an idempotency key")
    return broken


def main(*, loses_journal: bool) -> int:
    acts = (
        ("1. Killed between two greetings.", "", 1),
        ("2. Killed inside an activity: after its effect, before anything recorded it.", "Ada", 2),
    )
    broken: list[str] = []
    for title, dies_after, asked in acts:
        say(title)
        with tempfile.TemporaryDirectory() as folder:
            broken += kill_and_resume(Path(folder), dies_after, asked, loses_journal=loses_journal)
    for line in broken:
        say(f"BROKEN: {line}")
    if not broken:
        say("Proved: every greeting stands in the history once, finished activities did not run again,")
        say("and the interrupted one ran again with the same idempotency key.")
    return 1 if broken else 0


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["begin", folder, dies_after]:
            begin(Path(folder), dies_after)
        case ["resume", folder, asked]:
            resume(Path(folder), int(asked))
        case [] | ["--lose-journal"]:
            sys.exit(main(loses_journal="--lose-journal" in sys.argv))
        case _:
            sys.exit(f"usage: {sys.argv[0]} [--lose-journal]")
