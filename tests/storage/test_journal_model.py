"""The journal against plain dicts: whatever is written in whatever order, both say the same, reopened or not."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from greenroom.storage import (
    Attempt,
    Due,
    DueKind,
    Journal,
    Mail,
    MemoryStore,
    RunHeader,
    Store,
    Timer,
    Turn,
    check,
    delete_run,
    pack_prefixes,
    unpack_prefixes,
)
from greenroom.storage.environment import Environment
from greenroom.storage.settings import Settings

FOREVER = 2**64 - 2
PICK = st.integers(0, 1000)
TIMES = st.integers(0, 20)
BYTES = st.binary(max_size=20)
PREFIXES = st.sets(st.sampled_from([b"a", b"ab", b"b\xff", b"\xff", b"c" * 500]), max_size=4)


class _Model:
    def __init__(self) -> None:
        self.headers: dict[int, RunHeader] = {}
        self.current: dict[str, int] = {}
        self.turns: dict[int, list[Turn]] = {}
        self.mail: dict[int, list[Mail]] = {}
        self.attempts: dict[int, dict[int, Attempt]] = {}
        self.timers: dict[int, dict[int, Timer]] = {}
        self.active: set[int] = set()


def _open_header(workflow_id: str, deadline_ns: int | None) -> RunHeader:
    return RunHeader(workflow_id, "r", "T", 1, 0, None, deadline_ns, "r", "3.11", 0, 0, 0, b"", b"", "")


class MemoryJournalMachine(RuleBasedStateMachine):
    """Rules write through batches that hold one or more changes; what is not committed must leave no trace."""

    def __init__(self) -> None:
        super().__init__()
        self.store = self.make_store()
        self.journal = Journal.on(self.store)
        self.batch = self.journal.batch()
        self.model = _Model()

    def make_store(self) -> Store:
        return MemoryStore()

    def reopened_store(self) -> Store:
        return self.store

    def pick(self, number: int) -> int:
        runs = sorted(run for run, header in self.model.headers.items() if header.closed_ns is None)
        return runs[number % len(runs)]

    def has_ended_run(self) -> bool:
        return not self.batch and any(header.closed_ns is not None for header in self.model.headers.values())

    def has_open_run(self) -> bool:
        return any(header.closed_ns is None for header in self.model.headers.values())

    @rule(name=st.sampled_from(["a", "b", "c"]), deadline=st.none() | TIMES)
    def start(self, name: str, deadline: int | None) -> None:
        run_no = self.batch.new_run_no()
        assert run_no not in self.model.headers
        header = _open_header(name, deadline)
        self.batch.put_header(run_no, header)
        self.batch.set_current(name, run_no)
        if deadline is not None:
            self.batch.put_timer(run_no, DueKind.RUN_TIMEOUT, 0, deadline)
        self.model.headers[run_no] = header
        self.model.current[name] = run_no
        self.model.turns[run_no], self.model.mail[run_no] = [], []
        self.model.attempts[run_no], self.model.timers[run_no] = {}, {}

    @precondition(has_open_run)
    @rule(number=PICK, time_ns=TIMES, message=BYTES, commands=BYTES)
    def take_turn(self, number: int, time_ns: int, message: bytes, commands: bytes) -> None:
        run_no = self.pick(number)
        turns = self.model.turns[run_no]
        before = turns[-1].crc if turns else 0
        crc = self.batch.append_turn(run_no, len(turns), time_ns, message, commands, before)
        turns.append(Turn(len(turns), time_ns, message, commands, crc))

    @precondition(has_open_run)
    @rule(number=PICK, time_ns=TIMES, message=BYTES)
    def put_mail(self, number: int, time_ns: int, message: bytes) -> None:
        run_no = self.pick(number)
        seq = self.batch.put_mail(run_no, time_ns, message)
        self.model.mail[run_no].append(Mail(seq, time_ns, message))

    @precondition(has_open_run)
    @rule(number=PICK)
    def take_mail(self, number: int) -> None:
        run_no = self.pick(number)
        if mail := self.model.mail[run_no]:
            self.batch.take_mail(run_no, mail.pop(number % len(mail)).seq)

    @precondition(has_open_run)
    @rule(number=PICK, item=st.integers(0, 3), at_ns=TIMES)
    def set_timer(self, number: int, item: int, at_ns: int) -> None:
        run_no = self.pick(number)
        timers = self.model.timers[run_no]
        if old := timers.pop(item, None):
            self.batch.drop_timer(run_no, DueKind.TIMER, item, old.at_ns)
        else:
            self.batch.put_timer(run_no, DueKind.TIMER, item, at_ns)
            timers[item] = Timer(item, at_ns)

    @precondition(has_open_run)
    @rule(number=PICK, item=st.integers(0, 3), next_ns=st.none() | TIMES, drop=st.booleans())
    def set_attempt(self, number: int, item: int, next_ns: int | None, *, drop: bool) -> None:
        run_no = self.pick(number)
        attempts = self.model.attempts[run_no]
        old = attempts.pop(item, None)
        if old and drop:
            self.batch.drop_attempt(run_no, item, old.next_ns)
            return
        attempts[item] = Attempt(item, number, next_ns, drop, b"s", b"f")
        self.batch.put_attempt(run_no, attempts[item], old.next_ns if old else None)

    @precondition(has_open_run)
    @rule(number=PICK, prefixes=PREFIXES)
    def set_attributes(self, number: int, prefixes: set[bytes]) -> None:
        run_no = self.pick(number)
        before = self.model.headers[run_no]
        self.model.headers[run_no] = header = before._replace(indexed=pack_prefixes(prefixes))
        self.batch.put_header(run_no, header)
        self.batch.put_attributes(run_no, before.indexed, header.indexed)

    @precondition(has_open_run)
    @rule(number=PICK)
    def toggle_active(self, number: int) -> None:
        run_no = self.pick(number)
        if run_no in self.model.active:
            self.model.active.discard(run_no)
            self.batch.clear_active(run_no)
        else:
            self.model.active.add(run_no)
            self.batch.set_active(run_no)

    @precondition(has_open_run)
    @rule(number=PICK)
    def finish(self, number: int) -> None:
        run_no = self.pick(number)
        model, batch = self.model, self.batch
        for mail in model.mail[run_no]:
            batch.take_mail(run_no, mail.seq)
        for item, timer in model.timers[run_no].items():
            batch.drop_timer(run_no, DueKind.TIMER, item, timer.at_ns)
        for attempt in model.attempts[run_no].values():
            batch.drop_attempt(run_no, attempt.item, attempt.next_ns)
        model.mail[run_no], model.timers[run_no], model.attempts[run_no] = [], {}, {}
        model.active.discard(run_no)
        batch.clear_active(run_no)
        header, turns = model.headers[run_no], model.turns[run_no]
        if header.deadline_ns is not None:
            batch.drop_timer(run_no, DueKind.RUN_TIMEOUT, 0, header.deadline_ns)
        if not turns:
            crc = batch.append_turn(run_no, 0, 1, b"end", b"", 0)
            turns.append(Turn(0, 1, b"end", b"", crc))
        model.headers[run_no] = header._replace(closed_ns=1, turns=len(turns), crc=turns[-1].crc)
        batch.put_header(run_no, model.headers[run_no])

    @precondition(has_ended_run)
    @rule(number=PICK, at_ns=TIMES)
    def let_expire(self, number: int, at_ns: int) -> None:
        ended = sorted(run for run, header in self.model.headers.items() if header.closed_ns is not None)
        run_no = ended[number % len(ended)]
        before = self.model.headers[run_no]
        if before.expires_ns is not None:
            self.batch.drop_expiry(run_no, before.expires_ns)
        self.model.headers[run_no] = header = before._replace(expires_ns=at_ns)
        self.batch.put_expiry(run_no, at_ns)
        self.batch.put_header(run_no, header)

    @precondition(has_ended_run)
    @rule(number=PICK)
    def delete(self, number: int) -> None:
        model = self.model
        ended = sorted(run for run, header in model.headers.items() if header.closed_ns is not None)
        run_no = ended[number % len(ended)]
        header = model.headers.pop(run_no)
        delete_run(self.journal, self.batch, run_no, header)
        if model.current.get(header.workflow_id) == run_no:
            del model.current[header.workflow_id]
        for rows in (model.turns, model.mail, model.attempts, model.timers):
            del rows[run_no]

    @rule(reopen=st.booleans())
    def commit(self, *, reopen: bool) -> None:
        self.journal.commit(self.batch)
        if reopen:
            self.store = self.reopened_store()
            self.journal = Journal.on(self.store)
            # Not committed: it must leave no trace.
            lost = self.journal.batch()
            lost.set_active(lost.new_run_no())
        self.batch = self.journal.batch()

    @precondition(lambda self: not self.batch)
    @invariant()
    def both_say_the_same(self) -> None:
        model, journal = self.model, self.journal
        due: list[Due] = []
        waiting: list[tuple[int, int]] = []
        for run_no, header in model.headers.items():
            assert journal.header(run_no) == header
            assert journal.turns(run_no) == model.turns[run_no]
            items = journal.items(run_no)
            assert items.mail == journal.mail(run_no) == model.mail[run_no]
            assert items.attempts == journal.attempts(run_no)
            assert items.attempts == [attempt for _, attempt in sorted(model.attempts[run_no].items())]
            assert items.timers == journal.timers(run_no)
            assert items.timers == [timer for _, timer in sorted(model.timers[run_no].items())]
            waiting += [(mail.seq, run_no) for mail in model.mail[run_no]]
            due += [Due(timer.at_ns, run_no, timer.kind, timer.item) for timer in items.timers]
            due += [Due(at.next_ns, run_no, 2, at.item) for at in items.attempts if at.next_ns is not None]
            if header.closed_ns is None and header.deadline_ns is not None:
                due.append(Due(header.deadline_ns, run_no, 3, 0))
        assert {name: journal.current_run(name) for name in "abc"} == {**dict.fromkeys("abc"), **model.current}
        assert [run_no for _, run_no in journal.waiting()] == [run_no for _, run_no in sorted(waiting)]
        assert [run_no for _, run_no in journal.active()] == sorted(model.active)
        assert journal.due(until_ns=FOREVER) == sorted(due)
        assert journal.due(until_ns=10) == sorted(item for item in due if item.at_ns <= 10)
        expiring = sorted(
            (header.expires_ns, run_no) for run_no, header in model.headers.items() if header.expires_ns is not None
        )
        assert journal.expiring(until_ns=FOREVER) == expiring
        assert journal.headers(first=1, stop=FOREVER, limit=1_000) == sorted(model.headers.items())
        index = sorted(
            (prefix + run_no.to_bytes(8, "big"), run_no)
            for run_no, header in model.headers.items()
            for prefix in unpack_prefixes(header.indexed)
        )
        assert journal.attribute_runs(b"") == index
        assert journal.attribute_runs(b"a") == [row for row in index if row[0].startswith(b"a")]
        assert journal.attribute_runs(b"b", stop=b"c") == [row for row in index if b"b" <= row[0] < b"c"]
        assert check(journal) == []


class LmdbJournalMachine(MemoryJournalMachine):
    """The same on disk."""

    def make_store(self) -> Store:
        self.directory = Path(tempfile.mkdtemp())
        return self.reopened_store()

    def reopened_store(self) -> Store:
        if hasattr(self, "store"):
            self.store.close()
        return Environment.open(self.directory / "store", settings=Settings(map_size=1 << 20))

    def teardown(self) -> None:
        self.store.close()
        assert check(self.directory / "store") == []
        shutil.rmtree(self.directory)


TestMemoryJournal = MemoryJournalMachine.TestCase
TestMemoryJournal.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestLmdbJournal = LmdbJournalMachine.TestCase
TestLmdbJournal.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
