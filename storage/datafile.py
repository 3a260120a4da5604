"""The first look at an LMDB data file, before the engine maps it: reading past the end of a map kills the process."""

from __future__ import annotations

import os
from struct import Struct
from typing import NamedTuple

from .errors import CorruptError, FormatError
from .location import refusing

__all__ = ["FileFacts", "inspect"]

_MAGIC = 0xBEEFC0DE
_VERSION = 1
_PAGE_HEADER = 16
_LONG_PAGE_HEADER = 24
_SMALLEST_PAGE, _LARGEST_PAGE = 512, 32768

# Source: LMDB 0.9, struct MDB_meta: magic, version, address, map size, two tree records of 48 bytes (the first begins
# with the page size), last page, transaction id.
_META = Struct("=IIQQI92xQQ")
_META_HEAD = Struct("=II")


class FileFacts(NamedTuple):
    """What the newer of the two meta pages says, and how long the file is; sizes in bytes."""

    map_size: int
    used_size: int
    file_size: int


def inspect(path: str) -> FileFacts | None:
    """Read the meta pages of a data file; None if nothing was ever written to it.

    Raises:
        FormatError: it is no LMDB file, or one of another LMDB version.
        CorruptError: its meta pages are damaged or cut off.
        LocationError: it cannot be read.
    """
    with refusing(path):
        try:
            with open(path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                head = file.read(_LARGEST_PAGE + _PAGE_HEADER + _META.size)
        except FileNotFoundError:
            return None
    if not head.strip(b"\0") and size <= 2 * _LARGEST_PAGE:
        return None
    if size < _PAGE_HEADER + _META.size:
        raise CorruptError(path, f"it ends after {size} bytes, within the first meta page")
    first = _meta_at(path, head, 0)
    page_size = first[4]
    if not _SMALLEST_PAGE <= page_size <= _LARGEST_PAGE or page_size & (page_size - 1):
        raise CorruptError(path, f"its page size is {page_size}")
    if size < 2 * page_size:
        raise CorruptError(path, f"it ends after {size} bytes, within the second meta page")
    second = _meta_at(path, head, page_size)
    newest = max(first, second, key=lambda meta: meta[6])
    return FileFacts(newest[3], (newest[5] + 1) * page_size, size)


def _meta_at(path: str, head: bytes, offset: int) -> tuple[int, ...]:
    meta: tuple[int, ...] = _META.unpack_from(head, offset + _PAGE_HEADER)
    if meta[0] != _MAGIC:
        # LMDB 1.0 has a longer page header.
        magic, version = _META_HEAD.unpack_from(head, offset + _LONG_PAGE_HEADER)
        if magic == _MAGIC:
            raise _other_version(path, version)
        raise FormatError(path, "it is not an LMDB file", "choose another directory, or move the file away")
    if meta[1] != _VERSION:
        raise _other_version(path, meta[1])
    return meta


def _other_version(path: str, version: int) -> FormatError:
    why = f"it has LMDB data format {version}, this version reads format {_VERSION}"
    return FormatError(path, why, "open it with the greenroom that wrote it, or upgrade")
