"""The limits: loops that do only what cannot be left out. They have no features: nothing real is faster."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from struct import Struct
from typing import Any, TypeVar, TypeVarTuple, cast

import lmdb
import msgpack
import pykka

__all__ = ["BareCounter", "BareEngine", "BareRun", "Row", "bare_commits", "bare_replay", "bare_trips"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

Row = tuple[bytes, bytes, bytes | None]
"""Tree, key, value; None deletes the key."""

MAP_SIZE = 1 << 33
_key = Struct(">QI").pack


class _Loop(asyncio.AbstractEventLoop):
    """A deque of ready callbacks."""

    def __init__(self) -> None:
        self._ready: deque[asyncio.Handle] = deque()

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def get_debug(self) -> bool:
        return False

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def start(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        return asyncio.Task(coroutine, loop=self)

    def run_ready(self) -> None:
        asyncio._set_running_loop(self)
        ready = self._ready
        try:
            while ready:
                ready.popleft()._run()
        finally:
            asyncio._set_running_loop(None)


# Checkers miss the methods that asyncio's own loops have; nothing here asks for them.
_make_loop: Callable[[], _Loop] = cast("Any", _Loop)


class BareRun:
    """One run: a task that waits for activities, the mail for it, and what it has asked for."""

    __slots__ = ("_last", "_loop", "_pending", "_task", "commands", "done", "mail", "number", "result", "taken", "turn")

    def __init__(self, number: int) -> None:
        self.number = number
        self.mail: list[tuple[Any, ...]] = []
        self.taken: list[tuple[Any, ...]] = []
        self.commands: list[tuple[Any, ...]] = []
        self.turn = 0
        self.done = False
        self.result: pykka.Future[list[str]] = pykka.ThreadingFuture()
        self._last = 0
        self._loop = _make_loop()
        self._pending: dict[int, asyncio.Future[str]] = {}
        self._task: asyncio.Task[list[str]] | None = None

    def take(self) -> None:
        """Take all mail, and let the task run until it waits."""
        for message in self.mail:
            if message[0] == "started":
                self._task = self._loop.start(self._main(message[1], message[2]))
            else:
                self._pending.pop(message[1]).set_result(message[2])
        self.taken, self.mail = self.mail, []
        self._loop.run_ready()
        self.done = self._task is not None and self._task.done()

    def release(self) -> None:
        """Tell who waits, if the run has ended."""
        if self._task is not None and self.done:
            self.result.set(self._task.result())

    async def _main(self, name: str, count: int) -> list[str]:
        return [await self._activity("greet", name) for _ in range(count)]

    def _activity(self, name: str, *args: str) -> asyncio.Future[str]:
        self._last += 1
        future = self._pending[self._last] = self._loop.create_future()
        self.commands.append(("activity", self._last, name, args))
        return future


class BareEngine:
    """Mail in, one task step a run, one record, one commit a sweep with sync, then activities on a pool of threads."""

    def __init__(self, path: Path, *, threads: int = 8) -> None:
        self._env = lmdb.open(str(path), map_size=MAP_SIZE, max_dbs=4)
        self._turns, self._runs, self._tasks = (self._env.open_db(name) for name in (b"turns", b"runs", b"tasks"))
        self._mail: deque[tuple[BareRun, tuple[Any, ...]]] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._pool = ThreadPoolExecutor(threads)
        self._thread = threading.Thread(target=self._sweeps, daemon=True)
        self._thread.start()
        self.commits = 0

    def start(self, number: int, name: str, count: int) -> pykka.Future[list[str]]:
        """Start a run of ``count`` activities."""
        run = BareRun(number)
        self._tell(run, ("started", name, count))
        return run.result

    def close(self) -> None:
        """End the thread and the pool, and let go of the file."""
        self._closing = True
        self._wake.set()
        self._thread.join()
        self._pool.shutdown()
        self._env.close()

    def _tell(self, run: BareRun, message: tuple[Any, ...]) -> None:
        self._mail.append((run, message))
        if not self._wake.is_set():
            self._wake.set()

    def _perform(self, run: BareRun, command: tuple[Any, ...]) -> None:
        self._tell(run, ("done", command[1], "Hi, " + command[3][0]))

    def _sweeps(self) -> None:
        while not self._closing:
            self._wake.wait()
            self._wake.clear()
            sweep: dict[BareRun, None] = {}
            while self._mail:
                run, message = self._mail.popleft()
                run.mail.append(message)
                sweep[run] = None
            if sweep:
                for run in sweep:
                    run.take()
                self._commit(sweep)
                for run in sweep:
                    commands, run.commands = run.commands, []
                    for command in commands:
                        self._pool.submit(self._perform, run, command)
                    run.release()

    def _commit(self, sweep: Iterable[BareRun]) -> None:
        turns, runs, tasks, pack = self._turns, self._runs, self._tasks, msgpack.packb
        with self._env.begin(write=True) as txn:
            for run in sweep:
                number = run.number
                run.turn += 1
                txn.put(_key(number, run.turn), pack([time.time_ns(), run.taken, run.commands]), db=turns)
                if run.turn == 1 or run.done:
                    txn.put(b"wf-%d" % number, pack([number, run.done]), db=runs)
                for message in run.taken:
                    if message[0] == "done":
                        txn.delete(_key(number, message[1]), db=tasks)
                for command in run.commands:
                    txn.put(_key(number, command[1]), pack(command), db=tasks)
        self.commits += 1


class BareCounter:
    """Numbers in, a sum, one record each, one commit a sweep with sync, then those who have sent them are told.

    Args:
        tell: is given what came with the numbers of a sweep.
    """

    def __init__(self, path: Path, tell: Callable[[list[Any]], object]) -> None:
        self._env = lmdb.open(str(path), map_size=MAP_SIZE)
        self._mail: deque[tuple[int, Any]] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._tell = tell
        self._turn = 0
        self._thread = threading.Thread(target=self._sweeps, daemon=True)
        self._thread.start()
        self.total = 0

    def add(self, number: int, sender: Any) -> None:
        """Count a number."""
        self._mail.append((number, sender))
        if not self._wake.is_set():
            self._wake.set()

    def close(self) -> None:
        """End the thread, and let go of the file."""
        self._closing = True
        self._wake.set()
        self._thread.join()
        self._env.close()

    def _sweeps(self) -> None:
        mail, pack = self._mail, msgpack.packb
        while not self._closing:
            self._wake.wait()
            self._wake.clear()
            senders: list[Any] = []
            with self._env.begin(write=True) as txn:
                while mail:
                    number, sender = mail.popleft()
                    self.total += number
                    self._turn += 1
                    txn.put(_key(1, self._turn), pack([time.time_ns(), [("signal", "add", (number,))], []]))
                    senders.append(sender)
            self._tell(senders)


def bare_trips(count: int) -> list[float]:
    """Seconds that each of ``count`` questions takes to another thread and back, which answers at once."""
    asked: deque[pykka.Future[int]] = deque()
    wake = threading.Event()

    def answer() -> None:
        answered = 0
        while answered < count:
            wake.wait()
            wake.clear()
            while asked:
                asked.popleft().set(answered)
                answered += 1

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    seconds: list[float] = []
    for _ in range(count):
        begin = time.perf_counter()
        future: pykka.Future[int] = pykka.ThreadingFuture()
        asked.append(future)
        wake.set()
        future.get()
        seconds.append(time.perf_counter() - begin)
    thread.join()
    return seconds


def bare_commits(path: Path, units: Iterable[Sequence[Sequence[Row]]]) -> list[float]:
    """Seconds that each unit takes: the commits of its rows, one after the other, each with sync, and nothing else."""
    env = lmdb.open(str(path), map_size=MAP_SIZE, max_dbs=8)
    trees = {name: env.open_db(name) for name in (b"meta", b"runs", b"due", b"ids")}
    seconds: list[float] = []
    for unit in units:
        begin = time.perf_counter()
        for rows in unit:
            with env.begin(write=True) as txn:
                for tree, key, value in rows:
                    if value is None:
                        txn.delete(key, db=trees[tree])
                    else:
                        txn.put(key, value, db=trees[tree])
        seconds.append(time.perf_counter() - begin)
    env.close()
    return seconds


def bare_replay(path: Path, count: int) -> float:
    """Seconds to read ``count`` records of activity outcomes, and to have one run take each of them again."""
    env = lmdb.open(str(path), map_size=MAP_SIZE)
    with env.begin(write=True) as txn:
        txn.put(_key(1, 0), msgpack.packb([0, [("started", "Kyle", count)], [("activity", 1, "greet", ("Kyle",))]]))
        for turn in range(1, count + 1):
            commands = [("activity", turn + 1, "greet", ("Kyle",))]
            record = msgpack.packb([time.time_ns(), [("done", turn, "Hi, Kyle")], commands])
            txn.put(_key(1, turn), record, append=True)
    begin = time.perf_counter()
    run = BareRun(1)
    with env.begin() as txn, txn.cursor() as cursor:
        for _, value in cursor:
            run.mail = msgpack.unpackb(value)[1]
            run.take()
            run.commands = []
    seconds = time.perf_counter() - begin
    env.close()
    return seconds
