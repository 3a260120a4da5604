"""What the check has seen of one run while its rows go by."""

from __future__ import annotations

from .codec import chain_start
from .records import RunHeader

__all__ = ["SeenRun"]


class SeenRun:
    """A run, as far as it was walked."""

    def __init__(self, run_no: int) -> None:
        self.run_no = run_no
        self.header: RunHeader | None = None
        self.has_header = False
        self.is_deleted = False
        self.turns = 0
        self.crc = chain_start(run_no)
        self.is_chain_broken = False
        self.items = 0
        self.open_updates = 0
