"""Opens a journal, builds the hands, recovers, closes. It decides nothing."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, Unpack

from ..actors import Clock, Closer, SystemClock
from ..storage import Durability, Journal
from .core.changes import PatchActivationInput
from .model import registry
from .model.activity_definition import ActivityDefinition, definitions_of
from .model.definitions import WorkflowDefinition
from .model.durations import to_ns
from .model.payload_converter import PayloadConverter, checked_converter
from .model.payloads import Converter
from .model.registry import Registry
from .model.retention import policy_of
from .model.supervision import Supervision
from .model.workflow_reference import workflow_definition_of
from .runtime_options import RuntimeOptions
from .shell.hands import Hands
from .shell.journal_seam import translated
from .shell.preparing import refuse_while_prepared
from .shell.process_settings import ProcessSettings
from .shell.settings import Seams, Settings
from .with_start_client import WithStartClient

__all__ = ["Runtime"]

Duration = timedelta | float

# Neither changes: one for all who want no other.
_CONVERTER, _SUPERVISION = Converter(), Supervision()


class Runtime(WithStartClient):
    """Runs workflows on a journal: ``with Runtime(...)`` in a synchronous program, ``async with`` in an asyncio one.

    One runtime owns a journal at a time. Closing it ends nothing: the next opening goes on where this one stopped.

    Args:
        path: the journal's directory; made if it is not there.
        workflows: the workflow classes and functions that may run; None for all that are declared in the process.
        activities: the activities that may be performed: functions, methods of an instance, or instances whose
            methods are declared activities; None for all declared functions.
        durability: "full": what is acknowledged survives a power cut. "relaxed": a power cut may undo the last
            commits, and never corrupts.
        activity_executor: performs sync activities instead of the runtime's own daemon threads.
        activity_threads: how many sync activities run at a time.
        activity_processes: how many activities declared with ``executor="process"`` run at a time; None for the number
            of processors. A process is started when one is needed.
        max_residents: how many idle runs stay in memory; the others are on disk only, and come back when something is
            for them.
        mailbox_limit: how many messages may wait for one run.
        max_updates_in_flight: how many updates of one run may be under way, those that wait on disk included; a further
            one is refused with ``WorkflowUpdateLimitError``.
        max_updates: how many updates one run may take in all; likewise, until it has gone on as new. From nine tenths
            of them on ``workflow.info().is_continue_as_new_suggested()`` says so.
        failure_exception_types: exceptions that close any run as failed; ``[Exception]`` for every exception. Without
            it an exception that is not a failure is a bug, and suspends the run until the code is mended.
        supervision: how often a run whose code has raised a bug is restarted, and how soon, before it is suspended;
            None for the defaults of ``Supervision``.
        turn_deadline: how long a turn of a workflow may compute or block before it is ended and its run is suspended
            (seconds or timedelta); None for no limit, as a debugger needs it.
        retention: how long a run is kept after its end (seconds or timedelta); then it is deleted, as by
            ``WorkflowHandle.delete``. It holds for all runs that have ended, whenever that was. None: for ever.
        retention_by_type: the same for single workflow types, which goes first: declared workflow or name → how long.
            Either stands for all names that the workflow has had. A name that no workflow has is said in the log.
        patch_activation_callback: asked before an open run takes a patch that is new to it, with a
            ``PatchActivationInput``; the run takes the old way for good if it returns False. It must return a bool, and
            may read only. None takes every patch.
        identity: on whose behalf this runtime starts workflows and speaks to them, up to 480 bytes: it stands in the
            history beside each such message. None writes nothing. A start, or a handle, may say otherwise.
        converter: turns values into payloads and back: a `Converter` with other limits or with codecs for types of
            yours, or any other object with the methods of a `PayloadConverter`.
        guard: "static": workflows are searched for calls that a replay could not repeat when they are declared.
            "strict": what they call is watched as well, and a query that changes the run is refused; for tests, since
            it costs each call of a turn some time.
        shutdown_grace: how long activities may go on when the runtime closes (seconds or timedelta); then async ones
            are cancelled, and threads are left behind. What has no outcome is performed again at the next opening.
        switch_interval: Python's thread switch interval while a runtime is open, in seconds; None leaves it alone.
            The default keeps threads that compute from holding up every turn, and while a commit is written it is
            shorter still.
        gc_threshold: after how many new objects Python looks for cyclic garbage while a runtime is open, the first
            number of ``gc.get_threshold()``; it is never made smaller. None leaves it alone.
        allow_remote: open a journal on a network file system all the same.
        map_size: bytes of address space to begin with; it grows.
        max_map_size: bytes that the journal may grow to.

    Raises:
        TypeError: an option that is of another type, or what is listed is no workflow or activity.
        ValueError: an option that cannot be so.
        InvalidActivityError: an activity that is listed cannot be performed as it stands there.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        workflows: Iterable[object] | None = None,
        activities: Iterable[object] | None = None,
        durability: str = "full",
        activity_executor: Executor | None = None,
        activity_threads: int = 32,
        activity_processes: int | None = None,
        max_residents: int = 2000,
        mailbox_limit: int = 10_000,
        max_updates_in_flight: int = 1000,
        max_updates: int = 100_000,
        failure_exception_types: Iterable[type[BaseException]] = (),
        supervision: Supervision | None = None,
        turn_deadline: Duration | None = 2.0,
        retention: Duration | None = None,
        retention_by_type: Mapping[Any, Duration | None] | None = None,
        patch_activation_callback: Callable[[PatchActivationInput], bool] | None = None,
        identity: str | None = None,
        converter: PayloadConverter | None = None,
        guard: str = "static",
        shutdown_grace: Duration = 5.0,
        switch_interval: float | None = 0.001,
        gc_threshold: int | None = 10_000,
        allow_remote: bool = False,
        map_size: int | None = None,
        max_map_size: int | None = None,
    ) -> None:
        super().__init__(identity)
        self._path = os.fspath(path)
        if not self._path:
            raise ValueError("the path of the journal is empty; give a directory of its own, such as 'journal'")
        level = Durability(durability)
        if guard not in ("static", "strict"):
            raise ValueError(f"guard is {guard!r}; give 'static' or 'strict'")
        if patch_activation_callback is not None and not callable(patch_activation_callback):
            raise TypeError(f"patch_activation_callback is {patch_activation_callback!r}; give a function or None")
        self._workflows = None if workflows is None else _workflows(workflows)
        self._activities = None if activities is None else _activities(activities)
        self._open_journal: Callable[[], Journal] = lambda: Journal.open(
            self._path,
            durability=level,
            allow_remote=allow_remote,
            map_size=map_size,
            max_map_size=max_map_size,
        )
        self._executor = activity_executor
        self._settings = Settings(
            max_residents=max_residents,
            mailbox_limit=mailbox_limit,
            max_updates_in_flight=_number(max_updates_in_flight, "max_updates_in_flight"),
            max_updates=_number(max_updates, "max_updates"),
            activity_threads=activity_threads,
            activity_processes=activity_processes,
            failure_exception_types=tuple(failure_exception_types),
            supervision=_SUPERVISION if supervision is None else supervision,
            turn_deadline=_seconds_of(turn_deadline, "turn_deadline"),
            switch_interval=switch_interval,
            is_strict=guard == "strict",
            activates=patch_activation_callback,
            retention=policy_of(retention, retention_by_type),
        )
        self._converter: PayloadConverter = _CONVERTER if converter is None else checked_converter(converter)
        self._grace = (to_ns(shutdown_grace, "shutdown_grace") or 0) / 1e9
        self._process_settings = ProcessSettings(switch_interval=switch_interval, gc_threshold=gc_threshold)
        self._clock: Clock = SystemClock()
        self._seams = Seams()
        self._closer: Closer | None = None
        self._closing = threading.Lock()

    @classmethod
    def in_memory(cls, **options: Unpack[RuntimeOptions]) -> Self:
        """A runtime whose journal is in memory, for trying things out: it ends with the runtime. Options are those of
        ``Runtime``."""
        # Loaded here: most journals are on disk.
        from ..storage import MemoryStore

        runtime, store = cls("memory", **options), MemoryStore()
        runtime._open_journal = lambda: Journal.on(store)
        return runtime

    # Opening and closing.

    def open(self) -> Self:
        """Open the journal, take up what was under way, and begin to work.

        Raises:
            JournalInUseError: another runtime owns it.
            JournalError: it cannot be opened; each kind says what to do.
            RuntimeError: it is open, or this process is only being prepared by ``multiprocessing``.
        """
        return self._begin(None)

    def _begin(self, loop: asyncio.AbstractEventLoop | None) -> Self:
        if self._hands is not None:
            how = "is open already" if self.is_open else "has not been closed to the end: close it again first"
            raise RuntimeError(f"the runtime on {self._path} {how}")
        refuse_while_prepared()
        hands = self._build()
        self._process_settings.hold()
        # Before anything is taken up: an activity that was under way may use this runtime, and belongs on the loop too.
        self._hands = hands
        try:
            if loop is not None:
                hands.performer.use_loop(loop)
            hands.recover()
            hands.start()
            self._closer = Closer(f"the runtime on {self._path}", self.close)
            self._closer.enter()
        except BaseException:
            self._hands = None
            self._process_settings.release()
            hands.give_up()
            raise
        return self

    def close(self) -> int:
        """Take no more requests, let activities end within the grace period, write the last commit, let the journal go.

        Returns:
            How many activities were left behind. Closing a closed runtime does nothing, nor does closing one in a
            forked child.

        Raises:
            KeyboardInterrupt: Ctrl-C while it waits; close it again to go on.
            RuntimeError: called where workflows run, in a done callback for example: closing waits for that thread.
        """
        if self._hands is not None and self._hands.dispatcher.is_current() and not self._hands.desk.is_forked:
            raise RuntimeError(
                f"the runtime on {self._path} was told to close by a done callback or a workflow, on the thread that "
                "closing waits for; close it on another thread"
            )
        if self._hands is not None and self._hands.desk.is_forked:
            # A forked child has none of the threads, and what is on disk is its parent's.
            self._hands, self._closing = None, threading.Lock()
            self._process_settings.forget()
            if self._closer is not None:
                self._closer.leave()
        hands = self._hands
        with self._closing:
            # Somebody else may have closed these meanwhile, and opened others.
            return 0 if hands is None or hands is not self._hands else self._end(hands)

    def _end(self, hands: Hands) -> int:
        is_interrupted = False
        try:
            with translated(self._path):
                return hands.close(grace=self._grace)
        except KeyboardInterrupt:
            # While it waited: closing again goes on from there.
            is_interrupted = True
            raise
        finally:
            if not is_interrupted:
                self._hands = None
                if self._closer is not None:
                    self._closer.leave()
                self._process_settings.release()

    def _build(self) -> Hands:
        with translated(self._path):
            journal = self._open_journal()
        try:
            return Hands(
                journal,
                path=self._path,
                settings=self._settings,
                clock=self._clock,
                converter=self._converter,
                workflows=registry.workflows if self._workflows is None else self._workflows,
                activities=registry.activities if self._activities is None else self._activities,
                executor=self._executor,
                seams=self._seams,
            )
        except BaseException:
            journal.close()
            raise

    def run_until_signalled(self, *signals: int) -> signal.Signals:
        """Block until the process is told to end; for services, whose main thread has nothing else to do. The handlers
        that were there before are there again when it returns, and the runtime is open still.

        Args:
            *signals: which signals are waited for; ``SIGTERM`` and ``SIGINT`` (Ctrl-C) if none are given.

        Raises:
            RuntimeError: the caller is not the main thread, which alone hears signals.
            RuntimeClosedError: the runtime is not open.
            TypeError: one is no signal.
            ValueError: there is no such signal, or it cannot be waited for, as ``SIGKILL``.
        """
        _ = self._opened
        # Loaded here: most processes wait in their own way.
        from .signalled import wait_for_signal

        return wait_for_signal(signals or (signal.SIGTERM, signal.SIGINT))

    @property
    def is_open(self) -> bool:
        """Whether it takes requests."""
        return self._hands is not None and not self._hands.desk.is_closed

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()
        is_wanted = True

        def begin() -> None:
            self._begin(loop)
            if not is_wanted:
                # Nobody else would close it.
                self.close()

        # Not a task, which asyncio.run would cancel with all others.
        opening = loop.run_in_executor(None, context.run, begin)
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            is_wanted = False
            with suppress(asyncio.CancelledError):
                await asyncio.wait([opening])
            if opening.done() and opening.exception() is None:
                # It may have been open before it was unwanted; closing what is closed does nothing.
                with suppress(asyncio.CancelledError):
                    await asyncio.shield(loop.run_in_executor(None, self.close))
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)

    def __repr__(self) -> str:
        return f"<Runtime {self._path!r} {'open' if self.is_open else 'closed'}>"

    @property
    def threads_abandoned(self) -> int:
        """How many threads were left behind since it was opened, each blocked in a turn that would not end."""
        overdue = None if self._hands is None else self._hands.overdue
        return 0 if overdue is None else overdue.threads_abandoned

    @property
    def coroutines_abandoned(self) -> int:
        """How many coroutines would not end when their run was put away; each is left where it is, and told of in the
        log."""
        return 0 if self._hands is None else self._hands.directory.tools.coroutines_abandoned


def _seconds_of(duration: Duration | None, what: str) -> float | None:
    nanoseconds = to_ns(duration, what)
    if nanoseconds == 0:
        raise ValueError(f"{what} is zero; give a length of time, or None for no limit")
    return None if nanoseconds is None else nanoseconds / 1e9


def _number(value: int, what: str) -> int:
    if type(value) is not int:
        raise TypeError(f"{what} is {value!r}; give a whole number")
    if value < 1:
        raise ValueError(f"{what} is {value}; give 1 or more")
    return value


def _workflows(listed: Iterable[object]) -> Registry[WorkflowDefinition]:
    definitions = [workflow_definition_of(each) for each in _items("workflows", listed)]
    for definition in definitions:
        if definition.is_interface:
            raise TypeError(f"{definition.place} is an interface and cannot run; list the class that implements it")
    return Registry("workflow", definitions)


def _activities(listed: Iterable[object]) -> Registry[ActivityDefinition]:
    return Registry(
        "activity", [definition for each in _items("activities", listed) for definition in definitions_of(each)]
    )


def _items(option: str, listed: Iterable[object]) -> Iterable[object]:
    if isinstance(listed, str) or not hasattr(listed, "__iter__"):
        raise TypeError(f"{option} is {listed!r}; give a list")
    return listed
