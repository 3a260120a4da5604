"""Two workflows that signal each other, continue as new and are killed (`make soak-chains`: 100,000 times each)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chains.soak import Plan, Soak

SMALL = Plan(signals=2000, every=100, kill_turns=(2000, 2400), look_every=1)


@pytest.mark.slow
@pytest.mark.aside
def test_no_signal_between_chains_is_lost_or_doubled_whatever_is_killed(tmp_path: Path) -> None:
    soak = Soak(tmp_path, SMALL)

    soak.play()

    assert soak.findings == []
    assert soak.kills >= 3
    assert [chain.runs for chain in soak.chains.values()] == [20, 20]
    assert all(chain.carried for chain in soak.chains.values())


@pytest.mark.slow
@pytest.mark.aside
@pytest.mark.parametrize("fault", ["a carried signal is lost", "a carried signal is doubled"])
def test_a_signal_that_is_not_carried_over_once_is_found(tmp_path: Path, fault: str) -> None:
    soak = Soak(tmp_path, SMALL._replace(signals=200, kill_turns=None, fault=fault))

    soak.play()

    assert any("unread, and it was sent" in finding for finding in soak.findings)
