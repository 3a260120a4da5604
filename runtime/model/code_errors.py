"""What authors of workflows and activities can mend in their code."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from .work_errors import GreenroomError

__all__ = [
    "InWorkflowError",
    "InvalidActivityError",
    "InvalidDefinitionError",
    "InvalidWorkflowError",
    "NondeterminismError",
    "NotInActivityError",
    "NotInWorkflowError",
    "NotRegisteredError",
    "ReadOnlyContextError",
    "TurnDeadlineError",
    "UnsupportedVersionError",
]


class NondeterminismError(GreenroomError):
    """Replaying a run did not ask for what its history recorded.

    Args:
        workflow_id: the workflow.
        run_id: the run.
        turn_no: the first turn that differs.
        expected: what the history has, one printable line a command, with ``file:line``.
        produced: what the code asked for now, likewise.
        recorded_python: Python version that wrote the history, such as "3.11".
        running_python: Python version that replayed it.
        raised: what the code let out in that turn, if it is a bug, in a line; it is the ``__cause__`` too.
        site: ``file:line`` of what the code asked for instead, "" if it asked for nothing.
        unasked: the call of a patch or a version that the history has and the code does not ask for, "" if it is none.
        too_early: the patch that the code calls deprecated though the run has passed its place without it, "" if none.
    """

    def __init__(
        self,
        workflow_id: str,
        run_id: str,
        turn_no: int,
        expected: Sequence[str],
        produced: Sequence[str],
        *,
        recorded_python: str | None = None,
        running_python: str | None = None,
        raised: str = "",
        site: str = "",
        unasked: str = "",
        too_early: str = "",
    ) -> None:
        super().__init__(workflow_id, run_id, turn_no)
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.turn_no = turn_no
        self.expected = tuple(expected)
        self.produced = tuple(produced)
        self.recorded_python = recorded_python
        self.running_python = running_python
        self.raised = raised
        self.site = site
        self.unasked = unasked
        self.too_early = too_early

    def __str__(self) -> str:
        width = max((len(line) for line in self.expected), default=0)
        width = max(width, len("in the history"))
        rows = [("in the history", " ", "asked for by the code")]
        for old, new in zip_longest(self.expected, self.produced, fillvalue="(nothing)"):
            rows.append((old, " " if old == new else "!", new))
        table = "\n".join(f"  {mark} {old:<{width}} | {new}" for old, mark, new in rows)
        raised = f"\nIn this turn the code raised {self.raised}" if self.raised else ""
        versions = ""
        if self.recorded_python != self.running_python:
            versions = (
                f"\nThe history was written by Python {self.recorded_python} and replayed by {self.running_python}, "
                "whose asyncio may order tasks differently."
            )
        return (
            f"workflow {self.workflow_id!r} (run {self.run_id}) is not deterministic at turn {self.turn_no}\n{table}"
            f"{raised}{versions}\n{self._what_to_do()}"
        )

    def _what_to_do(self) -> str:
        if self.unasked:
            cure = f"The run needs {self.unasked} here: bring it back"
            if self.unasked.startswith("workflow.patched"):
                patch = self.unasked.removeprefix("workflow.patched")
                cure += f", or put workflow.deprecate_patch{patch} in its place"
            return f"{cure} until no such run is left; then resume the run."
        place = f" (at {self.site})" if self.site else ""
        if self.too_early:
            return (
                f"The run came there before `workflow.patched({self.too_early!r})` did, or was told False: "
                f"workflow.deprecate_patch({self.too_early!r}) is a step too early for it. Bring back "
                f"`if workflow.patched({self.too_early!r}):` with the old code in its else branch until no such run is "
                f"left; then resume the run. If it is another change that differs{place}, that one needs a patch too."
            )
        return (
            f'Wrap the new code{place} in `if workflow.patched("…"):` and keep the old in its else branch, or bring '
            "the old code back; then resume the run. If nothing was changed: does a query, a validator or a wait "
            "condition change the run, or does the code ask for what differs between processes? TestRuntime finds both."
        )


class UnsupportedVersionError(NondeterminismError):
    """A run has a version of a change that its code does not support any more, or not yet.

    Args:
        workflow_id: the workflow.
        run_id: the run.
        turn_no: the turn in which it was asked for.
        change_id: the change.
        version: what the run has; -1 if it passed the place before the change.
        min_supported: the oldest version that the code has.
        max_supported: the newest.
        site: ``file:line`` that asked, "" if it is not known.
    """

    def __init__(
        self,
        workflow_id: str,
        run_id: str,
        turn_no: int,
        *,
        change_id: str,
        version: int,
        min_supported: int,
        max_supported: int,
        site: str = "",
    ) -> None:
        super().__init__(
            workflow_id, run_id, turn_no, [f"version {version}"], [f"{min_supported} to {max_supported}"], site=site
        )
        self.change_id = change_id
        self.version = version
        self.min_supported = min_supported
        self.max_supported = max_supported

    def __str__(self) -> str:
        has = f"version {self.version}" if self.version >= 0 else f"version {self.version} (from before the change)"
        place = f" at {self.site}" if self.site else ""
        return (
            f"workflow {self.workflow_id!r} (run {self.run_id}) has {has} of the change {self.change_id!r}, and its "
            f"code supports {self.min_supported} to {self.max_supported}{place}; bring the code of that version back, "
            f"and let workflow.get_version({self.change_id!r}, …) have it, until no such run is left; then resume it"
        )


class ReadOnlyContextError(GreenroomError):
    """Something that changes a run was called where only reading is allowed: query, validator or wait condition.

    Attributes:
        action: what was called, as code calls it.
        context: where, in words, such as "a wait condition".
    """

    def __init__(self, action: str, context: str) -> None:
        super().__init__(action, context)
        self.action = action
        self.context = context

    def __str__(self) -> str:
        return (
            f"{self.action} is not allowed in {self.context}, which may only read; do it in the workflow itself or "
            "in a signal handler"
        )


class TurnDeadlineError(GreenroomError):
    """A turn of a run has taken longer than ``Runtime(turn_deadline=...)`` allows.

    Attributes:
        seconds: what is allowed.
        stack: text of the stack where its code was; "" if nobody saw it.
    """

    def __init__(self, seconds: float, stack: str = "") -> None:
        super().__init__(seconds)
        self.seconds = seconds
        self.stack = stack
        if stack:
            self.add_note("Where it was:\n" + stack.rstrip("\n"))

    def __str__(self) -> str:
        return (
            f"a turn took longer than {self.seconds:g} s, and held up every other run: workflow code must not compute "
            "or block; do it in an activity (a debugger needs Runtime(turn_deadline=None))"
        )


class NotInWorkflowError(GreenroomError):
    """Something that only workflow code can ask was asked elsewhere."""

    def __str__(self) -> str:
        return "no workflow is running here; call this from workflow code, inside its run method or one of its handlers"


class InWorkflowError(GreenroomError):
    """What only a program outside may ask of a runtime was asked by workflow code: a replay would ask it again."""

    def __str__(self) -> str:
        return (
            "workflow code called a runtime or a handle of one, and a replay would call it again; do it in an "
            "activity, or speak to other workflows with workflow.get_external_workflow_handle(...)"
        )


class NotInActivityError(GreenroomError):
    """Something that only an activity can ask was asked elsewhere.

    Attributes:
        action: what was called, as code calls it.
    """

    def __init__(self, action: str) -> None:
        super().__init__(action)
        self.action = action

    def __str__(self) -> str:
        return (
            f"{self.action} was called outside an activity; call it in a function that a workflow performs with "
            "execute_activity (a thread that it starts needs contextvars.copy_context(), or asyncio.to_thread)"
        )


class InvalidDefinitionError(GreenroomError):
    """A definition that cannot work.

    Attributes:
        name: what was declared, as its code calls it.
        reasons: everything that is wrong with it, a line each.
    """

    def __init__(self, name: str, reasons: Sequence[str]) -> None:
        super().__init__(name, tuple(reasons))
        self.name = name
        self.reasons = tuple(reasons)

    def __str__(self) -> str:
        if len(self.reasons) == 1:
            return f"{self.name}: {self.reasons[0]}"
        return f"{self.name}: {len(self.reasons)} problems" + "".join(f"\n  - {reason}" for reason in self.reasons)


class InvalidActivityError(InvalidDefinitionError):
    """An activity definition that cannot work."""


class InvalidWorkflowError(InvalidDefinitionError):
    """A workflow definition that cannot work."""


class NotRegisteredError(GreenroomError):
    """Nothing of this kind is declared under this name.

    Attributes:
        kind: "activity", "workflow", "signal", "query" or "update".
        name: the name that was asked for.
        declared: the names that there are.
    """

    def __init__(self, kind: str, name: str, declared: Sequence[str] = ()) -> None:
        super().__init__(kind, name, tuple(declared))
        self.kind = kind
        self.name = name
        self.declared = tuple(declared)

    def __str__(self) -> str:
        names = ", ".join(map(repr, self.declared)) or "none"
        if self.kind == "activity":
            cure = "declare it with @activity.defn or pass activities=[…] to Runtime, an instance if it is a method"
        elif self.kind == "workflow":
            cure = "declare it with @workflow.defn or pass workflows=[…] to Runtime"
        else:
            cure = f"declare it with @workflow.{self.kind} or set it with workflow.set_{self.kind}_handler"
        return f"no {self.kind} named {self.name!r} (declared: {names}); {cure}"
