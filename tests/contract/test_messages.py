"""What pykka promises of messages, answers, failures and the end of an actor; of its own actors and of ours."""

from __future__ import annotations

import gc
import subprocess
import sys
import textwrap
import threading
import traceback
import weakref
from typing import Any

import pykka
import pytest

from tests.contract.kinds import do, stopped

# Messages and answers


def test_ask_returns_the_answer(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)

    assert ref.ask("hello", timeout=30) == ("received", "hello")
    assert ref.ask("later", block=False).get(timeout=30) == ("received", "later")


def test_tell_returns_nothing_and_is_handled_in_order_after_on_start(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)

    assert [ref.tell(number) for number in range(100)] == [None] * 100
    ref.ask("last", timeout=30)

    assert log == ["start", *range(100), "last"]


def test_a_message_may_be_anything_and_arrives_as_it_is(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)
    messages: list[Any] = [None, {"a": [1]}, (), "text", object(), int]

    came = [ref.ask(("keep", message), timeout=30)[1][1] for message in messages]

    assert all(one is other for one, other in zip(came, messages, strict=True))


def test_an_ask_that_takes_too_long_raises_timeout_and_is_handled_all_the_same(kind: Any, log: list[Any]) -> None:
    go_on = threading.Event()
    ref = kind.start(log)
    ref.tell(do(lambda actor: go_on.wait(30)))

    with pytest.raises(pykka.Timeout):
        ref.ask("slow", timeout=0.001)
    go_on.set()
    ref.ask("next", timeout=30)

    assert log == ["start", "slow", "next"]


def test_the_timeout_of_an_ask_that_does_not_block_means_nothing(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)

    assert ref.ask("hello", block=False, timeout=0).get(timeout=30) == ("received", "hello")


def test_an_exception_goes_to_who_asked_and_the_actor_lives_on(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)

    with pytest.raises(ValueError, match="mine"):
        ref.ask(ValueError("mine"), timeout=30)

    assert ref.is_alive()
    assert ref.ask(1, timeout=30) == ("received", 1)


def test_who_asked_sees_where_in_the_actor_it_was_raised(kind: Any, log: list[Any]) -> None:
    def fails_here(actor: Any) -> None:
        raise ValueError("mine")

    ref = kind.start(log)

    with pytest.raises(ValueError, match="mine") as caught:
        ref.ask(fails_here, timeout=30)

    assert "fails_here" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]


def test_a_message_that_nobody_expected_is_logged_and_answered_with_none(
    kind: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Plain(kind.__mro__[2]):  # type: ignore[misc]  # the bare actor class
        pass

    ref = Plain.start()

    assert ref.ask("surprise", timeout=30) is None
    assert "Unexpected message received" in caplog.text
    assert ref.is_alive()


def test_actors_may_speak_to_each_other(kind: Any, log: list[Any]) -> None:
    done = threading.Event()
    first, second = kind.start(log), kind.start(log)

    first.tell(do(lambda actor: second.tell(do(lambda other: first.tell(do(lambda back: done.set()))))))

    assert done.wait(30)


def test_an_actor_may_pass_on_a_future_that_it_has_asked_for(kind: Any, log: list[Any]) -> None:
    first, second = kind.start(log), kind.start(log)

    passed_on = first.ask(do(lambda actor: second.ask("for another one", block=False)), timeout=30)

    assert passed_on.get(timeout=30) == ("received", "for another one")


def test_an_actor_may_wait_for_another_one(kind: Any, log: list[Any]) -> None:
    first, second = kind.start(log), kind.start(log)

    assert first.ask(do(lambda actor: second.ask("hello", timeout=30)), timeout=30) == ("received", "hello")


def test_messages_of_many_threads_keep_the_order_of_each(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)

    def send(sender: int) -> None:
        for number in range(300):
            ref.tell((sender, number))

    senders = [threading.Thread(target=send, args=(sender,)) for sender in range(4)]
    for thread in senders:
        thread.start()
    for thread in senders:
        thread.join()
    ref.stop(timeout=30)

    came: list[tuple[int, int]] = [note for note in log if isinstance(note, tuple)]
    for sender in range(4):
        assert [number for who, number in came if who == sender] == list(range(300))


def test_each_actor_has_a_thread_of_its_own(kind: Any, log: list[Any]) -> None:
    first, second = kind.start(log), kind.start(log)

    threads = {ref.ask(do(lambda actor: threading.current_thread()), timeout=30) for ref in (first, second)}

    assert len(threads) == 2
    assert threading.current_thread() not in threads


def test_an_actor_handles_one_message_at_a_time_on_one_thread(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)

    threads = {ref.ask(do(lambda actor: threading.current_thread()), timeout=30) for _ in range(10)}

    assert len(threads) == 1
    assert threading.current_thread() not in threads


# Beginning


def test_init_runs_where_start_is_called_and_on_start_where_the_actor_runs(kind: Any, log: list[Any]) -> None:
    class Noting(kind):  # type: ignore[misc]  # which class is known only when the test runs
        def __init__(self, log: list[Any]) -> None:
            kind.__init__(self, log)
            log.append(threading.current_thread())

        def on_start(self) -> None:
            log.append(threading.current_thread())

    ref = Noting.start(log)
    where = ref.ask(do(lambda actor: threading.current_thread()), timeout=30)

    assert log == [threading.current_thread(), where]


def test_what_init_raises_reaches_who_starts_and_nothing_was_started(kind: Any, log: list[Any]) -> None:
    class Failing(kind):  # type: ignore[misc]  # which class is known only when the test runs
        def __init__(self, log: list[Any]) -> None:
            kind.__init__(self, log)
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        Failing.start(log)

    assert pykka.ActorRegistry.get_by_class(Failing) == []
    assert log == []


def test_an_actor_may_tell_itself_something_before_it_has_begun(kind: Any, log: list[Any]) -> None:
    has_begun = threading.Event()

    class Early(kind):  # type: ignore[misc]  # which class is known only when the test runs
        def __init__(self, log: list[Any]) -> None:
            kind.__init__(self, log)
            self.actor_ref.tell("told in init")

        def on_start(self) -> None:
            kind.on_start(self)
            self.actor_ref.tell("told at the start")
            has_begun.set()

    ref = Early.start(log)
    assert has_begun.wait(30)
    ref.stop(timeout=30)

    assert log == ["start", "told in init", "told at the start", "stop"]


def test_an_exception_in_on_start_stops_the_actor_without_another_hook(
    kind: Any, log: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    go_on = threading.Event()

    class Failing(kind):  # type: ignore[misc]  # which class is known only when the test runs
        def on_start(self) -> None:
            go_on.wait(30)
            raise ValueError("mine")

    ref = Failing.start(log)
    waiting = ref.ask("never handled", block=False)
    go_on.set()

    assert stopped(ref)
    with pytest.raises(pykka.ActorDeadError):
        waiting.get(timeout=30)
    assert log == []
    assert "mine" in caplog.text
    assert pykka.ActorRegistry.get_by_urn(ref.actor_urn) is None


# Ending


def test_stop_takes_its_turn_behind_the_mail_and_says_whether_it_was_needed(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)
    for number in range(10):
        ref.tell(number)

    assert ref.stop(timeout=30) is True
    assert ref.stop(timeout=30) is False

    assert log == ["start", *range(10), "stop"]
    assert not ref.is_alive()


def test_mail_behind_a_stop_is_answered_with_actor_dead(kind: Any, log: list[Any]) -> None:
    go_on = threading.Event()
    ref = kind.start(log)
    ref.tell(do(lambda actor: go_on.wait(30)))
    stop = ref.stop(block=False)
    behind = ref.ask("behind", block=False)
    ref.tell("told to nobody")
    second_stop = ref.stop(block=False)
    go_on.set()

    assert stop.get(timeout=30) is True
    assert second_stop.get(timeout=30) is True
    with pytest.raises(pykka.ActorDeadError):
        behind.get(timeout=30)
    assert log == ["start", "stop"]


def test_a_dead_actor_takes_no_messages(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)
    ref.stop(timeout=30)

    with pytest.raises(pykka.ActorDeadError, match="not found"):
        ref.tell("too late")
    with pytest.raises(pykka.ActorDeadError, match="not found"):
        ref.ask("too late", timeout=30)
    future = ref.ask("too late", block=False)
    with pytest.raises(pykka.ActorDeadError, match="not found"):
        future.get(timeout=30)
    assert ref.stop(block=False).get(timeout=30) is False


def test_a_stop_that_takes_too_long_raises_timeout_and_goes_on(kind: Any, log: list[Any]) -> None:
    go_on = threading.Event()
    ref = kind.start(log)
    ref.tell(do(lambda actor: go_on.wait(30)))

    with pytest.raises(pykka.Timeout):
        ref.stop(timeout=0.001)
    go_on.set()

    assert stopped(ref)


def test_an_actor_may_stop_itself_and_still_handles_the_mail_before_that(kind: Any, log: list[Any]) -> None:
    go_on = threading.Event()
    ref = kind.start(log)
    ref.tell(do(lambda actor: go_on.wait(30)))
    ref.tell("before")
    ref.tell(do(lambda actor: actor.stop()))
    ref.tell("meanwhile")
    go_on.set()

    assert stopped(ref)
    assert log[:3] == ["start", "before", "meanwhile"]


def test_the_actor_counts_as_stopped_and_is_unregistered_when_its_last_hook_is_called(
    kind: Any, log: list[Any]
) -> None:
    class Looking(kind):  # type: ignore[misc]  # which class is known only when the test runs
        def look(self) -> None:
            registered = pykka.ActorRegistry.get_by_urn(self.actor_urn) is not None
            self.log.append((self.actor_stopped.is_set(), registered))
            self.gone.set()

        def on_stop(self) -> None:
            self.look()

        def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
            self.look()

    stopping, failing = Looking.start(log), Looking.start(log)
    gone = failing.proxy().gone.get(timeout=30)
    stopping.stop(timeout=30)
    failing.tell(ValueError("mine"))

    assert gone.wait(30)
    assert log[2:] == [(True, False), (True, False)]


def test_a_stopped_actor_is_not_kept_by_its_reference(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)
    actor = weakref.ref(ref._actor_weakref())
    ref.stop(timeout=30)

    for _ in range(1000):
        gc.collect()
        if actor() is None:
            break

    assert actor() is None
    assert str(ref).startswith(kind.__name__)


def test_the_program_goes_on_until_its_actors_have_stopped(kind: Any) -> None:
    base = kind.__mro__[2]
    program = f"""
        import threading
        from {base.__module__} import {base.__name__}

        class Slow({base.__name__}):
            def on_receive(self, message):
                threading.Event().wait(0.3)
                print("handled", flush=True)
                self.stop()

        Slow.start().tell("something")
        """

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], check=False, capture_output=True, text=True, timeout=60
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "handled\n", "")


# Failures


def test_an_exception_nobody_asked_for_stops_the_actor(
    kind: Any, log: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    go_on = threading.Event()
    ref = kind.start(log)
    gone = ref.proxy().gone.get(timeout=30)
    ref.tell(do(lambda actor: go_on.wait(30)))
    ref.tell(ValueError("mine"))
    behind = ref.ask("behind", block=False)
    go_on.set()

    assert stopped(ref)
    assert gone.wait(30)
    with pytest.raises(pykka.ActorDeadError):
        behind.get(timeout=30)
    assert log == ["start", ("failure", ValueError, "mine", True)]
    assert "Unhandled exception in" in caplog.text
    with pytest.raises(pykka.ActorDeadError):
        ref.tell("too late")


def test_failures_are_logged_by_the_logger_pykka(kind: Any, log: list[Any], caplog: pytest.LogCaptureFixture) -> None:
    ref = kind.start(log)
    gone = ref.proxy().gone.get(timeout=30)

    ref.tell(ValueError("mine"))

    assert gone.wait(30)
    assert {record.name for record in caplog.records if "Unhandled exception" in record.message} == {"pykka"}


def test_an_exception_in_on_stop_or_on_failure_is_logged(
    kind: Any, log: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(kind):  # type: ignore[misc]  # which class is known only when the test runs
        def on_stop(self) -> None:
            raise ValueError("in on_stop")

        def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
            raise ValueError("in on_failure")

    stopping, failing = Failing.start(log), Failing.start(log)
    behind = failing.ask(do(lambda actor: actor.actor_ref.tell(RuntimeError("in tell"))), block=False)
    behind.get(timeout=30)
    last = failing.ask("never handled", block=False)

    assert stopping.stop(timeout=30)
    with pytest.raises(pykka.ActorDeadError):
        last.get(timeout=30)

    assert "in on_stop" in caplog.text
    assert "in tell" in caplog.text
    assert "in on_failure" in caplog.text


def test_a_base_exception_stops_every_actor(kind: Any, log: list[Any]) -> None:
    failing, other = kind.start(log), kind.start(log)

    failing.tell(SystemExit(3))

    assert stopped(failing)
    assert other.actor_stopped.wait(0.5)


def test_who_asked_for_what_raises_a_base_exception_is_not_answered(kind: Any, log: list[Any]) -> None:
    ref = kind.start(log)

    future = ref.ask(SystemExit(3), block=False)

    assert stopped(ref)
    with pytest.raises(pykka.Timeout):
        future.get(timeout=0.1)
