"""The database's clock, kept without asking."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from exams.autosave.server_clock import ServerClock

THEN = datetime(2031, 5, 17, 8, 0, tzinfo=UTC)


@pytest.fixture
def monotonic(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the monotonic clock shows; change its only entry to let time pass."""
    shown = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: shown[0])
    return shown


def test_it_shows_the_databases_time_and_goes_on_from_there(monotonic: list[float]) -> None:
    clock = ServerClock()
    clock.set(THEN)
    assert clock.now_ms() == int(THEN.timestamp() * 1000)
    monotonic[0] += 2.5
    assert clock.now() == THEN.timestamp() + 2.5


def test_a_wall_clock_that_is_set_back_changes_nothing(monotonic: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ServerClock()
    clock.set(THEN)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert clock.now() == THEN.timestamp()


def test_before_the_database_was_asked_it_shows_its_own_time(monotonic: list[float]) -> None:
    assert abs(ServerClock().now() - time.time()) < 1
