"""Trees of actors against a plain model: whatever comes in whatever order, both note the same, turn by turn."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pykka
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from greenroom.actors import (
    Actor,
    Backoff,
    ChildSpec,
    DeadLetter,
    Directive,
    Dispatcher,
    Future,
    MailboxFullError,
    ManualClock,
    Overflow,
    Restart,
    Strategy,
    Supervisor,
    Terminated,
)
from tests.actors.tree_model import LONGEST_WAIT, RESET_AFTER, Error, Letter, Model, Op, Plan

FUZZ = int(os.environ.get("FUZZ", "1"))

PICK = st.integers(0, 1000)


def one_number(number: int) -> frozenset[int]:
    return frozenset({number})


NOBODY: st.SearchStrategy[frozenset[int]] = st.just(frozenset())
SOMEBODY: st.SearchStrategy[frozenset[int]] = st.integers(1, 4).map(one_number)


class Boom(Exception):
    """Ends whoever is told it."""

    def __init__(self, error: Error) -> None:
        super().__init__(error)
        self.error = error


class Ruin(BaseException):
    """Ends whoever is told it, or asked."""

    def __init__(self, error: Error) -> None:
        super().__init__(error)
        self.error = error


def decide(error: BaseException) -> Directive:
    return error.error.directive if isinstance(error, (Boom, Ruin)) else Directive.RESTART


class World:
    """What the actors have noted, and the references that they have given away."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.faults: list[BaseException] = []
        self.dispatcher = Dispatcher(clock=self.clock, on_error=self.faults.append)
        self.notes: list[str] = []
        self.made: Counter[str] = Counter()
        self.known: list[pykka.ActorRef[Any]] = []
        self.letters: list[str] = []
        self.dispatcher.dead_letters.subscribe(self.lose)

    def lose(self, letter: DeadLetter) -> None:
        message = letter.message
        if isinstance(message, Terminated):
            self.letters.append(f"end of {message.ref.actor_class.__name__}")
        else:
            assert isinstance(message, Letter), letter
            self.letters.append(str(message.number))

    def launch(self, plan: Plan) -> None:
        actor = kind(plan)(plan, self, dispatcher=self.dispatcher)
        actor.launch()

    def spec(self, plan: Plan) -> ChildSpec:
        return ChildSpec(plan.name, kind(plan), (plan, self), restart=plan.restart, shutdown=plan.shutdown)


class Life(Actor):
    """What an actor of a plan does, whether it keeps others or not."""

    def begin(self, plan: Plan, world: World) -> None:
        self.plan, self.world = plan, world
        world.made[plan.name] += 1
        self.number = world.made[plan.name]
        world.notes.append(f"make {self}")
        if self.number in plan.unmade:
            raise Boom(Error("Boom", plan.illness))
        if plan.is_generous:
            world.known.append(self.actor_ref)

    def __str__(self) -> str:
        return f"{self.plan.name}{self.number}"

    def on_start(self) -> None:
        if self.plan.is_curious and self.world.known:
            self.watch(self.world.known[0])
        if self.number in self.plan.ill:
            self.world.notes.append(f"ill {self}")
            raise Boom(Error("Boom", self.plan.illness))
        self.world.notes.append(f"start {self}")
        if not self.plan.is_generous:
            self.world.known.append(self.actor_ref)

    def on_stop(self) -> None:
        self.world.notes.append(f"stop {self}")

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
        self.world.notes.append(f"fail {self}")

    def on_receive(self, message: Any) -> Any:
        world = self.world
        if isinstance(message, Terminated):
            error = None if message.error is None else type(message.error).__name__
            world.notes.append(f"{self} hears {message.ref.actor_class.__name__} {error}")
            return None
        assert isinstance(message, Letter)
        op = message.op
        match op.verb:
            case "note":
                world.notes.append(f"{self} {message.number}")
            case "raise":
                raise (Ruin if op.what.is_base else Boom)(op.what)
            case "relay":
                came = sent(world.known[op.to], Letter(message.number + 1, Op("note")))
                world.notes.append(f"{self} relays {message.number + 1}: {came}")
            case "watch":
                self.watch(world.known[op.to])
            case "unwatch":
                self.unwatch(world.known[op.to])
            case "start":
                getattr(self, "start_child")(world.spec(op.what))  # noqa: B009  # those without children have none
            case other:
                getattr(self, f"{other}_child")(op.what)
        return f"{self} {message.number}"


class Leaf(Life):
    def __init__(self, plan: Plan, world: World, **options: Any) -> None:
        super().__init__(**options)
        self.begin(plan, world)


class Boss(Supervisor, Life):
    def __init__(self, plan: Plan, world: World, **options: Any) -> None:
        super().__init__(
            [world.spec(child) for child in plan.children or ()],
            strategy=plan.strategy,
            max_restarts=plan.max_restarts,
            period=plan.period,
            backoff=Backoff(plan.wait, factor=2, maximum=LONGEST_WAIT, reset_after=RESET_AFTER),
            decide=decide,
            **options,
        )
        self.begin(plan, world)


def kind(plan: Plan) -> type[Any]:
    """The class of actors of a plan, which is called as they are."""
    base: type[Any] = Leaf if plan.children is None else Boss
    attributes = {"mailbox_limit": plan.limit, "mailbox_overflow": plan.overflow, "mailbox_patience": 0.0}
    return type(plan.name, (base,), attributes)


def sent(ref: pykka.ActorRef[Any], message: Letter) -> str:
    """What becomes at once of what is told."""
    try:
        ref.tell(message)
    except pykka.ActorDeadError:
        return "dead"
    except MailboxFullError:
        return "full"
    return "sent"


def leaves(name: str) -> st.SearchStrategy[Plan]:
    return st.builds(
        Plan,
        st.just(name),
        restart=st.sampled_from(Restart),
        shutdown=st.sampled_from([None, 0.0, 2.0]),
        ill=st.one_of(NOBODY, NOBODY, SOMEBODY),
        unmade=st.one_of(NOBODY, NOBODY, NOBODY, NOBODY, SOMEBODY),
        illness=st.sampled_from([Directive.RESTART, Directive.STOP, Directive.ESCALATE]),
        limit=st.sampled_from([None, None, 1, 2]),
        overflow=st.sampled_from(Overflow),
        is_generous=st.booleans(),
        is_curious=st.booleans(),
    )


@st.composite
def bosses(draw: st.DrawFn, name: str, depth: int) -> Plan:
    names = [f"{name}{letter}" for letter in "xyz"[: draw(st.integers(1, 3))]]
    return Plan(
        name,
        restart=draw(st.sampled_from(Restart)),
        shutdown=draw(st.sampled_from([None, 0.0, 2.0])),
        ill=draw(st.one_of(NOBODY, NOBODY, NOBODY, SOMEBODY)),
        illness=draw(st.sampled_from([Directive.RESTART, Directive.ESCALATE])),
        is_generous=draw(st.booleans()),
        is_curious=draw(st.booleans()),
        children=tuple(
            draw(bosses(each, depth - 1) if depth and draw(st.booleans()) else leaves(each)) for each in names
        ),
        strategy=draw(st.sampled_from(Strategy)),
        max_restarts=draw(st.sampled_from([0, 1, 5, 20])),
        wait=draw(st.sampled_from([0.0, 0.0, 1.0])),
    )


def error(directive: Directive, is_base: bool) -> Error:
    return Error("Ruin" if is_base else "Boom", directive, is_base)


def op_with(verb: str, to: int) -> Op:
    return Op(verb, to=to)


COMMANDS = ("start", "stop", "restart")
ERRORS = st.builds(error, st.sampled_from([Directive.RESTART, Directive.RESTART, *Directive]), st.booleans())
OPS = st.one_of(
    st.just(Op("note")),
    st.builds(Op, st.just("raise"), ERRORS),
    st.builds(op_with, st.sampled_from(["relay", "watch", "unwatch"]), PICK),
    st.builds(Op, st.sampled_from(["stop", "restart"]), st.sampled_from("xyzn")),
    st.builds(Op, st.just("start"), st.sampled_from("xyzn").flatmap(leaves)),
)
ACTS = st.tuples(st.sampled_from(["tell", "tell", "tell", "ask", "ask", "stop"]), PICK, OPS)


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """Thousands of failures are meant here: pytest would keep what is logged of each."""
    logger = logging.getLogger("greenroom.actors")
    logger.disabled = True
    yield
    logger.disabled = False


class Trees(RuleBasedStateMachine):
    """One tree of up to three levels, and two actors without one, on one dispatcher."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.model = Model()
        self.numbers = 0
        self.questions: dict[int, Future[Any]] = {}
        self.stops: dict[int, pykka.Future[bool]] = {}

    @initialize(root=bosses("r", 2), narrow=leaves("o"))
    def plant(self, root: Plan, narrow: Plan) -> None:
        for plan in (root, narrow, Plan("w")):
            self.launch(plan)
        self.settle()

    @precondition(lambda self: not self.model.ended and not self.has_tree())
    @rule(root=bosses("r", 2))
    def plant_another(self, root: Plan) -> None:
        self.launch(root)
        self.settle()

    def launch(self, plan: Plan) -> None:
        plan = replace(plan, unmade=frozenset())
        self.world.launch(plan)
        self.model.launch(plan)

    def has_tree(self) -> bool:
        return any(node.alive and node.plan.children is not None for node in self.model.known)

    @precondition(lambda self: self.model.known)
    @rule(acts=st.lists(ACTS, min_size=2, max_size=10), turns=st.integers(0, 20))
    def act(self, acts: list[tuple[str, int, Op]], turns: int) -> None:
        """Several send, then some turns are taken."""
        for way, to, op in acts:
            self.send(way, to, op)
        if not self.model.ended:
            self.step(turns)

    def send(self, way: str, to: int, op: Op) -> None:
        known = [number for number, node in enumerate(self.model.known) if node.alive or to % 10 == 0]
        if op.verb in COMMANDS:
            known = [number for number in known if self.model.known[number].plan.children is not None]
        if not known:
            return
        number = self.next_number()
        whom = known[to % len(known)]
        node, ref = self.model.known[whom], self.world.known[whom]
        what = op.what
        if op.verb in COMMANDS:
            name = node.plan.name + (what.name if isinstance(what, Plan) else what)
            what = replace(what, name=name) if isinstance(what, Plan) else name
        letter = Letter(number, Op(op.verb, what, known[op.to % len(known)]))
        if way == "tell":
            assert sent(ref, letter) == self.model.tell(node, letter)
        elif way == "stop":
            self.model.stop(node, number)
            self.stops[number] = ref.stop(block=False)
        elif self.model.ask(node, letter) == "full":
            with pytest.raises(MailboxFullError):
                ref.ask(letter, block=False)
        else:
            future = ref.ask(letter, block=False)
            assert isinstance(future, Future)
            self.questions[number] = future

    def next_number(self) -> int:
        self.numbers += 10
        return self.numbers

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0, 10.0]), turns=st.sampled_from([0, 1, 3, None]))
    def wait(self, seconds: float, turns: int | None) -> None:
        """Time passes, then some turns are taken, or all that there are."""
        self.world.clock.advance(seconds)
        self.model.now += seconds
        if self.model.ended:
            return
        if turns is None:
            self.settle()
        else:
            self.step(turns)

    @rule(seconds=st.sampled_from([-3600.0, -1.0, 3600.0]))
    def set_the_clock(self, seconds: float) -> None:
        """Which is no time that passes."""
        self.world.clock.jump(seconds)

    def step(self, turns: int) -> None:
        for _ in range(turns):
            self.world.dispatcher.step()
            self.model.step()

    def settle(self) -> None:
        while self.world.dispatcher.sweep():
            pass
        self.model.settle()

    @precondition(lambda self: not self.model.ended and self.numbers > 100)
    @rule(likely=st.integers(0, 9))
    def close(self, likely: int) -> None:
        if likely == 0:
            self.end()

    def end(self) -> None:
        self.world.dispatcher.close()
        self.model.close()

    @invariant()
    def both_note_the_same(self) -> None:
        world, model = self.world, self.model
        assert world.notes == model.notes
        assert world.letters == model.letters
        assert world.faults == []
        assert len(world.known) == len(model.known)
        for ref, node in zip(world.known, model.known, strict=True):
            assert ref.is_alive() is node.alive, node.plan.name
            error: BaseException | None = getattr(ref.actor_stopped, "error")  # noqa: B009  # of ours alone
            assert (None if error is None else type(error).__name__) == (node.error and node.error.name)
        for number, future in self.questions.items():
            assert self.outcome(future) == self.model.answers.get(number), number

    @staticmethod
    def outcome(future: Future[Any]) -> str | None:
        if not future.done():
            return None
        error = future.exception()
        return type(error).__name__ if error is not None else future.get()

    def teardown(self) -> None:
        if not self.model.ended:
            self.end()
        self.both_note_the_same()
        # Nobody waits for ever: whoever asked has an answer, once nothing runs any more.
        for number, future in self.questions.items():
            assert future.done(), number
        for number, stop in self.stops.items():
            assert str(stop.get(timeout=0)) == self.model.answers[number], number


TestTrees = pytest.mark.slow(pytest.mark.aside(Trees.TestCase))
TestTrees.settings = settings(max_examples=60 * FUZZ, stateful_step_count=40, deadline=None)
