"""The phrasebook says the same when each of its runs comes back by replay after every turn.

In a process of its own: what it declares is declared for a whole process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EVICTED = """
from examples.phrasebook import main
from greenroom.testing import TestRuntime, replay_every_prefix

with TestRuntime(evict_after_every_turn=True) as runtime:
    main(runtime)
    assert replay_every_prefix(runtime) > 0
"""


@pytest.mark.slow
@pytest.mark.aside
def test_the_phrasebook_prints_the_same_by_replay_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", EVICTED],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == Path(__file__).with_name("phrasebook.txt").read_text(encoding="utf-8")
