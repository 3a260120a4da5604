"""A turn and its record: what was decided becomes bytes, and bytes become what was decided."""

from __future__ import annotations

from ...storage import Turn
from ..core.commands import Command, decode_commands, encode_commands
from ..core.messages import Message, decode_message, encode_message

__all__ = ["MAX_COMMANDS", "MAX_RECORD", "TurnTooLargeError", "decode_turn", "encode_turn"]

MAX_COMMANDS = 10_000
MAX_RECORD = 8 * 1024 * 1024


class TurnTooLargeError(Exception):
    """A turn asks for more than a record may hold."""


def encode_turn(message: Message, commands: list[Command]) -> tuple[bytes, bytes]:
    """The two halves of a turn's record.

    Raises:
        TurnTooLargeError: more than 10,000 commands, or more than 8 MiB.
    """
    if len(commands) > MAX_COMMANDS:
        raise TurnTooLargeError(
            f"one turn asked for {len(commands):,} things, the limit is {MAX_COMMANDS:,}; "
            "wait for some before asking for more"
        )
    halves = encode_message(message), encode_commands(commands)
    size = len(halves[0]) + len(halves[1])
    if size > MAX_RECORD:
        raise TurnTooLargeError(
            f"one turn takes {size:,} bytes, the limit is {MAX_RECORD:,}; "
            "pass references to large values, or ask for less at once"
        )
    return halves


def decode_turn(turn: Turn) -> tuple[Message, list[Command]]:
    """The message and the commands of a stored turn.

    Raises:
        ValueError: they are of kinds that this release does not know.
    """
    return decode_message(turn.message), decode_commands(turn.commands)
