"""What a power cut may leave of a data file: all that was synced, and of the rest any part, in any order, torn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from random import Random
from typing import NamedTuple

from .evidence import Evidence
from .shim import Record

__all__ = ["Image", "cut", "images"]

SECTOR = 512
TRIES = 10

Write = tuple[int, bytes]


class Image(NamedTuple):
    """A data file after a power cut.

    Args:
        position: how many records of the log had come about.
        unsynced: how many writes were not yet safe.
        data: the file.
        is_creating: whether the mark of creation is still there.
    """

    position: int
    unsynced: int
    data: bytearray
    is_creating: bool


class Disk:
    """A disk that has some writes for sure, and others perhaps."""

    def __init__(self) -> None:
        self.sure = bytearray()
        self.unsure: list[Write] = []
        self.creating: tuple[bool, ...] = (True,)

    def take(self, record: Record) -> None:
        """Follow what a process did."""
        match record.kind:
            case b"W":
                self.unsure.append((record.offset, record.data))
            case b"D":
                lay(self.sure, record.offset, record.data)
            case b"S":
                for offset, data in self.unsure:
                    lay(self.sure, offset, data)
                self.unsure.clear()
            case b"U":
                self.creating = (True, False)
            case b"F" if len(self.creating) > 1:
                self.creating = (False,)
            case _:
                pass


def lay(image: bytearray, offset: int, data: bytes) -> None:
    """Write into an image; what lies between its end and the offset becomes zeros."""
    if len(image) < offset:
        image.extend(bytes(offset - len(image)))
    image[offset : offset + len(data)] = data


def cut(sure: bytearray, unsure: Sequence[Write], dice: Random) -> bytearray:
    """One disk image: of each unsure write all, nothing or some sectors, and sometimes in another order.

    One in six is that of a disk that keeps the order and loses the end.
    """
    image = bytearray(sure)
    writes = list(unsure)
    if dice.random() < 1 / 6:
        for offset, data in writes[: dice.randrange(len(writes) + 1)]:
            lay(image, offset, data)
        return image
    if dice.random() < 0.3:
        dice.shuffle(writes)
    for offset, data in writes:
        match dice.randrange(4):
            case 0:
                lay(image, offset, data)
            case 1:
                pass
            case 2:
                # It got as far as this.
                lay(image, offset, data[: dice.randrange(0, len(data) + 1, SECTOR)])
            case _:
                for begin in range(0, len(data), SECTOR):
                    if dice.random() < 0.5:
                        lay(image, offset + begin, data[begin : begin + SECTOR])
    return image


def positions(records: Sequence[Record], count: int, dice: Random) -> list[int]:
    """Where the power is cut: mostly while something is not yet synced; ascending."""
    disk = Disk()
    everywhere: list[int] = []
    unsynced: list[int] = []
    for position, record in enumerate(records, 1):
        disk.take(record)
        (unsynced if disk.unsure else everywhere).append(position)
    wanted = min(len(everywhere), count // 4) if unsynced else count
    chosen = dice.choices(everywhere, k=wanted) if wanted > len(everywhere) else dice.sample(everywhere, wanted)
    return sorted(chosen + dice.choices(unsynced, k=count - wanted)) if unsynced else sorted(chosen)


def images(records: Sequence[Record], count: int, seed: str) -> Iterator[tuple[Image, Evidence]]:
    """Up to ``count`` images of power cuts, no two alike, each with what the world had been told by then.

    The evidence is one object that grows from image to image.
    """
    dice = Random(seed)
    disk, evidence, done = Disk(), Evidence(), 0
    seen: set[tuple[int, bool, bytes]] = set()
    for position in positions(records, count, dice):
        for record in records[done:position]:
            disk.take(record)
            if record.kind == b"M":
                evidence.take(record.data)
        done = position
        for _ in range(TRIES):
            image = Image(position, len(disk.unsure), cut(disk.sure, disk.unsure, dice), dice.choice(disk.creating))
            mark = (position, image.is_creating, blake2b(image.data, digest_size=16).digest())
            if mark not in seen:
                seen.add(mark)
                yield image, evidence
                break
