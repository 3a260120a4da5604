"""The inside of a process that performs activities: its main thread calls them, another one listens to the parent.

What crosses is bytes of payloads and failures, and facts of our own; values of users never do. When the parent is gone,
for whatever reason, the pipe says so, and the process ends at once.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, NamedTuple, NoReturn

from ..attempt import Attempt, Notice
from ..core.messages import ActivityFailed, encode_message
from ..model.activity_definition import ActivityDefinition, definition_of
from ..model.activity_info import ActivityInfo
from ..model.cancellation import ActivityCancellationDetails
from ..model.errors import ApplicationError
from ..model.payload_converter import PayloadConverter
from .calling import Caller
from .task import Completed, Failed, Key, Outcome, Task

__all__ = ["Beaten", "Cancel", "Ended", "Perform", "Ready", "ShutDown", "serve"]

# What is said within this time is sent as one: a heartbeat for every row must not become a message for every row.
BEAT_SECONDS = 0.05


class Perform(NamedTuple):
    """To the process: one attempt."""

    key: Key
    module: str
    qualname: str
    args: bytes
    info: ActivityInfo
    details: bytes
    cancellation: ActivityCancellationDetails | None


class Cancel(NamedTuple):
    """To the process: an attempt is cancelled."""

    key: Key
    why: ActivityCancellationDetails


class ShutDown(NamedTuple):
    """To the process: the runtime closes; the second time: end now."""

    is_over: bool


class Ready(NamedTuple):
    """From the process: it can perform attempts."""


class Beaten(NamedTuple):
    """From the process: what an attempt says of itself."""

    key: Key
    details: bytes


class Ended(NamedTuple):
    """From the process: a payload, or how it failed as a message; neither if it is left to the next opening."""

    key: Key
    result: bytes | None
    failure: bytes | None


class _ChildAttempt(Attempt):
    """One attempt, as its own code sees it."""

    __slots__ = ("_child", "_details", "request", "said")

    def __init__(self, request: Perform, child: _Child) -> None:
        super().__init__(request.info, child.shutdown)
        self.cancellation = request.cancellation
        self.request = request
        self.said: bytes | None = None
        self._details = request.details
        self._child = child

    @property
    def info(self) -> ActivityInfo:
        """The facts of the attempt; what an earlier one has said is decoded when it is first asked for."""
        if self._details:
            said = self._child.converter.decode_args(self._details, None)
            self._info, self._details = self._info.with_details(tuple(said)), b""
        return super().info

    def heartbeat(self, details: tuple[object, ...]) -> None:
        """Say that it goes on."""
        self.said = self._child.converter.encode_args(details) if details else b""
        if not self._child.news.is_set():
            self._child.news.set()


class _Child:
    """This process."""

    def __init__(self, connection: Connection[Any, Any], converter: PayloadConverter) -> None:
        self.converter = converter
        self.shutdown = Notice()
        self.news = threading.Event()
        self._connection = connection
        self._caller = Caller(converter, time.time_ns)
        self._requests: SimpleQueue[_ChildAttempt] = SimpleQueue()
        self._attempt: _ChildAttempt | None = None
        self._sending = threading.Lock()

    def work(self) -> NoReturn:
        """Perform what is asked for, for ever."""
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._tell_news, daemon=True).start()
        self._connection.send(Ready())
        while True:
            attempt = self._requests.get()
            outcome = self._outcome(attempt)
            _flush()
            with self._sending:
                # What it has said last comes before its end.
                self._send_news(attempt)
                self._attempt = None
                self._connection.send(_as_message(attempt.request, outcome))
            # What an idle process keeps alive is nobody's.
            del attempt, outcome

    def _outcome(self, attempt: _ChildAttempt) -> Outcome | None:
        request = attempt.request
        try:
            definition = _find(request)
        except BaseException as error:
            place = f"{request.module}.{request.qualname}"
            why = f"a process does not find {place}: {error}"
            lost = ApplicationError(
                f"activity {request.info.activity_type!r} cannot be performed: {why}",
                type=type(error).__name__,
                non_retryable=True,
            )
            lost.__cause__ = error
            return self._caller.failed(lost)
        run_no, item, _ = request.key
        return self._caller.call(attempt, Task(run_no, item, definition, request.args, request.info))

    def _listen(self) -> None:
        try:
            while True:
                message = self._connection.recv()
                if isinstance(message, Perform):
                    self._attempt = _ChildAttempt(message, self)
                    self._requests.put(self._attempt)
                elif isinstance(message, Cancel):
                    current = self._attempt
                    if current is not None and current.request.key == message.key:
                        current.cancel(message.why)
                elif message.is_over:
                    _flush()
                    os._exit(0)
                else:
                    self._caller.is_closing = True
                    self.shutdown.begin()
        except BaseException:
            # The parent is gone: nobody waits for what goes on here.
            os._exit(1)

    def _tell_news(self) -> None:
        while True:
            self.news.wait()
            self.news.clear()
            attempt = self._attempt
            if attempt is not None:
                with self._sending:
                    if self._attempt is attempt:
                        self._send_news(attempt)
            time.sleep(BEAT_SECONDS)

    def _send_news(self, attempt: _ChildAttempt) -> None:
        said, attempt.said = attempt.said, None
        if said is not None:
            self._connection.send(Beaten(attempt.request.key, said))


def serve(connection: Connection[Any, Any], converter: PayloadConverter) -> NoReturn:
    """What the process does."""
    # Ctrl-C reaches all processes of a terminal, and what a service manager sends all of a service: what follows is the
    # parent's. No SIG_IGN, which whatever this process starts would have too.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, _leave_to_parent)
    os.set_inheritable(connection.fileno(), False)
    _Child(connection, converter).work()


def _leave_to_parent(number: int, frame: object) -> None:
    """A signal that is not for this process."""


def _flush() -> None:
    """Let out what activities have printed: it would be lost if this process were killed or ended at once."""
    for stream in (sys.stdout, sys.stderr):
        # There may be none, or nobody who reads it.
        with contextlib.suppress(Exception):
            stream.flush()


def _find(request: Perform) -> ActivityDefinition:
    found: Any = importlib.import_module(request.module)
    for name in request.qualname.split("."):
        found = getattr(found, name)
    definition = definition_of(found)
    if definition is None:
        raise LookupError("what stands there is not declared as an activity")
    if request.info.activity_type not in (definition.name, *definition.aliases):
        raise LookupError(f"what stands there is activity {definition.name!r}")
    return definition


def _as_message(request: Perform, outcome: Outcome | None) -> Ended:
    if isinstance(outcome, Completed):
        return Ended(request.key, outcome.result, None)
    if isinstance(outcome, Failed):
        _, item, attempt = request.key
        return Ended(request.key, None, encode_message(ActivityFailed(item, outcome.failure, attempt)))
    return Ended(request.key, None, None)
