"""Whether this process is one that ``multiprocessing`` is still preparing: it imports the script of its parent."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["refuse_while_prepared"]


def refuse_while_prepared() -> None:
    """Refuse to do here what the script of the parent does, or its whole job would begin once more.

    Raises:
        RuntimeError: this process is being prepared.
    """
    # Without the module there is no such process.
    loaded: Any = sys.modules.get("multiprocessing.process")
    # It refuses to start further processes by the same sign.
    if loaded is not None and getattr(loaded.current_process(), "_inheriting", False):
        raise RuntimeError(
            "a process that is started imports this script, which would open a runtime there too; keep what the script "
            "does under if __name__ == '__main__':"
        )
