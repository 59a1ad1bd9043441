"""A gateway that runs, and backends that talk to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateway.server import GatewayServer
from tests.notifications.backends.gateways import SECRETS


@pytest.fixture
def gateway() -> Iterator[GatewayServer]:
    with GatewayServer() as server:
        yield server


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
