"""
A server and a PostgreSQL of their own, to be killed.

Contract:
- `with House(directory) as house` has both running, migrated and empty; nothing is left behind.
- `house.ours()`: inside the block Django's models in this process work on that database.
- A killed server comes back on the same port, a killed PostgreSQL on the same data.
- `house.history(attempt_ids)` is every state that an answer ever had, with the time at which it was committed: a
  trigger writes it, PostgreSQL keeps the times.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from django.db import connection, connections

from config.embedded_postgres import EmbeddedPostgres
from tests.web import PROJECT, WebProcess

_NAME = "house"
_HISTORY = """
CREATE TABLE answers_history (attempt_id bigint, question_id bigint, revision bigint, value jsonb);
CREATE FUNCTION remember_answer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO answers_history VALUES (NEW.attempt_id, NEW.question_id, NEW.revision, NEW.value);
    RETURN NULL;
END $$;
CREATE TRIGGER remember_answer AFTER INSERT OR UPDATE ON answers FOR EACH ROW EXECUTE FUNCTION remember_answer();
"""


@dataclass(frozen=True)
class Stored:
    """What stood in the table from `committed_at` (Unix ms) on."""

    value: Any
    committed_at: float


class House:
    """See the module's contract."""

    def __init__(self, directory: Path) -> None:
        self._postgres = EmbeddedPostgres(directory / "postgres")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self._port = int(listener.getsockname()[1])
        self._server: WebProcess | None = None
        self.url = f"http://127.0.0.1:{self._port}"

    @property
    def database_url(self) -> str:
        return self._postgres.url(_NAME)

    @property
    def server(self) -> WebProcess:
        assert self._server is not None
        return self._server

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self._tear_down()
            raise
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._tear_down()

    def _build(self) -> None:
        self._postgres.start()
        self._postgres.create_database(_NAME)
        with psycopg.connect(self.database_url, autocommit=True) as database:
            database.execute("ALTER SYSTEM SET track_commit_timestamp = on")
        self._postgres.stop()  # it is a setting of the start
        self._postgres.start()
        environment = {**os.environ, "DATABASE_URL": self.database_url, "DJANGO_SETTINGS_MODULE": "config.settings"}
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
        subprocess.run(migrate, cwd=PROJECT, env=environment, check=True)
        with psycopg.connect(self.database_url, autocommit=True) as database:
            database.execute(_HISTORY)
        self.start_server()

    def _tear_down(self) -> None:
        self.kill_server()
        self._postgres.stop()

    # -- kills -----------------------------------------------------------------------------------------------------

    def kill_server(self) -> None:
        """`kill -9` of the supervisor and its web process; harmless where none runs."""
        if self._server is not None:
            self._server.signal_all(signal.SIGKILL)
            self._server.__exit__(None, None, None)
            self._server = None

    def start_server(self) -> None:
        server = WebProcess(self.database_url, port=self._port)
        server.__enter__()
        self._server = server

    def kill_database(self) -> None:
        """`kill -9` of the postmaster; its children follow it."""
        connection.close()
        self._postgres.kill()

    def start_database(self) -> None:
        self._postgres.start()

    # -- rows ------------------------------------------------------------------------------------------------------

    @contextmanager
    def ours(self) -> Iterator[None]:
        """Django's default connection leads here."""
        before = connections["default"]
        settings = {**before.settings_dict, "NAME": _NAME, "HOST": str(self._postgres.socket_dir)}
        connections["default"] = type(before)(settings, "default")
        try:
            yield
        finally:
            connections["default"].close()
            connections["default"] = before

    def history(self, attempt_ids: Iterable[int]) -> dict[tuple[int, int, int], Stored]:
        """(attempt, question, revision) -> what was stored with it."""
        query = """
            SELECT attempt_id, question_id, revision, value,
                   (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000)::float8
            FROM answers_history WHERE attempt_id = ANY(%s)
        """
        with psycopg.connect(self.database_url) as database:
            rows = database.execute(query, [list(attempt_ids)]).fetchall()
        return {(attempt, question, revision): Stored(value, at) for attempt, question, revision, value, at in rows}
