"""A real `manage.py worker` in a subprocess, on the test database or another."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from types import TracebackType
from typing import Any, Self

import psutil  # type: ignore[import-untyped]

from tests.web import PROJECT, wait_until


class WorkerProcess:
    """`with WorkerProcess(url, gateways) as worker:` ends it and all of its processes, however the test ends."""

    def __init__(
        self, database_url: str, gateways: dict[str, Any], *, times: dict[str, float] | None = None, **environment: str
    ) -> None:
        options = [f"--{name.replace('_', '-')}={value}" for name, value in (times or {}).items()]
        self._command = [sys.executable, "manage.py", "worker", *options]
        ours = {
            "DATABASE_URL": database_url,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "LOG_LEVEL": "INFO",
            "NOTIFICATIONS_GATEWAYS": json.dumps(gateways),
            "NOTIFICATIONS_PER_SECOND": "0",
            "NOTIFICATIONS_RECEIVER_GAP_SECONDS": "0",
            "TEST_TOKEN": "a-token-for-tests",
        }
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
        return self

    def _read_output(self) -> None:
        assert self.process.stdout is not None
        self.output.extend(self.process.stdout)

    def says(self, words: str) -> bool:
        return any(words in line for line in list(self.output))

    def cluster(self) -> int:
        """The process id of django-q2's cluster."""
        return int(self._children()[0].pid)

    def _children(self) -> list[psutil.Process]:
        return [
            child for child in psutil.Process(self.process.pid).children() if "--cluster" in " ".join(child.cmdline())
        ]

    def has_cluster(self) -> bool:
        try:
            return bool(self._children())
        except psutil.Error:
            return False

    def processes(self) -> list[int]:
        """The cluster's own processes below its first: sentinel, workers, monitor, pusher, in that order."""
        try:
            [sentinel] = psutil.Process(self.cluster()).children()
            # As django-q2 starts them: first the workers.
            return [int(sentinel.pid), *sorted(int(child.pid) for child in sentinel.children())]
        except (psutil.Error, IndexError, ValueError):
            return []

    def workers(self, count: int = 4) -> list[int]:
        """The processes that run tasks."""
        return self.processes()[1 : 1 + count]

    def wait_until_ready(self, count: int = 4) -> None:
        wait_until(lambda: len(self.processes()) >= count + 3, 40, f"a cluster: {self.output}")

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        groups = {child.pid for child in self._children()} if self.process.poll() is None else set()
        if self.process.poll() is None:
            self.process.kill()
        for group in groups:
            try:
                os.killpg(group, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(timeout=10)
        self._reader.join(timeout=10)
        assert self.process.stdout is not None
        self.process.stdout.close()
