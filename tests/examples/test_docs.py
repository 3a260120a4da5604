"""The pages of docs/ name what is there: files, links, and every field of every record on disk."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from greenroom.runtime.core import commands, messages
from greenroom.runtime.core.commands import Command
from greenroom.runtime.core.messages import Message
from greenroom.storage import Attempt, DeadLetter, Mail, Meta, RunHeader, SignalKey, Timer, Tree, Turn
from greenroom.storage.codec import chain_start, encode_turn
from greenroom.storage.keys import TURN_KEY, Kind

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(str(path.relative_to(ROOT)) for path in [*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"])
FORMAT = (DOCS / "storage-format.md").read_text(encoding="utf-8")


def first_column(heading: str) -> list[str]:
    """The code words that begin the rows of the table under a heading."""
    section = FORMAT.partition(f"\n{heading}\n")[2].partition("\n#")[0]
    return re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_a_link_leads_to_a_file_that_is_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)

    assert [target for target in targets if not (ROOT / page).parent.joinpath(target).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_line_is_short_enough_to_be_read_as_text(page: str) -> None:
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()

    assert [number for number, line in enumerate(lines, 1) if len(line) > 130] == []


def test_the_architecture_names_only_files_that_are_there() -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:actors|greenroom|runtime|storage)/[\w/]+\.py)`", text)

    assert len(named) > 50
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_the_architecture_names_every_file_of_the_library() -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    folders = ("actors", "greenroom", "greenroom/testing", "runtime", "runtime/core", "runtime/model", "runtime/shell")
    files = [path.relative_to(ROOT) for folder in (*folders, "storage") for path in (ROOT / folder).glob("*.py")]

    assert [str(path) for path in files if path.name != "__init__.py" and f"`{path}`" not in text] == []


@pytest.mark.parametrize("record", [Meta, RunHeader, Mail, Attempt, Timer, SignalKey, DeadLetter])
def test_the_format_lists_the_fields_of_a_record_in_their_order(record: type) -> None:
    fields: tuple[str, ...] = getattr(record, "_fields", ())

    assert first_column(f"### {record.__name__}") == list(fields)


def test_the_format_lists_the_fields_of_a_turn_that_are_in_its_body() -> None:
    assert first_column("### Turn") == [name for name in Turn._fields if name not in ("turn_no", "crc")]


@pytest.mark.parametrize(("parent", "module"), [(Message, messages), (Command, commands)])
def test_the_format_lists_every_message_and_command_by_its_name_on_disk(parent: type, module: object) -> None:
    kinds = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, parent)]
    names = {str(kind.__struct_config__.tag) for kind in kinds if issubclass(kind, (Message, Command))}

    assert names - {"None"} <= set(first_column("## Messages and commands"))


def test_the_format_lists_every_tree() -> None:
    listed = set(first_column("## Trees and keys"))

    assert listed == {tree.name.lower() for tree in Tree}


def test_the_turn_shown_byte_by_byte_is_what_the_codec_writes() -> None:
    shown = FORMAT.partition("## One turn, byte by byte")[2].partition("```text\n")[2].partition("```")[0]
    key, _, value = shown.partition("\n\n")
    digits = [re.split(r" {3,}", line.strip())[0].replace(" ", "") for line in value.splitlines()]
    data = bytes.fromhex("".join(digits))
    time_ns, halves = 1_700_000_000_000_000_000, data[data.index(b"\xc4\x17") :]
    message, commands_ = halves[2 : 2 + 0x17], halves[2 + 0x17 + 2 : -4]

    written, _ = encode_turn(chain_start(1), time_ns, message, commands_)

    assert bytes.fromhex(re.split(r" {3,}", key)[0].replace(" ", "")) == TURN_KEY.pack(1, Kind.TURN, 0)
    assert data == written
    assert messages.decode_message(message) == messages.SignalReceived("greet", b"\x01\x91\xa3Ada")
    assert [command.name for command in commands.decode_commands(commands_)] == ["greet"]


def test_the_list_of_decisions_has_each_of_them_by_its_title() -> None:
    decisions = DOCS / "decisions"
    text = (decisions / "README.md").read_text(encoding="utf-8")
    files = dict(re.findall(r"^\[(\d+)\]: (.+)$", text, re.MULTILINE))

    listed = {
        files.get(number): f"# {number}. {title}"
        for number, title, target in re.findall(r"^\* (\d+): \[(.+)\]\[(\d+)\]$", text, re.MULTILINE)
        if number == target
    }

    assert listed == {
        path.name: path.read_text(encoding="utf-8").partition("\n")[0] for path in decisions.glob("[0-9]*.md")
    }


def test_the_glossary_has_each_word_once_and_in_order() -> None:
    words, temporal = (DOCS / "glossary.md").read_text(encoding="utf-8").split("\n## ")[1:]

    for table in (words, temporal):
        listed = [row.lower() for row in re.findall(r"^\| ([^|]+) \| ", table, re.MULTILINE)[1:]]
        assert listed == sorted(set(listed))
