"""A definition that cannot work is refused when it is made, with everything that is wrong with it."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from greenroom.runtime import workflow
from greenroom.runtime.model.activity_definition import define_activity
from greenroom.runtime.model.definitions import define_class, define_function
from greenroom.runtime.model.errors import InvalidWorkflowError, NotRegisteredError
from greenroom.runtime.model.handler_definitions import handler_name, marks_of
from greenroom.runtime.model.registry import Registry, workflows


def reasons_of(cls: type) -> tuple[str, ...]:
    with pytest.raises(InvalidWorkflowError) as caught:
        define_class(cls, name=None, failure_exception_types=())
    return caught.value.reasons


class Everything:
    def __init__(self, *, needed: int) -> None:
        """Needs something."""

    @workflow.run
    def run(self, *, option: int, **more: int) -> None:
        """Is not async."""

    @workflow.signal(name="same")
    def first(self, *, option: int) -> None:
        """Is one handler."""

    @workflow.signal(name="same")
    def second(self, **more: int) -> None:
        """Is another."""

    @workflow.signal(dynamic=True)
    def any_one(self) -> None:
        """Takes no name."""

    @workflow.signal(dynamic=True)
    def any_two(self, *args: Any) -> None:
        """Takes everything."""

    @workflow.init
    def not_init(self) -> None:
        """Is not __init__."""


def test_everything_that_is_wrong_is_listed_at_once() -> None:
    reasons = reasons_of(Everything)

    expected = [
        "run() must be `async def`",
        "run() needs the keyword-only argument 'option'",
        "run() takes **more",
        "first() needs the keyword-only argument 'option'",
        "two handlers for signal 'same'",
        "second() takes **more",
        "any_one() hears every signal and must take the signal's name first",
        "two handlers for catch-all",
        "not_init() is decorated with @workflow.init, which is for __init__",
        "__init__ needs needed",
    ]
    assert all(any(reason.startswith(part) for reason in reasons) for part in expected), reasons
    assert len(reasons) == len(expected)


class NoRun:
    @workflow.signal
    def go(self) -> None:
        """Goes."""


class TwoRuns:
    @workflow.run
    async def one(self) -> None:
        """One."""

    @workflow.run
    async def two(self) -> None:
        """Two."""


class RunAndSignal:
    @workflow.signal
    @workflow.run
    async def run(self) -> None:
        """Both."""


class OtherInput:
    @workflow.init
    def __init__(self, name: str) -> None:
        """Takes something else."""

    @workflow.run
    async def run(self, name: str = "x", count: int = 1) -> None:
        """Takes two."""


class NoInput:
    @workflow.init
    def __init__(self, name: str) -> None:
        """Takes something."""

    @workflow.run
    async def run(self) -> None:
        """Takes nothing."""


@pytest.mark.parametrize(
    ("cls", "reason"),
    [
        (NoRun, "exactly one method must be decorated with @workflow.run (found: none)"),
        (TwoRuns, "exactly one method must be decorated with @workflow.run (found: one(), two())"),
        (RunAndSignal, "run() is decorated with both @workflow.run and @workflow.signal"),
        (OtherInput, "must take what run takes: name='x', count=1"),
        (NoInput, "must take what run takes: nothing"),
    ],
)
def test_a_class_that_cannot_be_a_workflow_says_why(cls: type, reason: str) -> None:
    assert any(reason in each for each in reasons_of(cls))


async def good() -> None:
    """Could be a workflow."""


async def method_outside(self: object) -> None:
    """Looks like a method."""


def not_async() -> None:
    """Is not async."""


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (not_async, "the function must be `async def`"),
        (method_outside, "it is a method"),
        (functools.partial(good), "decorate a class or an async function"),
        (print, "decorate a class or an async function"),
        (5, "decorate a class or an async function"),
    ],
)
def test_what_is_no_async_function_cannot_be_a_workflow(target: Any, reason: str) -> None:
    with pytest.raises(InvalidWorkflowError, match=reason):
        workflow.defn(target)


def test_the_name_is_that_of_the_code_unless_one_is_given() -> None:
    own = define_function(good, name=None, failure_exception_types=())
    given = define_function(good, name="given", failure_exception_types=(ValueError,))

    assert (own.name, own.is_class, own.takes_input, own.handlers) == ("good", False, False, {})
    assert (given.name, given.failure_exception_types) == ("given", (ValueError,))


class Parent:
    @workflow.signal
    def kept(self) -> None:
        """Stays."""

    @workflow.signal
    def dropped(self) -> None:
        """Goes."""

    @workflow.run
    async def run(self) -> None:
        """Runs."""


class Child(Parent):
    dropped = None  # type: ignore[assignment]  # what is tested: a handler that a subclass takes away

    async def run(self) -> None:
        """Runs otherwise."""


def test_a_subclass_keeps_marks_and_can_take_a_handler_away() -> None:
    definition = define_class(Child, name=None, failure_exception_types=())

    assert list(definition.handlers["signal"]) == ["kept"]
    assert definition.run is Child.run


class Inheriting(Parent):
    """Inherits everything."""


def test_an_inherited_run_method_becomes_the_classes_own() -> None:
    definition = define_class(Inheriting, name=None, failure_exception_types=())

    assert definition.run is vars(Inheriting)["run"]
    assert definition.run is not Parent.run
    assert definition.run.__qualname__ == "Inheriting.run"
    assert definition.run.__doc__ == "Runs."
    assert set(marks_of(definition.run)) == {"run"}


def test_a_signal_is_named_by_text_or_by_its_handler() -> None:
    assert handler_name("signal", "text") == "text"
    assert handler_name("signal", Parent.kept) == "kept"


@pytest.mark.parametrize("kind", ["signal", "query", "update"])
def test_a_handler_without_self_is_refused_where_its_class_is_declared(kind: str) -> None:
    declare: Any = getattr(workflow, kind)

    class Wrong:
        @workflow.run
        async def run(self) -> None:
            """The main function."""

    def bare() -> None:
        """Without self."""

    setattr(Wrong, "bare", declare(bare))  # noqa: B010  # no checker lets it be written in the class
    assert reasons_of(Wrong) == ("bare() takes no self: it is called as a method, with the run's own instance first",)


def test_a_dynamic_handler_has_no_name() -> None:
    with pytest.raises(ValueError, match="leave out name="):
        workflow.signal(name="a", dynamic=True)
    with pytest.raises(TypeError, match="pass the name of the one"):
        handler_name("signal", Everything.any_two)
    with pytest.raises(TypeError, match=r"decorate it with @workflow\.signal"):
        handler_name("signal", not_async)


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 500])
def test_names_must_be_fit_for_ids(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        workflow.defn(name=name)
    with pytest.raises(ValueError, match="name"):
        workflow.signal(name=name)


def test_a_declared_workflow_is_registered() -> None:
    declared = workflow.defn(name="model tests: registered")(good)

    assert workflows.get("model tests: registered") is declared.definition
    assert workflows.find("model tests: nobody") is None
    assert "model tests: registered" in workflows.names()


def test_a_registry_knows_the_last_of_each_name_and_lists_them_when_asked_for_another() -> None:
    first = define_function(good, name="a", failure_exception_types=())
    second = define_function(good, name="a", failure_exception_types=())
    registry = Registry("workflow", [first])
    registry.add(second)

    with pytest.raises(NotRegisteredError, match=r"no workflow named 'b' \(declared: 'a'\)"):
        registry.get("b")

    assert registry.get("a") is second
    assert registry.names() == ["a"]


def test_the_log_says_which_of_two_workflows_of_one_name_will_run(caplog: pytest.LogCaptureFixture) -> None:
    async def another() -> None: ...

    registry = Registry("workflow", [define_function(good, name="a", failure_exception_types=())])
    registry.add(define_function(good, name="a", failure_exception_types=()))
    assert caplog.text == ""

    registry.add(define_function(another, name="a", failure_exception_types=()))

    assert "another takes the place of that of" in caplog.text
    assert "good; give one of the two another name with @workflow.defn(name=…)" in caplog.text


def test_the_log_says_which_of_two_activities_of_one_name_will_be_performed(caplog: pytest.LogCaptureFixture) -> None:
    registry = Registry("activity", [define_activity(len, name="count")])
    registry.add(define_activity(sum, name="count"))

    assert "the activity 'count' of builtins.sum takes the place of that of builtins.len" in caplog.text


def test_a_list_with_two_definitions_of_one_name_is_refused() -> None:
    first = define_function(good, name="a", failure_exception_types=())
    second = define_function(good, name="a", failure_exception_types=())

    with pytest.raises(ValueError, match="two workflow definitions are named 'a'"):
        Registry("workflow", [first, second])
