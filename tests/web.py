"""Real web processes for tests: `manage.py serve` in a subprocess, on a free port, on the test database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

import httpx
from django.db import connection

PROJECT = Path(__file__).resolve().parent.parent
_START_SECONDS = 30


def url_of_test_database() -> str:
    """The address of the database that pytest-django made, for another process."""
    settings = connection.settings_dict
    user = quote(settings["USER"] or "")
    password = f":{quote(settings['PASSWORD'])}" if settings["PASSWORD"] else ""
    query = {"host": settings["HOST"]} | ({"port": settings["PORT"]} if settings["PORT"] else {})
    return f"postgresql://{user}{password}@/{quote(settings['NAME'])}?{urlencode(query)}"


def wait_until(is_true: Callable[[], object], seconds: float = 10.0, what: str = "the condition") -> None:
    """Look again and again until *is_true*; fail the test after *seconds*."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not is_true():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} was not reached within {seconds} s")
        pause.wait(0.02)


class WebProcess:
    """One `manage.py serve`; `with WebProcess(...) as web:` ends it, however the test ends."""

    def __init__(self, database_url: str, *, workers: int = 1, port: int = 0, **environment: str) -> None:
        self._command = [sys.executable, "manage.py", "serve", "--port", str(port), "--workers", str(workers)]
        ours = {"DATABASE_URL": database_url, "DJANGO_SETTINGS_MODULE": "config.settings"}
        self._environment = {**os.environ, **ours, **environment}
        self.output: list[str] = []

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self._command,
            cwd=PROJECT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read_output, daemon=True)
        self._reader.start()
        wait_until(lambda: self._address() or self.process.poll() is not None, _START_SECONDS, "an address")
        self.url = self._address()
        self.client = httpx.Client(base_url=self.url, timeout=20, limits=httpx.Limits(max_connections=200))
        wait_until(lambda: self.process.poll() is not None or self.is_alive(), _START_SECONDS, "an alive server")
        assert self.process.poll() is None, "".join(self.output)
        return self

    def _read_output(self) -> None:
        assert self.process.stdout is not None
        self.output.extend(self.process.stdout)

    def _address(self) -> str:
        return next((line.split()[2] for line in list(self.output) if line.startswith("Serving on ")), "")

    def is_alive(self) -> bool:
        try:
            return self.client.get("/healthz", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def ready(self) -> dict[str, Any]:
        return self.client.get("/readyz").json()

    def signal_all(self, number: signal.Signals) -> None:
        """To the supervisor and its web processes."""
        os.killpg(self.process.pid, number)

    def terminate(self) -> int:
        """SIGTERM as systemd sends it, and the exit code."""
        self.process.terminate()
        return self.process.wait(timeout=15)

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.signal_all(signal.SIGCONT)
            self.signal_all(signal.SIGKILL)
        self.process.wait(timeout=10)
        self._reader.join(timeout=10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.client.close()


def save_path(exam_id: int) -> str:
    return f"/api/siswa/ujian/{exam_id}/save-answer"


def post_save(web: WebProcess, ticket: str, exam_id: int, body: dict[str, Any], **headers: str) -> httpx.Response:
    """One save through the real server."""
    return web.client.post(save_path(exam_id), json=body, headers={"Authorization": f"Bearer {ticket}", **headers})
