"""Counting in a real Redis."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from ratelimit.check import REDIS_WORKERS, RateChecker
from ratelimit.redis_guard import COOL_DOWN_SECONDS
from tests.ratelimit.conftest import actions


@pytest.fixture
def counted(redis_server, count_in, settings):
    """A Redis that counts logins by the day: the clock is real here, and no test should meet the edge of a minute."""
    count_in(redis_server.url)
    settings.RATE_LIMITS = {"login": "5/1d"}
    return redis_server


def test_two_processes_share_one_limit(counted):
    processes = [RateChecker(), RateChecker()]
    decisions = [processes[number % 2].check("login", "siti") for number in range(6)]
    assert [decision.remaining for decision in decisions] == [4, 3, 2, 1, 0, 0]
    assert not decisions[5].allowed
    assert 0 < decisions[5].retry_after_seconds <= 86_400
    assert all(process.health()["status"] == "ok" for process in processes)
    assert processes[0].health()["backend"] == "redis"


def test_fifty_threads_share_one_limit_exactly(counted, checker):
    with ThreadPoolExecutor(50) as pool:
        decisions = list(pool.map(lambda _: checker.check("login", "siti"), range(500)))
    assert sum(decision.allowed for decision in decisions) == 5
    assert checker.health()["status"] == "ok"
    with redis.Redis(port=counted.port) as client:
        assert len(client.client_list()) <= REDIS_WORKERS + 1


def test_every_key_in_redis_expires_and_none_can_be_read(counted, checker, settings):
    settings.RATE_LIMITS = {}
    for policy in ("login", "general"):
        checker.check(policy, "siti")
    with redis.Redis(port=counted.port) as client:
        keys = client.keys()
        assert len(keys) == 3  # two counters and the proof
        assert all(0 < client.ttl(key) <= 65 for key in keys)
        assert not any(b"siti" in key for key in keys)


def test_killed_in_the_middle_and_back_nobody_notices(counted, checker, clock, caplog):
    for _ in range(5):
        assert checker.check("login", "siti").allowed
    assert not checker.check("login", "siti").allowed

    counted.kill()
    assert checker.check("login", "budi").remaining == 4
    assert checker.check("login", "budi").remaining == 3
    assert checker.health()["status"] == "failing"

    counted.start()
    assert checker.check("login", "budi").remaining == 2, "the cool-down lasts"
    clock.advance(COOL_DOWN_SECONDS)
    assert checker.check("login", "budi").remaining == 4, "Redis counts again"
    assert checker.health() == {"backend": "redis", "status": "ok", "since": None, "error": None}
    assert actions(caplog) == ["redis_failed", "redis_recovered"]


def test_a_restart_between_two_hits_is_not_a_failure(counted, checker, caplog):
    checker.check("login", "siti")
    counted.kill()
    counted.start()
    assert checker.check("login", "siti").allowed
    assert checker.health()["status"] == "ok"
    assert caplog.records == []


def test_a_key_of_another_type_is_a_failure_of_redis(counted, checker):
    checker.check("login", "siti")
    with redis.Redis(port=counted.port) as client:
        (counter,) = [key for key in client.scan_iter() if b"rl:" in key]
        client.delete(counter)
        client.rpush(counter, "a list")
    assert checker.check("login", "siti").allowed
    assert checker.health()["error"] == "ResponseError"


def test_over_a_unix_socket(redis_server, count_in, checker):
    count_in(f"unix://{redis_server.socket_path}")
    assert checker.check("login", "siti").allowed
    assert checker.health()["status"] == "ok"


def test_with_a_password_of_odd_characters(make_redis, count_in, checker):
    server = make_redis("--requirepass", "p;a,s/s@")
    count_in(f"redis://:p%3Ba%2Cs%2Fs%40@127.0.0.1:{server.port}/3")
    assert checker.check("login", "siti").allowed
    assert checker.health()["status"] == "ok"


def test_a_wrong_password_is_a_failure_and_not_in_the_log(make_redis, count_in, checker, caplog):
    server = make_redis("--requirepass", "right")
    count_in(f"redis://:wrong-secret@127.0.0.1:{server.port}/0")
    assert checker.check("login", "siti").allowed
    assert checker.health() | {"since": None} == {
        "backend": "redis",
        "status": "failing",
        "since": None,
        "error": "AuthenticationError",
    }
    assert "wrong-secret" not in caplog.text


def test_a_redis_that_is_full_is_a_failure(make_redis, count_in, checker):
    server = make_redis("--maxmemory", "1", "--maxmemory-policy", "noeviction")
    count_in(server.url)
    assert checker.check("login", "siti").allowed
    assert checker.health()["error"] == "OutOfMemoryError"
