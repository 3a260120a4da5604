"""The list of deviations names claims of the suite, each once, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from tests.contract.deviations import DEVIATIONS


def test_each_deviation_is_a_claim_of_the_suite() -> None:
    claims = {
        name
        for path in Path(__file__).parent.glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(\s*(?:kind|future_class):", path.read_text("utf-8"), re.MULTILINE)
    }

    names = [deviation.claim for deviation in DEVIATIONS]

    assert len(set(names)) == len(names)
    assert set(names) <= claims
