"""The part of the load whose runs are reset, forked and deleted: books that are written in until they are closed, and
slips that are thrown away a while after their end."""

from __future__ import annotations

from greenroom import workflow

from .fates import dice
from .load import effect

__all__ = ["BOOK", "FORK", "KEPT_S", "PAGE", "SLIP", "Book", "is_book", "slip"]

BOOK = "book"
"""How the workflow ids of all of them begin."""

FORK = "book-fork"
"""How those of forks begin."""

PAGE = "book-page"
"""How those of books that are deleted begin."""

SLIP = "book-slip"
"""How those of slips begin."""

KEPT_S = 0.1
"""How long a slip is kept after its end."""


def is_book(workflow_id: str) -> bool:
    """Whether a workflow is one of those here, which are judged by themselves."""
    return workflow_id.startswith(BOOK)


@workflow.defn
class Book:
    """Takes entries until it is told to shut, and returns their tokens in the order in which they came."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self.is_shutting = False

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: self.is_shutting and workflow.all_handlers_finished())
        return self.entries

    @workflow.signal
    async def entry(self, token: str) -> None:
        """What is done for a token."""
        self.entries.append(token)
        match dice(token) % 4:
            case 0:
                await workflow.execute_activity(effect, token)
            case 1:
                await workflow.sleep(dice(token) % 40 / 1000)
            case _:
                pass

    @workflow.signal
    def shut(self, token: str) -> None:
        """Return once no handler is at work."""
        self.entries.append(token)
        self.is_shutting = True


@workflow.defn
async def slip(token: str) -> str:
    """Leaves an effect and is done with."""
    return await workflow.execute_activity(effect, token)
