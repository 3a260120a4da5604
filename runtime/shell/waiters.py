"""Who waits for the outcome of which run, whether the run is in memory or not."""

from __future__ import annotations

from typing import Any

from ...actors import Future

__all__ = ["Waiters"]


class Waiters:
    """Futures of results by run number; used on the dispatcher's thread only."""

    __slots__ = ("_by_run",)

    def __init__(self) -> None:
        self._by_run: dict[int, list[Future[Any]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._by_run.values()))

    def add(self, run_no: int, future: Future[Any]) -> None:
        """Have ``future`` resolved with the outcome of a run."""
        self._by_run.setdefault(run_no, []).append(future)

    def take(self, run_no: int) -> list[Future[Any]]:
        """The futures of one run, which is then forgotten."""
        return self._by_run.pop(run_no, [])

    def take_all(self) -> list[Future[Any]]:
        """Every future, oldest run first."""
        futures = [future for waiting in self._by_run.values() for future in waiting]
        self._by_run.clear()
        return futures
