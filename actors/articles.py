"""Which article a noun has in a message: what users name their types, and what Python has named its own."""

from __future__ import annotations

import re

__all__ = ["with_article"]

# By the sound: an int, an UpdateHandler, but a UUID and a user.
# The pattern is a string: it is compiled for the first message, which most processes never have.
_OPEN = r"(?i)_*(?:[aei]|o(?!ne)|u(?!ni|[irstu]))"


def with_article(noun: str) -> str:
    """``an int``, ``a str``."""
    return f"{'an' if re.match(_OPEN, noun) else 'a'} {noun}"
