"""The database's clock, kept without asking each time."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from exams.autosave.server_clock import ServerClock
from exams.autosave.store import DatabaseAway

THEN = datetime(2031, 5, 17, 8, 0, tzinfo=UTC)


class Database:
    """A database that is asked for its time, or is away."""

    def __init__(self) -> None:
        self.now = THEN
        self.asked = 0
        self.is_away = False

    async def __call__(self) -> datetime:
        self.asked += 1
        if self.is_away:
            raise DatabaseAway
        return self.now


class Steady:
    """A clock that never jumps, moved by hand."""

    def __init__(self) -> None:
        self.shown = 1000.0

    def __call__(self) -> float:
        return self.shown


def test_it_shows_the_databases_time_and_goes_on_from_there() -> None:
    steady = Steady()
    clock = ServerClock(Database(), steady)
    clock.set(THEN)
    assert clock.now_ms() == int(THEN.timestamp() * 1000)
    steady.shown += 2.5
    assert clock.now() == THEN.timestamp() + 2.5


def test_a_wall_clock_that_is_set_back_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ServerClock(Database(), Steady())
    clock.set(THEN)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert clock.now() == THEN.timestamp()


def test_a_clock_that_stood_still_is_right_again_after_one_question() -> None:
    database, steady = Database(), Steady()
    clock = ServerClock(database, steady)
    clock.set(THEN)
    database.now = THEN + timedelta(minutes=10)  # the machine slept and its clock with it
    asyncio.run(clock.ask())
    assert clock.now() == (THEN + timedelta(minutes=10)).timestamp()


def test_the_database_is_asked_at_most_once_a_second() -> None:
    database, steady = Database(), Steady()
    clock = ServerClock(database, steady)
    for _ in range(100):
        asyncio.run(clock.ask())
    assert database.asked == 1
    steady.shown += 1
    asyncio.run(clock.ask())
    assert database.asked == 2


def test_a_database_that_is_away_leaves_the_clock_as_it_is() -> None:
    database = Database()
    database.is_away = True
    clock = ServerClock(database, Steady())
    asyncio.run(clock.ask())
    assert abs(clock.now() - time.time()) < 1
