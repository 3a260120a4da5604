"""A run stops where it is because its code cannot go on: everybody is told, and its header says why."""

from __future__ import annotations

import logging
import traceback

from ...storage import StorageError
from ..core.bugs import beneath
from ..core.messages import WorkflowStarted
from ..model.failure_writing import own_frames
from ..model.options import WorkflowExecutionStatus
from ..model.run_facts import change_facts
from ..model.texts import clipped
from .headers import put_header
from .journal_seam import public_error
from .run_state import RunState
from .standing_errors import BY_REQUEST, suspended_error
from .stopping import message_at, told
from .tools import Peer, Tools

__all__ = ["pause", "restart_later", "suspend", "tell_resumed", "tell_waiters"]

WHAT_NEXT = (
    "Other runs go on. Mend its code, or what else the reason names: handle.resume(), or opening the journal again "
    "with the mended code, then takes it up where it stopped."
)

# The note stands in the header, which is read with the run and written with whatever changes in it.
MAX_REASON = 16_384
MAX_NOTE = 65_536

logger = logging.getLogger("greenroom")


def suspend(tools: Tools, peer: Peer, error: BaseException, stopped_at: int) -> None:
    """Write in the open sweep that a run is suspended; who waits for its outcome is told once that is on disk.

    Args:
        error: why; of a bug in workflow code, what the code has raised.
        stopped_at: the message that it could not take, as the header says it.
    """
    if isinstance(error, StorageError):
        error = public_error(error, tools.path)
    cause = beneath(error)
    reason, note = _told(cause)
    run = peer.run
    suspended = int(WorkflowExecutionStatus.SUSPENDED)
    put_header(tools.sweep, run, run.header._replace(status=suspended, note=note, stopped_at=stopped_at))
    # With no frame of the user's and no cause, a traceback would only say the reason again.
    is_told = cause.__cause__ is None and all(own_frames(cause.__traceback__))
    frames = None if is_told else cause
    logger.error("%s is suspended: %s\n%s", peer, reason, _what_next(run), exc_info=frames)
    # Opening the journal brings active runs back, and so tries this one again.
    run.is_active = True
    tools.sweep.batch.set_active(run.run_no)
    tools.sweep.after(tell_waiters, tools, peer, reason)


def pause(tools: Tools, peer: Peer, reason: str, identity: str) -> None:
    """Write in the open sweep that somebody wants a run to make no progress until it is resumed.

    Args:
        reason: a line for people.
        identity: on whose behalf; empty for nobody's.
    """
    run = peer.run
    note = BY_REQUEST + _of(identity) + (f": {reason}" if reason else "")
    facts = change_facts(run.header.facts, is_paused=True)
    suspended = int(WorkflowExecutionStatus.SUSPENDED)
    put_header(tools.sweep, run, run.header._replace(status=suspended, note=note, facts=facts))
    # Opening the journal leaves it alone.
    run.is_active = False
    tools.sweep.batch.clear_active(run.run_no)
    tools.sweep.after(logger.info, "%s is %s", peer, note)
    tools.sweep.after(tell_waiters, tools, peer, note)


def tell_resumed(tools: Tools, peer: Peer, identity: str) -> None:
    """The log says, once it is on disk, that a run that somebody has suspended goes on."""
    tools.sweep.after(logger.info, "%s is resumed by request%s", peer, _of(identity))


def _of(identity: str) -> str:
    return f" of {identity!r}" if identity else ""


def _what_next(run: RunState) -> str:
    message = message_at(run)
    if message is None or isinstance(message, WorkflowStarted):
        return WHAT_NEXT
    return f"{WHAT_NEXT} handle.resume(skip=True) goes on without what it stopped at ({told(message)})."


def restart_later(tools: Tools, peer: Peer, error: BaseException, stopped_at: int, wait_ns: int) -> None:
    """Write in the open sweep what a run has stopped at that is to be restarted.

    Args:
        wait_ns: how soon (ns), for the log.
    """
    cause = beneath(error)
    reason, note = _told(cause)
    logger.warning("%s has a bug, and is restarted in %g s: %s", peer, wait_ns / 1e9, reason)
    put_header(tools.sweep, peer.run, peer.run.header._replace(note=note, stopped_at=stopped_at))


def tell_waiters(tools: Tools, peer: Peer, reason: str = "") -> None:
    """Who waits for the outcome of a run that is suspended is told so.

    Args:
        reason: what its header says, in short; read from there if it is not given.
    """
    header = peer.run.header
    for future in tools.waiters.take(peer.run.run_no):
        future.fail(suspended_error(header, reason))
    tools.updating.suspended(peer.run)


def _told(error: BaseException) -> tuple[str, str]:
    """What an exception says in a line, and with its traceback."""
    reason = "".join(traceback.format_exception_only(error)).strip()
    return clipped(reason, MAX_REASON), clipped("".join(traceback.format_exception(error)), MAX_NOTE)
