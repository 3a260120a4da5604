"""The real runtime, driven by hand: on a store in memory, with a clock that stands still and no thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from types import TracebackType
from typing import Any, Self, Unpack

from ..actors import ManualClock
from ..runtime.model.errors import RuntimeClosedError
from ..runtime.model.instants import instant
from ..runtime.model.supervision import Supervision
from ..runtime.model.values import changed
from ..runtime.runtime_options import RuntimeOptions
from ..runtime.shell.hands import Hands
from ..runtime.shell.performer import Performer
from ..runtime.shell.settings import Seams
from ..storage import Journal, Store
from .driven import DrivenRuntime
from .errors import LeakError
from .escapes import meant_for_the_test, watched_executions
from .executor import ManualExecutor
from .faults import FaultyStore
from .leaks import LeakCheck, broken_promises
from .looking import account_of
from .options import TestRuntimeOptions
from .performer import ManualPerformer
from .recorded import RecordedRun, recorded_runs
from .stores import seeded_store

__all__ = ["TestRuntime"]

_NO_RESTARTS = Supervision(max_restarts=0)


class TestRuntime(DrivenRuntime):
    """A runtime for tests: deterministic, without threads, and as fast as the code under test.

    Nothing happens until it is driven: with ``step``, ``run_until_idle``, ``advance``, or by waiting for one of its
    futures, with ``wait``, ``get()`` or ``await``, which skips the time in which nothing happens. Any number of them
    may be open in one process. A run whose code has a bug is suspended at once, unless ``supervision`` is given.

    Args:
        store: where the journal is kept, so that it may outlive this runtime; None for a new one in memory.
        seed: what the ids of runs, and so ``workflow.random()``, follow from if the store is new.
        clock: the time; None for a clock that begins in November 2023.
        auto_skip: whether ``wait`` moves the clock to the next deadline when nothing else is left to do.
        evict_after_every_turn: put each run away as soon as nothing waits for it, so that it comes back by replay.
        shuffle: a seed that decides which of the waiting activities is performed next; None keeps their order.
        check_leaks: whether closing looks for what was left behind, and walks the journal for broken promises.
        **options: those of ``Runtime`` that make sense without a directory; ``guard`` is "strict" unless given.

    Raises:
        TypeError: there is no such option, or as for ``Runtime``.

    Attributes:
        clock: the time; ``advance`` moves it with everything that becomes due.
        store: makes commits fail or crash.
        auto_skip: as above; may be changed at any time.
        evictions: how often a run was put away.
        crashes: how often ``crash`` was called.
        is_watched_by_choice: whether ``guard`` was given.
        performed: how many attempts of sync activities were performed, crashes or not.
    """

    __test__ = False

    def __init__(
        self,
        store: Store | None = None,
        *,
        seed: int = 0,
        clock: ManualClock | None = None,
        auto_skip: bool = True,
        evict_after_every_turn: bool = False,
        shuffle: int | None = None,
        check_leaks: bool = True,
        **options: Unpack[RuntimeOptions],
    ) -> None:
        if unknown := options.keys() - RuntimeOptions.__annotations__.keys():
            raise TypeError(
                f"TestRuntime has no option {min(unknown)!r} (there are: "
                f"{', '.join(sorted(TestRuntimeOptions.__annotations__))})"
            )
        # A sweep of crashes runs the same code hundreds of times: it is watched once, unless this was asked for.
        self.is_watched_by_choice = "guard" in options
        options.setdefault("guard", "strict")
        options.setdefault("switch_interval", None)
        options.setdefault("gc_threshold", None)
        options.setdefault("supervision", _NO_RESTARTS)
        super().__init__("test", **options)
        self.clock = self._clock = ManualClock() if clock is None else clock
        self.store = FaultyStore(seeded_store(seed) if store is None else store)
        self.auto_skip = auto_skip
        self.evictions = self.crashes = self.performed = 0
        self._evicts = evict_after_every_turn
        self._checks = check_leaks
        self._chooser = None if shuffle is None else Random(shuffle)
        self._escaped: list[BaseException] = []
        self._performer: ManualPerformer | None = None
        self._seams = Seams(
            performer=self._make_performer,
            executions=watched_executions(self._escaped.append),
            on_error=self._escaped.append,
            driver=self._drive,
        )
        self._is_lent = False
        self._account_at_exit: list[str] = []
        self._open_journal = lambda: Journal.on(self.store)

    def _make_performer(self, **arguments: Any) -> Performer:
        make: Callable[..., ManualPerformer] = partial(ManualPerformer, **arguments)
        queue, escaped = ManualExecutor(self._chooser), self._escaped.append
        self._performer = make(queue=queue, drive=self._drive_for_activity, escaped=escaped)
        return self._performer

    # Opening and closing.

    def leave_unwatched(self) -> None:
        """Before it is opened: do without the strict net, unless it was asked for by ``guard="strict"``."""
        if not self.is_watched_by_choice:
            self._settings = changed(self._settings, is_strict=False)

    def open(self) -> Self:
        """Open the journal and have what was under way taken up, once the runtime is driven.

        Raises:
            Crash: the commit of the opening was to crash.
            RuntimeError: it is open.
        """
        if self._hands is not None:
            raise RuntimeError("the test runtime is open already, by with, open() or the fixture greenroom_runtime")
        hands = self._build()
        self._hands = hands
        self._process_settings.hold()
        hands.recover()
        return self

    def lend(self) -> Self:
        """Open it for somebody who may do so again, by ``with``; ``account`` is there after a ``with`` that fails, too.

        Raises:
            Crash, RuntimeError: as for ``open``.
        """
        self._is_lent = True
        return self.open()

    def __enter__(self) -> Self:
        return self if self._is_lent and self._hands is not None else self.open()

    def close(self, *, check_leaks: bool | None = None) -> int:
        """Close as a runtime does, then see to it that nothing was left behind.

        Args:
            check_leaks: as for ``TestRuntime``; None leaves it at what was said there.

        Returns:
            How many async activities were cancelled.

        Raises:
            LeakError: something was left behind, or the journal is damaged.
        """
        hands = self._hands
        if hands is None:
            # A crash may have been followed by an opening that failed.
            self._process_settings.release()
            return 0
        if self.store.is_crashed:
            self._drop()
            self._process_settings.release()
            return 0
        checks = self._checks if check_leaks is None else check_leaks
        problems = broken_promises(hands.journal) if checks else []
        leak_check = LeakCheck(hands)
        left = super().close()
        if self.store.is_crashed:
            # The last commit was the one that was to crash.
            self._escaped.clear()
            return 0
        escaped = list(self._escaped)
        self._escaped.clear()
        for error in filter(meant_for_the_test, escaped):
            raise error
        problems += [f"an error that escaped: {error!r}" for error in escaped]
        if checks and (problems := problems + leak_check.leaks()):
            raise LeakError(problems)
        return left

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A test that fails is told why, not what that left behind.
        if self._is_lent and kind is not None:
            self._account_at_exit = self.account()
        self.close(check_leaks=self._checks and kind is None)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def crash(self) -> None:
        """Drop everything that is in memory, as a process that dies would, and open again on the same store.

        Whoever waits for a result gets ``RuntimeClosedError``; handles of before are of no use any more.
        """
        self._drop()
        self.crashes += 1
        self.store.revive()
        self.open()

    def _drop(self) -> None:
        hands, self._hands = self._hands, None
        if hands is not None:
            hands.drop()
            hands.performer.close(grace=0)
            for future in hands.waiters.take_all():
                future.fail(RuntimeClosedError("waiting for a result", was_open=True))
            hands.updating.fail_all(RuntimeClosedError("waiting for an update", was_open=True))
        self._escaped.clear()

    # Looking.

    def account(self) -> list[str]:
        """How the runs stand, for a person: a line each, the oldest first, and why those that have failed or are
        suspended did so. Of many, these come first, and then the newest.

        Nothing is driven for it: a message that nobody has driven is told of as one that the run has not taken yet.
        """
        if self._hands is None:
            return self._account_at_exit
        with self.store.undisturbed():
            return account_of(self._hands, instant(self.clock.now_ns()))

    def recorded(self) -> list[RecordedRun]:
        """Every run as the journal has it, the first one first."""
        return recorded_runs(self._opened.journal)

    @property
    def hands(self) -> Hands:
        """The parts of the open runtime, for tests that look inside."""
        return self._opened
