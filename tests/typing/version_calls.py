"""What type checkers make of patches, versions and other names. Nothing here runs.

Each ``type: ignore`` is a claim that both checkers refuse the line: where one of them does not, it reports the comment.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from typing import assert_type

from greenroom import PatchActivationInput, Runtime, activity, workflow


def answers_are_bools_and_ints() -> None:
    assert_type(workflow.patched("x"), bool)
    assert_type(workflow.get_version("x", workflow.DEFAULT_VERSION, 2), int)
    workflow.patched(1)  # type: ignore[arg-type]
    workflow.get_version("x", 1)  # type: ignore[call-arg]


def a_callback_gives_a_bool(asking: PatchActivationInput) -> bool:
    return asking.workflow_info.workflow_id == asking.patch_id


def a_callback_that_gives_nothing(asking: PatchActivationInput) -> None:
    """Is refused."""


def a_runtime_takes_a_callback() -> None:
    Runtime("journal", patch_activation_callback=a_callback_gives_a_bool)
    Runtime("journal", patch_activation_callback=a_callback_that_gives_nothing)  # type: ignore[arg-type]


@activity.defn(aliases=["was"])
def renamed(number: int) -> int:
    return number


@workflow.defn(aliases=["was", "had_been"])
async def renamed_too(number: int) -> int:
    return assert_type(await workflow.execute_activity(renamed, number), int)
