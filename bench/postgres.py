"""
One PostgreSQL for everything that is compared, with a database of its own that is gone afterwards.

Contract:
- `database()` gives an embedded server of its own under `var/bench`, or a new database on the server of `DATABASE_URL`.
  A school's own database is never written to.
- `BrokenRunError` where fsync, synchronous_commit or full_page_writes is off: such figures would promise too much.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from bench.figures import BrokenRunError
from bench.programs import PROJECT, ProgramMissingError
from config.embedded_postgres import EmbeddedPostgres

_MUST_BE_ON = ("fsync", "synchronous_commit", "full_page_writes")
_FACTS = ("server_version", "shared_buffers", "max_wal_size", "wal_compression", "autovacuum")


@dataclass(frozen=True)
class Database:
    """A database for one run. *pgbench* is the program, *settings* the server's facts."""

    url: str
    pgbench: Path
    settings: Mapping[str, str]

    def ask(self, query: sql.SQL | sql.Composed, *parameters: object) -> tuple[object, ...]:
        """The first row that *query* gives."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute(query, parameters).fetchone()
        if row is None:
            raise BrokenRunError(f"No row came back for {query.as_string()}")
        return row

    def rows_saved_since(self, table: str, since: object) -> int:
        """How many answers of *table* were saved at *since* or later: the proof that what was counted is there."""
        query = sql.SQL("SELECT count(*) FROM {} WHERE saved_at >= %s").format(sql.Identifier(table))
        return int(str(self.ask(query, since)[0]))

    def now(self) -> object:
        return self.ask(sql.SQL("SELECT clock_timestamp()"))[0]

    def come_to_rest(self) -> None:
        """Do now what the run before has left to do, so that the next one does not pay for it."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("VACUUM (ANALYZE)")
            connection.execute("CHECKPOINT")


@contextmanager
def database(directory: Path) -> Iterator[Database]:
    """A new database, for the block."""
    given = os.environ.get("DATABASE_URL", "").strip()
    if given:
        with _on_given_server(given) as url:
            yield _verified(url, _find_pgbench())
        return
    # Not in the system's temporary directory: that is often in memory, where fsync costs nothing.
    place = directory / "postgres"
    embedded = EmbeddedPostgres(place)
    if place.exists():  # left by a run that was killed; its server may still be there
        embedded.stop()
        shutil.rmtree(place)
    embedded.start()
    try:
        embedded.create_database("bench")
        yield _verified(embedded.url("bench"), embedded.bin_dir / "pgbench")
    finally:
        embedded.stop()
        shutil.rmtree(place)


@contextmanager
def _on_given_server(given: str) -> Iterator[str]:
    name = f"tahan_uji_bench_{secrets.token_hex(4)}"
    identifier = sql.Identifier(name)
    with psycopg.connect(given, autocommit=True) as connection:
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(identifier))
        except psycopg.errors.InsufficientPrivilege as exc:
            raise BrokenRunError(
                "The user of DATABASE_URL may not create databases (CREATEDB), and the measurement never runs in an "
                "existing one. Unset DATABASE_URL to measure on an embedded PostgreSQL."
            ) from exc
        try:
            yield urlsplit(given)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


def _find_pgbench() -> Path:
    bundled = EmbeddedPostgres(PROJECT).bin_dir / "pgbench"
    found = str(bundled) if bundled.exists() else shutil.which("pgbench")
    if found is None:
        raise ProgramMissingError("pgbench is not installed. It comes with PostgreSQL (`apt-get install postgresql`).")
    return Path(found)


def _verified(url: str, pgbench: Path) -> Database:
    with psycopg.connect(url) as connection:
        settings = {
            name: str((connection.execute(sql.SQL("SHOW {}").format(sql.Identifier(name))).fetchone() or ("",))[0])
            for name in (*_MUST_BE_ON, *_FACTS)
        }
    for name in _MUST_BE_ON:
        if settings[name] != "on":
            raise BrokenRunError(
                f"{name} is {settings[name]!r} on this PostgreSQL: figures mean something only where it is on."
            )
    return Database(url, pgbench, settings)


def flush_ms(directory: Path, *, times: int = 100) -> float:
    """The median of one 8 KiB write that is flushed in *directory*: what every commit waits for at least."""
    flush = getattr(os, "fdatasync", os.fsync)  # as PostgreSQL does; macOS has only the other
    probe = directory / "flush-probe"
    took = []
    try:
        with probe.open("wb", buffering=0) as file:
            file.write(bytes(8192))
            for _ in range(times):
                start = perf_counter()
                file.seek(0)
                file.write(bytes(8192))
                flush(file.fileno())
                took.append((perf_counter() - start) * 1000)
    finally:
        probe.unlink(missing_ok=True)
    return sorted(took)[times // 2]
