"""How often something was restarted of late: intensity and period.

**Source:** Erlang/OTP, supervisors: maximum restart intensity.
"""

from __future__ import annotations

from collections import deque

__all__ = ["RestartWindow"]


class RestartWindow:
    """The restarts within a sliding window.

    Args:
        most: how many there may be within the window.
        period_ns: how long the window is.
    """

    __slots__ = ("_at_ns", "_most", "_period_ns")

    def __init__(self, most: int, period_ns: int) -> None:
        self._most = most
        self._period_ns = period_ns
        self._at_ns: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._at_ns)

    def note(self, now_ns: int) -> int | None:
        """Note that there is to be a restart.

        Args:
            now_ns: the time. If it is a wall time that was set back, what is later than it is forgotten.

        Returns:
            How many there were within the window before this one; None if this one would be too many, and it does not
            count then.
        """
        recent = self._at_ns
        while recent and recent[-1] > now_ns:
            recent.pop()
        while recent and recent[0] <= now_ns - self._period_ns:
            recent.popleft()
        if len(recent) >= self._most:
            return None
        recent.append(now_ns)
        return len(recent) - 1
