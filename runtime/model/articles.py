"""Which article a noun has in a message: what users name their types, and what Python has named its own."""

from __future__ import annotations

import re

__all__ = ["with_article"]

# By the sound: an int, an UpdateHandler, but a UUID and a user.
_OPEN = re.compile(r"_*(?:[aei]|o(?!ne)|u(?!ni|[irstu]))", re.IGNORECASE)


def with_article(noun: str) -> str:
    """``an int``, ``a str``."""
    return f"{'an' if _OPEN.match(noun) else 'a'} {noun}"
