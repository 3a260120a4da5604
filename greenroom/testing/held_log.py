"""What greenroom logs while a sweep crashes is kept back: it is told only of a crash after which something differs."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Self

__all__ = ["HeldLog"]


class HeldLog(logging.Handler):
    """Within its ``with`` nothing that greenroom logs gets further than here."""

    def __init__(self) -> None:
        super().__init__()
        self._records: list[logging.LogRecord] = []
        self._logger = logging.getLogger("greenroom")
        self._propagated = True

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record.

        Args:
            record: what was logged.
        """
        self._records.append(record)

    def tell(self) -> None:
        """Let what was kept go where it would have gone."""
        # Whoever listens to greenroom itself has heard it already.
        if self._propagated and self._logger.parent is not None:
            for record in self._records:
                self._logger.parent.callHandlers(record)

    def __enter__(self) -> Self:
        self._propagated, self._logger.propagate = self._logger.propagate, False
        self._logger.addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = self._propagated
