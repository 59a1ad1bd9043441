"""Fixtures for tests of the engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from notifications.backends import memory
from tests.notifications.sending import configure


@pytest.fixture
def gateways(settings: Any) -> Iterator[Any]:
    """Two gateways, `utama` (the default) and `lain`, that keep messages instead of sending them; no pace, no gap."""
    configure(settings)
    memory.clear()
    yield settings
    memory.clear()
