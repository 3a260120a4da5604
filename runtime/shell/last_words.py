"""A run has ended: its children are told what their policy says, a slice a sweep if there are many."""

from __future__ import annotations

from ...storage import DueKind
from ..core.commands import StartChild
from ..core.messages import CancelRequested, Message, RunTerminated
from ..model.errors import GreenroomError
from ..model.options import ParentClosePolicy
from ..model.run_facts import change_facts, decode_facts
from .headers import put_header
from .mail_rows import leave_row
from .relatives import find_children, open_child
from .retries import AGAIN_AFTER_NS
from .run_state import RunState
from .tools import Peer, Tools

__all__ = ["SLICE", "close_children", "tell_more_children"]

SLICE = 256
"""How many children hear of it in one sweep: as many as a sweep takes turns."""

_PARENT_CLOSED = "its parent has ended"
_LAST_WORDS: dict[ParentClosePolicy, Message | None] = {
    ParentClosePolicy.TERMINATE: RunTerminated(_PARENT_CLOSED),
    ParentClosePolicy.REQUEST_CANCEL: CancelRequested(_PARENT_CLOSED),
    ParentClosePolicy.ABANDON: None,
}


def close_children(tools: Tools, run: RunState, time_ns: int) -> int:
    """Tell the children of a run that ends, in the open sweep; what is left of many is due at once.

    Returns:
        The number of the first that is yet to be told, which the header has to say; 0 if there is none.
    """
    children = [child for child in run.children.values() if _LAST_WORDS[child.options.parent_close_policy] is not None]
    run.children, run.child_runs = {}, {}
    left = _tell(tools, run, children, SLICE, time_ns)
    if not left:
        return 0
    tools.sweep.batch.put_timer(run.run_no, DueKind.CHILDREN, 0, time_ns)
    _go_on_soon(tools, run.run_no, time_ns, left)
    return left[0].id


def tell_more_children(tools: Tools, run_no: int, *, all_of_them: bool = False) -> None:
    """Tell the next children of a run that has ended, in the open sweep.

    Args:
        all_of_them: whether no other sweep is to go on with it.

    Raises:
        GreenroomError: the journal cannot be read.
        StorageError: the same.
    """
    header = tools.directory.header(run_no)
    first = 0 if header is None else decode_facts(header.facts).untold
    if header is None or header.closed_ns is None or not first:
        return
    run = RunState(run_no, header, is_stored=True)
    children = tools.untold.get(run_no)
    if children is None or children[0].id != first:
        # The process has ended since, or a sweep was lost.
        find_children(tools, run)
        children = [child for child in run.children.values() if child.id >= first]
    at_ns = header.closed_ns
    left = _tell(tools, run, children, len(children) if all_of_them else SLICE, tools.clock.now_ns())
    facts = change_facts(header.facts, untold=left[0].id if left else 0)
    put_header(tools.sweep, run, header._replace(facts=facts))
    tools.sweep.undo(_go_on_later, tools, run_no, at_ns)
    if left:
        _go_on_soon(tools, run_no, at_ns, left)
    else:
        tools.sweep.batch.drop_timer(run_no, DueKind.CHILDREN, 0, at_ns)
        tools.sweep.after(tools.untold.pop, run_no, None)


def _tell(tools: Tools, run: RunState, children: list[StartChild], most: int, time_ns: int) -> list[StartChild]:
    """Tell so many of them; gives the others."""
    told: list[tuple[Peer, Message]] = []
    for child in children[:most]:
        message = _LAST_WORDS[child.options.parent_close_policy]
        target = None if message is None else open_child(tools, run, child)
        if target is not None and message is not None:
            told.append((target, message))
    # When all are found: where the disk does not answer nobody is told, who would be told again.
    for target, message in told:
        leave_row(tools, target, message, time_ns)
    return children[most:]


def _go_on_soon(tools: Tools, run_no: int, at_ns: int, left: list[StartChild]) -> None:
    """Once this slice is on disk, and whoever is awake then has had a turn, the next one is due."""
    tools.sweep.after(tools.untold.__setitem__, run_no, left)
    tools.sweep.after(tools.timekeeper.arm_behind, run_no, DueKind.CHILDREN, 0, at_ns)


def _go_on_later(tools: Tools, run_no: int, at_ns: int, error: GreenroomError) -> None:
    """The slice did not get to disk."""
    tools.retries.later(AGAIN_AFTER_NS, tools.timekeeper.arm, run_no, DueKind.CHILDREN, 0, at_ns)
