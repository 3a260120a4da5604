"""What the tests of the model share."""

from __future__ import annotations

import pytest

from greenroom.runtime.model.payloads import Converter


@pytest.fixture
def converter() -> Converter:
    return Converter()
