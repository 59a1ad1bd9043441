"""Redis is down, hangs or lies: nobody is refused without cause, nobody waits for more than a second."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from ratelimit.check import RateChecker
from ratelimit.redis_guard import COOL_DOWN_SECONDS, VERIFY_EVERY_SECONDS
from tests.ratelimit.conftest import actions
from tests.ratelimit.servers import LittleRedis, answering, dead_port


@contextmanager
def within_a_second() -> Iterator[None]:
    before = time.perf_counter()
    yield
    assert time.perf_counter() - before < 1


def assert_this_process_decides(
    checker: RateChecker, caplog: pytest.LogCaptureFixture, error: str | None = None
) -> None:
    """Five logins pass and the sixth does not: neither Redis' refusals nor its permissions count."""
    with within_a_second():
        decisions = [checker.check("login", "siti") for _ in range(6)]
    assert [decision.allowed for decision in decisions] == [True] * 5 + [False]
    assert 59 < decisions[5].retry_after_seconds < 61
    assert actions(caplog) == ["redis_failed"]
    health = checker.health()
    assert (health["backend"], health["status"]) == ("redis", "failing")
    assert health["since"] is not None
    assert health["error"] == error or error is None


def test_nobody_listens(checker, count_in, caplog):
    count_in(f"redis://127.0.0.1:{dead_port()}/0")
    assert_this_process_decides(checker, caplog, "ConnectionError")


def test_no_such_host(checker, count_in, caplog, monkeypatch):
    def unknown(*args, **kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    count_in("redis://redis.invalid:6379/0")
    assert_this_process_decides(checker, caplog)


def test_no_such_socket(checker, count_in, caplog, tmp_path):
    count_in(f"unix://{tmp_path}/nothing.sock")
    assert_this_process_decides(checker, caplog)


def test_a_malformed_url_that_nobody_checked(checker, count_in, caplog):
    count_in("http://127.0.0.1:6379")
    assert_this_process_decides(checker, caplog, "ValueError")


def test_it_accepts_and_never_answers(checker, count_in, caplog):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        count_in(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        assert_this_process_decides(checker, caplog, "TimeoutError")


def test_it_answers_one_byte_at_a_time(checker, count_in, caplog):
    # No read ever times out.
    with answering(lambda data: b"$1000\r\n" + b"x" * 1000, pause_seconds=0.1) as slow:
        count_in(slow.url)
        assert_this_process_decides(checker, caplog, "DeadlineExceeded")


@pytest.mark.parametrize(
    "reply",
    [
        b":0\r\n",
        b":1\r\n",
        b":2\r\n",
        b":999999\r\n",
        b":-1\r\n",
        b"+OK\r\n",
        b"$-1\r\n",
        b"*-1\r\n",
        b"$2\r\n10\r\n",
        b"*2\r\n:1\r\n:2\r\n",
        b"-ERR max number of clients reached\r\n",
        b"-LOADING Redis is loading the dataset in memory\r\n",
        b"-READONLY You can't write against a read only replica.\r\n",
        b"-MOVED 3999 127.0.0.1:1\r\n",
        b"-NOAUTH Authentication required.\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x00\xff" * 50 + b"\r\n",
        b":99999999999999999999999999\r\n",
        b":not a number\r\n",
        None,
    ],
)
def test_it_answers_always_the_same(checker, count_in, caplog, reply):
    with answering(lambda data: reply) as liar:
        count_in(liar.url)
        assert_this_process_decides(checker, caplog)


@pytest.mark.parametrize(
    ("command", "reply", "error"),
    [
        (b"SET", b"+OK\r\n", "CacheUntrustworthy"),
        (b"SET", b"$-1\r\n", "CacheUntrustworthy"),
        (b"INCRBY", b":1\r\n", "CacheUntrustworthy"),
        (b"EXISTS", b":0\r\n", "ValueError"),
        (b"TTL", b":-1\r\n", "CacheUntrustworthy"),
        (b"TTL", b":-2\r\n", "CacheUntrustworthy"),
        (b"TTL", b":99999\r\n", "CacheUntrustworthy"),
    ],
)
def test_it_counts_almost_right(checker, count_in, caplog, command, reply, error):
    little = LittleRedis()
    with answering(little) as server:
        count_in(server.url)
        assert checker.check("login", "budi").allowed
        assert checker.health()["status"] == "ok"
        assert command in little.asked
        fresh = RateChecker()
        little.lies[command] = reply
        assert_this_process_decides(fresh, caplog, error)


def test_it_begins_to_lie_while_it_is_believed(checker, clock, count_in, caplog):
    little = LittleRedis()
    with answering(little) as server:
        count_in(server.url)
        assert checker.check("login", "siti").remaining == 4
        clock.advance(2)
        little.lies.update({b"SET": b"$-1\r\n", b"EXISTS": b":1\r\n", b"INCRBY": b":999999\r\n"})
        assert_this_process_decides(checker, caplog, "CacheUntrustworthy")


def test_a_true_refusal_is_believed_after_it_has_proved_itself(checker, clock, count_in, settings):
    little = LittleRedis()
    with answering(little) as server:
        count_in(server.url)
        settings.RATE_LIMITS = {"login": "5/1d"}  # no edge of a window in between
        for _ in range(5):
            assert checker.check("login", "siti").allowed
        clock.advance(2)
        little.asked.clear()
        assert not checker.check("login", "siti").allowed
        assert b"TTL" in little.asked
        little.asked.clear()
        assert not checker.check("login", "siti").allowed
        assert b"TTL" not in little.asked, "one proof in a second is enough"
        assert checker.health()["status"] == "ok"


def test_it_is_verified_again_every_half_minute(checker, clock, count_in):
    little = LittleRedis()
    with answering(little) as server:
        count_in(server.url)
        checker.check("general", "siti")
        clock.advance(VERIFY_EVERY_SECONDS - 1)
        little.asked.clear()
        checker.check("general", "siti")
        assert b"TTL" not in little.asked
        clock.advance(1)
        checker.check("general", "siti")
        assert b"TTL" in little.asked
        assert server.connections == 1, "threads and requests share few connections"


def test_during_the_cool_down_it_is_not_asked_and_then_once(checker, clock, count_in):
    with answering(lambda data: None) as server:
        count_in(server.url)
        checker.check("general", "siti")
        came = server.connections
        for _ in range(10):
            checker.check("general", "siti")
        assert server.connections == came
        clock.advance(COOL_DOWN_SECONDS)
        for _ in range(10):
            checker.check("general", "siti")
        assert server.connections == came * 2


def test_it_recovers_after_the_cool_down(checker, clock, count_in, caplog):
    little = LittleRedis()
    with answering(lambda data: None) as server:
        count_in(server.url)
        assert checker.check("login", "siti").remaining == 4
        server.answer = little
        assert checker.check("login", "siti").remaining == 3
        assert little.asked == []
        clock.advance(COOL_DOWN_SECONDS)
        assert checker.check("login", "siti").remaining == 4, "Redis counts again, from its own zero"
        assert checker.health() == {"backend": "redis", "status": "ok", "since": None, "error": None}
    assert actions(caplog) == ["redis_failed", "redis_recovered"]


def test_many_threads_meet_a_hanging_redis_and_none_waits_longer(checker, count_in, caplog):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        count_in(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        with ThreadPoolExecutor(30) as pool, within_a_second():
            decisions = list(pool.map(lambda _: checker.check("login", "siti"), range(30)))
    assert sum(decision.allowed for decision in decisions) == 5
    assert len(caplog.records) == 1
