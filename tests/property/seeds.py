"""Which seeds run where coverage is measured, which takes its time, and which beside it."""

from __future__ import annotations

from typing import Any

import pytest

__all__ = ["seeds"]


def seeds(measured: int, count: int) -> list[Any]:
    """Parameters for ``count`` tests, the first of them measured."""
    return [*range(measured), *(pytest.param(seed, marks=pytest.mark.aside) for seed in range(measured, count))]
