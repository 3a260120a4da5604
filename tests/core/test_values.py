"""Messages and commands are values that come back from their bytes; the rest of the core that stands by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_type_hints

import msgspec
import pytest

from greenroom.runtime import workflow
from greenroom.runtime.core import commands, messages
from greenroom.runtime.core.call_sites import call_site
from greenroom.runtime.core.commands import Command, decode_commands, encode_commands, kind_of
from greenroom.runtime.core.execution import Execution
from greenroom.runtime.core.messages import Message, decode_message, encode_message
from greenroom.runtime.core.origins import Origin, RunReference
from greenroom.runtime.model.copied_run import CopiedRun
from greenroom.runtime.model.failures import Failure, FailureKind
from greenroom.runtime.model.options import ActivityOptions, WorkflowOptions
from tests.core.driving import Drive

FAILURE = Failure(FailureKind.APPLICATION, "wrong")
EXAMPLES: dict[object, object] = {
    str: "text",
    int: 7,
    bytes: b"\x01\x90",
    bool: True,
    Failure: FAILURE,
    Failure | None: FAILURE,
    ActivityOptions: ActivityOptions(summary="s"),
    WorkflowOptions: WorkflowOptions(run_timeout_ns=5),
    messages.WorkflowStarted: messages.WorkflowStarted("t", b"", "w", "r", "r", WorkflowOptions(), "3.11", 0),
    CopiedRun: CopiedRun("w", "r", 3, "why"),
    Origin | None: Origin(attempt=2, last_failure=FAILURE, parent=RunReference("w", "r")),
}


def example(kind: type[msgspec.Struct]) -> msgspec.Struct:
    hints = get_type_hints(kind)
    return kind(*[EXAMPLES[hints[name]] for name in kind.__struct_fields__])


def kinds_in(module: object, base: type[msgspec.Struct]) -> list[type[msgspec.Struct]]:
    found = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, base)]
    return [value for value in found if value is not base]


@pytest.mark.parametrize("kind", kinds_in(messages, Message))
def test_every_message_comes_back_from_its_bytes(kind: type[Message]) -> None:
    message = example(kind)

    assert decode_message(encode_message(message)) == message


@pytest.mark.parametrize("kind", kinds_in(commands, Command))
def test_every_command_comes_back_from_its_bytes(kind: type[Command]) -> None:
    command = example(kind)

    assert decode_commands(encode_commands([command, command])) == [command, command]


def test_kinds_have_the_names_that_stand_on_disk() -> None:
    names = sorted(
        kind_of(command) for kind in kinds_in(commands, Command) if isinstance(command := example(kind), Command)
    )

    assert names == [
        "cancel-activity",
        "cancel-external",
        "cancel-timer",
        "cancel-workflow",
        "complete-update",
        "complete-workflow",
        "continue-as-new",
        "dead-letter-signal",
        "fail-workflow",
        "record-patch",
        "record-side-effect",
        "record-version",
        "request-cancel-activity",
        "request-cancel-child",
        "schedule-activity",
        "signal-external",
        "signal-with-start",
        "start-child",
        "start-timer",
        "upsert-memo",
        "upsert-search-attributes",
    ]


def test_the_errors_of_decoding_say_what_was_expected() -> None:
    with pytest.raises(ValueError, match="not a message"):
        decode_message(b"\xc1")
    with pytest.raises(ValueError, match="not a list of commands"):
        decode_commands(b"\xc1")


def test_a_call_site_is_the_nearest_line_of_the_users_code() -> None:
    file, line = call_site().rsplit(":", 1)

    assert file == "tests/core/test_values.py"
    assert line.isdigit()


def test_a_turn_without_user_code_has_no_call_site(drive: Callable[..., Drive]) -> None:
    run = drive(hearing)

    (letter,) = run.signal("hear", "no number")

    assert letter.site == ""


@workflow.defn
async def hearing() -> None:
    def hear(number: int) -> None:
        """Hears a number."""

    workflow.set_signal_handler("hear", hear)
    await workflow.wait_condition(lambda: False)


def test_code_without_a_file_on_the_path_is_named_as_it_is() -> None:
    site: dict[str, str] = {}

    exec(compile("\n\nsite['at'] = call_site()", "/elsewhere/made.py", "exec"), {"site": site, "call_site": call_site})  # noqa: S102  # a file outside the import path

    assert site["at"] == "/elsewhere/made.py:3"


def test_a_file_whose_name_cannot_be_written_is_named_all_the_same() -> None:
    site: dict[str, str] = {}

    exec(compile("site['at'] = call_site()", "/elsewhere/\udcff.py", "exec"), {"site": site, "call_site": call_site})  # noqa: S102  # as above

    assert site["at"] == "/elsewhere/\\udcff.py:1"


def test_an_execution_has_no_dict_of_its_own() -> None:
    assert not hasattr(Execution.__new__(Execution), "__dict__")
