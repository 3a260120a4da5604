"""What trees of actors promise, as a plain model: no threads, no references, no mailboxes but lists.

It says of each message by which instance it is handled and when, what comes back to who asked, or that it is a dead
letter; which instances are made and begin, stop and fail, in which order; and who is alive.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from greenroom.actors import Directive, Overflow, Restart, Strategy

__all__ = ["Error", "Letter", "Model", "Node", "Op", "Plan"]

RESET_AFTER = 10.0
LONGEST_WAIT = 3.0


@dataclass(frozen=True)
class Plan:
    """What is known of an actor before it is made.

    Attributes:
        ill, unmade: the numbers of the instances that cannot start, or cannot be made.
        is_generous: whether each instance gives a reference away when it is made, and not when it starts.
        is_curious: whether each instance watches somebody when it starts, even if it cannot.
        wait: seconds before the first restart of a child; doubled each time.
        children: None for an actor that keeps nobody.
    """

    name: str
    restart: Restart = Restart.PERMANENT
    shutdown: float | None = None
    ill: frozenset[int] = frozenset()
    unmade: frozenset[int] = frozenset()
    illness: Directive = Directive.RESTART
    limit: int | None = None
    overflow: Overflow = Overflow.REFUSE
    is_generous: bool = False
    is_curious: bool = False
    children: tuple[Plan, ...] | None = None
    strategy: Strategy = Strategy.ONE_FOR_ONE
    max_restarts: int = 3
    period: float = 5.0
    wait: float = 0.0


@dataclass(frozen=True)
class Error:
    """What somebody has failed of."""

    name: str
    directive: Directive = Directive.RESTART
    is_base: bool = False


@dataclass(frozen=True)
class Op:
    """What a message has its receiver do.

    Attributes:
        verb: "note", "raise", "relay", "watch", "unwatch", "start", "stop", "restart".
        what: an error, a plan, or the name of a child.
        to: to whom it is relayed, or who is watched: a number among those that were made.
    """

    verb: str
    what: Any = None
    to: int = 0


@dataclass(frozen=True)
class Letter:
    """A message of people, with a number."""

    number: int
    op: Op


class _Stop:
    """The message that stops."""


@dataclass(frozen=True)
class _Terminated:
    node: Node
    error: Error | None


@dataclass(frozen=True)
class _Ended:
    node: Node
    instance: _Instance
    error: Error | None
    directive: Directive


@dataclass(frozen=True)
class _Call:
    do: Callable[[], None]


@dataclass
class _Mail:
    message: Any
    asked: int | None = None


@dataclass(eq=False)
class _Instance:
    """One instance; what only those that keep others have comes last."""

    node: Node
    number: int
    begun: bool = False
    watches: list[Node] = field(default_factory=list)
    children: dict[str, Node] = field(default_factory=dict)
    restarts: list[float] = field(default_factory=list)
    error: Error | None = None
    ending: bool = False
    stop: _Mail | None = None

    def __str__(self) -> str:
        return f"{self.node.plan.name}{self.number}"


@dataclass(eq=False)
class Node:
    """Everything that a reference refers to, from the first instance to the last one."""

    plan: Plan
    keeper: Node | None
    instance: _Instance = field(init=False)
    alive: bool = True
    error: Error | None = None
    system: deque[_Mail] = field(default_factory=lambda: deque())
    mail: deque[_Mail] = field(default_factory=lambda: deque())
    held: bool = False
    shut: bool = False
    scheduled: bool = False
    closed: bool = False
    watchers: list[_Instance] = field(default_factory=list)
    down: bool = True
    over: _Ended | None = None
    is_added: bool = False
    leaving: str | None = None
    again: _Again | None = None
    begun_at: float = 0.0
    failures: int = 0
    overdue: _Timer | None = None

    @property
    def takeable(self) -> bool:
        return not self.shut and bool(self.system or (self.mail and not self.held))


@dataclass(eq=False)
class _Timer:
    at: float
    do: Callable[[], None]
    is_cancelled: bool = False


@dataclass(eq=False)
class _Again:
    """Those that are to begin together; nothing waits for the last of them to do something else."""

    nodes: list[Node]
    timer: _Timer | None = None


class CannotBeMadeError(Exception):
    """The instance cannot be made."""

    def __init__(self, error: Error) -> None:
        super().__init__(error)
        self.error = error


def _name(name: str) -> Error:
    return Error(name)


class Model:
    """The trees on one dispatcher.

    Attributes:
        notes: what the actors have noted.
        letters: the dead ones.
        answers: number of a question → what came back.
        known: those to whom there is a reference, in the order in which their instances have given it away.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.notes: list[str] = []
        self.letters: list[str] = []
        self.answers: dict[int, str] = {}
        self.known: list[Node] = []
        self.ended = False
        self._made: Counter[str] = Counter()
        self._ready: deque[_Instance] = deque()
        self._timers: list[_Timer] = []
        self._at_end: dict[_Instance, None] = {}

    # What people do.

    def launch(self, plan: Plan) -> None:
        """Somebody that nobody keeps."""
        node = self._make(plan, None)
        node.down = False
        node.scheduled = True
        self._ready.append(node.instance)

    def tell(self, node: Node, message: Letter) -> str:
        """What becomes of it at once."""
        if not node.alive:
            return "dead"
        return "sent" if self._put(node, _Mail(message)) else "full"

    def ask(self, node: Node, message: Letter) -> str:
        """What becomes of it at once."""
        if not node.alive:
            self.answers[message.number] = "ActorDeadError"
            return "sent"
        return "sent" if self._put(node, _Mail(message, message.number)) else "full"

    def stop(self, node: Node, number: int) -> None:
        if not node.alive:
            self.answers[number] = "False"
        else:
            self._put(node, _Mail(_Stop(), number))

    def step(self, turns: int = 1) -> None:
        due = [timer for timer in self._timers if timer.at <= self.now]
        self._timers = [timer for timer in self._timers if timer.at > self.now]
        for timer in sorted(due, key=lambda timer: timer.at):
            if not timer.is_cancelled:
                timer.do()
        while turns and self._ready:
            turns -= 1
            instance = self._ready.popleft()
            node = instance.node
            if instance is not node.instance:
                # Another one has its place.
                continue
            self._turn(node, instance)
            if node.takeable and not node.closed:
                self._ready.append(instance)
            else:
                node.scheduled = False

    def settle(self) -> None:
        while self._ready or any(timer.at <= self.now for timer in self._timers):
            self.step(256)

    def close(self) -> None:
        while self._ready:
            self.step(256)
        while self._at_end:
            instance, _ = self._at_end.popitem()
            self._abandon(instance.node, None)
        while self._ready:
            instance = self._ready.popleft()
            if instance is instance.node.instance:
                self._abandon(instance.node, None)
        self.ended = True

    # Mail.

    def _put(self, node: Node, mail: _Mail, *, system: bool = False) -> bool:
        """Whether it is not for the sender to decide what becomes of it."""
        if node.closed:
            self._refuse(mail, "ActorDeadError")
            return True
        plan = node.plan
        is_letter = isinstance(mail.message, Letter)
        if plan.limit is not None and is_letter and len(node.mail) >= plan.limit:
            if plan.overflow in (Overflow.REFUSE, Overflow.WAIT):
                return False
            droppable = [one for one in node.mail if isinstance(one.message, Letter)]
            if plan.overflow is Overflow.DROP_NEWEST or not droppable:
                self._refuse(mail, "MailboxFullError")
                return True
            node.mail.remove(droppable[0])
            self._refuse(droppable[0], "MailboxFullError")
        (node.system if system else node.mail).append(mail)
        self._wake(node)
        return True

    def _wake(self, node: Node) -> None:
        if node.takeable and not node.scheduled:
            node.scheduled = True
            if self.ended:
                self._abandon(node, None)
            else:
                self._ready.append(node.instance)

    def _refuse(self, mail: _Mail, error: str) -> None:
        if mail.asked is not None:
            self.answers[mail.asked] = error
        elif isinstance(mail.message, Letter):
            self.letters.append(str(mail.message.number))
        elif isinstance(mail.message, _Terminated):
            self.letters.append(f"end of {mail.message.node.plan.name}")

    # Turns.

    def _turn(self, node: Node, instance: _Instance) -> None:
        if not instance.begun:
            if node.alive:
                error = self._begin(node)
                if error is not None:
                    self._abandon(node, error)
            return
        if node.shut or node.closed:
            return
        if node.system:
            message = node.system.popleft().message
            if isinstance(message, _Call):
                message.do()
            else:
                self._has_ended(instance, message)
        elif node.mail and not node.held:
            self._handle(node, instance, node.mail.popleft())

    def _handle(self, node: Node, instance: _Instance, mail: _Mail) -> None:
        message = mail.message
        if isinstance(message, _Stop):
            if node.plan.children is None:
                self._end(node, instance, mail.asked)
            else:
                instance.ending, instance.stop = True, mail
                node.held = True
                self._end_next(node, instance)
            return
        if isinstance(message, _Terminated):
            error = None if message.error is None else message.error.name
            self.notes.append(f"{instance} hears {message.node.plan.name} {error}")
            return
        failure = self._do(node, instance, message)
        if failure is not None:
            self._fail(node, failure, mail.asked)
        elif mail.asked is not None:
            self.answers[mail.asked] = f"{instance} {message.number}"

    def _do(self, node: Node, instance: _Instance, message: Letter) -> Error | None:
        op = message.op
        if op.verb == "note":
            self.notes.append(f"{instance} {message.number}")
        elif op.verb == "raise":
            error: Error = op.what
            return error
        elif op.verb == "relay":
            came = self.tell(self.known[op.to], Letter(message.number + 1, Op("note")))
            self.notes.append(f"{instance} relays {message.number + 1}: {came}")
        elif op.verb == "watch":
            self._watch(instance, self.known[op.to])
        elif op.verb == "unwatch":
            self._unwatch(instance, self.known[op.to])
        elif node.plan.children is None:
            return _name("AttributeError")
        elif op.verb == "start":
            return self._start_child(instance, op.what)
        elif op.verb == "stop":
            return self._stop_child(instance, op.what)
        else:
            return self._restart_child(instance, op.what)
        return None

    def _fail(self, node: Node, error: Error, asked: int | None) -> None:
        if asked is not None and not error.is_base:
            self.answers[asked] = error.name
            return
        instance = node.instance
        self._put_stop_back(instance)
        resumes = False
        if node.keeper is not None:
            resumes = error.directive is Directive.RESUME and instance.error is None
            if not resumes:
                self._post_end(node, error)
        if not resumes:
            self._end_children(instance)
            if node.keeper is None:
                self._mark_stopped(node, error)
            else:
                node.held = node.shut = True
                self._forget_watches(instance)
        if asked is not None:
            self.answers[asked] = "ActorDeadError"
        if resumes:
            return
        self.notes.append(f"fail {instance}")
        if node.keeper is None:
            self._abandon(node, error)

    def _end(self, node: Node, instance: _Instance, asked: int | None) -> None:
        if node.keeper is None:
            self._mark_stopped(node, None)
        self.notes.append(f"stop {instance}")
        if asked is not None:
            self.answers[asked] = "True"
        if node.keeper is None:
            self._abandon(node, None)
        else:
            node.held = node.shut = True
            self._forget_watches(instance)
            self._post_end(node, None)

    def _post_end(self, node: Node, error: Error | None) -> None:
        directive = Directive.RESTART if error is None else error.directive
        node.over = _Ended(node, node.instance, error, directive)
        assert node.keeper is not None
        self._post(node.keeper.instance, node.over)

    def _post(self, keeper: _Instance, message: _Ended | _Call) -> None:
        node = keeper.node
        if keeper is node.instance and not node.closed:
            self._put(node, _Mail(message), system=True)

    # Watching.

    def _watch(self, instance: _Instance, watched: Node) -> None:
        if watched in instance.watches:
            return
        if not watched.alive:
            self._put(instance.node, _Mail(_Terminated(watched, watched.error)))
            return
        instance.watches.append(watched)
        watched.watchers.append(instance)

    def _unwatch(self, instance: _Instance, watched: Node) -> None:
        if watched in instance.watches:
            instance.watches.remove(watched)
            watched.watchers.remove(instance)

    def _forget_watches(self, instance: _Instance) -> None:
        for watched in list(instance.watches):
            self._unwatch(instance, watched)

    def _mark_stopped(self, node: Node, error: Error | None) -> None:
        self._forget_watches(node.instance)
        if not node.alive:
            return
        node.alive, node.error = False, error
        watchers, node.watchers = node.watchers, []
        for watcher in watchers:
            watcher.watches.remove(node)
            self._put(watcher.node, _Mail(_Terminated(node, error)))

    # Beginning and ending of instances.

    def _make(self, plan: Plan, keeper: Node | None, before: Node | None = None) -> Node:
        self._made[plan.name] += 1
        number = self._made[plan.name]
        self.notes.append(f"make {plan.name}{number}")
        if number in plan.unmade:
            raise CannotBeMadeError(Error("Boom", plan.illness))
        node = Node(plan, keeper) if before is None else before
        if before is None:
            node.held = node.shut = keeper is not None
        node.instance = _Instance(node, number)
        if plan.is_generous:
            self.known.append(node)
        return node

    def _begin(self, node: Node) -> Error | None:
        instance, plan = node.instance, node.plan
        if plan.children is not None:
            self._at_end[instance] = None
            instance.error = self._begin_children(node, plan.children)
        instance.begun = True
        error = instance.error
        if error is None:
            if plan.is_curious and self.known:
                self._watch(instance, self.known[0])
            if instance.number in plan.ill:
                self.notes.append(f"ill {instance}")
                error = Error("Boom", plan.illness)
            else:
                self.notes.append(f"start {instance}")
                if not plan.is_generous:
                    self.known.append(node)
        if plan.children is not None:
            instance.error = error
            if error is not None:
                self._end_children(instance)
        if error is not None:
            self._forget_watches(instance)
        return error

    def _begin_children(self, node: Node, plans: tuple[Plan, ...]) -> Error | None:
        instance = node.instance
        kept, instance.children = instance.children, {}
        try:
            for plan in plans:
                instance.children[plan.name] = kept[plan.name] if plan.name in kept else self._make(plan, node)
        except CannotBeMadeError as fault:
            instance.children |= {name: child for name, child in kept.items() if name not in instance.children}
            return fault.error
        self._start(instance, list(instance.children.values()))
        return instance.error

    def _start(self, keeper: _Instance, nodes: list[Node]) -> None:
        for node in nodes:
            if keeper.error is not None or keeper.ending:
                return
            if keeper.children.get(node.plan.name) is not node or node.leaving is not None:
                continue
            if not node.down or node.again is not None:
                continue
            error = self._begin_child(node)
            if error is not None:
                self._has_failed(keeper, node, error, error.directive)

    def _begin_child(self, node: Node) -> Error | None:
        node.begun_at = self.now
        before = node.instance
        if before.begun:
            try:
                self._make(node.plan, node.keeper, node)
            except CannotBeMadeError as fault:
                return fault.error
            node.scheduled = False
            self._at_end.pop(before, None)
            if node.plan.children is not None:
                self._inherit(before, node.instance, {plan.name for plan in node.plan.children})
        node.over = None
        error = self._begin(node)
        if error is None:
            node.down = node.held = node.shut = False
            self._wake(node)
        return error

    def _inherit(self, before: _Instance, after: _Instance, names: set[str]) -> None:
        for name, child in before.children.items():
            if name in names and child.leaving is None and not child.is_added:
                child.failures = 0
                after.children[name] = child
            else:
                self._forget(child)
                self._abandon(child, None)
        before.children = {}

    def _down(self, node: Node) -> None:
        self._begin_no_more(node)
        if node.down:
            return
        node.down = True
        if node.over is None:
            instance = node.instance
            self._end_children(instance)
            node.held = node.shut = True
            self.notes.append(f"stop {instance}")
            self._forget_watches(instance)
            self._put_stop_back(instance)

    def _end_children(self, instance: _Instance) -> None:
        for child in reversed(list(instance.children.values())):
            self._down(child)

    def _abandon(self, node: Node, error: Error | None) -> None:
        instance = node.instance
        self._put_stop_back(instance)
        children, instance.children = instance.children, {}
        for child in reversed(list(children.values())):
            self._forget(child)
            self._abandon(child, error)
        self._at_end.pop(instance, None)
        self._mark_stopped(node, error)
        node.closed = True
        left = [*node.system, *node.mail]
        node.system.clear()
        node.mail.clear()
        for mail in left:
            if isinstance(mail.message, _Stop):
                if mail.asked is not None:
                    self.answers[mail.asked] = "True"
            else:
                self._refuse(mail, "ActorDeadError")

    def _put_stop_back(self, instance: _Instance) -> None:
        """A stop is answered once it has been carried out and not before: this instance cannot, the next one may."""
        if instance.stop is not None:
            instance.node.mail.appendleft(instance.stop)
            instance.stop = None

    # Keeping.

    def _has_ended(self, keeper: _Instance, end: _Ended) -> None:
        node = end.node
        if node.down or node.instance is not end.instance:
            return
        node.down = True
        if node.leaving is not None:
            self._has_left(keeper, node, end.error)
        elif end.error is not None:
            self._has_failed(keeper, node, end.error, end.directive)
        elif node.plan.restart is Restart.PERMANENT and not keeper.ending:
            self._restart(keeper, node)
        else:
            self._drop(keeper, node, None)

    def _has_failed(self, keeper: _Instance, node: Node, error: Error, directive: Directive) -> None:
        if keeper.ending or (node.plan.restart is Restart.TEMPORARY and directive is not Directive.ESCALATE):
            directive = Directive.STOP
        if directive is Directive.STOP:
            self._drop(keeper, node, error)
        elif directive is Directive.ESCALATE:
            self._escalate(keeper, error)
        else:
            self._restart(keeper, node)

    def _restart(self, keeper: _Instance, node: Node) -> None:
        plan = keeper.node.plan
        keeper.restarts = [at for at in keeper.restarts if at > self.now - plan.period]
        if len(keeper.restarts) >= plan.max_restarts:
            self._escalate(keeper, _name("RestartsExhaustedError"))
            return
        keeper.restarts.append(self.now)
        if self.now - node.begun_at >= RESET_AFTER:
            node.failures = 0
        wait = min(plan.wait * 2**node.failures, LONGEST_WAIT)
        node.failures += 1
        group = self._group(keeper, node)
        for other in reversed(group):
            self._down(other)
            if other.plan.restart is Restart.TEMPORARY:
                self._drop(keeper, other, None)
        again = _Again([other for other in group if other.plan.restart is not Restart.TEMPORARY])
        for other in again.nodes:
            other.again = again

        def start() -> None:
            due, again.nodes = again.nodes, []
            for other in due:
                other.again = None
            self._start(keeper, due)

        if wait:
            again.timer = _Timer(self.now + wait, lambda: self._post(keeper, _Call(start)))
            self._timers.append(again.timer)
        else:
            self._post(keeper, _Call(start))

    def _group(self, keeper: _Instance, node: Node) -> list[Node]:
        strategy = keeper.node.plan.strategy
        siblings = list(keeper.children.values())
        if strategy is Strategy.ONE_FOR_ONE:
            siblings = [node]
        elif strategy is Strategy.REST_FOR_ONE:
            siblings = siblings[siblings.index(node) :]
        return [other for other in siblings if other is node or not self._goes_anyway(other)]

    def _goes_anyway(self, node: Node) -> bool:
        """Whether there is a reason of its own why it will not just be restarted."""
        if node.leaving is not None:
            return True
        if node.down or node.over is None:
            return False
        will_be_restarted = (
            node.plan.restart is not Restart.TEMPORARY and node.over.directive in (Directive.RESTART, Directive.RESUME)
            if node.over.error is not None
            else node.plan.restart is Restart.PERMANENT
        )
        return not will_be_restarted

    def _escalate(self, keeper: _Instance, error: Error) -> None:
        if keeper.error is not None:
            return
        keeper.error = error
        if keeper.begun:
            self._fail(keeper.node, error, None)
        else:
            self._end_children(keeper)

    def _drop(self, keeper: _Instance, node: Node, error: Error | None) -> None:
        self._forget(node)
        if keeper.children.get(node.plan.name) is node:
            del keeper.children[node.plan.name]
        self._abandon(node, error)

    def _forget(self, node: Node) -> None:
        self._begin_no_more(node)
        if node.overdue is not None:
            node.overdue.is_cancelled = True
            node.overdue = None

    def _begin_no_more(self, node: Node) -> None:
        again, node.again = node.again, None
        if again is not None:
            again.nodes.remove(node)
            if not again.nodes and again.timer is not None:
                again.timer.is_cancelled = True

    # What those that keep others are asked.

    def _start_child(self, keeper: _Instance, plan: Plan) -> Error | None:
        if plan.name in keeper.children:
            return _name("ValueError")
        try:
            node = self._make(plan, keeper.node)
        except CannotBeMadeError as fault:
            return fault.error
        node.is_added = True
        keeper.children[plan.name] = node
        self._start(keeper, [node])
        return None

    def _stop_child(self, keeper: _Instance, name: str) -> Error | None:
        node = keeper.children.get(name)
        if node is None:
            return _name("KeyError")
        if node.leaving is None:
            self._let_go(keeper, node, "kept no longer")
        return None

    def _restart_child(self, keeper: _Instance, name: str) -> Error | None:
        node = keeper.children.get(name)
        if node is None:
            return _name("KeyError")
        if node.leaving is not None:
            return _name("RuntimeError")
        self._down(node)
        node.failures = 0
        self._start(keeper, [node])
        return None

    # Ending with children.

    def _end_next(self, node: Node, instance: _Instance) -> None:
        while instance.children:
            name, child = list(instance.children.items())[-1]
            if child.leaving is not None:
                child.leaving = "then the next one"
                return
            self._let_go(instance, child, "then the next one")
            if name in instance.children:
                return
        stop, instance.stop = instance.stop, None
        self._end(node, instance, None if stop is None else stop.asked)

    def _let_go(self, keeper: _Instance, node: Node, leaving: str) -> None:
        if node.down or node.plan.shutdown == 0:
            self._down(node)
            self._drop(keeper, node, None)
            return
        node.leaving = leaving
        self._put(node, _Mail(_Stop()))
        if node.plan.shutdown is not None:
            call = _Call(lambda: self._is_overdue(keeper, node))
            node.overdue = _Timer(self.now + node.plan.shutdown, lambda: self._post(keeper, call))
            self._timers.append(node.overdue)

    def _is_overdue(self, keeper: _Instance, node: Node) -> None:
        if node.leaving is not None and keeper.children.get(node.plan.name) is node:
            self._down(node)
            self._has_left(keeper, node, None if node.over is None else node.over.error)

    def _has_left(self, keeper: _Instance, node: Node, error: Error | None) -> None:
        leaving = node.leaving
        self._drop(keeper, node, error)
        if leaving == "then the next one":
            self._end_next(keeper.node, keeper)
