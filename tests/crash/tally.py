"""What a part of the run has done and found; parts are added up to the table at the end."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Tally"]


class Tally(NamedTuple):
    """Counts of one part.

    Args:
        name: the row of the table.
        tried: kills, images or controls that were wanted.
        done: those that came about.
        promises: acknowledgements and effects that were held against journals.
        findings: broken promises, with what is needed to see them again.
    """

    name: str
    tried: int
    done: int
    promises: int
    findings: list[str]

    def row(self) -> str:
        """One line of the table."""
        verdict = "ok" if not self.findings else f"{len(self.findings)} findings"
        return f"{self.name:<44} {self.done:>6} of {self.tried:<6} {self.promises:>9}  {verdict}"
