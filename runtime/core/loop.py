"""An asyncio event loop without a clock, a selector or a thread: ready callbacks in order, time taken from messages.

Whatever asyncio builds on ``call_soon``, ``call_at``, futures and tasks works on it. Whatever needs a socket, a process
or another thread is refused with an explanation.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any, NoReturn, Protocol, TypeVar, TypeVarTuple

from ..model.errors import ReadOnlyContextError
from .call_sites import waits_at
from .tasks import BareFuture, Future, Handle, RunPutAway, Task, TimerHandle

__all__ = ["Owner", "Waits", "WorkflowLoop", "leave_any_loop"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

CLOSE_ATTEMPTS = 16

_get_running_loop = asyncio._get_running_loop
_set_running_loop = asyncio._set_running_loop

logger = logging.getLogger("greenroom")


class Owner(Protocol):
    """The execution that a loop belongs to."""

    def start_loop_timer(self, at_ns: int, handle: TimerHandle) -> None:
        """Have ``handle`` fire at an instant (ns), by a durable timer."""
        ...

    def raised(self, error: BaseException) -> None:
        """A callback let out ``error``."""
        ...

    def is_replaying(self) -> bool:
        """Whether this turn is in the history already."""
        ...


class Waits(Protocol):
    """What can be waited for beside callbacks."""

    waiting: list[Any]

    def check(self) -> bool:
        """Ask whether it has come about; True if that has woken anybody."""
        ...


class _Nobody:
    """Whom a loop belongs to once its run is put away."""

    def start_loop_timer(self, at_ns: int, handle: TimerHandle) -> None:
        raise RunPutAway("starting a timer")

    def raised(self, error: BaseException) -> None:
        """Nobody is there to be told."""

    def is_replaying(self) -> bool:
        return True


_NOBODY = _Nobody()


def _refusal(what: str, instead: str) -> Any:
    def refuse(self: WorkflowLoop, *args: object, **kwargs: object) -> NoReturn:
        raise RuntimeError(f"{what} cannot be used in a workflow: a replay could not repeat it; {instead}")

    return refuse


_USE_AN_ACTIVITY = "do it in an activity"


class WorkflowLoop(asyncio.AbstractEventLoop):
    """The loop of one run.

    Args:
        owner: the execution that it belongs to, which workflow code speaks to while this loop runs.
        first_order: where the counter of hashes begins; the same in each replay of a run, and far from other runs'
            counters, since asyncio keeps the tasks of all loops in one set.

    Attributes:
        now_ns: the run's time (UTC).
        started_ns: when the run began; ``time()`` counts from here.
        order: the last number of the counter that is the hash of tasks and futures.
        is_marred: whether something that may only read has changed the run; whoever lets it run looks at this.
        is_cut: whether no callback is to begin any more: the turn has had its time.
        read_only: what is running now, if it may only read ("a wait condition"); empty otherwise.
    """

    def __init__(
        self,
        owner: Owner,
        *,
        first_order: int = 0,
    ) -> None:
        self.owner = owner
        # The same again, by the name that workflow code finds any engine's execution under; None once it is put away.
        self.greenroom_context: object = owner
        self.now_ns = 0
        self.started_ns = 0
        self.read_only = ""
        self.is_marred = False
        self.is_cut = False
        self._ready: list[Handle | TimerHandle] = []
        self.order = first_order
        self._tasks: list[Task[Any]] = []
        self._tasks_limit = 16
        self._generators: list[AsyncGenerator[Any, Any]] = []
        self._generators_limit = 16
        self._closed = False
        self._hooks_before: Any = (None, None)

    # What the execution drives.

    def run_ready(self, conditions: Waits) -> None:
        """Run callbacks until none is ready and ``conditions``, checked each time they have run dry, wake nobody."""
        while True:
            while self._ready:
                # What they make ready comes after them. A list, since an empty deque is 600 bytes, and most runs wait.
                ready: list[Any] = self._ready
                self._ready = []
                for handle in ready:
                    if self.is_cut:
                        return
                    if not handle._cancelled:
                        try:
                            handle._context.run(handle._callback, *handle._args)
                        except BaseException as error:
                            self.owner.raised(error)
            if not (conditions.waiting and conditions.check()):
                return

    def enter(self) -> Any:
        """Make this the running loop of the thread; returns what ``leave`` needs."""
        before = _get_running_loop()
        if before is not self:
            _set_running_loop(self)
            self._hooks_before = sys.get_asyncgen_hooks()
            sys.set_asyncgen_hooks(self._generator_started, _generator_dropped)
        return before

    def leave(self, before: Any) -> None:
        """Put back what was there before ``enter``."""
        if before is not self:
            _set_running_loop(before)
            sys.set_asyncgen_hooks(*self._hooks_before)

    def has_unfinished(self) -> bool:
        """Whether a task or an async generator is left that has not ended."""
        for task in self._tasks:  # a generator takes twice the time on this path
            if not task.done():
                return True
        return bool(self._generators)

    def unfinished(self) -> list[Task[Any]]:
        """The tasks that have not ended, in the order in which they were made."""
        return [task for task in self._tasks if not task.done()]

    def unseen_failures(self) -> list[tuple[str, BaseException]]:
        """The tasks that have let out what nobody has asked for, by name, each once."""
        failures: list[tuple[str, BaseException]] = []
        for task in self._tasks:
            error = task.unseen_failure()
            if error is not None:
                failures.append((task.get_name(), error))
        return failures

    def destroy(self) -> list[str]:
        """Close every coroutine that is still waiting, children first, with this loop running.

        Returns:
            The coroutines that would not end, as text that says where they wait; they are kept alive and never left to
            the collector.
        """
        self._closed = True
        stubborn: list[str] = []
        unfinished = self.unfinished() if self.has_unfinished() else []
        for task in reversed(unfinished):
            coroutine: Any = task.get_coro()
            if not _close(coroutine):
                stubborn.append(_told(coroutine))
                _keep(task)
            task.be_quiet()
        for generator in reversed(self._generators):
            if not _close_generator(generator):
                stubborn.append(_told(generator))
                _keep(generator)
        self._ready.clear()
        # What refers to itself in a circle would wait for the collector.
        for task in unfinished:
            task.let_go()
        self._tasks.clear()
        self._generators.clear()
        self.owner = _NOBODY
        self.greenroom_context = None
        return stubborn

    # What asyncio asks of a loop.

    def time(self) -> float:
        return (self.now_ns - self.started_ns) / 1e9

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> Handle:
        if self.read_only:
            self.refuse_change("waking a task or scheduling a callback")
        handle = Handle(callback, args, context)
        self._ready.append(handle)
        return handle

    def refuse_change(self, action: str) -> NoReturn:
        """Refuse what only reading allows no longer; by then a future may know what nobody will hear of."""
        self.is_marred = True
        raise ReadOnlyContextError(action, self.read_only)

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        return self._call_at_ns(self.now_ns + round(delay * 1e9), callback, args, context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        return self._call_at_ns(self.started_ns + round(when * 1e9), callback, args, context)

    def _call_at_ns(
        self, at_ns: int, callback: Callable[..., object], args: tuple[Any, ...], context: contextvars.Context | None
    ) -> TimerHandle:
        if self.read_only:
            self.refuse_change("starting a timer")
        handle = TimerHandle((at_ns - self.started_ns) / 1e9, callback, args, context)
        if at_ns <= self.now_ns:
            self._ready.append(handle)
        else:
            self.owner.start_loop_timer(at_ns, handle)
        return handle

    def fire(self, handle: TimerHandle) -> None:
        """The durable timer of ``handle`` is due: its callback takes its place in the queue."""
        self._ready.append(handle)

    def create_future(self) -> Future[Any]:
        future: Future[Any] = BareFuture(loop=self)
        future.order = self.order = self.order + 1
        return future

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> Task[T]:
        if self.read_only:
            coro.close()
            raise ReadOnlyContextError("creating a task", self.read_only)
        order = self.order = self.order + 1
        coroutine: Any = coro
        task: Task[T] = Task(order, coroutine, loop=self, name=name or f"task-{order}", context=context)
        if self._closed:
            # Cleanup of a run that is put away: to raise here would leave the coroutines beside this one un-awaited,
            # which Python warns of. It never starts instead.
            coro.close()
            task.be_quiet()
            return task
        tasks = self._tasks
        tasks.append(task)
        if len(tasks) > self._tasks_limit:
            self._tasks = alive = [each for each in tasks if not each.done()]
            self._tasks_limit = 2 * len(alive) + 16
        return task

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None:
        """Debug mode would read the real clock: it has no effect here."""

    def is_running(self) -> bool:
        return not self._closed

    def is_closed(self) -> bool:
        return self._closed

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        # Called by finalizers only (an exception that nobody looked at): their moment is not part of the run, so it is
        # only logged.
        error = context.get("exception")
        if not self._closed and not self.owner.is_replaying():
            logger.error("%s", context.get("message"), exc_info=error if isinstance(error, BaseException) else None)

    default_exception_handler = call_exception_handler

    def get_exception_handler(self) -> None:
        """There is none but the loop's own."""

    def get_task_factory(self) -> None:
        """There is none but the loop's own."""

    def _generator_started(self, generator: AsyncGenerator[Any, Any]) -> None:
        # Kept until it has ended or the run is put away: the moment of a finalizer is not part of the run.
        generators = self._generators
        generators.append(generator)
        if len(generators) > self._generators_limit:
            self._generators = alive = [each for each in generators if not _has_ended(each)]
            self._generators_limit = 2 * len(alive) + 16

    run_in_executor = _refusal("loop.run_in_executor", _USE_AN_ACTIVITY)
    call_soon_threadsafe = _refusal(
        "loop.call_soon_threadsafe", "another thread reaches a workflow by handle.signal(...)"
    )
    run_forever = run_until_complete = _refusal("loop.run_until_complete", "await the coroutine")
    stop = close = _refusal("closing the loop", "return from the workflow instead")
    getaddrinfo = getnameinfo = _refusal("a name lookup", _USE_AN_ACTIVITY)
    create_connection = create_server = create_datagram_endpoint = _refusal("a socket", _USE_AN_ACTIVITY)
    create_unix_connection = create_unix_server = connect_accepted_socket = _refusal("a socket", _USE_AN_ACTIVITY)
    sock_recv = sock_recv_into = sock_recvfrom = sock_recvfrom_into = _refusal("a socket", _USE_AN_ACTIVITY)
    sock_sendall = sock_sendto = _refusal("a socket", _USE_AN_ACTIVITY)
    sock_connect = sock_accept = sock_sendfile = sendfile = start_tls = _refusal("a socket", _USE_AN_ACTIVITY)
    add_reader = remove_reader = add_writer = remove_writer = _refusal("a file descriptor", _USE_AN_ACTIVITY)
    connect_read_pipe = connect_write_pipe = _refusal("a pipe", _USE_AN_ACTIVITY)
    subprocess_exec = subprocess_shell = _refusal("a subprocess", _USE_AN_ACTIVITY)
    add_signal_handler = remove_signal_handler = _refusal("an OS signal handler", "the application handles OS signals")
    set_default_executor = shutdown_default_executor = _refusal("an executor", _USE_AN_ACTIVITY)
    shutdown_asyncgens = _refusal("loop.shutdown_asyncgens", "a run that is put away does it")
    set_task_factory = _refusal("a task factory", "the order of tasks is the loop's own")
    set_exception_handler = _refusal("an exception handler", "what tasks let out closes or suspends the run")


def leave_any_loop() -> None:
    """No loop runs on this thread: one may have been left running by code that was ended wherever it was."""
    _set_running_loop(None)
    sys.set_asyncgen_hooks(None, None)


def _generator_dropped(generator: AsyncGenerator[Any, Any]) -> None:
    """Nothing may run when the collector finds a generator, at whatever moment and on whatever thread."""


# What would not end stays referenced: a collector that runs its finalizers on some other thread would be worse.
_KEPT: list[object] = []


def _keep(stubborn: object) -> None:
    """Keep what would not end, also when the interpreter ends and lets go of everything: to be closed then, with what
    its code uses gone already, is what it may answer by going round for ever."""
    # Nobody needs it but for code with a fault.
    import ctypes

    _KEPT.append(stubborn)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(stubborn))


def _told(stubborn: object) -> str:
    place = waits_at(stubborn)
    return f"{stubborn!r} waits at {place}" if place else repr(stubborn)


def _close(coroutine: Coroutine[Any, Any, Any]) -> bool:
    # Not close(): on its way GeneratorExit leaves out async generators that wait for something (CPython 3.11).
    for _ in range(CLOSE_ATTEMPTS):
        try:
            coroutine.throw(RunPutAway())
        except BaseException:
            return True
    return False


def _close_generator(generator: AsyncGenerator[Any, Any]) -> bool:
    for _ in range(CLOSE_ATTEMPTS):
        if _has_ended(generator) or not _close(generator.athrow(RunPutAway())):
            break
    return _has_ended(generator)


def _has_ended(generator: AsyncGenerator[Any, Any]) -> bool:
    return getattr(generator, "ag_frame", None) is None
