"""Trees of actors: who is started and ended when, what is left of one that fails, and when a supervisor gives up."""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any, cast

import pykka
import pytest
from pykka import ActorDeadError, ActorRef, ActorRegistry

from greenroom.actors import (
    Actor,
    ActorStop,
    Backoff,
    ChildSpec,
    Directive,
    Dispatcher,
    Envelope,
    Lane,
    Mailbox,
    Restart,
    RestartsExhaustedError,
    RestartWindow,
    Strategy,
    Supervisor,
    Terminated,
)
from greenroom.actors.children import Call
from tests.actors.trees import Log, Member, Tree


@pytest.fixture
def tree() -> Tree:
    return Tree()


BOOM = ValueError("boom")


# Beginning and ending


def test_children_are_started_in_order_and_ended_in_reverse(tree: Tree) -> None:
    supervisor = tree.grow("a", "b", "c")

    assert tree.notes() == ["make a1", "make b1", "make c1", "start a1", "start b1", "start c1"]

    supervisor.stop(block=False)
    tree.run()

    assert tree.notes() == ["stop c1", "stop b1", "stop a1"]
    assert not supervisor.is_alive()


def test_children_are_found_by_name_in_the_order_in_which_they_were_started(tree: Tree) -> None:
    supervisor = tree.grow("b", "a")

    children = tree.call(supervisor, "children")

    assert list(children) == ["b", "a"]
    assert tree.call(supervisor, "child", "a") is children["a"]
    assert tree.ask(children["a"], "hello") == ("a1", 1)


def test_a_name_that_is_not_there_is_answered_with_those_that_are(tree: Tree) -> None:
    supervisor = tree.grow("a", "b")

    with pytest.raises(KeyError, match=r"no child called 'x' \(children: 'a', 'b'\)"):
        tree.call(supervisor, "child", "x")


def test_a_child_that_ends_handles_its_mail_first_and_those_before_it_still_work(tree: Tree) -> None:
    supervisor = tree.grow("a", "b")
    a, b = tree.call(supervisor, "children").values()
    tree.notes()

    def ask_for_help(member: Member) -> None:
        a.tell("needed at the end")

    b.tell(ask_for_help)
    b.tell("mail")
    supervisor.stop(block=False)
    tree.run()

    assert tree.notes() == ["a1 needed at the end", "b1 mail", "stop b1", "stop a1"]


def test_a_child_that_takes_longer_than_it_may_is_ended_and_its_mail_is_dead(tree: Tree) -> None:
    supervisor = tree.grow("a", tree.spec("slow", shutdown=2))
    slow = tree.call(supervisor, "child", "slow")
    # It never comes to its stop: it has always one more message for itself before it.
    slow.actor_inbox.hold(True)
    late = slow.ask("late", block=False)
    tree.notes()

    stopping = supervisor.stop(block=False)
    tree.run()
    tree.wait(1.9)
    assert tree.notes() == []
    tree.wait(0.1)

    assert tree.notes() == ["stop slow1", "stop a1"]
    assert stopping.get(timeout=0)
    with pytest.raises(ActorDeadError):
        late.get(timeout=0)


def test_a_child_without_time_is_ended_after_the_message_that_it_is_at(tree: Tree) -> None:
    supervisor = tree.grow(tree.spec("a", shutdown=0))
    a = tree.call(supervisor, "child", "a")
    tree.notes()

    supervisor.stop(block=False)
    a.tell("too late")
    tree.run()

    assert "stop a1" in tree.notes()
    assert not a.is_alive()


def test_a_child_may_have_all_the_time_that_it_needs(tree: Tree) -> None:
    supervisor = tree.grow(tree.spec("a", shutdown=None))
    a = tree.call(supervisor, "child", "a")
    a.actor_inbox.hold(True)

    supervisor.stop(block=False)
    tree.run()
    tree.wait(100_000)

    assert supervisor.is_alive()
    a.actor_inbox.hold(False)
    tree.run()
    assert not supervisor.is_alive()


def test_what_comes_to_a_supervisor_that_is_ending_is_answered(tree: Tree) -> None:
    supervisor = tree.grow(tree.spec("a", shutdown=None))
    a = tree.call(supervisor, "child", "a")
    a.actor_inbox.hold(True)
    first = supervisor.stop(block=False)
    tree.run()

    late = supervisor.ask("hello", block=False)
    second = supervisor.stop(block=False)
    a.actor_inbox.hold(False)
    tree.run()

    assert first.get(timeout=0)
    assert second.get(timeout=0)
    with pytest.raises(ActorDeadError):
        late.get(timeout=0)


def test_a_child_that_fails_while_all_end_is_not_restarted(tree: Tree) -> None:
    supervisor = tree.grow("a", tree.spec("b", shutdown=None))
    a, b = tree.call(supervisor, "children").values()
    b.actor_inbox.hold(True)
    supervisor.stop(block=False)
    tree.run()
    tree.notes()

    a.tell(BOOM)
    tree.run()
    b.actor_inbox.hold(False)
    tree.run()

    assert tree.notes() == ["fail a1", "stop b1"]
    assert not supervisor.is_alive()


# Restarting


def test_another_instance_takes_the_place_the_mailbox_and_the_references(tree: Tree) -> None:
    supervisor = tree.grow("a")
    ref = tree.call(supervisor, "child", "a")
    proxy = ref.proxy()
    tree.ask(ref, "one")
    tree.notes()

    ref.tell(BOOM)
    waiting = ref.ask("two", block=False)
    tree.run()

    assert tree.notes() == ["fail a1", "make a2", "start a2", "a2 two"]
    assert waiting.get(timeout=0) == ("a2", 1)
    assert ref.is_alive()
    assert tree.call(supervisor, "child", "a") is ref
    number = proxy.number
    tree.run()
    assert number.get(timeout=0) == 2
    assert ref.proxy().actor_ref is not None


def test_who_asked_gets_the_exception_and_nobody_is_restarted(tree: Tree) -> None:
    supervisor = tree.grow("a")
    ref = tree.call(supervisor, "child", "a")
    tree.notes()

    with pytest.raises(ValueError, match="boom"):
        tree.ask(ref, BOOM)

    assert tree.ask(ref, "still here") == ("a1", 1)


def test_a_base_exception_ends_the_instance_even_if_somebody_asked(tree: Tree) -> None:
    supervisor = tree.grow("a")
    ref = tree.call(supervisor, "child", "a")

    with pytest.raises(ActorDeadError):
        tree.ask(ref, SystemExit())

    assert tree.ask(ref, "back") == ("a2", 1)


def test_what_an_instance_gave_away_and_told_itself_when_it_was_made_counts(tree: Tree) -> None:
    given: list[Any] = []

    class Generous(Member):
        def __init__(self, name: str, log: Log) -> None:
            super().__init__(name, log)
            given.append(self.actor_ref)
            self.actor_ref.tell("told when made")

    supervisor = tree.grow(ChildSpec("a", Generous, ("a", tree.log)))
    ref = tree.call(supervisor, "child", "a")
    ref.tell(BOOM)
    tree.run()

    assert tree.ask(given[0], "first") == ("a2", 2)
    assert tree.ask(given[1], "second") == ("a2", 3)
    assert given[1].actor_urn == ref.actor_urn


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (Strategy.ONE_FOR_ONE, ["fail b1", "make b2", "start b2"]),
        (
            Strategy.REST_FOR_ONE,
            ["fail b1", "stop d1", "stop c1", "make b2", "start b2", "make c2", "start c2", "make d2", "start d2"],
        ),
        (
            Strategy.ONE_FOR_ALL,
            [
                *("fail b1", "stop d1", "stop c1", "stop a1"),
                *("make a2", "start a2", "make b2", "start b2", "make c2", "start c2", "make d2", "start d2"),
            ],
        ),
    ],
)
def test_who_is_restarted_with_a_child_is_the_strategy(tree: Tree, strategy: Strategy, expected: list[str]) -> None:
    supervisor = tree.grow("a", "b", "c", "d", strategy=strategy)
    b = tree.call(supervisor, "child", "b")
    tree.notes()

    b.tell(BOOM)
    tree.run()

    assert tree.notes() == expected


def test_mail_of_siblings_waits_while_they_are_restarted(tree: Tree) -> None:
    supervisor = tree.grow("a", "b", strategy=Strategy.ONE_FOR_ALL, backoff=Backoff(1))
    a, b = tree.call(supervisor, "children").values()
    a.tell(BOOM)
    tree.run()
    tree.notes()

    waiting = b.ask("mail", block=False)
    tree.run()
    assert tree.notes() == []
    tree.wait(1)

    assert tree.notes() == ["make a2", "start a2", "make b2", "start b2", "b2 mail"]
    assert waiting.get(timeout=0) == ("b2", 1)


@pytest.mark.parametrize(
    ("restart", "end", "is_back"),
    [
        (Restart.PERMANENT, "fail", True),
        (Restart.PERMANENT, "stop", True),
        (Restart.TRANSIENT, "fail", True),
        (Restart.TRANSIENT, "stop", False),
        (Restart.TEMPORARY, "fail", False),
        (Restart.TEMPORARY, "stop", False),
    ],
)
def test_which_ends_are_followed_by_a_restart_is_the_specs(
    tree: Tree, restart: Restart, end: str, is_back: bool
) -> None:
    supervisor = tree.grow(tree.spec("a", restart=restart))
    ref = tree.call(supervisor, "child", "a")

    if end == "fail":
        ref.tell(BOOM)
    else:
        ref.stop(block=False)
    tree.run()

    assert ref.is_alive() is is_back
    assert ("a" in tree.call(supervisor, "children")) is is_back
    assert supervisor.is_alive()


@pytest.mark.parametrize(
    ("directive", "notes", "answer"),
    [
        (Directive.RESUME, [], ("a1", 2)),
        (Directive.RESTART, ["fail a1", "make a2", "start a2"], ("a2", 1)),
        (Directive.STOP, ["fail a1"], None),
        (Directive.ESCALATE, ["fail a1", "stop b1"], None),
    ],
)
def test_what_becomes_of_a_child_that_fails_may_be_decided(
    tree: Tree, directive: Directive, notes: list[str], answer: object
) -> None:
    asked: list[BaseException] = []

    def decide(error: BaseException) -> Directive:
        asked.append(error)
        return directive

    supervisor = tree.grow("a", "b", decide=decide)
    ref = tree.call(supervisor, "child", "a")
    tree.ask(ref, "one")
    tree.notes()

    ref.tell(BOOM)
    tree.run()

    assert asked == [BOOM]
    assert tree.notes() == notes
    if answer is None:
        assert not ref.is_alive()
    else:
        assert tree.ask(ref, "two") == answer
    assert supervisor.is_alive() is (directive is not Directive.ESCALATE)


def test_a_supervisor_that_cannot_decide_fails(tree: Tree) -> None:
    def decide(error: BaseException) -> Directive:
        raise LookupError("no idea")

    supervisor = tree.grow("a", decide=decide)
    tree.call(supervisor, "child", "a").tell(BOOM)
    tree.run()

    assert isinstance(supervisor.actor_stopped.error, LookupError)  # type: ignore[attr-defined]


# Ends that come together


def test_an_instance_that_has_ended_of_itself_is_not_ended_once_more_with_a_sibling(tree: Tree) -> None:
    supervisor = tree.grow("a", "b", "c", strategy=Strategy.ONE_FOR_ALL)
    a, b, c = tree.call(supervisor, "children").values()
    tree.notes()

    a.tell(BOOM)
    b.stop(block=False)
    c.tell(BOOM)
    tree.run()

    assert tree.notes()[:3] == ["fail a1", "stop b1", "fail c1"]
    assert [tree.ask(ref, "hello") for ref in (a, b, c)] == [("a2", 1), ("b2", 1), ("c2", 1)]
    assert not any(note.startswith(("stop", "fail")) for note in tree.notes())


@pytest.mark.parametrize("restart", [Restart.TRANSIENT, Restart.TEMPORARY])
def test_a_child_that_has_done_its_work_does_not_come_back_with_a_sibling(tree: Tree, restart: Restart) -> None:
    supervisor = tree.grow("a", tree.spec("b", restart=restart), strategy=Strategy.ONE_FOR_ALL)
    a, b = tree.call(supervisor, "children").values()

    a.tell(BOOM)
    b.stop(block=False)
    tree.run()

    assert not b.is_alive()
    assert list(tree.call(supervisor, "children")) == ["a"]


def test_a_temporary_child_is_ended_with_a_sibling_and_does_not_come_back(tree: Tree) -> None:
    supervisor = tree.grow("a", tree.spec("b", restart=Restart.TEMPORARY), strategy=Strategy.ONE_FOR_ALL)
    a, b = tree.call(supervisor, "children").values()
    tree.notes()

    a.tell(BOOM)
    tree.run()

    assert tree.notes() == ["fail a1", "stop b1", "make a2", "start a2"]
    assert not b.is_alive()


def test_who_asked_one_that_goes_on_is_not_told_that_it_was_stopped(tree: Tree) -> None:
    def decide(error: BaseException) -> Directive:
        return Directive.RESUME

    supervisor = tree.grow("a", decide=decide)
    a = tree.call(supervisor, "child", "a")

    with pytest.raises(ActorDeadError, match=r"has gone on without an answer after SystemExit"):
        tree.ask(a, SystemExit())

    assert tree.ask(a, "hello") == ("a1", 1)


def test_a_failure_to_be_escalated_is_though_a_sibling_is_restarted_first(tree: Tree) -> None:
    def decide(error: BaseException) -> Directive:
        return Directive.ESCALATE if isinstance(error, LookupError) else Directive.RESTART

    supervisor = tree.grow("a", "b", strategy=Strategy.ONE_FOR_ALL, decide=decide)
    a, b = tree.call(supervisor, "children").values()

    a.tell(BOOM)
    b.tell(LookupError("worse"))
    tree.run()

    assert not supervisor.is_alive()


def test_what_a_supervisor_tells_itself_is_no_dead_letter(tree: Tree) -> None:
    failing = tree.grow("a", "b", max_restarts=0)
    waiting = tree.grow("c", backoff=Backoff(5))
    for ref in [*tree.call(failing, "children").values(), *tree.call(waiting, "children").values()]:
        ref.tell(BOOM)
    tree.run()
    waiting.stop(block=False)
    tree.wait(5)

    assert not failing.is_alive()
    assert not waiting.is_alive()
    assert tree.dispatcher.dead_letters.latest() == []


def test_what_a_child_that_never_began_was_told_is_a_dead_letter_of_the_dispatcher(tree: Tree) -> None:
    supervisor = tree.grow(tree.spec("a", ill=[1]), "b", strategy=Strategy.REST_FOR_ONE, backoff=Backoff(5))
    tree.call(supervisor, "child", "b").tell("hello")

    supervisor.stop(block=False)
    tree.run()

    assert [letter.message for letter in tree.dispatcher.dead_letters.latest()] == ["hello"]


# What goes from one instance to the next


def test_references_of_every_instance_lead_to_the_one_that_is_there(tree: Tree) -> None:
    given: list[ActorRef[Any]] = []

    class Generous(Member):
        def __init__(self, name: str, log: Log) -> None:
            super().__init__(name, log)
            given.append(self.actor_ref)

    supervisor = tree.grow(ChildSpec("a", Generous, ("a", tree.log)))
    for _ in range(2):
        tree.call(supervisor, "restart_child", "a")
    gc.collect()

    proxies = [ref.proxy() for ref in given]
    numbers = [proxy.number for proxy in proxies]
    tree.run()
    assert [number.get(timeout=0) for number in numbers] == [3, 3, 3]


def test_what_an_instance_tells_itself_when_it_is_made_finds_room_behind_the_mail(tree: Tree) -> None:
    class Narrow(Member):
        mailbox_limit = 2

        def __init__(self, name: str, log: Log) -> None:
            super().__init__(name, log)
            self.actor_ref.tell("own")
            self.actor_inbox.put(Envelope("first"), Lane.SYSTEM)

    supervisor = tree.grow(ChildSpec("a", Narrow, ("a", tree.log)), backoff=Backoff(1))
    a = tree.call(supervisor, "child", "a")
    a.tell(BOOM)
    tree.run()
    a.tell("one")
    a.tell("two")
    tree.notes()

    tree.wait(1)

    assert tree.notes() == ["make a2", "start a2", "a2 first", "a2 one", "a2 two", "a2 own"]


def test_what_comes_to_the_mailbox_that_an_instance_was_made_with_comes_to_its_place(tree: Tree) -> None:
    inboxes: list[Mailbox] = []

    class Open(Member):
        def __init__(self, name: str, log: Log) -> None:
            super().__init__(name, log)
            inboxes.append(self.actor_inbox)

    supervisor = tree.grow(ChildSpec("a", Open, ("a", tree.log)))
    tree.call(supervisor, "restart_child", "a")
    tree.notes()

    inboxes[1].put(Envelope("late"))
    tree.run()

    assert tree.notes() == ["a2 late"]


def test_an_instance_watches_and_the_one_after_it_does_not(tree: Tree) -> None:
    supervisor = tree.grow("a", "b", backoff=Backoff(1))
    a, b = tree.call(supervisor, "children").values()

    def watch(member: Member) -> None:
        member.watch(b)

    tree.ask(a, watch)
    a.tell(BOOM)
    tree.run()
    tree.call(supervisor, "stop_child", "b")
    tree.notes()
    tree.wait(1)

    assert tree.notes() == ["make a2", "start a2"]


# Intensity and backoff


def test_a_child_that_fails_too_often_takes_its_supervisor_along(tree: Tree) -> None:
    supervisor = tree.grow("a", "b", max_restarts=2, period=10)
    a, b = tree.call(supervisor, "children").values()
    for _ in range(2):
        a.tell(BOOM)
        tree.run()
    assert supervisor.is_alive()
    tree.notes()

    a.tell(BOOM)
    tree.run()

    assert tree.notes() == ["fail a3", "stop b1"]
    assert [ref.is_alive() for ref in (supervisor, a, b)] == [False, False, False]
    error = supervisor.actor_stopped.error  # type: ignore[attr-defined]
    assert isinstance(error, RestartsExhaustedError)
    assert (error.child, error.restarts, error.__cause__) == ("a", 2, BOOM)
    assert "raise max_restarts" in str(error)


def test_restarts_that_are_long_ago_do_not_count(tree: Tree) -> None:
    supervisor = tree.grow("a", max_restarts=2, period=10)
    a = tree.call(supervisor, "child", "a")

    for _ in range(20):
        a.tell(BOOM)
        tree.run()
        tree.wait(5)

    assert supervisor.is_alive()


def test_a_clock_that_is_set_back_makes_no_restart_wait_and_none_count_for_longer(tree: Tree) -> None:
    supervisor = tree.grow("a", max_restarts=3, period=5, backoff=Backoff(1, factor=1))
    a = tree.call(supervisor, "child", "a")
    for _ in range(3):
        a.tell(BOOM)
        tree.run()
        tree.clock.jump(-3600)
        tree.wait(1)

    assert tree.ask(a, "back") == ("a4", 1)
    tree.wait(5)
    a.tell(BOOM)
    tree.run()
    tree.wait(1)

    assert tree.ask(a, "back again") == ("a5", 1)


def test_a_clock_that_is_set_back_gives_a_child_no_more_time_to_end(tree: Tree) -> None:
    supervisor = tree.grow(tree.spec("slow", shutdown=2))
    tree.call(supervisor, "child", "slow").actor_inbox.hold(True)
    supervisor.stop(block=False)
    tree.run()

    tree.clock.jump(-3600)
    tree.wait(2)

    assert not supervisor.is_alive()


def test_restarts_at_a_wall_time_that_was_set_back_are_forgotten() -> None:
    window = RestartWindow(2, 10)
    assert [window.note(now_ns) for now_ns in (100, 101, 102)] == [0, 1, None]

    assert [window.note(now_ns) for now_ns in (50, 51, 52)] == [0, 1, None]


def test_a_child_that_waits_for_its_restart_keeps_nobody_once_it_need_not(tree: Tree) -> None:
    supervisor = tree.grow("a", "b", strategy=Strategy.ONE_FOR_ALL, backoff=Backoff(3600, maximum=3600))
    tree.call(supervisor, "child", "a").tell(BOOM)
    tree.run()
    tree.call(supervisor, "stop_child", "a")
    assert tree.dispatcher.next_deadline_ns() is not None

    supervisor.stop(block=False)
    tree.run()

    assert tree.dispatcher.next_deadline_ns() is None


def test_without_restarts_the_first_failure_is_one_too_many(tree: Tree) -> None:
    supervisor = tree.grow("a", max_restarts=0)
    tree.call(supervisor, "child", "a").tell(BOOM)
    tree.run()

    assert not supervisor.is_alive()


def test_each_restart_in_a_row_waits_longer_until_the_child_has_run_for_a_while(tree: Tree) -> None:
    backoff = Backoff(1, factor=2, maximum=3, reset_after=100)
    supervisor = tree.grow("a", max_restarts=100, period=1, backoff=backoff)
    a = tree.call(supervisor, "child", "a")

    def waited() -> float:
        tree.notes()
        a.tell(BOOM)
        tree.run()
        seconds = 0.0
        while not any(note.startswith("start") for note in tree.notes()):
            tree.wait(0.5)
            seconds += 0.5
        return seconds

    assert [waited() for _ in range(4)] == [1, 2, 3, 3]
    tree.wait(100)
    assert waited() == 1


def test_waits_are_spread_by_the_jitter() -> None:
    backoff = Backoff(1, jitter=0.5)

    waits = {backoff.wait_ns(0) for _ in range(100)}

    assert len(waits) > 50
    assert all(500_000_000 <= wait <= 1_500_000_000 for wait in waits)


def test_no_wait_is_longer_than_the_longest_whatever_the_jitter() -> None:
    backoff = Backoff(10, maximum=10, jitter=1.0)

    assert max(backoff.wait_ns(5) for _ in range(100)) == 10 * 10**9


def test_a_wait_that_would_be_endless_is_the_longest() -> None:
    assert Backoff(1, factor=10.0, maximum=60).wait_ns(1000) == 60_000_000_000


def test_a_child_that_cannot_start_is_tried_again_and_the_others_run(tree: Tree) -> None:
    supervisor = tree.grow("a", tree.spec("b", ill=[1, 2]), "c", backoff=Backoff(1, factor=1))

    assert tree.notes()[-3:] == ["start a1", "ill b1", "start c1"]
    tree.wait(1)
    assert tree.notes() == ["make b2", "ill b2"]
    tree.wait(1)
    assert tree.notes() == ["make b3", "start b3"]
    assert tree.ask(tree.call(supervisor, "child", "b"), "hello") == ("b3", 1)


def test_a_child_that_cannot_be_made_any_more_waits_longer_each_time(tree: Tree) -> None:
    numbers = iter([0, 1, 2, 3, 4])
    came: list[float] = []

    def make() -> Actor:
        if next(numbers) == 0:
            return Member("a", tree.log)
        came.append(tree.clock.now_ns() / 1e9)
        raise OSError("not any more")

    supervisor = tree.grow(ChildSpec("a", make), max_restarts=100, backoff=Backoff(1, factor=2, reset_after=50))
    a = tree.call(supervisor, "child", "a")
    tree.wait(100)
    a.tell(BOOM)
    tree.run()
    while len(came) < 4:
        tree.wait(0.5)

    assert [after - before for before, after in pairwise(came)] == [2, 4, 8]


def test_those_that_need_a_child_that_cannot_start_wait_for_it(tree: Tree) -> None:
    tree.grow("a", tree.spec("b", ill=[1]), "c", strategy=Strategy.REST_FOR_ONE, backoff=Backoff(1))

    assert tree.notes()[-2:] == ["start a1", "ill b1"]
    tree.wait(1)

    assert tree.notes() == ["make b2", "start b2", "start c1"]


@pytest.mark.aside
def test_a_child_that_never_can_start_ends_its_supervisor_and_not_the_stack(tree: Tree) -> None:
    supervisor = tree.grow(tree.spec("a", ill=range(10_000)), max_restarts=3000, period=60)

    assert not supervisor.is_alive()
    assert len(tree.notes()) == 2 * 3001


def test_a_failure_before_others_that_wait_restarts_each_once(tree: Tree) -> None:
    supervisor = tree.grow("a", "b", "c", strategy=Strategy.REST_FOR_ONE, backoff=Backoff(1))
    a, b, _ = tree.call(supervisor, "children").values()
    b.tell(BOOM)
    tree.run()
    tree.wait(0.5)
    a.tell(BOOM)
    tree.run()
    tree.notes()

    tree.wait(0.5)
    assert tree.notes() == []
    tree.wait(0.5)

    assert tree.notes() == ["make a2", "start a2", "make b2", "start b2", "make c2", "start c2"]


# Children that come and go


def test_a_child_may_be_added_while_the_supervisor_runs(tree: Tree) -> None:
    supervisor = tree.grow("a")
    tree.notes()

    ref = tree.call(supervisor, "start_child", tree.spec("b"))

    assert tree.notes() == ["make b1", "start b1"]
    assert tree.ask(ref, "hello") == ("b1", 1)


def test_two_children_of_one_name_are_refused(tree: Tree) -> None:
    supervisor = tree.grow("a")

    with pytest.raises(ValueError, match="has a child called 'a'"):
        tree.call(supervisor, "start_child", tree.spec("a"))
    with pytest.raises(ValueError, match="2 children are called 'a'"):
        Supervisor([tree.spec("a"), tree.spec("a")])


def test_the_name_of_a_child_that_is_ending_is_taken_until_it_has(tree: Tree) -> None:
    supervisor = tree.grow("a")
    a = tree.call(supervisor, "child", "a")
    a.actor_inbox.hold(True)
    tree.call(supervisor, "stop_child", "a")

    with pytest.raises(ValueError, match="is ending; watch it"):
        tree.call(supervisor, "start_child", tree.spec("a"))

    a.actor_inbox.hold(False)
    tree.run()
    assert tree.ask(tree.call(supervisor, "start_child", tree.spec("a")), "hello") == ("a2", 1)


def test_a_child_that_cannot_be_made_is_not_there(tree: Tree) -> None:
    supervisor = tree.grow("a")

    with pytest.raises(TypeError, match="name"):
        tree.call(supervisor, "start_child", ChildSpec("b", Member))

    assert list(tree.call(supervisor, "children")) == ["a"]


def test_a_child_that_is_stopped_is_kept_no_longer(tree: Tree) -> None:
    supervisor = tree.grow("a", "b")
    b = tree.call(supervisor, "child", "b")
    tree.notes()

    tree.call(supervisor, "stop_child", "b")

    assert tree.notes() == ["stop b1"]
    assert not b.is_alive()
    assert list(tree.call(supervisor, "children")) == ["a"]


def test_a_child_that_waits_to_be_restarted_may_be_stopped_and_its_siblings_come_back(tree: Tree) -> None:
    supervisor = tree.grow("a", "b", strategy=Strategy.ONE_FOR_ALL, backoff=Backoff(1))
    a, b = tree.call(supervisor, "children").values()
    a.tell(BOOM)
    tree.run()

    tree.call(supervisor, "stop_child", "a")
    tree.wait(1)

    assert not a.is_alive()
    assert tree.ask(b, "hello") == ("b2", 1)


def test_a_child_may_be_restarted_by_hand_without_being_counted(tree: Tree) -> None:
    supervisor = tree.grow("a", max_restarts=0)
    a = tree.call(supervisor, "child", "a")
    tree.notes()

    tree.call(supervisor, "restart_child", "a")

    assert tree.notes() == ["stop a1", "make a2", "start a2"]
    assert tree.ask(a, "hello") == ("a2", 1)


def test_a_supervisor_that_is_ending_starts_nobody(tree: Tree) -> None:
    class Late(Member):
        def on_stop(self) -> None:
            with pytest.raises(RuntimeError, match="is ending"):
                boss[0].start_child(tree.spec("new"))
            self.log.append("refused")

    boss: list[Supervisor] = []
    actor = Supervisor([ChildSpec("a", Late, ("a", tree.log))], dispatcher=tree.dispatcher)
    boss.append(actor)
    actor.launch()
    tree.run()
    actor.stop()
    tree.run()

    assert tree.notes()[-1] == "refused"


# Trees


def branch(tree: Tree, name: str, *children: str, **options: Any) -> ChildSpec:
    return ChildSpec(name, Supervisor, ([tree.spec(child) for child in children],), options)


def test_what_a_supervisor_cannot_mend_its_own_supervisor_restarts(tree: Tree) -> None:
    root = tree.grow(branch(tree, "branch", "a", "b", max_restarts=0), "other")
    a = tree.call(tree.call(root, "child", "branch"), "child", "a")
    tree.notes()

    a.tell(BOOM)
    tree.run()

    assert tree.notes() == ["fail a1", "stop b1", "make a2", "start a2", "make b2", "start b2"]
    assert tree.ask(a, "again") == ("a2", 1)
    assert root.is_alive()


def test_a_tree_ends_from_its_leaves(tree: Tree) -> None:
    root = tree.grow("a", branch(tree, "branch", "b", "c"), "d")
    tree.notes()

    root.stop(block=False)
    tree.run()

    assert tree.notes() == ["stop d1", "stop c1", "stop b1", "stop a1"]


def test_children_that_a_restarted_supervisor_does_not_know_have_stopped(tree: Tree) -> None:
    root = tree.grow(branch(tree, "branch", "a", max_restarts=0))
    inner = tree.call(root, "child", "branch")
    added = tree.call(inner, "start_child", tree.spec("added"))
    a = tree.call(inner, "child", "a")

    a.tell(BOOM)
    tree.run()

    assert not added.is_alive()
    assert list(tree.call(inner, "children")) == ["a"]


def test_a_branch_that_takes_too_long_to_end_is_ended_with_its_leaves(tree: Tree) -> None:
    spec = ChildSpec("branch", Supervisor, ([tree.spec("a", shutdown=None)],), shutdown=1)
    root = tree.grow(spec)
    a = tree.call(tree.call(root, "child", "branch"), "child", "a")
    a.actor_inbox.hold(True)
    tree.notes()

    root.stop(block=False)
    tree.run()
    tree.wait(1)

    assert tree.notes() == ["stop a1"]
    assert not a.is_alive()
    assert not root.is_alive()


def test_a_supervisor_that_fails_of_itself_ends_its_children_first(tree: Tree) -> None:
    root = tree.grow(branch(tree, "branch", "a", "b"), backoff=Backoff(1))
    inner = tree.call(root, "child", "branch")
    a = tree.call(inner, "child", "a")
    tree.notes()

    inner.proxy().stop_child.defer("nobody")
    root.proxy().stop_child.defer("nobody")
    tree.run()

    assert tree.notes() == ["stop b1", "stop a1"]
    assert not a.is_alive()


def test_a_supervisor_that_cannot_start_ends_its_children_and_they_come_back_with_it(tree: Tree) -> None:
    ill = [True]

    class Ill(Supervisor):
        def on_start(self) -> None:
            if ill:
                raise OSError("not yet")

    tree.grow(ChildSpec("branch", Ill, ([tree.spec("a")],)), backoff=Backoff(1))
    assert tree.notes() == ["make a1", "start a1", "stop a1"]

    ill.clear()
    tree.wait(1)

    assert tree.notes() == ["make a2", "start a2"]


def test_who_told_a_supervisor_to_stop_is_answered_however_it_ends(tree: Tree) -> None:
    spec = ChildSpec("branch", Supervisor, ([tree.spec("a", shutdown=None)],), shutdown=1)
    root = tree.grow(spec)
    inner = tree.call(root, "child", "branch")
    tree.call(inner, "child", "a").actor_inbox.hold(True)
    stopping = inner.stop(block=False)
    tree.run()

    root.stop(block=False)
    tree.run()
    tree.wait(1)

    assert stopping.get(timeout=0) is True


@pytest.mark.parametrize("restart", Restart)
@pytest.mark.parametrize("how", ["with a sibling", "by hand", "with its supervisor", "since it fails"])
def test_a_stop_is_not_lost_on_a_supervisor_that_is_restarted_before_it_has_ended(
    tree: Tree, restart: Restart, how: str
) -> None:
    inner = ChildSpec("inner", Supervisor, ([tree.spec("a", shutdown=None)],), restart=restart)
    middle = ChildSpec("middle", Supervisor, ([tree.spec("sibling"), inner],), {"strategy": Strategy.ONE_FOR_ALL})
    root = tree.grow(middle)
    ref = tree.call(root, "child", "middle")
    sibling, stopped = tree.call(ref, "children").values()
    a = tree.call(stopped, "child", "a")
    a.actor_inbox.hold(True)
    stopping = stopped.stop(block=False)
    tree.run()

    def fail() -> None:
        raise BOOM

    if how == "with a sibling":
        sibling.tell(BOOM)
    elif how == "by hand":
        ref.proxy().restart_child.defer("inner")
    elif how == "with its supervisor":
        root.proxy().restart_child.defer("middle")
    else:
        stopped.actor_inbox.put(Envelope(Call(fail)), Lane.SYSTEM)
    tree.run()

    # One that is to be there always comes back of its stop; any other one does not.
    assert stopping.get(timeout=0) is True
    assert stopped.is_alive() is (restart is Restart.PERMANENT)
    assert not any(type(letter.message) is ActorStop for letter in tree.dispatcher.dead_letters.latest())


def test_who_told_a_supervisor_to_stop_is_answered_when_the_dispatcher_ends(tree: Tree) -> None:
    supervisor = tree.grow(tree.spec("a", shutdown=None))
    tree.call(supervisor, "child", "a").actor_inbox.hold(True)
    stopping = supervisor.stop(block=False)
    tree.run()

    tree.dispatcher.close()

    assert stopping.get(timeout=0) is True


def test_a_child_that_was_to_be_stopped_or_was_added_gives_way_when_its_supervisor_is_restarted(tree: Tree) -> None:
    root = tree.grow(branch(tree, "branch", "a", "b"))
    inner = tree.call(root, "child", "branch")
    a, b = tree.call(inner, "children").values()
    a.actor_inbox.hold(True)
    tree.call(inner, "stop_child", "a")
    tree.call(inner, "stop_child", "b")
    added = tree.call(inner, "start_child", tree.spec("b"))
    tree.notes()

    tree.call(root, "restart_child", "branch")

    assert tree.notes() == ["stop b2", "stop a1", "make a2", "make b3", "start a2", "start b3"]
    assert [ref.is_alive() for ref in (a, b, added)] == [False, False, False]
    assert list(tree.call(inner, "children")) == ["a", "b"]


def test_children_of_a_restarted_supervisor_start_in_the_order_of_the_specs(tree: Tree) -> None:
    root = tree.grow(branch(tree, "branch", "a", "b"))
    inner = tree.call(root, "child", "branch")
    tree.call(inner, "stop_child", "a")
    tree.notes()

    tree.call(root, "restart_child", "branch")

    assert tree.notes()[-4:] == ["make a2", "start a2", "make b2", "start b2"]


def test_a_supervisor_that_was_restarted_leaves_nothing_behind_on_its_dispatcher(tree: Tree) -> None:
    root = tree.grow(branch(tree, "branch", "a"))

    def instance() -> weakref.ref[Any]:
        actor = tree.call(root, "child", "branch")._actor_weakref()
        return weakref.ref(actor)

    first = instance()
    tree.call(root, "restart_child", "branch")
    gc.collect()

    assert first() is None


def test_one_without_children_does_not_take_the_place_of_a_supervisor(
    tree: Tree, caplog: pytest.LogCaptureFixture
) -> None:
    made: Iterator[Actor] = iter([Supervisor([tree.spec("leaf")]), Member("x", tree.log)])
    root = tree.grow(ChildSpec("x", lambda: next(made)), max_restarts=0)
    leaf = tree.call(tree.call(root, "child", "x"), "child", "leaf")

    tree.call(root, "restart_child", "x")

    assert "child 'x' was a Supervisor and is now a Member" in caplog.text
    assert not leaf.is_alive()
    assert not root.is_alive()


def test_a_supervisor_abandoned_before_its_first_turn_starts_nobody(tree: Tree) -> None:
    actor = Supervisor([tree.spec("a")], dispatcher=tree.dispatcher)
    actor.launch()

    actor.abandon("the test says so")
    tree.run()

    assert tree.notes() == []


def test_a_supervisor_that_has_given_up_is_restarted_though_it_was_to_go_on(tree: Tree) -> None:
    inner = branch(tree, "branch", "a", max_restarts=0)

    def decide(error: BaseException) -> Directive:
        return Directive.RESUME

    root = tree.grow(inner, decide=decide)
    a = tree.call(tree.call(root, "child", "branch"), "child", "a")

    a.tell(BOOM)
    tree.run()

    assert tree.ask(a, "hello") == ("a2", 1)


# Around trees


def test_a_watcher_hears_of_the_end_and_not_of_restarts(tree: Tree) -> None:
    supervisor = tree.grow("a", max_restarts=1)
    a = tree.call(supervisor, "child", "a")
    heard: list[Any] = []

    class Watcher(Actor):
        def on_start(self) -> None:
            self.watch(a)

        def on_receive(self, message: Any) -> None:
            heard.append(message)

    outside = Watcher(dispatcher=tree.dispatcher)
    outside.launch()
    tree.run()
    a.tell(BOOM)
    tree.run()
    assert heard == []
    a.tell(BOOM)
    tree.run()

    assert len(heard) == 1
    assert isinstance(heard[0], Terminated)
    assert heard[0].ref is a
    assert isinstance(heard[0].error, RestartsExhaustedError)


def test_when_the_dispatcher_ends_those_that_wait_to_be_restarted_are_over(tree: Tree) -> None:
    supervisor = tree.grow("a", backoff=Backoff(60))
    a = tree.call(supervisor, "child", "a")
    a.tell(BOOM)
    tree.run()
    waiting = a.ask("mail", block=False)

    tree.dispatcher.close()

    assert not supervisor.is_alive()
    with pytest.raises(ActorDeadError, match="closed"):
        waiting.get(timeout=0)


def test_when_the_dispatcher_ends_a_tree_is_over_without_a_word_to_its_actors(tree: Tree) -> None:
    supervisor = tree.grow("a")
    a = tree.call(supervisor, "child", "a")
    tree.notes()

    tree.dispatcher.close()

    assert tree.notes() == []
    assert [ref.is_alive() for ref in (supervisor, a)] == [False, False]


def test_who_is_told_of_the_end_of_a_tree_when_the_dispatcher_ends_is_over_too(tree: Tree) -> None:
    supervisor = tree.grow("a")
    outside = Member("outside", tree.log, dispatcher=tree.dispatcher)
    outside.watch(supervisor)
    outside.launch()
    tree.run()

    tree.dispatcher.close()

    assert not outside.actor_ref.is_alive()
    assert [type(letter.message) for letter in tree.dispatcher.dead_letters.latest()] == [Terminated]


def test_a_tree_has_one_entry_in_pykkas_registry() -> None:
    log = Log()
    dispatcher = Dispatcher()
    dispatcher.start()
    specs = [ChildSpec(name, Member, (name, log)) for name in "abc"]
    before = len(ActorRegistry.get_all())

    ref = Supervisor.start(specs, dispatcher=dispatcher)
    children = ref.proxy().children().get(timeout=30)

    assert len(ActorRegistry.get_all()) == before + 1
    ActorRegistry.stop_all(timeout=30)
    assert [child.is_alive() for child in children.values()] == [False, False, False]
    assert log[-3:] == ["stop c1", "stop b1", "stop a1"]
    assert dispatcher.close(timeout=30)


def test_a_child_of_another_dispatcher_or_of_another_kind_is_refused(tree: Tree) -> None:
    class Elsewhere(Actor):
        def __init__(self) -> None:
            super().__init__(dispatcher=Dispatcher())

    class Threaded(pykka.ThreadingActor):
        pass

    supervisor = tree.grow("a")

    with pytest.raises(ValueError, match="a tree of actors lives on one dispatcher"):
        tree.call(supervisor, "start_child", ChildSpec("b", Elsewhere))
    with pytest.raises(TypeError, match=r"derive it from greenroom\.actors\.Actor"):
        tree.call(supervisor, "start_child", ChildSpec("b", Threaded))  # type: ignore[arg-type]


def test_a_supervisor_that_cannot_make_its_children_stops(tree: Tree, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, logger="greenroom.actors"):
        supervisor = tree.grow("a", ChildSpec("b", Member))

    assert not supervisor.is_alive()
    assert "missing 2 required positional arguments" in caplog.text


class Unmade(Actor):
    def __init__(self) -> None:
        """Forgets what it should call."""


def test_a_child_that_forgets_its_superclass_is_told_so(tree: Tree) -> None:
    supervisor = tree.grow()

    with pytest.raises(TypeError, match=r"Unmade.__init__\(\) has not called super\(\).__init__\(\)"):
        tree.call(supervisor, "start_child", ChildSpec("a", Unmade))


@pytest.mark.parametrize("begin", [Unmade.start, lambda: Unmade().launch()])
def test_an_actor_that_forgets_its_superclass_is_told_so(begin: Any) -> None:
    with pytest.raises(TypeError, match=r"Unmade.__init__\(\) has not called super\(\).__init__\(\)"):
        begin()


@pytest.mark.parametrize(
    ("make", "error", "told"),
    [
        (lambda: ChildSpec("", Member), TypeError, "give a text"),
        (lambda: ChildSpec("a", cast("Any", 7)), TypeError, "give a class of actors"),
        (lambda: ChildSpec("a", Member, "ab"), TypeError, r"args=\('ab',\)"),
        (lambda: ChildSpec("a", Member, shutdown=-1), ValueError, "shutdown is -1"),
        (lambda: ChildSpec("a", Member, shutdown=cast("Any", "soon")), TypeError, "shutdown is a str"),
        (lambda: Backoff(-1), ValueError, "initial is -1"),
        (lambda: Backoff(float("nan")), ValueError, "finite"),
        (lambda: Backoff(1, factor=0.5), ValueError, "factor is 0.5"),
        (lambda: Backoff(1, jitter=2), ValueError, "jitter is 2"),
        (lambda: Backoff(1, maximum=timedelta(days=2)), ValueError, "the longest wait is a day"),
        (lambda: Supervisor(max_restarts=-1), ValueError, "max_restarts is -1"),
        (lambda: Supervisor(cast("Any", [Member])), TypeError, r"ChildSpec\('name', Member\)"),
        (lambda: Supervisor(cast("Any", iter([]))), TypeError, "a list_iterator, which gives them once"),
        (
            lambda: Supervisor(cast("Any", (tree for tree in [Tree()]))),
            TypeError,
            "a generator.*give a list or a tuple",
        ),
        (lambda: Supervisor(period=-1), ValueError, "period is -1"),
    ],
)
def test_options_that_make_no_sense_are_refused(make: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        make()
