"""A signal may come later: it is on disk at once, and is taken when it is time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from greenroom import Future, MailboxFullError, WorkflowClosedError, WorkflowNotFoundError, workflow
from greenroom.runtime.core.messages import SignalReceived, decode_message
from greenroom.runtime.model.errors import JournalError
from greenroom.storage import MemoryStore, check
from greenroom.testing import TestRuntime, crash_sweep, start_once
from tests.runtime.rig import WAIT, FaultyStore, runtime_on

HOUR = timedelta(hours=1)


class Patience:
    """What tells whether the code has its bug."""

    has_bug = False


@pytest.fixture(autouse=True)
def _no_bug() -> None:
    Patience.has_bug = False


@workflow.defn(name="later.inbox")
class Inbox:
    """Tells what came, and how many seconds after the start."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.begun = 0

    @workflow.run
    async def run(self, enough: int) -> list[str]:
        self.begun = workflow.time_ns()
        await workflow.wait_condition(lambda: len(self.texts) >= enough)
        return self.texts

    @workflow.signal
    def text(self, text: str) -> None:
        if Patience.has_bug:
            raise LookupError("cannot take it")
        self.texts.append(f"{text} {(workflow.time_ns() - self.begun) // 10**9}")


@workflow.defn(name="later.goes_on")
async def goes_on(times: int) -> str:
    channel = workflow.signal_channel()
    if times:
        await channel.receive("next")
        workflow.continue_as_new(times - 1)
    return await channel.receive("text", result_type=str)


@workflow.defn(name="later.goes_at")
async def goes_at(times: int) -> str:
    if times:
        await workflow.sleep(3600)
        workflow.continue_as_new(times - 1)
    return await workflow.signal_channel().receive("text", result_type=str)


def make(store: MemoryStore | None = None, **options: Any) -> TestRuntime:
    return TestRuntime(store, workflows=[Inbox, goes_on, goes_at], **options)


def start(runtime: TestRuntime, enough: int, **options: Any) -> Any:
    return runtime.wait(runtime.start_workflow(Inbox.run, enough, id="inbox", **options))


def send(runtime: Any, text: str, delay: Any = HOUR, **options: Any) -> Future[None]:
    sent: Future[None] = runtime.get_workflow_handle("inbox").signal(Inbox.text, text, delay=delay, **options)
    return sent


def result(runtime: TestRuntime) -> list[str]:
    found: list[str] = runtime.wait(runtime.get_workflow_handle("inbox").result())
    return found


def letters(runtime: TestRuntime) -> list[tuple[str, str]]:
    found = [(decode_message(each.message), each.reason) for each in runtime.hands.journal.dead_letters()]
    return [(message.name, reason) for message, reason in found if isinstance(message, SignalReceived)]


def test_of_one_that_is_to_come_its_key_and_who_has_sent_it_are_described() -> None:
    with make() as runtime:
        handle = start(runtime, 2)
        ada = runtime.get_workflow_handle("inbox", identity="ada")
        runtime.wait(ada.signal(Inbox.text, "a", delay=1, idempotency_key="first"))
        runtime.wait(handle.signal(Inbox.text, "b", delay=2))

        first, second = runtime.wait(handle.describe()).delayed_signals
        assert (first.name, first.sender, first.idempotency_key, first.identity) == ("text", None, "first", "ada")
        assert (second.name, second.sender, second.idempotency_key, second.identity) == ("text", None, None, None)


@pytest.mark.parametrize("evict", [False, True])
def test_a_signal_comes_when_its_delay_is_over_and_not_before(evict: bool) -> None:
    with make(evict_after_every_turn=evict) as runtime:
        handle = start(runtime, 4)
        for text, delay in [("late", 7200), ("soon", 60.5), ("in an hour", HOUR), ("now", 0)]:
            runtime.wait(send(runtime, text, delay))
        assert check(runtime.hands.journal) == []
        described = runtime.wait(handle.describe())
        assert [each.name for each in described.delayed_signals] == ["text"] * 3
        waits = [each.due_time - described.start_time for each in described.delayed_signals]
        assert waits == [timedelta(seconds=60.5), HOUR, 2 * HOUR]
        assert (described.waiting_messages, described.history_length) == (0, 2)
        runtime.advance(HOUR - timedelta(seconds=1))
        assert [each.due_time for each in runtime.wait(handle.describe()).delayed_signals] == [
            described.start_time + HOUR,
            described.start_time + 2 * HOUR,
        ]

        assert result(runtime) == ["now 0", "soon 60", "in an hour 3600", "late 7200"]
        assert runtime.wait(handle.describe()).delayed_signals == []
        assert check(runtime.hands.journal) == []


def test_those_that_are_due_together_come_in_the_order_in_which_they_were_sent() -> None:
    with make() as runtime:
        start(runtime, 4)
        sent = [send(runtime, text) for text in "abcd"]

        assert [runtime.wait(each) for each in sent] == [None] * 4
        assert result(runtime) == ["a 3600", "b 3600", "c 3600", "d 3600"]


def test_one_that_was_due_while_nobody_had_the_journal_comes_when_it_is_opened() -> None:
    store = MemoryStore()
    with make(store) as runtime:
        start(runtime, 2)
        runtime.wait(send(runtime, "a"))
        runtime.wait(send(runtime, "b", 3 * HOUR))
        clock = runtime.clock
    clock.advance_to(clock.now_ns() + 2 * 3600 * 10**9)
    with make(store, clock=clock) as runtime:
        assert result(runtime) == ["a 7200", "b 10800"]


def test_wherever_the_process_dies_a_delayed_signal_comes_once() -> None:
    def scenario(runtime: TestRuntime) -> None:
        handle = start_once(runtime, Inbox.run, 2, id="inbox")
        runtime.wait(handle.signal(Inbox.text, "a", delay=HOUR, idempotency_key="1"))
        runtime.wait(handle.signal(Inbox.text, "b", delay=2 * HOUR, idempotency_key="2"))
        assert [text[0] for text in runtime.wait(handle.result())] == ["a", "b"]

    crash_sweep(scenario, compare_results=False)


def test_one_that_is_sent_when_an_earlier_one_has_come_takes_the_place_of_none() -> None:
    with make() as runtime:
        start(runtime, 3)
        for text, delay in [("a", HOUR), ("b", 3 * HOUR)]:
            runtime.wait(send(runtime, text, delay))
        runtime.advance(2 * HOUR)
        runtime.wait(send(runtime, "c"))

        assert result(runtime) == ["a 3600", "b 10800", "c 10800"]


def test_one_that_could_not_be_written_may_be_sent_again() -> None:
    with make() as runtime:
        start(runtime, 1)
        runtime.store.fail_commit(1)
        with pytest.raises(JournalError):
            runtime.wait(send(runtime, "lost"))
        runtime.wait(send(runtime, "a"))

        assert result(runtime) == ["a 3600"]
        assert letters(runtime) == []


def test_one_whose_coming_could_not_be_written_comes_a_little_later_and_once() -> None:
    with make() as runtime:
        start(runtime, 2)
        runtime.wait(send(runtime, "a"))
        runtime.wait(send(runtime, "b", 2 * HOUR))
        runtime.advance(HOUR - timedelta(seconds=1))
        runtime.store.fail_commit(1)

        assert [text[0] for text in result(runtime)] == ["a", "b"]
        assert check(runtime.hands.journal) == []


def test_a_suspended_run_has_it_in_its_mail_when_it_is_time() -> None:
    with make(max_residents=0) as runtime:
        handle = start(runtime, 3)
        Patience.has_bug = True
        runtime.wait(handle.signal(Inbox.text, "bad"))
        runtime.run_until_idle()
        runtime.wait(send(runtime, "a"))
        described = runtime.wait(handle.describe())
        assert (described.waiting_messages, len(described.delayed_signals)) == (1, 1)
        runtime.advance(2 * HOUR)
        described = runtime.wait(handle.describe())
        assert (described.waiting_messages, len(described.delayed_signals)) == (2, 0)
        Patience.has_bug = False
        runtime.wait(handle.resume())
        runtime.wait(send(runtime, "b"))

        assert [text.split()[0] for text in result(runtime)] == ["bad", "a", "b"]


@pytest.mark.parametrize("ends", ["returns", "terminated"])
def test_one_whose_run_has_ended_by_then_is_a_dead_letter_and_the_log_says_so(
    ends: str, caplog: pytest.LogCaptureFixture
) -> None:
    with make() as runtime:
        handle = start(runtime, 1)
        runtime.wait(send(runtime, "never"))
        runtime.wait(handle.signal(Inbox.text, "now") if ends == "returns" else handle.terminate())
        runtime.run_until_idle()

        status = "COMPLETED" if ends == "returns" else "TERMINATED"
        assert letters(runtime) == [("text", f"workflow 'inbox' has ended ({status}) before its time had come")]
        told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        assert told == [
            f"workflow 'inbox' has ended ({status}) before the time of 1 delayed signals had come: 'text'; they are "
            "dead letters, kept as long as the run is"
        ]
        assert runtime.hands.journal.due(until_ns=2**62) == []
        assert check(runtime.hands.journal) == []
        with pytest.raises(WorkflowClosedError):
            runtime.wait(send(runtime, "too late"))


def test_it_goes_on_to_the_next_run_unless_it_is_for_one_run_alone() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(goes_on, 2, id="chain"))
        pinned = runtime.get_workflow_handle("chain", run_id=handle.run_id)
        runtime.wait(pinned.signal("text", "for the first", delay=60))
        runtime.wait(handle.signal("text", "for all", delay=HOUR))
        for _ in range(2):
            runtime.wait(handle.signal("next"))
        assert check(runtime.hands.journal) == []

        assert runtime.wait(handle.result()) == "for all"
        assert [reason for _, reason in letters(runtime)] == [
            "workflow 'chain' has ended (CONTINUED_AS_NEW) before its time had come"
        ]
        assert check(runtime.hands.journal) == []


def test_one_for_one_run_alone_that_is_due_as_that_ends_is_a_dead_letter() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(goes_at, 1, id="chain"))
        pinned = runtime.get_workflow_handle("chain", run_id=handle.run_id)
        runtime.wait(pinned.signal("text", "for the first", delay=HOUR))
        runtime.wait(handle.signal("text", "for all", delay=2 * HOUR))

        assert runtime.wait(handle.result()) == "for all"
        assert letters(runtime) == [("text", "workflow 'chain' has ended (CONTINUED_AS_NEW)")]


def test_one_that_meets_the_end_of_its_run_in_one_sweep_reaches_the_run_that_goes_on() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(goes_on, 1, id="chain"))
        last, late = handle.signal("next"), handle.signal("text", "a", delay=HOUR)

        assert [runtime.wait(last), runtime.wait(late)] == [None, None]
        assert runtime.wait(handle.result()) == "a"


def test_one_that_meets_the_end_of_its_workflow_in_one_sweep_is_refused() -> None:
    with make() as runtime:
        handle = start(runtime, 1)
        last, late = handle.signal(Inbox.text, "now"), send(runtime, "a")

        assert runtime.wait(last) is None
        with pytest.raises(WorkflowClosedError):
            runtime.wait(late)


def test_of_one_idempotency_key_one_waits_and_the_first_that_comes_is_taken() -> None:
    with make() as runtime:
        handle = start(runtime, 2)
        for text in ("a", "b"):
            runtime.wait(send(runtime, text, idempotency_key="1"))
        assert len(runtime.wait(handle.describe()).delayed_signals) == 1
        runtime.wait(send(runtime, "now", delay=None, idempotency_key="1"))
        runtime.wait(send(runtime, "b", 2 * HOUR))

        assert result(runtime) == ["now 0", "b 7200"]
        runtime.wait(send(runtime, "again", idempotency_key="1"))


@pytest.mark.parametrize("ends", ["goes on", "is terminated"])
def test_one_whose_key_was_taken_meanwhile_comes_to_nothing_with_its_run(ends: str) -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(goes_on, 1, id="chain"))
        runtime.wait(handle.signal("text", "a", delay=HOUR, idempotency_key="1"))
        runtime.wait(handle.signal("next", delay=None, idempotency_key="1"))
        if ends == "is terminated":
            runtime.wait(handle.terminate())
        runtime.advance(2 * HOUR)

        described = runtime.wait(handle.describe())
        assert (described.status.name, described.delayed_signals) == (
            "TERMINATED" if ends == "is terminated" else "RUNNING",
            [],
        )
        assert letters(runtime) == []
        assert check(runtime.hands.journal) == []


def test_one_whose_key_was_taken_before_is_no_dead_letter_when_the_run_ends() -> None:
    with make() as runtime:
        start(runtime, 1)
        runtime.wait(send(runtime, "later", idempotency_key="1"))

        assert runtime.wait(send(runtime, "now", delay=None, idempotency_key="1")) is None
        assert result(runtime) == ["now 0"]
        assert letters(runtime) == []
        assert check(runtime.hands.journal) == []


def test_of_one_key_a_suspended_run_keeps_one_though_another_comes_later() -> None:
    with make() as runtime:
        handle = start(runtime, 2)
        runtime.wait(send(runtime, "later", idempotency_key="1"))
        runtime.wait(handle.suspend())
        runtime.wait(send(runtime, "now", delay=None, idempotency_key="1"))
        runtime.advance(2 * HOUR)

        assert runtime.wait(handle.describe()).waiting_messages == 1
        assert check(runtime.hands.journal) == []


def test_one_that_comes_in_the_sweep_in_which_its_key_is_taken_is_no_dead_letter() -> None:
    with make() as runtime:
        start(runtime, 1)
        runtime.wait(send(runtime, "later", idempotency_key="1"))
        # It is due, and before it has its turn another one is there.
        runtime.clock.advance(HOUR)
        runtime.wait(send(runtime, "now", delay=None, idempotency_key="1"))

        assert result(runtime) == ["now 3600"]
        assert letters(runtime) == []
        assert check(runtime.hands.journal) == []


def test_one_whose_key_was_taken_before_does_not_go_on_to_the_next_run() -> None:
    with make() as runtime:
        handle = runtime.wait(runtime.start_workflow(goes_on, 1, id="chain"))
        runtime.wait(handle.signal("next", delay=HOUR, idempotency_key="1"))
        runtime.wait(handle.signal("next", idempotency_key="1"))
        runtime.run_until_idle()

        assert runtime.wait(handle.describe()).delayed_signals == []
        runtime.wait(handle.terminate())
        assert letters(runtime) == []


def test_it_ends_the_delay_of_a_start_when_it_comes() -> None:
    with make() as runtime:
        now = runtime.clock.now_ns()
        start(runtime, 1, start_delay=5 * HOUR)
        runtime.wait(send(runtime, "a"))

        assert result(runtime) == ["a 0"]
        assert runtime.clock.now_ns() == now + 3600 * 10**9


def test_those_that_come_later_fill_the_mailbox_too() -> None:
    with make(mailbox_limit=3) as runtime:
        handle = start(runtime, 3)
        runtime.wait(handle.suspend())
        runtime.wait(send(runtime, "now", None))
        sent = [send(runtime, text) for text in "abc"]

        assert [runtime.wait(each) for each in sent[:2]] == [None] * 2
        with pytest.raises(MailboxFullError):
            runtime.wait(sent[2])
        runtime.wait(handle.resume())
        assert result(runtime) == ["now 0", "a 3600", "b 3600"]


def test_a_signal_that_comes_now_writes_no_row_more() -> None:
    store = FaultyStore()
    with runtime_on(store, workflows=[Inbox]) as runtime:
        runtime.start_workflow(Inbox.run, 9, id="inbox").get(timeout=WAIT)
        counts: list[int] = []
        for delay in (None, 0, timedelta(0), HOUR):
            before = store.puts
            send(runtime, "a", delay).get(timeout=WAIT)
            counts.append(store.puts - before)

    assert counts[0] == counts[1] == counts[2]


def test_what_is_no_delay_and_who_is_nobody_is_refused() -> None:
    with make() as runtime:
        start(runtime, 1)
        for wrong in (-1, timedelta(days=-1), 1e12, float("nan")):
            with pytest.raises(ValueError, match="delay is"):
                send(runtime, "a", wrong)
        with pytest.raises(TypeError, match="delay is a str"):
            send(runtime, "a", "soon")
        with pytest.raises(WorkflowNotFoundError):
            runtime.wait(runtime.get_workflow_handle("nobody").signal("text", delay=HOUR))
