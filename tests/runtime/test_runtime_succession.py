"""What is on its way to a run that ends reaches the one that goes on, or is told so: whatever it is, whoever fails."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from greenroom import (
    ApplicationError,
    ParentClosePolicy,
    RetryPolicy,
    WorkflowClosedError,
    WorkflowExecutionStatus,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
    workflow,
)
from greenroom.runtime.core.messages import SignalReceived, decode_message
from greenroom.runtime.model.errors import JournalError
from greenroom.runtime.shell.standing import Standing
from greenroom.storage import MemoryStore, Tree, check
from greenroom.testing import TestRuntime

STATUS = WorkflowExecutionStatus


@workflow.defn
class Chain:
    """Goes on as new ``runs`` times, each time when it is told to, and then waits."""

    is_mended = False

    def __init__(self) -> None:
        self.is_told = False
        self.heard: list[str] = []

    @workflow.run
    async def run(self, runs: int, waits: bool = True) -> None:
        await workflow.wait_condition(lambda: self.is_told or not waits or not runs)
        if runs:
            workflow.continue_as_new(runs - 1, waits)
        await workflow.wait_condition(lambda: False)

    @workflow.signal
    def go_on(self) -> None:
        self.is_told = True

    @workflow.signal
    def hear(self, word: str) -> None:
        self.heard.append(word)

    @workflow.signal
    def stumble(self) -> None:
        if not Chain.is_mended:
            raise LookupError("a bug")

    @workflow.update
    async def book(self, word: str) -> str:
        if word == "slowly":
            await workflow.wait_condition(lambda: False)
        return workflow.info().run_id

    @workflow.query
    def words(self) -> list[str]:
        return self.heard


@workflow.defn
class Parent:
    def __init__(self) -> None:
        self.is_told = False

    @workflow.run
    async def run(self, policy: ParentClosePolicy) -> None:
        await workflow.start_child_workflow(Chain.run, 1, id="child", parent_close_policy=policy)
        await workflow.wait_condition(lambda: self.is_told)

    @workflow.signal
    def end(self) -> None:
        self.is_told = True

    @workflow.signal
    def stumble(self) -> None:
        raise LookupError("a bug")


@workflow.defn
async def far(runs: int) -> None:
    longest = timedelta(days=100_000)
    if runs:
        workflow.continue_as_new(0, run_timeout=longest, backoff_start_interval=longest)


@workflow.defn
async def fails() -> None:
    raise ApplicationError("no")


def make(store: MemoryStore | None = None, **options: Any) -> TestRuntime:
    return TestRuntime(store, workflows=[Chain, Parent, fails, far, teller], **options)


def statuses(runtime: TestRuntime, workflow_id: str) -> list[WorkflowExecutionStatus]:
    headers = [run.header for run in runtime.recorded()]
    return [STATUS(header.status) for header in headers if header.workflow_id == workflow_id]


def names_of_letters(runtime: TestRuntime) -> list[str]:
    found = [decode_message(each.message) for each in runtime.hands.journal.dead_letters()]
    return [message.name for message in found if isinstance(message, SignalReceived)]


def test_a_child_that_goes_on_in_the_sweep_in_which_its_parent_ends_is_terminated_all_the_same() -> None:
    with make() as runtime:
        parent = runtime.start_workflow(Parent.run, ParentClosePolicy.TERMINATE, id="parent").get()
        runtime.run_until_idle()
        parent.signal(Parent.end)
        runtime.get_workflow_handle("child").signal("go_on")

        runtime.hands.dispatcher.sweep()
        runtime.run_until_idle()

        assert statuses(runtime, "child") == [STATUS.CONTINUED_AS_NEW, STATUS.TERMINATED]
        assert check(runtime.hands.journal) == []


def test_to_terminate_a_workflow_whose_runs_go_on_in_their_first_turn_ends_the_run_that_is_there() -> None:
    with make() as runtime:
        runtime.start_workflow(Chain.run, 2, False, id="chain")
        ended = runtime.get_workflow_handle("chain").terminate(reason="enough")
        runtime.run_until_idle()

        assert ended.get() is None
        assert statuses(runtime, "chain")[-1] is STATUS.TERMINATED


def test_a_start_that_replaces_a_workflow_begins_though_that_went_on_as_new_before_it_was_ended() -> None:
    policies: Any = {
        "id_conflict_policy": WorkflowIDConflictPolicy.TERMINATE_EXISTING,
        "id_reuse_policy": WorkflowIDReusePolicy.REJECT_DUPLICATE,
    }
    with make() as runtime:
        runtime.start_workflow(Chain.run, 2, False, id="chain")
        replacing = runtime.start_workflow(Chain.run, 0, id="chain", **policies)
        runtime.run_until_idle()

        assert replacing.get().describe().get().status is STATUS.RUNNING
        assert statuses(runtime, "chain")[-2] is STATUS.TERMINATED


def test_a_limit_beyond_the_end_of_time_holds_nobody_up() -> None:
    longest = timedelta(days=100_000)
    with make() as runtime:
        first = runtime.start_workflow(far, 1, id="far").get()
        runtime.run_until_idle()

        assert statuses(runtime, "far") == [STATUS.CONTINUED_AS_NEW, STATUS.RUNNING]
        late = runtime.start_workflow(far, 0, id="late", run_timeout=longest, start_delay=longest).get()
        for handle in (first, late):
            described = handle.describe().get()
            assert described.deadline is not None
            assert described.deadline == described.first_turn_time
            assert described.deadline.year == 2262


def test_what_is_for_one_run_alone_is_refused_by_it_and_not_heard_by_the_next_one() -> None:
    with make() as runtime:
        chain = runtime.start_workflow(Chain.run, 1, id="chain").get()
        pinned = runtime.get_workflow_handle("chain", run_id=chain.run_id)
        chain.signal(Chain.go_on)
        late = [pinned.signal("hear", "late"), pinned.cancel("late")]
        in_time = chain.signal(Chain.hear, "in time")
        runtime.run_until_idle()

        assert [type(each.exception()) for each in late] == [WorkflowClosedError] * 2
        assert in_time.exception() is None
        assert chain.query(Chain.words).get() == ["in time"]
        assert statuses(runtime, "chain") == [STATUS.CONTINUED_AS_NEW, STATUS.RUNNING]


@pytest.mark.parametrize("goes_on", ["as new", "reset"])
def test_what_waits_for_one_run_alone_is_not_heard_by_the_next_one(goes_on: str) -> None:
    with make() as runtime:
        chain = runtime.start_workflow(Chain.run, 1, id="chain").get()
        pinned = runtime.get_workflow_handle("chain", run_id=chain.run_id)
        chain.suspend().get()
        if goes_on == "as new":
            chain.signal(Chain.go_on).get()
        pinned.signal(Chain.hear, "late").get()
        pinned.cancel("late").get()
        chain.signal(Chain.hear, "in time").get()
        if goes_on == "as new":
            chain.resume().get()
        else:
            chain.reset(to="last").get()
        runtime.run_until_idle()

        assert chain.describe().get().status is STATUS.RUNNING
        assert chain.query(Chain.words).get() == ["in time"]
        assert names_of_letters(runtime) == ["hear"]
        assert check(runtime.hands.journal) == []


@pytest.mark.parametrize("key", [None, "a key"])
def test_what_one_run_alone_was_told_and_has_not_read_is_not_read_by_the_next_one(key: str | None) -> None:
    with make() as runtime:
        chain = runtime.start_workflow(Chain.run, 1, id="chain").get()
        pinned = runtime.get_workflow_handle("chain", run_id=chain.run_id)
        pinned.signal("other", "for the first", idempotency_key=key).get()
        chain.signal("other", "for all").get()
        chain.signal(Chain.go_on).get()
        runtime.run_until_idle()

        assert names_of_letters(runtime) == ["other"]
        assert "nothing in it had read" in runtime.hands.journal.dead_letters()[0].reason
        chain.terminate().get()
        assert names_of_letters(runtime) == ["other", "other"]


def test_what_one_run_alone_was_sent_is_told_in_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with make() as runtime:
        chain = runtime.start_workflow(Chain.run, 1, id="chain").get()
        pinned = runtime.get_workflow_handle("chain", run_id=chain.run_id)
        chain.suspend().get()
        chain.signal(Chain.go_on).get()
        for word in ("late", "later"):
            pinned.signal(Chain.hear, word).get()
        chain.resume().get()
        runtime.run_until_idle()

    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert told == [
        "workflow 'chain' has ended (CONTINUED_AS_NEW) with 2 signals or updates that it had not taken: 'hear'; they "
        "are dead letters, kept as long as the run is"
    ]


@workflow.defn
async def teller(workflow_id: str, run_id: str | None) -> None:
    other = workflow.get_external_workflow_handle(workflow_id, run_id=run_id)
    await other.signal("hear", "from another")
    await other.cancel("from another")


def test_what_another_workflow_says_to_one_run_alone_is_not_heard_by_the_next_one() -> None:
    with make() as runtime:
        chain = runtime.start_workflow(Chain.run, 1, id="chain").get()
        chain.suspend().get()
        chain.signal(Chain.go_on).get()
        runtime.execute_workflow(teller, "chain", chain.run_id).get()
        chain.resume().get()
        runtime.run_until_idle()

        assert chain.describe().get().status is STATUS.RUNNING
        assert chain.query(Chain.words).get() == []
        assert names_of_letters(runtime) == ["hear"]


def test_a_request_for_an_update_that_the_run_has_taken_is_not_taken_again_by_the_next_one() -> None:
    with make() as runtime:
        chain = runtime.start_workflow(Chain.run, 1, id="chain").get()
        first = chain.execute_update(Chain.book, "slowly", id="one")
        runtime.run_until_idle()
        chain.signal(Chain.go_on)
        again = chain.execute_update(Chain.book, "slowly", id="one")
        runtime.run_until_idle()

        assert [type(each.exception()) for each in (first, again)] == [WorkflowUpdateFailedError] * 2


def test_who_waits_for_an_update_hears_that_the_run_that_was_to_take_it_could_not_be_written() -> None:
    with make() as runtime:
        chain = runtime.start_workflow(Chain.run, 1, id="chain").get()
        chain.signal(Chain.go_on)
        lost = chain.execute_update(Chain.book, "now", id="one")
        runtime.store.fail_commit()
        runtime.run_until_idle()

        assert isinstance(lost.exception(), JournalError)
        assert chain.execute_update(Chain.book, "now", id="one").get() == chain.run_id


def test_who_waits_for_an_admitted_update_waits_on_if_the_end_that_hands_it_on_could_not_be_written() -> None:
    with make() as runtime:
        chain = runtime.start_workflow(Chain.run, 1, id="chain").get()
        other = runtime.start_workflow(Chain.run, 0, id="other").get()
        other.signal(Chain.hear, "first")
        lost = chain.signal(Chain.go_on)
        chain.start_update(Chain.book, "now", id="one", wait_for_stage=WorkflowUpdateStage.ADMITTED)
        answer = chain.execute_update(Chain.book, "now", id="one")
        runtime.step()  # the turn of the other one: the update is on disk, and not taken
        runtime.store.fail_commit()

        assert answer.get() == chain.run_id
        assert isinstance(lost.exception(), JournalError)


def test_a_parent_that_ends_leaves_alone_who_has_come_to_the_id_of_its_child() -> None:
    with make() as runtime:
        parent = runtime.start_workflow(Parent.run, ParentClosePolicy.TERMINATE, id="parent").get()
        runtime.run_until_idle()
        parent.suspend().get()
        runtime.get_workflow_handle("child").terminate().get()
        stranger = runtime.start_workflow(Chain.run, 0, id="child").get()

        parent.terminate().get()
        runtime.run_until_idle()

        assert stranger.describe().get().status is STATUS.RUNNING


def test_a_suspended_run_that_is_over_its_time_leaves_its_mail_to_the_run_that_repeats_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with make() as runtime:
        policy = RetryPolicy(maximum_attempts=2)
        chain = runtime.start_workflow(Chain.run, 0, id="chain", run_timeout=10, retry_policy=policy).get()
        chain.signal(Chain.stumble).get()
        chain.signal(Chain.hear, "kept").get()
        monkeypatch.setattr(Chain, "is_mended", True)
        runtime.advance(11)

        assert statuses(runtime, "chain") == [STATUS.TIMED_OUT, STATUS.RUNNING]
        assert chain.query(Chain.words).get() == ["kept"]
        assert check(runtime.hands.journal) == []


def test_what_ends_a_workflow_ends_the_run_that_repeats_one_which_is_over_its_time_before() -> None:
    with make() as runtime:
        limits: dict[str, Any] = {
            "run_timeout": 100,
            "retry_policy": RetryPolicy(initial_interval=timedelta(seconds=1)),
        }
        handle = runtime.start_workflow(Chain.run, 0, id="w", **limits).get()
        handle.signal(Chain.stumble).get()
        runtime.advance(99)
        # Its time is over; it is looked at for what it has not read.
        runtime.clock.advance(1)
        while runtime.hands.directory.residents()[0].standing is not Standing.ENDING:
            assert runtime.step()

        runtime.get_workflow_handle("w").terminate().get()

        assert statuses(runtime, "w") == [STATUS.TIMED_OUT, STATUS.TERMINATED]


def test_the_time_between_two_runs_of_a_chain_is_part_of_neither() -> None:
    with make() as runtime:
        policy = RetryPolicy(initial_interval=20, maximum_attempts=3)
        runtime.start_workflow(fails, id="fails", run_timeout=5, retry_policy=policy).get()
        runtime.advance(100)

        assert statuses(runtime, "fails") == [STATUS.FAILED] * 3


@pytest.mark.parametrize("stops", ["by hand", "by a bug"])
@pytest.mark.parametrize("policy", [ParentClosePolicy.TERMINATE, ParentClosePolicy.REQUEST_CANCEL])
def test_a_parent_that_is_terminated_while_it_is_stopped_and_not_in_memory_treats_its_child_by_its_policy(
    policy: ParentClosePolicy, stops: str
) -> None:
    with make() as runtime:
        parent = runtime.start_workflow(Parent.run, policy, id="parent").get()
        runtime.run_until_idle()
        stop(runtime, "parent", stops)
        parent.terminate().get()
        runtime.run_until_idle()

        ended = {ParentClosePolicy.TERMINATE: STATUS.TERMINATED, ParentClosePolicy.REQUEST_CANCEL: STATUS.CANCELLED}
        assert statuses(runtime, "child") == [ended[policy]]


@pytest.mark.parametrize("stops", ["by hand", "by a bug"])
def test_a_child_that_is_stopped_and_not_in_memory_is_terminated_with_its_parent(stops: str) -> None:
    with make() as runtime:
        parent = runtime.start_workflow(Parent.run, ParentClosePolicy.TERMINATE, id="parent").get()
        runtime.run_until_idle()
        stop(runtime, "child", stops)
        parent.signal(Parent.end).get()
        runtime.run_until_idle()

        assert statuses(runtime, "child") == [STATUS.TERMINATED]


def test_a_run_whose_history_is_damaged_can_be_terminated_though_nobody_knows_its_children() -> None:
    store = MemoryStore()
    with make(store) as runtime:
        runtime.start_workflow(Parent.run, ParentClosePolicy.TERMINATE, id="parent").get()
        runtime.run_until_idle()
    damage(store, 1)

    runtime = make(store, check_leaks=False).open()
    parent = runtime.get_workflow_handle("parent")
    runtime.run_until_idle()
    before = parent.describe().get().status
    parent.terminate().get()

    assert (before, parent.describe().get().status) == (STATUS.SUSPENDED, STATUS.TERMINATED)
    runtime.close()


def test_a_run_that_a_newer_release_went_on_with_can_be_terminated_and_so_can_its_children() -> None:
    with make(check_leaks=False) as runtime:
        runtime.start_workflow(Parent.run, ParentClosePolicy.TERMINATE, id="parent").get()
        runtime.run_until_idle()
        journal = runtime.hands.journal
        last, batch = journal.last_turn(1), journal.batch()
        assert last is not None
        batch.append_turn(1, last.turn_no + 1, last.time_ns, b"\x91\xabchild-moved", b"\x90", last.crc)
        journal.commit(batch)
        runtime.crash()
        parent = runtime.get_workflow_handle("parent")
        before = parent.describe().get().status
        parent.terminate().get()
        runtime.run_until_idle()

        assert (before, parent.describe().get().status) == (STATUS.SUSPENDED, STATUS.TERMINATED)
        assert statuses(runtime, "child") == [STATUS.TERMINATED]


def test_a_run_whose_history_is_damaged_is_over_when_its_time_is() -> None:
    store = MemoryStore()
    policy = RetryPolicy(maximum_attempts=2)
    with make(store) as runtime:
        runtime.start_workflow(Chain.run, 0, id="chain", run_timeout=10, retry_policy=policy).get()
        clock = runtime.clock
    damage(store, 1)

    runtime = make(store, check_leaks=False, clock=clock).open()
    runtime.advance(11)

    assert runtime.get_workflow_handle("chain").describe().get().status is STATUS.TIMED_OUT
    runtime.close()


def test_a_child_ends_though_the_header_of_its_parent_is_damaged() -> None:
    store = MemoryStore()
    with make(store) as runtime:
        runtime.start_workflow(Parent.run, ParentClosePolicy.ABANDON, id="parent").get()
        runtime.run_until_idle()
    key, value = next((key, value) for key, value in rows(store, 1) if b"parent" in value)
    store.commit({Tree.RUNS: {key: value[:-1] + bytes([value[-1] ^ 4])}})

    runtime = make(store, check_leaks=False).open()
    runtime.get_workflow_handle("child").terminate().get()

    assert runtime.get_workflow_handle("child").describe().get().status is STATUS.TERMINATED
    runtime.close()


def rows(store: MemoryStore, run_no: int) -> list[tuple[bytes, bytes]]:
    return store.scan(Tree.RUNS, run_no.to_bytes(8, "big"), (run_no + 1).to_bytes(8, "big"), limit=1000)


def damage(store: MemoryStore, run_no: int) -> None:
    """Have one bit of the first turn of a run be another."""
    key, value = next((key, value) for key, value in rows(store, run_no) if b"started" in value)
    store.commit({Tree.RUNS: {key: value[:-1] + bytes([value[-1] ^ 4])}})


def stop(runtime: TestRuntime, workflow_id: str, how: str) -> None:
    """Have a run suspended, and out of memory."""
    handle = runtime.get_workflow_handle(workflow_id)
    if how == "by hand":
        handle.suspend().get()
    else:
        handle.signal("stumble").get()
    runtime.hands.directory.evict()
    assert handle.describe().get().status is STATUS.SUSPENDED
    runtime.hands.directory.evict()
