"""Whatever is raised becomes a failure, and a failure becomes an exception that says the same."""

from __future__ import annotations

import asyncio
import itertools
import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.runtime.model.errors import (
    ActivityError,
    ApplicationError,
    ApplicationErrorCategory,
    CancelledError,
    ChildWorkflowError,
    FailureError,
    PayloadDecodeError,
    RetryState,
    TerminatedError,
    TimeoutError,
    TimeoutType,
    WorkflowAlreadyStartedError,
)
from greenroom.runtime.model.failure_reading import to_exception
from greenroom.runtime.model.failure_writing import MAX_CAUSES, to_failure
from greenroom.runtime.model.failures import Failure
from greenroom.runtime.model.payloads import Converter


class Declined(LookupError):
    pass


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def raised(exc: BaseException) -> BaseException:
    """The exception with a traceback."""
    try:
        raise exc
    except BaseException as err:
        return err


def chained(*excs: BaseException) -> BaseException:
    for outer, inner in itertools.pairwise(excs):
        outer.__cause__ = inner
    return excs[0]


def there_and_back(exc: BaseException, converter: Converter) -> FailureError:
    data = msgspec.msgpack.encode(to_failure(exc, converter))
    return to_exception(msgspec.msgpack.decode(data, type=Failure), converter)


FACTS = [
    ApplicationError(
        "slow down",
        {"after": timedelta(seconds=3)},
        (1, 2),
        type="Busy",
        non_retryable=True,
        next_retry_delay=timedelta(seconds=1.5),
        category=ApplicationErrorCategory.BENIGN,
    ),
    ActivityError(activity_type="a", activity_id="7", attempt=3, retry_state=RetryState.MAXIMUM_ATTEMPTS_REACHED),
    ChildWorkflowError(workflow_type="w", workflow_id="c", run_id="r", attempt=2),
    CancelledError("stop", "reason"),
    TerminatedError("enough", 1),
    TimeoutError(type=TimeoutType.HEARTBEAT, last_heartbeat_details=[{"page": 3}]),
    WorkflowAlreadyStartedError("w", "r", "type"),
    WorkflowAlreadyStartedError("w"),
]


@pytest.mark.parametrize("exc", FACTS, ids=lambda exc: type(exc).__name__)
def test_failures_of_ours_keep_their_class_and_facts(exc: FailureError, converter: Converter) -> None:
    found = there_and_back(exc, converter)

    assert type(found) is type(exc)
    assert {**vars(found), "types": ()} == {**vars(exc), "types": ()}
    assert str(found) == str(exc)


def test_a_class_of_the_user_comes_back_as_an_application_error_with_its_name(converter: Converter) -> None:
    found = there_and_back(Declined("card 7"), converter)

    assert isinstance(found, ApplicationError)
    assert (found.type, found.message, found.non_retryable) == ("Declined", "card 7", False)
    assert found.types == ("Declined", "LookupError", "Exception")


def test_a_subclass_of_application_error_is_named_after_itself_unless_it_says_otherwise(converter: Converter) -> None:
    class Busy(ApplicationError):
        pass

    assert to_failure(Busy("x"), converter).type == "Busy"
    assert to_failure(Busy("x", type="Other"), converter).type == "Other"
    assert to_failure(ApplicationError("x"), converter).type == ""


def test_the_names_of_the_first_exception_survive_every_boundary(converter: Converter) -> None:
    once = there_and_back(Declined("x"), converter)

    assert to_failure(raised(once), converter).types == ("Declined", "LookupError", "Exception")


def test_asyncio_cancellation_is_a_cancellation(converter: Converter) -> None:
    assert isinstance(there_and_back(asyncio.CancelledError(), converter), CancelledError)


def test_causes_come_along_and_so_do_contexts_that_are_not_suppressed(converter: Converter) -> None:
    try:
        try:
            raise Declined("inner")
        except Declined:
            raise ValueError("outer")  # noqa: B904  # the context is the point
    except ValueError as err:
        with_context = err
    suppressed = raised(ValueError("alone"))
    suppressed.__context__ = Declined("hidden")
    suppressed.__suppress_context__ = True

    found = there_and_back(with_context, converter)

    assert isinstance(found.cause, ApplicationError)
    assert found.cause.type == "Declined"
    assert to_failure(suppressed, converter).cause is None


def test_the_stack_shows_the_frames_of_the_user_and_not_ours(converter: Converter) -> None:
    def handler(value: Any) -> None:
        converter.decode(value)

    with pytest.raises(PayloadDecodeError) as caught:
        handler(b"\x07")

    stack = to_failure(caught.value, converter).stack

    assert "in handler" in stack
    assert "converter.decode(value)" in stack
    assert "payloads.py" not in stack


def test_the_stack_of_a_cause_is_shown_once(converter: Converter) -> None:
    failure = to_failure(raised(chained(ValueError("outer"), raised(Declined("inner")))), converter)

    assert failure.cause is not None
    assert "inner" in failure.cause.stack
    assert "inner" not in failure.stack


def test_the_original_stack_is_an_attribute_and_a_note_at_every_distance(converter: Converter) -> None:
    once = there_and_back(raised(Declined("x")), converter)

    twice = there_and_back(raised(once), converter)

    assert "Declined: x" in once.stack
    assert twice.stack == once.stack
    assert once.stack.strip() in twice.__notes__[0]


def test_members_of_an_exception_group_are_in_its_stack(converter: Converter) -> None:
    failure = to_failure(raised(ExceptionGroup("two", [ValueError("one"), Declined("other")])), converter)

    assert failure.type == "ExceptionGroup"
    assert "ValueError: one" in failure.stack


def test_an_exception_without_words_still_gives_a_failure(converter: Converter) -> None:
    failure = to_failure(raised(Mute()), converter)

    assert failure.message == "(str() of this Mute raised RuntimeError)"
    assert failure.type == "Mute"


def test_details_that_cannot_be_encoded_are_left_out_and_the_message_says_so(converter: Converter) -> None:
    found = there_and_back(ApplicationError("x", object()), converter)

    assert isinstance(found, ApplicationError)
    assert found.details == ()
    assert "[details left out: args[0]: object of type 'object' cannot be stored" in found.message


def test_details_over_the_limit_are_left_out_and_the_message_says_so(converter: Converter) -> None:
    failure = to_failure(ApplicationError("x", b"y" * 20_000), converter, limit=10_000)

    assert failure.details == b""
    assert "bytes are too many" in failure.message


def test_details_that_cannot_be_decoded_are_explained(converter: Converter) -> None:
    found = to_exception(msgspec.structs.replace(to_failure(FACTS[0], converter), details=b"\x07"), converter)

    assert isinstance(found, ApplicationError)
    assert "codec 7" in str(found.details[0])


def test_a_nonsensical_delay_does_not_lose_the_failure(converter: Converter) -> None:
    assert to_failure(ApplicationError("x", next_retry_delay=-1), converter).next_retry_delay_ns is None


def test_a_subclass_that_never_called_our_constructor_still_gives_a_failure(converter: Converter) -> None:
    class Broken(ApplicationError):
        def __init__(self) -> None:
            pass

    failure = to_failure(Broken(), converter)

    assert failure.type == "Broken"
    assert failure.message.startswith("(this Broken cannot be described")
    assert not failure.non_retryable


def test_a_subclass_that_never_called_our_constructor_is_as_final_as_its_class_says(converter: Converter) -> None:
    class Declined(ApplicationError):
        non_retryable = True

        def __init__(self, card: str) -> None:
            self.card = card

    assert to_failure(Declined("5"), converter).non_retryable


HUGE: Any = 2**70
OBJECT: Any = object()
NO_UTF8 = "\ud800"


@pytest.mark.parametrize(
    ("exc", "expected"),
    [
        (ApplicationError("x", type=NO_UTF8), {"message": "x", "type": "\\ud800"}),
        (ApplicationError("x", type="t" * 10**6), {"message": "x"}),
        (ApplicationError("x", category=HUGE), {"message": "x", "category": ApplicationErrorCategory.UNSPECIFIED}),
        (ActivityError("x", activity_type=NO_UTF8), {"message": "x", "activity_type": "\\ud800"}),
        (ActivityError("x", activity_type=OBJECT, attempt=HUGE), {"message": "x", "activity_type": "", "attempt": 1}),
        (WorkflowAlreadyStartedError(NO_UTF8), {"workflow_id": "\\ud800"}),
    ],
    ids=["type", "long type", "category", "fact", "no fact", "id"],
)
def test_attributes_that_cannot_be_stored_do_not_lose_the_failure(
    exc: FailureError, expected: dict[str, Any], converter: Converter
) -> None:
    found = there_and_back(exc, converter)

    assert {name: getattr(found, name) for name in expected} == expected
    assert len(str(found)) < 2_000


def test_names_that_cannot_be_stored_do_not_lose_the_failure(converter: Converter) -> None:
    exc = ApplicationError("x")
    exc.types = (NO_UTF8,)

    assert "this ApplicationError cannot be described" in str(there_and_back(exc, converter))


def test_a_circle_of_causes_is_cut(converter: Converter) -> None:
    one, other = ValueError("one"), ValueError("other")
    chained(one, other, one)

    failure = to_failure(one, converter)

    assert failure.cause is not None
    assert failure.cause.cause is not None
    assert failure.cause.cause.message == "the chain of causes is a circle"


def test_a_very_deep_chain_of_causes_is_cut(converter: Converter) -> None:
    failure = to_failure(chained(*(ValueError(str(depth)) for depth in range(10_000))), converter)

    depth = 0
    while failure.cause is not None:
        depth, failure = depth + 1, failure.cause
    assert depth == MAX_CAUSES
    assert failure.message == f"causes beyond {MAX_CAUSES} were left out"


def test_enormous_messages_are_cut(converter: Converter) -> None:
    exc = chained(*(raised(ValueError("x" * 10**6)) for _ in range(10)))

    failure = to_failure(exc, converter, limit=100_000)

    assert len(msgspec.msgpack.encode(failure)) < 110_000
    assert "1,000,000 characters in all]" in failure.message


@given(st.text(st.characters()) | st.text(st.characters(categories=["Cs"])))
def test_any_text_can_be_a_message(text: str) -> None:
    failure = to_failure(raised(ValueError(text)), Converter())

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(failure), type=Failure) == failure


def test_failures_written_before_a_field_was_added_are_read_with_its_default() -> None:
    old = msgspec.msgpack.encode(["application", "x"])

    assert msgspec.msgpack.decode(old, type=Failure).types == ()


def test_a_failure_can_be_shown_as_json(converter: Converter) -> None:
    shown = json.loads(msgspec.json.encode(to_failure(raised(Declined("x")), converter)))

    assert shown[:3] == ["application", "x", "Declined"]
