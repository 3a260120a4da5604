"""The messages that wait on disk for one run, and which updates are among them."""

from __future__ import annotations

from ..core.messages import update_id_in

__all__ = ["MailRows"]


class MailRows(dict[int, bytes]):
    """Sequence number of each message → the message; changed by assignment, ``take`` and ``clear`` alone."""

    __slots__ = ("_updates",)

    def __init__(self) -> None:
        super().__init__()
        # Update id → in how many messages it stands; most runs never have one that waits.
        self._updates: dict[str, int] | None = None

    def __setitem__(self, seq: int, data: bytes) -> None:
        super().__setitem__(seq, data)
        update_id = update_id_in(data)
        if update_id is not None:
            if self._updates is None:
                self._updates = {}
            self._updates[update_id] = self._updates.get(update_id, 0) + 1

    def take(self, seq: int) -> None:
        """Forget a message, if it is there."""
        data = super().pop(seq, None)
        update_id = None if data is None else update_id_in(data)
        if update_id is not None and self._updates is not None:
            self._updates[update_id] -= 1
            if not self._updates[update_id]:
                del self._updates[update_id]

    def clear(self) -> None:
        super().clear()
        self._updates = None

    def has_update(self, update_id: str) -> bool:
        """Whether an update of that id waits."""
        return self._updates is not None and update_id in self._updates
