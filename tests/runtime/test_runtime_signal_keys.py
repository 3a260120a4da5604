"""A signal with an idempotency key is delivered once, however often its sender sends it."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from greenroom import ApplicationError, RetryPolicy, Runtime, WorkflowClosedError, workflow
from greenroom.actors import Future
from greenroom.runtime.model.errors import JournalError
from greenroom.runtime.shell import once
from greenroom.storage import MemoryStore, WriteError, check
from greenroom.testing import Crash, TestRuntime, crash_sweep, start_once
from tests.runtime.rig import WAIT, FaultyStore, error_of, runtime_on


class Patience:
    """What tells whether the code has its bug."""

    has_bug = False


@pytest.fixture(autouse=True)
def _no_bug() -> None:
    Patience.has_bug = False


@workflow.defn(name="keys.inbox")
class Inbox:
    def __init__(self) -> None:
        self.texts: list[str] = []

    @workflow.run
    async def run(self, enough: int) -> list[str]:
        await workflow.wait_condition(lambda: len(self.texts) >= enough)
        return self.texts

    @workflow.signal
    def text(self, text: str) -> None:
        if Patience.has_bug:
            raise LookupError("cannot take it")
        self.texts.append(text)


@workflow.defn(name="keys.goes_on")
async def goes_on(times: int) -> list[str]:
    channel = workflow.signal_channel()
    await channel.receive("next")
    if times:
        workflow.continue_as_new(times - 1)
    return [await channel.receive("text", result_type=str), await channel.receive("text", result_type=str)]


@workflow.defn(name="keys.chain")
class Chain:
    """Hears words; goes on as new, or fails, when it is told to."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.what = ""

    @workflow.run
    async def run(self, words: list[str]) -> list[str]:
        self.words = words
        await workflow.wait_condition(lambda: bool(self.what))
        if self.what == "go on":
            workflow.continue_as_new(self.words)
        if self.what == "fail":
            raise ApplicationError("once more")
        return self.words

    @workflow.signal
    def text(self, text: str) -> None:
        self.words.append(text)

    @workflow.signal
    def do(self, what: str) -> None:
        self.what = what


def make(store: MemoryStore | None = None, **options: Any) -> TestRuntime:
    return TestRuntime(store, workflows=[Inbox, goes_on, Chain], **options)


def send(runtime: Any, text: str, key: str | None = None) -> Future[None]:
    sent: Future[None] = runtime.get_workflow_handle("inbox").signal(Inbox.text, text, idempotency_key=key)
    return sent


def result(runtime: TestRuntime) -> list[str]:
    found: list[str] = runtime.wait(runtime.get_workflow_handle("inbox").result())
    return found


@pytest.mark.parametrize("evict", [False, True])
def test_the_second_of_a_key_is_acknowledged_and_not_delivered(evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        handle = runtime.wait(runtime.start_workflow(Inbox.run, 4, id="inbox"))
        for text, key in [("a", "1"), ("other", "1"), ("b", "2"), ("a", "1"), ("a", None), ("a", None), ("never", "1")]:
            runtime.wait(send(runtime, text, key))

        assert result(runtime) == ["a", "b", "a", "a"]
        events = [event for event in runtime.wait(handle.fetch_history()).events if event.kind == "SignalReceived"]
        assert [event.facts.get("idempotency_key") for event in events] == ["1", "2", None, None]
        assert check(runtime.hands.journal) == []


def test_both_of_one_sweep_are_one() -> None:
    with make() as runtime:
        runtime.wait(runtime.start_workflow(Inbox.run, 2, id="inbox"))
        sent = [send(runtime, "a", "1"), send(runtime, "a", "1"), send(runtime, "b", "2")]

        assert [runtime.wait(each) for each in sent] == [None] * 3
        assert result(runtime) == ["a", "b"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_signal_with_a_key_is_delivered_once_wherever_the_process_dies(when: Any) -> None:
    with make() as runtime:
        runtime.wait(runtime.start_workflow(Inbox.run, 2, id="inbox"))
        begun = runtime.store.commits
        runtime.wait(send(runtime, "a", "1"))
        commits = runtime.store.commits - begun
    for number in range(1, commits + 1):
        with make(check_leaks=False) as runtime:
            runtime.wait(runtime.start_workflow(Inbox.run, 2, id="inbox"))
            runtime.store.crash_at_commit(number, when)
            with contextlib.suppress(Crash):
                send(runtime, "a", "1")
                runtime.run_until_idle()
            assert runtime.store.is_crashed
            runtime.crash()

            runtime.wait(send(runtime, "a", "1"))
            runtime.wait(send(runtime, "b", "2"))
            assert result(runtime) == ["a", "b"]


def test_one_that_could_not_be_written_may_be_sent_again() -> None:
    store = FaultyStore()
    with runtime_on(store, workflows=[Inbox]) as runtime:
        runtime.start_workflow(Inbox.run, 2, id="inbox").get(timeout=WAIT)
        store.refuse = lambda number, changes: WriteError("here", "EIO")
        assert isinstance(error_of(send(runtime, "a", "1")), JournalError)
        store.refuse = lambda number, changes: None
        send(runtime, "a", "1").get(timeout=WAIT)
        send(runtime, "a", "1").get(timeout=WAIT)
        send(runtime, "b", "2").get(timeout=WAIT)

        assert runtime.get_workflow_handle("inbox").result().get(timeout=WAIT) == ["a", "b"]


@pytest.mark.parametrize("reopened", [False, True])
def test_what_a_suspended_run_is_sent_twice_waits_once(reopened: bool) -> None:
    store = MemoryStore()
    with make(store) as runtime:
        handle = runtime.wait(runtime.start_workflow(Inbox.run, 4, id="inbox"))
        runtime.wait(send(runtime, "before", "0"))
        Patience.has_bug = True
        # The run stops at the first, and keeps the others.
        for text, key in [("a", "1"), ("a", "1"), ("b", "2"), ("b", "2"), ("before", "0")]:
            runtime.wait(send(runtime, text, key))
        runtime.run_until_idle()
        described = runtime.wait(handle.describe())
        assert (described.status.name, described.waiting_messages) == ("SUSPENDED", 2)
        if not reopened:
            Patience.has_bug = False
            runtime.wait(handle.resume())
            for text, key in [("a", "1"), ("b", "2"), ("c", "3")]:
                runtime.wait(send(runtime, text, key))
            assert result(runtime) == ["before", "a", "b", "c"]
            return
    Patience.has_bug = False
    with make(store) as runtime:
        for text, key in [("b", "2"), ("a", "1"), ("c", "3")]:
            runtime.wait(send(runtime, text, key))
        assert result(runtime) == ["before", "a", "b", "c"]
        assert check(runtime.hands.journal) == []


def test_one_that_was_skipped_does_not_come_again() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(Inbox.run, 1, id="inbox"))
        Patience.has_bug = True
        runtime.wait(send(runtime, "poison", "1"))
        runtime.run_until_idle()
        runtime.wait(handle.resume(skip=True))
        Patience.has_bug = False
        runtime.wait(send(runtime, "poison", "1"))
        runtime.wait(send(runtime, "a", "2"))

        assert result(runtime) == ["a"]


def test_a_run_that_has_ended_acknowledges_what_it_had_taken_and_refuses_the_rest() -> None:
    with make() as runtime:
        runtime.wait(runtime.start_workflow(Inbox.run, 1, id="inbox"))
        together = [send(runtime, "a", "1"), send(runtime, "a", "1"), send(runtime, "b", "2")]
        assert result(runtime) == ["a"]
        runtime.wait(send(runtime, "a", "1"))

        assert [runtime.wait(each) for each in together[:2]] == [None, None]
        for late in (together[2], send(runtime, "b", "2"), send(runtime, "a")):
            with pytest.raises(WorkflowClosedError):
                runtime.wait(late)


def test_what_goes_on_to_the_next_run_has_its_key_there() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(goes_on, 1, id="inbox"))
        runtime.wait(handle.signal("text", "a", idempotency_key="1"))
        runtime.wait(handle.signal("next"))
        runtime.wait(handle.signal("text", "a", idempotency_key="1"))
        runtime.wait(handle.signal("text", "b", idempotency_key="2"))
        runtime.wait(handle.signal("next"))

        assert runtime.wait(handle.result()) == ["a", "b"]


def test_the_second_of_a_key_does_not_go_on_behind_the_end_that_the_first_has_brought() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(goes_on, 1, id="inbox"))
        sent = [handle.signal("next", idempotency_key="1") for _ in range(2)]
        assert [runtime.wait(each) for each in sent] == [None] * 2

        for text in "ab":
            runtime.wait(handle.signal("text", text))
        assert runtime.wait(handle.describe()).status.name == "RUNNING"
        runtime.wait(handle.signal("next"))

        assert runtime.wait(handle.result()) == ["a", "b"]


@pytest.mark.parametrize("evict", [False, True], ids=["resident", "put away"])
@pytest.mark.parametrize(("how", "heard"), [("go on", ["a", "b"]), ("fail", ["b"])])
def test_what_a_run_has_taken_is_not_taken_again_by_those_that_go_on_from_it(
    how: str, heard: list[str], evict: bool
) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        handle = runtime.start_workflow(Chain.run, list[str](), id="inbox", retry_policy=RetryPolicy()).get()
        inbox = runtime.get_workflow_handle("inbox")
        send(runtime, "a", "1").get()
        for _ in range(3):
            inbox.signal(Chain.do, how).get()
            # The next run of one that is repeated has not begun yet when it comes.
            send(runtime, "a", "1").get()
            runtime.advance(200)
            send(runtime, "a", "1").get()
        send(runtime, "b", "2").get()
        inbox.signal(Chain.do, "end").get()

        assert handle.result().get() == heard
        send(runtime, "a", "1").get()
        assert check(runtime.hands.journal) == []


def test_wherever_the_process_dies_what_was_taken_is_not_taken_again_by_the_next_run() -> None:
    def scenario(runtime: TestRuntime) -> object:
        handle = start_once(runtime, Chain.run, list[str](), id="inbox")
        for text, key in [("a", "1"), ("b", "2")]:
            send(runtime, text, key).get()
        handle.signal(Chain.do, "go on", idempotency_key="on").get()
        for text, key in [("b", "2"), ("c", "3"), ("a", "1")]:
            send(runtime, text, key).get()
        handle.signal(Chain.do, "go on", idempotency_key="on").get()
        handle.signal(Chain.do, "end", idempotency_key="end").get()
        return handle.result().get()

    assert crash_sweep(scenario, make=make).points > 4


def test_the_next_run_knows_the_keys_that_were_taken_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "MOST_CARRIED", 2)
    with make(evict_after_every_turn=True) as runtime:
        handle = runtime.start_workflow(Chain.run, list[str](), id="inbox").get()
        for key in "zya":
            runtime.advance(1)
            send(runtime, key, key).get()
        handle.signal(Chain.do, "go on").get()
        for key in "zya":
            send(runtime, key, key).get()
        runtime.get_workflow_handle("inbox").signal(Chain.do, "end").get()

        assert handle.result().get() == ["z", "y", "a", "z"]


@pytest.mark.parametrize("evict", [False, True], ids=["resident", "put away"])
@pytest.mark.parametrize("to", ["start", 1, "last"])
def test_a_reset_knows_the_keys_of_the_turns_it_keeps_and_of_the_runs_before(to: Any, evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        runtime.start_workflow(Chain.run, list[str](), id="inbox").get()
        inbox = runtime.get_workflow_handle("inbox")
        send(runtime, "before", "1").get()
        inbox.signal(Chain.do, "go on").get()
        for text, key in [("kept", "2"), ("taken up again", "3")]:
            send(runtime, text, key).get()
        inbox.reset(to=to).get()
        runtime.run_until_idle()
        for key in "123":
            send(runtime, "again", key).get()
        inbox.signal(Chain.do, "end").get()

        assert inbox.result().get() == ["before", "kept", "taken up again"]


def test_a_signal_without_a_key_writes_no_row_more() -> None:
    store = FaultyStore()
    with runtime_on(store, workflows=[Inbox]) as runtime:
        runtime.start_workflow(Inbox.run, 9, id="inbox").get(timeout=WAIT)
        counts: list[int] = []
        for key in (None, "1", "1"):
            before = store.puts
            send(runtime, "a", key).get(timeout=WAIT)
            counts.append(store.puts - before)

    assert counts[1] == counts[0] + 1
    assert counts[2] == 0


def test_what_cannot_be_a_key_is_refused() -> None:
    with Runtime.in_memory(workflows=[Inbox]) as runtime:
        for wrong, error in [("", ValueError), ("ü" * 241, ValueError), (5, TypeError)]:
            key: Any = wrong
            with pytest.raises(error, match="idempotency key"):
                send(runtime, "a", key)
