"""A group of failures is one failure, and a group with a bug in it is what it is."""

from __future__ import annotations

import asyncio

from greenroom.runtime.model.errors import ApplicationError, FailureError
from greenroom.runtime.model.failure_groups import one_failure

KINDS = (FailureError, TimeoutError, asyncio.CancelledError, LookupError)


class Silent(LookupError):
    """An exception that cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_the_only_exception_of_nested_groups_stands_for_them() -> None:
    only = ApplicationError("wrong")

    assert one_failure(ExceptionGroup("outer", [ExceptionGroup("inner", [only])]), KINDS) is only


def test_several_are_named_in_their_order_whatever_they_say() -> None:
    first = TimeoutError()
    group = BaseExceptionGroup("outer", [first, Silent("x"), BaseExceptionGroup("inner", [asyncio.CancelledError()])])

    failure = one_failure(group, KINDS)

    assert isinstance(failure, ApplicationError)
    assert failure.message == "3 failures: TimeoutError; Silent; CancelledError"
    assert (failure.type, failure.cause) == ("BaseExceptionGroup", first)


def test_one_bug_anywhere_leaves_it_as_it_is() -> None:
    group = ExceptionGroup("outer", [ApplicationError("wrong"), ExceptionGroup("inner", [ValueError("a bug")])])

    assert one_failure(group, KINDS) is group
