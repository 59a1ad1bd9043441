"""Counting in this process: windows, edges, threads. Redis has files of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import caches
from freezegun import freeze_time

from ratelimit import check as check_module
from ratelimit.check import Decision, check, health
from ratelimit.policies import UnknownPolicy

pytestmark = pytest.mark.usefixtures("local_cache")


def test_the_limit_passes_and_the_next_is_refused(checker):
    with freeze_time("2026-05-04 07:30:00"):
        decisions = [checker.check("login", "siti") for _ in range(6)]
        other = checker.check("login", "budi")
    assert [decision.remaining for decision in decisions] == [4, 3, 2, 1, 0, 0]
    assert [decision.allowed for decision in decisions] == [True] * 5 + [False]
    assert decisions[0] == Decision(allowed=True, limit=5, remaining=4, retry_after_seconds=0.0, policy="login")
    assert 0 < decisions[5].retry_after_seconds <= 60
    assert other.allowed


def test_policies_do_not_share_counts(checker):
    for _ in range(5):
        checker.check("login", "siti")
    assert checker.check("login_address", "siti").remaining == 299


@pytest.mark.parametrize("period", [1, 2, 5, 60])
@pytest.mark.parametrize("fraction", ["0", "0.000001", "0.25", "0.999", "0.999999"])
def test_a_refused_hit_passes_after_its_wait_and_not_a_moment_before(checker, settings, period, fraction):
    settings.RATE_LIMITS = {"login": f"1/{period}s"}
    start = datetime(2026, 5, 4, 7, 30, tzinfo=UTC) + timedelta(seconds=float(fraction))
    moment = timedelta(microseconds=2)
    with freeze_time(start) as frozen:
        for offset in range(min(period, 7)):
            for number in range(4):  # each key's windows end at another second
                begin = start + timedelta(seconds=offset + 1000 * number)
                key = f"{offset} {number}"
                frozen.move_to(begin)
                assert checker.check("login", key).allowed
                refused = checker.check("login", key)
                assert not refused.allowed
                assert 0 < refused.retry_after_seconds <= period
                end = begin + timedelta(seconds=refused.retry_after_seconds)
                if refused.retry_after_seconds > 0.001:  # the shortest wait that is ever told
                    frozen.move_to(end - moment)
                    assert not checker.check("login", key).allowed
                frozen.move_to(end + moment / 2)  # freezegun knows whole microseconds only
                assert checker.check("login", key).allowed


def test_across_the_edge_of_a_window_twice_the_limit_passes_as_documented(checker):
    with freeze_time("2026-05-04 07:30:00") as frozen:
        while checker.check("login", "siti").allowed:
            pass
        edge = checker.check("login", "siti").retry_after_seconds
        frozen.tick(timedelta(seconds=edge + 59.5))  # the end of a window nobody has used
        passed = sum(checker.check("login", "siti").allowed for _ in range(10))
        frozen.tick(timedelta(seconds=1))
        passed += sum(checker.check("login", "siti").allowed for _ in range(10))
    assert passed == 10


@pytest.mark.parametrize("time_left", [-1, 0])
def test_nobody_is_told_to_wait_nothing(checker, monkeypatch, time_left):
    # The second may tick between django-ratelimit's two looks at the clock.
    usage = {"count": 6, "limit": 5, "should_limit": True, "time_left": time_left}
    monkeypatch.setattr(check_module, "get_usage", lambda *args, **kwargs: usage)
    assert checker.check("login", "siti").retry_after_seconds > 0


def test_fifty_threads_share_one_limit_exactly(checker, settings):
    settings.RATE_LIMITS = {"login": "7/1d"}
    with ThreadPoolExecutor(50) as pool:
        decisions = list(pool.map(lambda _: checker.check("login", "siti"), range(500)))
    assert sum(decision.allowed for decision in decisions) == 7


@pytest.mark.parametrize("key", ["", "x" * 1_000_000, "\ud800", "a\x00b", "siti ☂", "%s {} \r\n"])
def test_any_text_is_a_key(checker, key):
    assert [checker.check("submit_exam", key).allowed for _ in range(2)] == [True, False]


def test_no_key_reaches_the_cache_as_it_was_typed(checker, monkeypatch):
    seen: list[str] = []

    def add(key: str, value: int, timeout: int) -> bool:
        seen.append(key)
        return True

    monkeypatch.setattr(caches["ratelimit"], "add", add)
    checker.check("login", "siti")
    assert len(seen) == 1
    assert "siti" not in seen[0]


@pytest.mark.parametrize("fail_open", [True, False])
def test_a_counter_that_expires_while_it_is_counted_refuses_nobody(checker, settings, monkeypatch, fail_open):
    settings.RATELIMIT_FAIL_OPEN = fail_open
    monkeypatch.setattr(caches["ratelimit"], "add", lambda *args: False)  # it is there ...
    decisions = [checker.check("login", "siti") for _ in range(6)]  # ... and incr() finds it gone
    assert [decision.allowed for decision in decisions] == [True] * 5 + [False]


def test_an_unknown_policy_is_loud(checker):
    with pytest.raises(UnknownPolicy):
        checker.check("logn", "siti")


def test_switched_off_everything_passes(checker, settings):
    settings.RATELIMIT_ENABLE = False
    assert all(checker.check("submit_exam", "siti").remaining == 1 for _ in range(5))


def test_the_process_itself_is_always_well():
    assert check("general", "siti").allowed
    assert health() == {"backend": "process", "status": "ok", "since": None, "error": None}
