"""The tree of exceptions: every one explains itself, travels between processes and has its place in the drawing."""

from __future__ import annotations

import asyncio
import copy
import pickle
import re
from datetime import timedelta

import pytest

from greenroom.runtime.model import errors
from greenroom.runtime.model.errors import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    GreenroomError,
    InvalidWorkflowError,
    JournalCorruptError,
    JournalInUseError,
    MailboxFullError,
    NondeterminismError,
    NotRegisteredError,
    PayloadDecodeError,
    PayloadTooLargeError,
    RetryState,
    RuntimeClosedError,
    TimeoutError,
    TimeoutType,
    WorkflowAlreadyStartedError,
    WorkflowClosedError,
    WorkflowFailureError,
    WorkflowNotFoundError,
    WorkflowSuspendedError,
    WorkflowUpdateLimitError,
    is_cancelled_exception,
)

EXAMPLES = [
    (ApplicationError("no funds", 1, type="Declined"), "Declined: no funds"),
    (ApplicationError("no funds"), "no funds"),
    (TimeoutError(type=TimeoutType.START_TO_CLOSE), "start-to-close timeout passed"),
    (
        ActivityError(activity_type="charge", activity_id="3", attempt=2, retry_state=RetryState.TIMEOUT),
        "activity 'charge' (3) at attempt 2, TIMEOUT: activity failed",
    ),
    (
        WorkflowAlreadyStartedError("order-1", "r1", "Order"),
        "workflow id 'order-1' is taken by run r1 of 'Order'; use another id, or say what to do with "
        "id_conflict_policy= or id_reuse_policy=",
    ),
    (
        NotRegisteredError("activity", "charge", ["charge_card", "refund"]),
        "no activity named 'charge' (declared: 'charge_card', 'refund'); declare it with @activity.defn or pass "
        "activities=[…] to Runtime, an instance if it is a method",
    ),
    (
        NotRegisteredError("signal", "stop"),
        "no signal named 'stop' (declared: none); declare it with @workflow.signal or set it with "
        "workflow.set_signal_handler",
    ),
    (InvalidWorkflowError("Order", ["no run"]), "Order: no run"),
    (InvalidWorkflowError("Order", ["no run", "two inits"]), "Order: 2 problems\n  - no run\n  - two inits"),
    (PayloadDecodeError("args[0]", "a str"), "args[0]: a str"),
    (
        PayloadTooLargeError(3_000_000, 2_097_152),
        "a payload of 3,000,000 bytes is over the limit of 2,097,152; store the data elsewhere and pass a reference, "
        "or raise the limit: Runtime(…, converter=Converter(limit=…))",
    ),
    (
        WorkflowNotFoundError("w"),
        "no workflow 'w' in this journal, or it was deleted; check the id, and the journal",
    ),
    (
        WorkflowClosedError("w", "r", "COMPLETED"),
        "workflow 'w' (run r) has ended (COMPLETED); result() and fetch_history() still work",
    ),
    (
        WorkflowUpdateLimitError("w", "r", 1000),
        "workflow 'w' (run r) has 1,000 updates under way, as many as a run may; nothing was taken, try again when "
        "some have ended, or allow more with Runtime(max_updates_in_flight=)",
    ),
    (
        WorkflowUpdateLimitError("w", "r", 1000, is_total=True),
        "workflow 'w' (run r) has taken 1,000 updates, as many as a run may; try again a little later, in case it goes "
        "on as new, or have it go on with workflow.continue_as_new() when info().is_continue_as_new_suggested() says "
        "so, or allow more with Runtime(max_updates=)",
    ),
    (
        WorkflowUpdateLimitError("w", "r", 1000, is_retryable=False, is_total=True),
        "workflow 'w' (run r) has taken 1,000 updates, as many as a run may; have it go on with "
        "workflow.continue_as_new() when info().is_continue_as_new_suggested() says so, or allow more with "
        "Runtime(max_updates=)",
    ),
    (
        MailboxFullError("w", 10_000),
        "the mailbox of workflow 'w' is full (10,000 messages); nothing was taken, try again later",
    ),
    (
        JournalInUseError("/j", 7, "host"),
        "journal /j is in use (by process 7 on host); close that runtime first, or give this one a journal of its own",
    ),
    (
        RuntimeClosedError(was_open=True),
        "this call needs an open runtime, and its own has been closed, or has crashed, since; get a new handle from "
        "one that is open, with get_workflow_handle(id), nothing in its journal is lost",
    ),
    (JournalCorruptError("/j"), "journal /j is damaged; run the journal check to see how far, and restore a backup"),
]


@pytest.mark.parametrize(("error", "message"), EXAMPLES, ids=lambda value: type(value).__name__)
def test_a_message_is_made_from_the_facts(error: GreenroomError, message: str) -> None:
    assert str(error) == message


@pytest.mark.parametrize("error", [error for error, _ in EXAMPLES], ids=lambda error: type(error).__name__)
def test_an_error_travels_between_processes_with_its_facts(error: GreenroomError) -> None:
    for found in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301  # our own bytes
        assert type(found) is type(error)
        assert str(found) == str(error)
        assert vars(found) == vars(error)


def test_the_cause_of_an_error_travels_with_it() -> None:
    error = WorkflowFailureError("w", "r", cause=ApplicationError("no funds"))

    found = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes

    assert str(found) == "workflow 'w' (run r) did not complete: no funds"


def test_the_drawing_of_the_tree_shows_every_error_in_its_place() -> None:
    drawn: dict[str, str] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"    ([│├└─ ]*)([A-Z]\w+Error)\b", line)
        if match:
            depth = len(match[1]) // 4
            above[depth:] = [match[2]]
            drawn[match[2]] = above[depth - 1] if depth else "Exception"

    real = {
        name: cls.__bases__[0].__name__
        for name, cls in ((name, getattr(errors, name)) for name in errors.__all__)
        if isinstance(cls, type) and issubclass(cls, Exception)
    }
    assert drawn == real


def test_all_names_are_sorted_and_documented() -> None:
    assert sorted(errors.__all__) == list(errors.__all__)
    assert all(getattr(errors, name).__doc__ for name in errors.__all__)


def test_a_nondeterminism_error_shows_both_sides_and_both_versions() -> None:
    error = NondeterminismError(
        "w",
        "r",
        4,
        ["activity 'a'  app.py:7", "timer 2"],
        ["activity 'b'  app.py:9"],
        recorded_python="3.11",
        running_python="3.12",
        site="app.py:9",
    )

    assert str(error).splitlines() == [
        "workflow 'w' (run r) is not deterministic at turn 4",
        "    in the history         | asked for by the code",
        "  ! activity 'a'  app.py:7 | activity 'b'  app.py:9",
        "  ! timer 2                | (nothing)",
        "The history was written by Python 3.11 and replayed by 3.12, whose asyncio may order tasks differently.",
        'Wrap the new code (at app.py:9) in `if workflow.patched("…"):` and keep the old in its else branch, or bring '
        "the old code back; then resume the run. If nothing was changed: does a query, a validator or a wait condition "
        "change the run, or does the code ask for what differs between processes? TestRuntime finds both.",
    ]


def test_an_application_error_shows_its_type() -> None:
    assert repr(ApplicationError("no funds", type="CardError")) == "<ApplicationError: CardError: no funds>"


def test_a_nondeterminism_error_says_what_the_code_raised_instead() -> None:
    error = NondeterminismError("w", "r", 0, ["timer 1"], [], raised="KeyError: 'milk'")

    assert str(error).splitlines()[3:-1] == ["In this turn the code raised KeyError: 'milk'"]


def test_what_to_do_with_a_suspended_workflow_stands_below_a_reason_of_several_lines() -> None:
    error = WorkflowSuspendedError("w", "r", "NondeterminismError: no\n  ! a | b")

    assert str(error).splitlines() == [
        "workflow 'w' (run r) is suspended: NondeterminismError: no",
        "  ! a | b",
        "describe() has the traceback; mend the code, and open the journal again with it or call resume()",
    ]


def test_who_has_suspended_a_workflow_is_not_sent_to_look_for_a_bug() -> None:
    error = WorkflowSuspendedError("w", "r", "suspended by request: audit", is_by_request=True)

    assert str(error) == "workflow 'w' (run r) is suspended by request: audit; resume() lets it go on"


def test_a_patch_that_was_deprecated_too_early_is_named() -> None:
    error = NondeterminismError("w", "r", 1, ["activity 'a'"], ["activity 'b'"], site="app.py:9", too_early="faster")

    assert str(error).splitlines()[3:] == [
        "The run came there before `workflow.patched('faster')` did, or was told False: "
        "workflow.deprecate_patch('faster') is a step too early for it. Bring back `if workflow.patched('faster'):` "
        "with the old code in its else branch until no such run is left; then resume the run. If it is another change "
        "that differs (at app.py:9), that one needs a patch too."
    ]


def test_an_activity_error_shows_what_failed_and_why_wherever_it_is_printed() -> None:
    error = ActivityError(activity_type="charge", activity_id="3", attempt=2)
    error.__cause__ = ApplicationError("no funds", type="CardError")

    failed = "activity 'charge' (3) at attempt 2: activity failed: CardError: no funds"
    assert str(error) == failed
    assert repr(error) == f"<ActivityError: {failed}>"
    assert failed in str([error])


def test_a_suspended_workflow_names_the_update_that_is_kept() -> None:
    error = WorkflowSuspendedError("w", "r", "TypeError: x", update_id="u7")

    assert "(update 'u7' is kept)" in str(error)
    assert "resume()" in str(error)


def test_a_number_of_seconds_is_a_retry_delay() -> None:
    assert ApplicationError("x", next_retry_delay=1.5).next_retry_delay == timedelta(seconds=1.5)


def test_a_cancellation_is_known_under_an_activity_or_child_but_not_under_another_failure() -> None:
    def caused(error: GreenroomError, cause: BaseException) -> GreenroomError:
        error.__cause__ = cause
        return error

    assert is_cancelled_exception(asyncio.CancelledError())
    assert is_cancelled_exception(CancelledError())
    assert is_cancelled_exception(caused(ActivityError(), CancelledError()))
    assert is_cancelled_exception(caused(ChildWorkflowError(), CancelledError()))
    assert not is_cancelled_exception(caused(ChildWorkflowError(), caused(ActivityError(), CancelledError())))
    assert not is_cancelled_exception(caused(ApplicationError("x"), CancelledError()))
    assert not is_cancelled_exception(ActivityError())
    assert not is_cancelled_exception(None)


@pytest.mark.parametrize(
    "error",
    [
        errors.InternalError("a turn without a number"),
        errors.JournalFullError("/j", "No space left on device"),
        errors.ReadOnlyContextError("workflow.sleep()", "a query"),
        errors.RuntimeClosedError("start_workflow"),
        errors.WorkflowContinuedAsNewError("w", "r", "r2"),
        errors.WorkflowQueryFailedError("w", "status", "no handler"),
        errors.WorkflowUpdateFailedError("w", "add", "u1", cause=ApplicationError("full")),
        errors.NondeterministicCallError(
            "time.sleep", "app.py:7", "holds up every workflow", "await workflow.sleep(…)"
        ),
        errors.NotInActivityError("activity.info()"),
        errors.InWorkflowError(),
        errors.NotInWorkflowError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_fact_is_in_the_message(error: GreenroomError) -> None:
    for fact in error.args:
        assert str(fact) in str(error)
    assert pickle.loads(pickle.dumps(error)).args == error.args  # noqa: S301  # our own bytes
