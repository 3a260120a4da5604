"""What is declared is found by its name, and by names that it had before; no two may go by one."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from greenroom import InvalidActivityError, InvalidWorkflowError, RawValue, activity, workflow
from greenroom.runtime.model.activity_definition import ActivityDefinition, define_activity
from greenroom.runtime.model.definitions import define_function
from greenroom.runtime.model.registry import Registry


def definition(name: str, *aliases: str) -> ActivityDefinition:
    def work() -> None:
        """Never called."""

    work.__qualname__ = f"of {name}, {aliases}"
    return define_activity(work, name=name, aliases=aliases)


def test_a_definition_is_found_by_each_of_its_names() -> None:
    renamed = definition("charge_card", "charge", "pay")
    registry = Registry("activity", [renamed])

    assert [registry.find(name) for name in ("charge_card", "charge", "pay", "pays")] == [*[renamed] * 3, None]
    assert registry.get("pay") is renamed
    assert registry.names() == ["charge_card"]


def test_what_goes_by_a_name_goes_before_the_dynamic_one() -> None:
    async def work() -> None:
        """Never called."""

    async def anything(args: Sequence[RawValue]) -> None:
        """Never called."""

    renamed = define_function(work, name="new", aliases=("old",), failure_exception_types=())
    catch_all = define_function(anything, name=None, is_dynamic=True, failure_exception_types=())
    registry = Registry("workflow", [catch_all, renamed])

    for find in (registry.get, registry.find):
        assert [find(name) for name in ("new", "old", "another")] == [renamed, renamed, catch_all]


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (("a", "x"), ("x",), "go by 'x', which is an alias of .* and the name of"),
        (("x",), ("a", "x"), "go by 'x', which is the name of .* and an alias of"),
        (("a", "x"), ("b", "x"), "go by 'x', which is an alias of .* and an alias of"),
        (("a",), ("a", "x"), "are named 'a'"),
    ],
)
def test_two_that_are_listed_cannot_go_by_one_name(first: tuple[str, ...], second: tuple[str, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Registry("activity", [definition(*first), definition(*second)])


def test_of_two_that_are_declared_the_later_one_takes_the_name_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry: Registry[ActivityDefinition] = Registry("activity", is_listed=False)
    registry.add(definition("old"))

    with caplog.at_level(logging.WARNING):
        registry.add(renamed := definition("new", "old"))

    assert registry.find("old") is renamed
    assert registry.names() == ["new"]
    assert "the activity 'old' of" in caplog.text
    registry.add(again := definition("old"))
    assert registry.find("old") is again
    assert registry.find("new") is renamed


def test_a_definition_that_is_declared_anew_without_an_alias_has_lost_it() -> None:
    registry: Registry[ActivityDefinition] = Registry("activity", is_listed=False)
    registry.add(definition("new", "old"))

    registry.add(definition("new"))

    assert registry.find("old") is None


async def work() -> None:
    """Never called."""


@pytest.mark.parametrize(
    ("aliases", "error", "words"),
    [
        ("old", TypeError, r"aliases is 'old'; give a list of names, as in aliases=\['old'\]"),
        ([""], ValueError, "alias of a workflow is empty"),
        ([7], TypeError, "alias of a workflow is an int"),
        (["work"], InvalidWorkflowError, "the alias 'work' is its name"),
    ],
)
def test_aliases_of_a_workflow_are_checked(aliases: list[str], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        workflow.defn(aliases=aliases)(work)


def test_the_own_name_of_a_class_is_no_alias_of_it() -> None:
    with pytest.raises(InvalidWorkflowError, match="the alias 'Work' is its name"):

        @workflow.defn(aliases=["Work"])
        class Work:
            @workflow.run
            async def run(self) -> None:
                """Never called."""


@pytest.mark.parametrize(
    ("aliases", "words"),
    [
        ("old", "aliases is 'old'; give a list of names"),
        ([""], "alias of an activity is empty"),
        (["work"], "the alias 'work' is its name"),
    ],
)
def test_aliases_of_an_activity_are_checked(aliases: list[str], words: str) -> None:
    with pytest.raises(InvalidActivityError, match=words):
        activity.defn(aliases=aliases)(work)


def test_a_workflow_that_runs_every_type_has_no_alias() -> None:
    async def every(args: Sequence[RawValue]) -> None:
        """Never called."""

    with pytest.raises(InvalidWorkflowError, match="leave out aliases=, or dynamic="):
        workflow.defn(dynamic=True, aliases=["old"])(every)
