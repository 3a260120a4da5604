"""Signatures are resolved when they are first needed, and say why a call could not work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Unpack

import pytest

from greenroom.runtime.model.signatures import Signature


def described(first: Later, second: int = 1, *rest: str, option: bool = False) -> list[Later]:
    return [first]


@dataclass
class Later:
    """Is declared behind the function that names it."""


def endless(*args: int) -> None:
    """Takes anything."""


def untyped(first: Any, second: Any = 1) -> Any:
    return first, second


untyped.__annotations__.clear()


def unresolvable(first: Any, second: int) -> int:
    return second


# A name that only type checkers know: written like this, they need not know it either.
unresolvable.__annotations__["first"] = "Missing"


def nothing() -> None:
    """Takes nothing."""


class Methods:
    def method(self, first: int) -> str:
        return str(first)


def test_types_may_be_declared_further_down() -> None:
    signature = Signature(described)

    assert signature.arg_types == (Later, int, Unpack[tuple[str, ...]])
    assert signature.result_type == list[Later]


def test_what_is_not_annotated_is_any() -> None:
    assert Signature(untyped).arg_types == (Any, Any)
    assert Signature(untyped).result_type is Any


def test_a_name_that_cannot_be_resolved_leaves_one_argument_untyped_and_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    Signature(unresolvable).arg_types  # noqa: B018  # what was told once is not told again
    signature = Signature(unresolvable)

    assert (signature.arg_types, signature.result_type) == ((Any, int), int)
    assert [record.getMessage().partition("; ")[0] for record in caplog.records] == [
        "annotations cannot be resolved, and what they stand for comes as plain data, in unresolvable: first: Missing "
        "(name 'Missing' is not defined)"
    ]


def test_types_can_be_resolved_while_another_thread_waits_in_an_import() -> None:
    resolving, may_go_on, was_let = threading.Event(), threading.Event(), list[bool]()

    class Slow:
        def __class_getitem__(cls, item: Any) -> Any:
            resolving.set()
            was_let.append(may_go_on.wait(10))
            return int

    def slow(first: Any) -> None:
        """Has an annotation that takes its time."""

    slow.__annotations__["first"] = "Slow[0]"
    slow.__globals__["Slow"] = Slow
    thread = threading.Thread(target=lambda: Signature(slow).arg_types)
    thread.start()
    try:
        assert resolving.wait(10)

        types = Signature(described).arg_types
    finally:
        may_go_on.set()
        thread.join()
        del slow.__globals__["Slow"]

    # It was still waiting when the other types were there.
    assert (types[:2], was_let) == ((Later, int), [True])


def test_leading_parameters_can_be_left_out() -> None:
    assert Signature(Methods.method, skip=1).arg_types == (int,)
    assert Signature(Methods().method).arg_types == (int,)
    assert Signature(Methods.method, skip=1).result_type is str


def by_position(one, two: str, *rest): ...  # type: ignore[no-untyped-def]  # that is the claim


def of_its_own(one: bytes, two: Any, *rest: bool) -> bytes:
    return b""


def all_of_them(*args): ...  # type: ignore[no-untyped-def]  # that is the claim


def fewer(one): ...  # type: ignore[no-untyped-def]  # that is the claim


OVERRIDES: list[tuple[Callable[..., Any], tuple[Any, ...], Any]] = [
    (by_position, (Later, str, Unpack[tuple[str, ...]]), list[Later]),
    (of_its_own, (bytes, Any, Unpack[tuple[bool, ...]]), bytes),
    (all_of_them, (Later, int, Unpack[tuple[str, ...]]), list[Later]),
    (fewer, (Later,), list[Later]),
]


@pytest.mark.parametrize(("function", "types", "result"), OVERRIDES)
def test_annotations_that_an_override_leaves_out_are_those_of_what_it_overrides(
    function: Callable[..., Any], types: tuple[Any, ...], result: Any
) -> None:
    signature = Signature(function, declared=Signature(described))

    assert signature.arg_types == types
    assert signature.result_type == result


def test_what_stands_for_the_rest_is_no_type_of_one_argument() -> None:
    fewer_of_them = OVERRIDES[-1][0]

    assert Signature(fewer_of_them, declared=Signature(endless)).arg_types == (Any,)


@pytest.mark.parametrize(
    ("function", "args", "problem"),
    [
        (described, (), "misses first"),
        (described, (1,), None),
        (described, (1, 2, "3", "4"), None),
        (endless, (), None),
        (endless, (1, 2, 3), None),
        (untyped, (1, 2, 3), "takes 2 arguments, 3 were given"),
        (unresolvable, (), "misses first, second"),
        (nothing, (1,), "takes no arguments, 1 were given"),
        (Methods().method, (1, 2), "takes 1 argument, 2 were given"),
    ],
)
def test_a_call_that_could_not_work_says_why(
    function: Callable[..., Any], args: tuple[object, ...], problem: str | None
) -> None:
    signature = Signature(function)

    assert signature.problem_with(args) == problem
    assert signature.problem_with(args) == problem
