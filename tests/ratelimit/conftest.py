"""Fixtures: a clock that is moved by hand, the cache in this process, a real Redis where one is installed."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.cache import caches

from ratelimit.cache import cache_settings
from ratelimit.check import RateChecker


class HandClock:
    """Seconds that pass only when a test says so. The steps in tests are binary fractions, so sums stay exact."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def count_in(settings) -> Callable[[str], None]:
    """Count in the Redis at a URL, or in this process for ""; always from zero."""

    def count_in(redis_url: str) -> None:
        settings.REDIS_URL = redis_url
        settings.RATELIMIT_USE_CACHE = "ratelimit"
        settings.RATE_LIMITS = {}
        settings.CACHES = {
            "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
            "ratelimit": cache_settings(redis_url),
        }
        if not redis_url:
            caches["ratelimit"].clear()

    return count_in


@pytest.fixture
def local_cache(count_in) -> None:
    count_in("")


@pytest.fixture
def checker(clock: HandClock) -> RateChecker:
    """A process of its own, so to say: nothing known about Redis, no fallback counts."""
    return RateChecker(clock)


def actions(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What our logger has told, by its machine names."""
    return [vars(record)["action"] for record in caplog.records if record.name == "ratelimit"]


def _quiet_port() -> int:
    """
    Return a free port that stays free until Redis has it, and while it is down.

    Not the one that the system would choose: from that range it also takes the ports of everybody's connections.
    """
    while True:
        port = random.randint(20_000, 32_000)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue  # taken
        return port


class RedisServer:
    """A real redis-server that keeps nothing on disk and can be killed and started again at the same address."""

    def __init__(self, program: str, directory: Path, *options: str) -> None:
        self.port = _quiet_port()
        self.socket_path = directory / "redis.sock"
        self._command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self._command += ["--dir", str(directory), "--unixsocket", str(self.socket_path), *options]
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        said = []
        for line in self._process.stdout:
            said.append(line)
            if "accept connections" in line and str(self.socket_path) in line:
                return
        pytest.fail(f"redis-server did not start: {''.join(said)}")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


@pytest.fixture
def make_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., RedisServer]]:
    program = shutil.which("redis-server")
    if program is None:
        message = "redis-server is not installed (apt-get install redis-server)."
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    servers: list[RedisServer] = []

    def make(*options: str) -> RedisServer:
        server = RedisServer(program, tmp_path_factory.mktemp("redis"), *options)
        servers.append(server)
        server.start()
        return server

    yield make
    for server in servers:
        server.kill()


@pytest.fixture
def redis_server(make_redis) -> RedisServer:
    return make_redis()
