"""What random families that went through troubles are judged by: what was told against what the journal has."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from greenroom import Future, ParentClosePolicy, WorkflowExecutionStatus
from greenroom.runtime.core.commands import RecordSideEffect, SignalExternal, SignalWithStart, StartChild
from greenroom.runtime.core.messages import (
    ActivityCompleted,
    ActivityFailed,
    CancelRequested,
    ChildCancelRequested,
    ChildCompleted,
    ChildFailed,
    ChildStarted,
    ChildStartFailed,
    ExternalCancelResolved,
    ExternalSignalResolved,
    Message,
    RunTerminated,
    RunTimedOut,
    SignalReceived,
    TimerFired,
    UpdateReceived,
    WorkflowStarted,
    decode_message,
)
from greenroom.runtime.model.payloads import Converter
from greenroom.runtime.model.run_facts import decode_facts
from greenroom.runtime.shell.outcomes import Outcome
from greenroom.storage import check
from greenroom.testing import RecordedRun, TestRuntime
from tests.property.families import replay_all
from tests.property.family_programs import MAIL, Event

SECOND_NS = 1_000_000_000
ENDS = RunTerminated, RunTimedOut
OUTCOMES = (
    *(ActivityCompleted, ActivityFailed, TimerFired, ExternalSignalResolved, ExternalCancelResolved),
    *(ChildStarted, ChildStartFailed, ChildCompleted, ChildFailed, ChildCancelRequested),
)
COMPLETED = WorkflowExecutionStatus.COMPLETED

converter = Converter()


class Verdict:
    """Holds what was told against what the journal has."""

    def __init__(
        self, runtime: TestRuntime, sent: dict[str, Future[Any]], keyed: dict[Event, list[Future[Any]]]
    ) -> None:
        self.runtime = runtime
        self.sent = sent
        self.keyed = keyed
        self.runs = runtime.recorded()
        self.messages = {run.run_no: run.messages() for run in self.runs}
        self.commands = {run.run_no: [each for turn in run.commands() for each in turn] for run in self.runs}
        self.read = self.tokens_read()
        self.lost = self.dead_letters()

    def judge(self) -> None:
        assert check(self.runtime.hands.journal) == []
        assert [run.header.workflow_id for run in self.runs if run.header.closed_ns is None] == []
        self.judge_outcomes()
        self.judge_chains()
        self.judge_children()
        self.judge_messages()
        self.judge_keys()
        self.judge_order()
        replay_all(self.runtime)

    # Words.

    def tokens_read(self) -> Counter[str]:
        """How often each token was taken or read by the code of a run."""
        commands = (command for commands in self.commands.values() for command in commands)
        values = (command.value for command in commands if isinstance(command, RecordSideEffect))
        return Counter(converter.decode(value, list[str])[1] for value in values)

    def dead_letters(self) -> Counter[str]:
        letters = (decode_message(letter.message) for letter in self.runtime.hands.journal.dead_letters())
        return Counter(token_of(letter) for letter in letters)

    def judge_messages(self) -> None:
        """What somebody was told is safe was taken once, or is a dead letter."""
        told_last = self.told_last()
        for token, future in self.sent.items():
            found = self.read[token] + self.lost[token]
            assert found <= 1, token
            if future.done() and future.exception() is None:
                assert found == 1 or token in told_last, token
        for run in self.runs:
            messages = self.messages[run.run_no]
            answers = {each.id: each for each in messages if isinstance(each, ExternalSignalResolved)}
            for command in self.commands[run.run_no]:
                if not isinstance(command, (SignalExternal, SignalWithStart)):
                    continue
                token = converter.decode_args(command.args, None)[0]
                found = self.read[token] + self.lost[token]
                answer = answers.get(command.id)
                assert found <= 1, token
                if answer is not None:
                    assert found == (answer.failure is None) or token in told_last, (token, answer)

    def judge_keys(self) -> None:
        """What was sent again with its key was taken once by a chain, however often it was sent."""
        taken: Counter[tuple[str, str]] = Counter()
        for run in self.runs:
            for command in self.commands[run.run_no]:
                if isinstance(command, RecordSideEffect):
                    taken[run.header.first_run_id, converter.decode(command.value, list[str])[1]] += 1
        tokens = {token_of_event(event): futures for event, futures in self.keyed.items()}
        assert [token for (_, token), times in taken.items() if token in tokens and times > 1] == []
        told_last = self.told_last()
        for token, futures in tokens.items():
            if any(future.done() and future.exception() is None for future in futures):
                assert self.read[token] + self.lost[token] >= 1 or token in told_last, token

    def told_last(self) -> set[str]:
        """What runs were told that were then ended without their code: nobody knows what it has not read."""
        ended = (messages for messages in self.messages.values() if messages and isinstance(messages[-1], ENDS))
        return {token_of(message) for messages in ended for message in messages if isinstance(message, SignalReceived)}

    def judge_order(self) -> None:
        """What one sender says by one name is read in the order in which it was said, by whatever run of a chain."""
        said: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
        for run in self.runs:
            for command in self.commands[run.run_no]:
                if isinstance(command, RecordSideEffect):
                    name, token = converter.decode(command.value, list[str])
                    if name in MAIL:
                        said[run.header.first_run_id, name, token.split()[0]].append(token)
        for words in said.values():
            assert words == sorted(words)

    # Runs.

    def judge_outcomes(self) -> None:
        """A run begins once, and hears once of each thing that it has asked for."""
        for messages in self.messages.values():
            assert not any(isinstance(each, WorkflowStarted) for each in messages[1:])
            heard = Counter((type(each), each.id) for each in messages if isinstance(each, OUTCOMES))
            assert set(heard.values()) <= {1}

    def judge_chains(self) -> None:
        """Each run is followed by one other, or by none; an id has one open run at a time."""
        following = Counter(
            each.origin.continued_run_id
            for messages in self.messages.values()
            for each in messages[:1]
            if isinstance(each, WorkflowStarted) and each.origin is not None and each.origin.continued_run_id
        )
        for run in self.runs:
            next_run_id = decode_facts(run.header.facts).next_run_id
            is_continued = run.header.status == WorkflowExecutionStatus.CONTINUED_AS_NEW
            assert following[run.header.run_id] <= bool(next_run_id)
            assert not is_continued or next_run_id
        last: dict[str, RecordedRun] = {}
        for run in self.runs:
            before = last.get(run.header.workflow_id)
            assert before is None or (before.header.closed_ns or 0) <= run.header.started_ns
            last[run.header.workflow_id] = run

    def judge_children(self) -> None:
        chains: defaultdict[tuple[int, int], list[RecordedRun]] = defaultdict(list)
        for run in self.runs:
            facts = decode_facts(run.header.facts)
            if facts.parent_run_no:
                chains[facts.parent_run_no, facts.parent_item].append(run)
        for parent in self.runs:
            for command in self.commands[parent.run_no]:
                if isinstance(command, StartChild):
                    self.judge_child(parent, command, chains.pop((parent.run_no, command.id), []))
        assert chains == {}

    def judge_child(self, parent: RecordedRun, command: StartChild, chain: list[RecordedRun]) -> None:
        """A child was started once or not at all, was heard once, and went the way of its parent."""
        told = [each for each in self.messages[parent.run_no] if getattr(each, "id", None) == command.id]
        ends = [each for each in told if isinstance(each, (ChildCompleted, ChildFailed))]
        failed = any(isinstance(each, ChildStartFailed) for each in told)
        assert len({run.header.first_run_id for run in chain}) <= (not failed)
        assert len(ends) <= len(chain[:1])
        if not chain:
            return
        last, parent_closed_ns = chain[-1], parent.header.closed_ns or 0
        outcome, closed_ns = Outcome.decode(last.header.outcome), last.header.closed_ns or 0
        for end in ends:
            assert isinstance(end, ChildCompleted) is (last.header.status == COMPLETED)
            assert not isinstance(end, ChildCompleted) or end.result == outcome.result
        if closed_ns < parent_closed_ns + SECOND_NS:
            return
        heard = [each for run in chain for each in self.messages[run.run_no]]
        match command.options.parent_close_policy:
            case ParentClosePolicy.TERMINATE:
                raise AssertionError(f"{last.header.workflow_id} is left behind by {parent.header.workflow_id}")
            case ParentClosePolicy.REQUEST_CANCEL:
                # One that ends in its first turn has not come to it.
                assert len(last.turns) == 1 or any(isinstance(each, (CancelRequested, *ENDS)) for each in heard)
            case ParentClosePolicy.ABANDON:
                pass


def token_of_event(event: Event) -> str:
    return f"client {event.value:04}"


def token_of(message: Message) -> str:
    """What a signal or an update says first."""
    assert isinstance(message, (SignalReceived, UpdateReceived))
    return str(converter.decode_args(message.args, None)[0])
