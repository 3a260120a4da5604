"""Messages that come to a run later: kept on disk until it is time, and with the mail of their run from then on."""

from __future__ import annotations

from ...storage import DelayedMail, DueKind
from ..core.messages import Message, SignalReceivedOnce, asked_once_in, decode_message, encode_message, pinned
from ..model.errors import MailboxFullError
from ..model.ids import run_no_of
from ..model.options import WorkflowExecutionStatus
from .dead_letters import NOT_DUE, keep_untaken
from .run_state import RunState
from .tools import Peer, Tools

__all__ = ["arm_delayed", "come_now", "come_to_nothing", "put_off"]


def put_off(tools: Tools, peer: Peer, message: Message, at_ns: int, *, is_pinned: bool) -> None:
    """Keep a message for an open run until a time, in the open sweep.

    Args:
        is_pinned: whether it is for that run and no other one that goes on in its place.

    Raises:
        MailboxFullError: as many messages wait on disk for the run as may, those that come later included.
    """
    run = peer.run
    if len(run.rows) + len(run.delayed) >= tools.mailbox_limit:
        raise MailboxFullError(run.header.workflow_id, tools.mailbox_limit)
    if isinstance(message, SignalReceivedOnce) and _is_known(run, message):
        return
    tools.sweep.touched(peer)
    _keep(tools, run, at_ns, encode_message(message), is_pinned=is_pinned)


def come_now(tools: Tools, peer: Peer, item: int) -> None:
    """It is time: the message stands in the mailbox of its run from now on, unless it is not there any more."""
    run = peer.run
    mail = run.delayed.get(item)
    if mail is None or mail.at_ns > tools.clock.now_ns():
        # It has come, and may have left its number to another one.
        return
    message = decode_message(mail.message)
    tools.sweep.touched(peer)
    _drop(tools, run, mail)
    if isinstance(message, SignalReceivedOnce) and _is_known(run, message):
        # Another one with its key was there before it.
        return
    peer.leave(pinned(message) if mail.is_pinned else message, tools.clock.now_ns())


def come_to_nothing(
    tools: Tools, run: RunState, next_run_id: str, status: WorkflowExecutionStatus, time_ns: int
) -> None:
    """A run ends before it is time: the run that goes on gets what is not for this one alone, at the same time. The
    rest become dead letters."""
    next_run_no = run_no_of(next_run_id) if next_run_id else None
    successor = None if next_run_no is None else tools.directory.of_run(next_run_no)
    lost: list[bytes] = []
    for mail in sorted(run.delayed.values(), key=lambda mail: mail.at_ns):
        _drop(tools, run, mail)
        if run.has_heard_of(decode_message(mail.message)):
            continue
        if successor is not None and not mail.is_pinned:
            _keep(tools, successor.run, mail.at_ns, mail.message)
        else:
            lost.append(mail.message)
    keep_untaken(tools, run, lost, status, time_ns, NOT_DUE)


def arm_delayed(tools: Tools, run: RunState) -> None:
    """The run has been brought back: what is due for it is waited for, if it is not."""
    for mail in run.delayed.values():
        tools.timekeeper.arm(run.run_no, DueKind.DELAYED, mail.item, mail.at_ns)


def _is_known(run: RunState, signal: SignalReceivedOnce) -> bool:
    if run.has_heard_of(signal) or run.has_admitted_signal(signal.key):
        return True
    return any(asked_once_in(mail.message) == ("signal", signal.key) for mail in run.delayed.values())


def _keep(tools: Tools, run: RunState, at_ns: int, message: bytes, *, is_pinned: bool = False) -> None:
    mail = run.add_delayed(at_ns, message, is_pinned=is_pinned)
    tools.sweep.batch.delay_mail(run.run_no, mail)
    tools.sweep.after(tools.timekeeper.arm, run.run_no, DueKind.DELAYED, mail.item, at_ns)


def _drop(tools: Tools, run: RunState, mail: DelayedMail) -> None:
    run.take_delayed(mail.item)
    tools.sweep.batch.drop_delayed(run.run_no, mail)
    tools.sweep.after(tools.timekeeper.disarm, run.run_no, DueKind.DELAYED, mail.item)
