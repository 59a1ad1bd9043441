from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from django.core.cache import caches

from ratelimit.cache import LOCAL_MAX_ENTRIES, cache_is_shared, cache_settings, redis_url_problem
from ratelimit.check import RateChecker


def connection_pool() -> Any:
    cache: Any = caches["ratelimit"]
    return cache._cache.get_client(write=True).connection_pool


def test_without_a_url_it_counts_in_this_process(count_in):
    count_in("")
    assert not cache_is_shared()
    assert cache_settings("")["OPTIONS"]["MAX_ENTRIES"] == LOCAL_MAX_ENTRIES


def test_with_a_url_it_counts_in_redis_once_and_for_a_short_time(count_in):
    count_in("redis://127.0.0.1:1/0")
    assert cache_is_shared()
    connection = connection_pool().make_connection()
    assert connection.retry.get_retries() == 0
    assert connection.socket_timeout == connection.socket_connect_timeout == 0.4


def test_a_password_with_a_comma_or_semicolon_does_not_make_two_servers(count_in):
    count_in("redis://:p,a;ss@127.0.0.1:1/0")
    kwargs = connection_pool().connection_kwargs
    assert (kwargs["password"], kwargs["port"]) == ("p,a;ss", 1)


def test_it_can_be_imported_while_the_settings_load():
    program = "from ratelimit.cache import cache_settings; cache_settings(''); cache_settings('redis://h/0')"
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)


def test_a_full_cache_forgets_who_came_longest_ago_and_keeps_the_counts_of_the_others(settings, local_cache):
    options = {"MAX_ENTRIES": 1000, "CULL_FREQUENCY": 10}
    settings.CACHES = {"ratelimit": {**cache_settings(""), "LOCATION": "small", "OPTIONS": options}}
    settings.RATE_LIMITS = {"login": "5/1d"}
    checker = RateChecker()
    for _ in range(5):
        checker.check("login", "guessed")
    for number in range(5000):
        checker.check("login", f"flood {number}")
        if number % 500 == 0:
            assert not checker.check("login", "guessed").allowed


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379/0",
        "redis://127.0.0.1",
        "rediss://user:pass@redis.example:6380/2",
        "redis://[::1]:6379/",
        "unix:///run/redis.sock",
        "unix:///run/redis.sock?db=1",
    ],
)
def test_usable_urls(url):
    assert redis_url_problem(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:6379",
        "localhost",
        "http://127.0.0.1:6379",
        "redis://",
        "redis:///0",
        "redis://host:port/0",
        "redis://host:0/0",
        "redis://host:99999/0",
        "redis://[::1/0",
        "redis://host:6379/first",
        "unix://",
    ],
)
def test_malformed_urls(url):
    assert redis_url_problem(url)


@pytest.mark.parametrize("url", ["redis://:se/cret@host:6379/0", "redis://u:se/cret@host/0", "redis://:12/cret@h/0"])
def test_a_password_that_breaks_the_url_is_not_repeated(url):
    problem = redis_url_problem(url)
    assert problem is not None
    assert "cret" not in problem
    assert "se" not in problem.replace("database", "")
