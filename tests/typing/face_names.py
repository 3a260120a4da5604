"""What type checkers make of names that a package does not have. Nothing here runs.

Each ``type: ignore`` is a claim that both checkers refuse the line: where one of them does not, it reports the comment.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import greenroom
import greenroom.actors
import greenroom.storage
import greenroom.testing


def there_is_no_such_name() -> None:
    greenroom.Runtimes()  # type: ignore[attr-defined]
    greenroom.actors.Actors()  # type: ignore[attr-defined]
    greenroom.storage.Journals()  # type: ignore[attr-defined]
    greenroom.testing.TestRuntimes()  # type: ignore[attr-defined]
