from __future__ import annotations

import logging

import pytest
from freezegun import freeze_time

from ratelimit.redis_guard import COOL_DOWN_SECONDS, VERIFY_EVERY_SECONDS, Ask, RedisGuard
from tests.ratelimit.conftest import actions


@pytest.fixture
def guard(clock) -> RedisGuard:
    return RedisGuard(clock)


def test_a_new_redis_is_verified_once_and_then_every_half_minute(guard, clock):
    assert guard.ask() is Ask.VERIFY
    assert guard.ask() is Ask.YES
    guard.answered(Ask.VERIFY, verified=True)
    clock.advance(VERIFY_EVERY_SECONDS - 1)
    assert guard.ask() is Ask.YES
    clock.advance(1)
    assert [guard.ask() for _ in range(3)] == [Ask.VERIFY, Ask.YES, Ask.YES]


def test_after_a_failure_nobody_asks_and_then_one_probes(guard, clock):
    guard.failed(ConnectionError())
    clock.advance(COOL_DOWN_SECONDS - 1)
    assert guard.ask() is Ask.NO
    clock.advance(1)
    assert [guard.ask() for _ in range(3)] == [Ask.PROBE, Ask.NO, Ask.NO]
    guard.answered(Ask.PROBE, verified=True)
    assert guard.ask() is Ask.YES
    assert guard.health()["status"] == "ok"


def test_a_probe_that_fails_starts_the_cool_down_again(guard, clock):
    guard.failed(ConnectionError())
    clock.advance(COOL_DOWN_SECONDS)
    assert guard.ask() is Ask.PROBE
    clock.advance(1)
    guard.failed(ConnectionError())
    clock.advance(COOL_DOWN_SECONDS - 1)
    assert guard.ask() is Ask.NO
    clock.advance(1)
    assert guard.ask() is Ask.PROBE


def test_a_prober_that_disappears_blocks_nothing(guard, clock):
    guard.failed(ConnectionError())
    clock.advance(COOL_DOWN_SECONDS)
    assert guard.ask() is Ask.PROBE
    clock.advance(COOL_DOWN_SECONDS)
    assert guard.ask() is Ask.PROBE


def test_an_answer_from_before_the_failure_does_not_end_it(guard):
    assert guard.ask() is Ask.VERIFY
    assert guard.ask() is Ask.YES
    guard.failed(ConnectionError())
    guard.answered(Ask.YES, verified=False)
    guard.answered(Ask.VERIFY, verified=True)
    assert guard.ask() is Ask.NO
    assert guard.health()["status"] == "failing"


def test_proof_is_what_was_shown_and_not_what_was_asked(guard, clock):
    assert guard.ask() is Ask.VERIFY
    assert not guard.verified_within(1)
    guard.answered(Ask.VERIFY, verified=True)
    assert guard.verified_within(1)
    clock.advance(1)
    assert not guard.verified_within(1)
    guard.answered(Ask.YES, verified=True)
    guard.failed(ConnectionError())
    assert not guard.verified_within(1)


def test_health_tells_since_when_and_what_but_not_more(guard, clock):
    assert guard.health() == {"status": "ok", "since": None, "error": None}
    with freeze_time("2026-05-04 07:30:00"):
        guard.failed(ConnectionError("secret"))
    with freeze_time("2026-05-04 07:31:00"):
        guard.failed(ValueError("secret"))
    assert guard.health() == {"status": "failing", "since": "2026-05-04T07:30:00+00:00", "error": "ValueError"}
    clock.advance(COOL_DOWN_SECONDS)
    guard.answered(guard.ask(), verified=True)
    assert guard.health() == {"status": "ok", "since": None, "error": None}


def test_failures_are_logged_once_a_minute_without_what_redis_said(guard, clock, caplog):
    caplog.set_level(logging.INFO, logger="ratelimit")
    for _ in range(9):  # 0 s, 15 s, ... 120 s
        guard.failed(ConnectionError("with args: 'a key'"))
        clock.advance(COOL_DOWN_SECONDS)
        assert guard.ask() is Ask.PROBE
    assert len(caplog.records) == 3
    assert "ConnectionError" in caplog.text
    assert "a key" not in caplog.text


def test_the_cause_is_logged_by_its_class(guard, caplog):
    error = ConnectionError()
    error.__cause__ = OSError("x")
    guard.failed(error)
    assert "ConnectionError, OSError" in caplog.text


def test_a_flapping_redis_does_not_fill_the_log(guard, clock, caplog):
    caplog.set_level(logging.INFO, logger="ratelimit")
    for _ in range(4):  # one minute
        guard.failed(ConnectionError())
        clock.advance(COOL_DOWN_SECONDS)
        guard.answered(guard.ask(), verified=True)
    assert actions(caplog) == ["redis_failed", "redis_recovered"]
