"""Stores whose runs get the same ids in every process, so that their histories can be compared byte by byte."""

from __future__ import annotations

import uuid
from functools import lru_cache
from random import Random

from ..storage import MemoryStore, Meta, Tree
from ..storage.codec import FORMAT, encode
from ..storage.store import META_KEY

__all__ = ["seeded_store"]


def seeded_store(seed: int = 0) -> MemoryStore:
    """A new store in memory; the ids of its runs, and so their random numbers, follow from ``seed`` alone."""
    store = MemoryStore()
    store.commit({Tree.META: {META_KEY: _first_row(seed)}})
    return store


@lru_cache
def _first_row(seed: int) -> bytes:
    # A sweep of crashes begins with the same one hundreds of times.
    name = str(uuid.UUID(int=Random(seed).getrandbits(128), version=4))
    return encode(META_KEY, Meta(FORMAT, name, 0, 0, 1, 1, 0, MemoryStore.engine))
