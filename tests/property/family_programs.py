"""The programs that random families interpret, and what clients do to them meanwhile: plain data, by a seed."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

from greenroom import ChildWorkflowCancellationType, ParentClosePolicy, RetryPolicy

Node = list[Any]

LEAVES = (
    *("ok", "sleep", "sleep", "receive", "receive", "poll", "count", "fail", "fail", "again", "again", "again_later"),
    *("child", "child", "child", "start", "start", "start", "join", "join", "drop", "drop", "greet", "hasty"),
    *("tell", "tell", "ask_to_end", "with_start", "nothing"),
)
CONTAINERS = ("gather", "group", "race", "sequence", "brief", "brief", "shield", "stubborn")
LIMITED = ("brief", "shield")
MAIL = ("mail", "post")
ROOTS = ("a", "b")
IDS = (*ROOTS, "a/0", "a/1", "b/0", "a/0/0", "late")


class Root(NamedTuple):
    """A workflow that a client starts, and how."""

    id: str
    program: list[Node]
    options: dict[str, Any]


class Event(NamedTuple):
    """What a client does to whom, so many seconds after the last event."""

    seconds: float
    kind: str
    target: str
    value: int


class Case(NamedTuple):
    """Some workflows and what happens to them."""

    roots: list[Root]
    events: list[Event]


EVENTS = (
    *("note", "note", "mail", "mail", "mail", "post", "post", "renew", "renew", "book", "book", "book", "query"),
    *("cancel", "terminate", "with_start", "later", "later", "keyed", "keyed", "keyed"),
)


def case(seed: int) -> Case:
    """The workflows of a seed."""
    dice = Random(seed)
    roots = [Root(each, _program(dice, 2), _root_options(dice)) for each in ROOTS[: dice.randint(1, len(ROOTS))]]
    events = [
        Event(0 if dice.random() < 0.3 else _seconds(dice, 5), dice.choice(EVENTS), dice.choice(IDS), number)
        for number in range(dice.randint(0, 10))
    ]
    return Case(roots, events)


def _root_options(dice: Random) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if dice.random() < 0.5:
        options["retry_policy"] = RetryPolicy(maximum_attempts=dice.randint(2, 3))
    if dice.random() < 0.2:
        options["start_delay"] = _seconds(dice, 5)
    return options | _limits(dice)


def _limits(dice: Random) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    if dice.random() < 0.15:
        limits["run_timeout"] = _seconds(dice, 15)
    if dice.random() < 0.1:
        limits["execution_timeout"] = _seconds(dice, 30)
    return limits


def _program(dice: Random, generations: int) -> list[Node]:
    return [_node(dice, 2, generations) for _ in range(dice.randint(1, 5))]


def _node(dice: Random, depth: int, generations: int) -> Node:
    if not depth or dice.random() < 0.7:
        return _leaf(dice, generations)
    kind = dice.choice(CONTAINERS)
    if kind in LIMITED:
        return [kind, _seconds(dice, 8), _node(dice, depth - 1, generations)]
    return [kind, [_node(dice, depth - 1, generations) for _ in range(dice.randint(1, 3))]]


def _leaf(dice: Random, generations: int) -> Node:
    kind = dice.choice(LEAVES)
    match kind:
        case "ok" | "join" | "drop":
            return [kind, dice.randrange(4)]
        case "fail":
            return [kind, dice.randint(1, 3)]
        case "sleep" | "again_later":
            return [kind, _seconds(dice, 6)]
        case "receive":
            return [kind, dice.choice(MAIL), _seconds(dice, 8)]
        case "poll":
            return [kind, dice.choice(MAIL)]
        case "count":
            return [kind, dice.randint(0, 2), _seconds(dice, 8)]
        case "greet":
            return [kind, dice.randrange(4), dice.choice(("note", *MAIL))]
        case "tell":
            return [kind, dice.choice(IDS), dice.choice(("note", "renew", *MAIL))]
        case "ask_to_end":
            return [kind, dice.choice(IDS)]
        case "child" | "start" | "hasty" | "with_start" if not generations:
            return ["sleep", _seconds(dice, 4)]
        case "child" | "start" | "hasty":
            return [kind, _child_options(dice), _program(dice, generations - 1)]
        case "with_start":
            return [kind, dice.choice(IDS), dice.choice(("note", *MAIL)), _program(dice, generations - 1)]
        case _:
            return [kind]


def _child_options(dice: Random) -> dict[str, Any]:
    limits = _limits(dice)
    if dice.random() < 0.15:
        limits["start_delay"] = _seconds(dice, 5)
    return {
        "close": int(dice.choice(tuple(ParentClosePolicy))),
        "cancel": int(dice.choice(tuple(ChildWorkflowCancellationType))),
        "named": dice.random() < 0.8,
        "attempts": dice.choice((0, 0, 2, 3)),
        "limits": limits,
    }


def _seconds(dice: Random, most: float) -> float:
    return round(dice.uniform(0.001, most), 3)
