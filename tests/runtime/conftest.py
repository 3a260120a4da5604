"""What tests of the runtime share."""

from __future__ import annotations

from typing import Any

import pytest

from greenroom.runtime import workflow_declarations
from greenroom.runtime.model.registry import Registry


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> Registry[Any]:
    """What is declared in the test, apart from what is declared in the process."""
    registry: Registry[Any] = Registry("workflow", is_listed=False)
    monkeypatch.setattr(workflow_declarations, "workflows", registry)
    return registry
