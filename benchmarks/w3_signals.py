"""How many acknowledged signals a second does a run take: from 50 waiting threads, from 50 asyncio tasks, from one?"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import pykka

from greenroom import Runtime
from greenroom.runtime.client import WorkflowHandle

from .flows import Tally
from .journals import SYNCS_A_COMMIT, commits_in, journal_folder
from .limits import BareCounter
from .report import Figure, Report, run

__all__ = ["measure"]

TARGET = "to one run at least 7,000 signals/s from 50 threads that wait for each, and 20,000/s from 50 asyncio tasks"
THREADS_PER_S = 7000
TASKS_PER_S = 20_000
SENDERS = 50

Send = Callable[[], Any]
Drive = Callable[[list[Send], int], None]


class _Run(NamedTuple):
    """One measurement: signals a second; commits and CPU time (s) of one signal."""

    rate: float
    commits: float
    cpu: float


def measure(*, quick: bool) -> Report:
    """Bare, ours, bare, ours …; the median of the rounds counts. From the first send until the run has returned."""
    count, few, rounds = (1000, 100, 1) if quick else (20_000, 500, 5)
    ours: dict[str, list[_Run]] = {name: [] for name in ("threads", "tasks", "one_sender", "hundred_workflows")}
    bare: dict[str, list[float]] = {"threads": [], "tasks": []}
    for _ in range(rounds):
        bare["threads"].append(_bare_threads(count))
        ours["threads"].append(_ours(_by_threads, count))
        bare["tasks"].append(_bare_tasks(count))
        ours["tasks"].append(_ours(_by_tasks, count))
        ours["one_sender"].append(_ours(_by_threads, few, senders=1))
        ours["hundred_workflows"].append(_ours(_by_threads, 2000 if count > 2000 else count, workflows=100))
    figures: dict[str, Figure] = {"signals": count, "senders": SENDERS, "rounds": rounds}
    for name, runs in ours.items():
        found: dict[str, Figure] = {
            "signals_per_s": median(run.rate for run in runs),
            "syncs_per_signal": SYNCS_A_COMMIT * median(run.commits for run in runs),
            "cpu_us_per_signal": 1e6 * median(run.cpu for run in runs),
        }
        if name in bare:
            found["bare_signals_per_s"] = median(bare[name])
            found["ratio"] = median(run.rate / limit for run, limit in zip(runs, bare[name], strict=True))
        figures[name] = found
    threads, tasks = (median(run.rate for run in ours[name]) for name in ("threads", "tasks"))
    summary = (
        f"{threads:,.0f} signals/s from {SENDERS} threads ({_ratio(figures, 'threads'):.2f} of a bare counter), "
        f"{tasks:,.0f} from {SENDERS} tasks ({_ratio(figures, 'tasks'):.2f}), "
        f"{median(run.rate for run in ours['one_sender']):,.0f} from one sender, "
        f"{median(run.rate for run in ours['hundred_workflows']):,.0f} to 100 workflows"
    )
    return Report("W3", TARGET, threads >= THREADS_PER_S and tasks >= TASKS_PER_S, figures, summary)


def _ratio(figures: dict[str, Figure], name: str) -> float:
    found: Any = figures[name]
    ratio: float = found["ratio"]
    return ratio


def _ours(drive: Drive, count: int, *, senders: int = SENDERS, workflows: int = 1) -> _Run:
    with journal_folder() as folder:
        cpu = time.process_time()
        seconds = _run(folder / "journal", drive, count, senders, workflows)
        cpu = time.process_time() - cpu
        return _Run(count / seconds, commits_in(folder / "journal") / count, cpu / count)


def _run(path: Path, drive: Drive, count: int, senders: int, workflows: int) -> float:
    with Runtime(path, workflows=[Tally]) as runtime:
        handles: list[WorkflowHandle[int]] = [
            runtime.start_workflow(Tally.run, count // workflows).get(timeout=60) for _ in range(workflows)
        ]
        sends: list[Send] = [partial(handle.signal, Tally.add, 1) for handle in handles]
        begin = time.perf_counter()
        drive([sends[sender % workflows] for sender in range(max(senders, workflows))], count)
        for handle in handles:
            handle.result().get(timeout=60)
        return time.perf_counter() - begin


def _by_threads(sends: list[Send], count: int) -> None:
    """Each sender is a thread: it sends, waits until that is acknowledged, and sends the next."""

    def work(send: Send) -> None:
        for _ in range(count // len(sends)):
            send().get(timeout=60)

    threads = [threading.Thread(target=work, args=(send,)) for send in sends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _by_tasks(sends: list[Send], count: int) -> None:
    """Each sender is a task of one asyncio loop."""

    async def work(send: Send) -> None:
        for _ in range(count // len(sends)):
            await send()

    async def work_all() -> None:
        await asyncio.gather(*map(work, sends))

    asyncio.run(work_all())


def _bare_threads(count: int) -> float:
    def tell(senders: list[pykka.Future[None]]) -> None:
        for sender in senders:
            sender.set()

    with journal_folder() as folder:
        counter = BareCounter(folder, tell)

        def send() -> pykka.Future[None]:
            future: pykka.Future[None] = pykka.ThreadingFuture()
            counter.add(1, future)
            return future

        begin = time.perf_counter()
        _by_threads([send] * SENDERS, count)
        seconds = time.perf_counter() - begin
        counter.close()
    return count / seconds


def _bare_tasks(count: int) -> float:
    loops: list[asyncio.AbstractEventLoop] = []

    def wake(senders: list[asyncio.Future[None]]) -> None:
        for sender in senders:
            sender.set_result(None)

    with journal_folder() as folder:
        counter = BareCounter(folder, lambda senders: senders and loops[0].call_soon_threadsafe(wake, senders))

        def send() -> asyncio.Future[None]:
            loop = asyncio.get_running_loop()
            loops[:] = [loop]
            future = loop.create_future()
            counter.add(1, future)
            return future

        begin = time.perf_counter()
        _by_tasks([send] * SENDERS, count)
        seconds = time.perf_counter() - begin
        counter.close()
    return count / seconds


if __name__ == "__main__":
    run(measure)
