"""
The house that is shaken: an embedded PostgreSQL of its own and two `manage.py serve`, each in its own process group.

Contract:
- `Stage` makes everything in `__aenter__` and leaves nothing behind, however the block ends: stopped processes are
  continued and killed, the database is stopped.
- `Web` and `Database` do one thing at a time each (`lock`), so two events never fall on the same process.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import socket
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil  # type: ignore[import-untyped]
import psycopg

from config.embedded_postgres import EmbeddedPostgres
from tests.chaos.ledger import Key
from tests.chaos.verdict import Row

PROJECT = Path(__file__).resolve().parents[2]
_START_SECONDS = 20.0
#: What `serve` promises, and the second that this harness may need to notice.
STOP_SECONDS = 10.0
_LOOK_SECONDS = 0.05


class StageError(Exception):
    """The house itself does not stand: the run says nothing."""


class Web:
    """One `manage.py serve` with one worker."""

    def __init__(self, port: int, environment: dict[str, str], log: Path) -> None:
        self.port = port
        self.lock = asyncio.Lock()
        self._environment = environment
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start, and return when it answers. A port that its predecessor still holds is tried again."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            with self._log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "manage.py", "serve", "--workers", "1", "--port", str(self.port)),
                    cwd=PROJECT,
                    env=self._environment,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            if await self.answers(until=deadline):
                return
        raise StageError(f"A web process does not start; see {self._log}.")

    async def answers(self, *, until: float) -> bool:
        """Wait for /healthz; False where the process has ended or *until* has come."""
        while time.monotonic() < until:
            if self._process is None or self._process.returncode is not None:
                return False
            if await self._is_alive():
                return True
            await asyncio.sleep(_LOOK_SECONDS)
        return False

    async def _is_alive(self) -> bool:
        try:
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                try:
                    writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                    return (await reader.readline()).startswith(b"HTTP/1.1 200")
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False

    def worker_pid(self) -> int | None:
        """The process that serves, beside multiprocessing's own helper; None while there is none."""
        if self._process is None or self._process.returncode is not None:
            return None
        try:
            for child in psutil.Process(self._process.pid).children():
                if "spawn_main" in " ".join(child.cmdline()):
                    return int(child.pid)
        except psutil.Error:
            return None  # gone in this very moment
        return None

    async def kill(self) -> None:
        """SIGKILL to the supervisor and all its processes."""
        if self._process is not None:
            _signal_group(self._process.pid, signal.SIGKILL)
            await self._process.wait()

    async def stop(self) -> tuple[float, int | None]:
        """SIGTERM: the seconds until it had ended, and its exit code (None: it had to be killed)."""
        if self._process is None:
            return 0.0, 0
        started = time.monotonic()
        if self._process.returncode is None:
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS + 1):
                code: int | None = await self._process.wait()
        except TimeoutError:
            await self.kill()
            code = None
        return time.monotonic() - started, code

    async def clean_up(self) -> None:
        if self._process is not None and self._process.returncode is None:
            _signal_group(self._process.pid, signal.SIGCONT)
            await self.kill()


class Database:
    """The embedded server and what can be asked of it."""

    NAME = "chaos"

    def __init__(self, directory: Path) -> None:
        self.lock = asyncio.Lock()
        self._server = EmbeddedPostgres(directory)

    async def start(self) -> None:
        await asyncio.to_thread(self._server.start)

    async def create(self) -> None:
        await self.start()
        await asyncio.to_thread(self._server.create_database, self.NAME)
        fsync = await self._ask("SHOW fsync")
        if fsync != [("on",)]:
            raise StageError("fsync is off: this run would prove nothing.")

    async def stop(self) -> None:
        await asyncio.to_thread(self._server.stop)

    def kill(self) -> None:
        self._server.kill()

    @property
    def url(self) -> str:
        return self._server.url(self.NAME)

    @property
    def postmaster_pid(self) -> int | None:
        return self._server.postmaster_pid()

    async def _ask(self, query: str) -> list[tuple[Any, ...]]:
        async with await psycopg.AsyncConnection.connect(self.url, connect_timeout=5) as connection:
            return await (await connection.execute(query)).fetchall()

    async def saving_backends(self) -> list[int]:
        """The PostgreSQL processes that store saves."""
        query = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%INSERT INTO answers%' AND pid <> pg_backend_pid()"
        return [row[0] for row in await self._ask(query)]

    async def answers(self) -> dict[Key, Row]:
        """The whole table."""
        rows = await self._ask("SELECT attempt_id, question_id, revision, value #>> '{}' FROM answers")
        return {(attempt, question): Row(revision, value) for attempt, question, revision, value in rows}


class Stage:
    """See the module's contract. *load* holds the exam and the tickets once the block has begun."""

    load: dict[str, Any]

    def __init__(self, directory: Path, logs: Path, *, students: int, questions: int, webs: int = 2) -> None:
        self._directory = directory
        self._logs = logs
        self._sizes = (f"--students={students}", f"--questions={questions}")
        self._web_count = webs
        self.database = Database(directory / "postgres")
        self.webs: list[Web] = []

    async def __aenter__(self) -> Self:
        try:
            await self._build()
        except BaseException:
            await self._tear_down()
            raise
        return self

    async def _build(self) -> None:
        await self.database.create()
        environment = {
            **os.environ,
            "DATABASE_URL": self.database.url,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "DEBUG": "false",
            "HTTPS": "false",
            "LOG_LEVEL": "WARNING",
        }
        load_file = self._directory / "load.json"
        await _manage("migrate", "--verbosity=0", environment=environment)
        await _manage("make_load", *self._sizes, f"--out={load_file}", environment=environment)
        self.load = json.loads(load_file.read_text())
        for number in range(self._web_count):
            log = self._logs / f"web-{number + 1}.log"
            log.unlink(missing_ok=True)
            self.webs.append(Web(_free_port(), environment, log))
        await asyncio.gather(*(web.start() for web in self.webs))

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._tear_down()

    async def _tear_down(self) -> None:
        await asyncio.gather(*(web.clean_up() for web in self.webs))
        await self.database.stop()

    def logged_errors(self) -> int:
        """How many tracebacks the web processes have logged."""
        return sum(log.read_text(errors="replace").count("Traceback") for log in self._logs.glob("web-*.log"))


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return  # it has ended by itself


async def _manage(*arguments: str, environment: dict[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "manage.py", *arguments),
        cwd=PROJECT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise StageError(f"manage.py {arguments[0]} failed:\n{output.decode(errors='replace')[-3000:]}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
