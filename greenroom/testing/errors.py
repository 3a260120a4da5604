"""What tests are told when something went wrong that is not the fault of the code under test alone."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Crash", "LeakError", "StuckError", "SweepError"]


class Crash(BaseException):
    """The process has died at a commit, as far as the test is concerned.

    It derives from BaseException so that no ``except Exception`` of the code under test takes it for a failure.

    Attributes:
        commit: the number of the commit, counted from 1 for the first of the store.
        when: "before" the disk had it, or "after".
    """

    def __init__(self, commit: int, when: str) -> None:
        super().__init__(commit, when)
        self.commit = commit
        self.when = when

    def __str__(self) -> str:
        return f"crashed {self.when} the disk had commit {self.commit}; runtime.crash() opens the journal again"


class StuckError(AssertionError):
    """What was waited for can never come: nothing is left to be done.

    Attributes:
        why: what stands still.
        open_workflows: one line for each open workflow: what it waits for. Of many only the first are told.
    """

    def __init__(self, why: str, open_workflows: Sequence[str] = ()) -> None:
        super().__init__(why, tuple(open_workflows))
        self.why = why
        self.open_workflows = tuple(open_workflows)

    def __str__(self) -> str:
        return "\n  ".join([f"nothing can go on: {self.why}", *self.open_workflows])


class LeakError(AssertionError):
    """Something was left behind when the runtime closed.

    Attributes:
        leaks: one line for each thing.
    """

    def __init__(self, leaks: list[str]) -> None:
        super().__init__(leaks)
        self.leaks = leaks

    def __str__(self) -> str:
        return "left behind at close: " + "; ".join(self.leaks)


class SweepError(AssertionError):
    """A run that crashed and was recovered did not end as one that did not crash.

    Attributes:
        commit: the commit at which it crashed, counted from 1.
        when: "before" or "after" the disk had it.
        differences: one line for each.
    """

    def __init__(self, commit: int, when: str, differences: list[str]) -> None:
        super().__init__(commit, when, differences)
        self.commit = commit
        self.when = when
        self.differences = differences

    def __str__(self) -> str:
        lines = "\n  ".join(self.differences)
        return (
            f"after a crash {self.when} the disk had commit {self.commit}, the scenario ended differently:\n  {lines}"
        )
