"""
The save path of one process, put together: connections, queue, papers, endpoint.

Contract: `start()` inside the event loop before the first request, `stop()` after the last one; `stop()` returns when
every accepted save is committed or answered.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg
from django.conf import settings as django_settings
from django.db.migrations.loader import MigrationLoader

from exams.autosave.endpoint import AutosaveEndpoint
from exams.autosave.paper_rules import PaperRules
from exams.autosave.save_queue import SaveQueue
from exams.autosave.server_clock import ServerClock
from exams.autosave.store import AnswerStore, Connection, DatabaseAway, connection_arguments
from exams.conf import conf
from ratelimit.limiter import MinimumGap
from ratelimit.policies import policy

_READER_SETTINGS = "SET statement_timeout = '5s'; SET default_transaction_read_only = on"
#: A save that waits longer than this means that something is stuck; the longest honest wait is a frozen database's.
_STUCK_AFTER_SECONDS = 30.0


class Autosave:
    """Owns what must be made inside an event loop and closed with it."""

    endpoint: AutosaveEndpoint

    async def start(self) -> None:
        settings = conf()
        arguments = connection_arguments()
        gap_seconds = policy("save_answer").period_seconds
        self._store = AnswerStore(arguments, grace_seconds=settings.save_grace_seconds, gap_seconds=gap_seconds)
        # A paper of megabytes must not hold up the saves, unless the provider counts every connection.
        self._reader = (
            Connection(arguments, _READER_SETTINGS)
            if django_settings.SAVE_QUEUE_CONNECTIONS > 1
            else self._store.connection
        )
        self._queue = SaveQueue(
            self._store.save,
            max_answers=settings.save_queue_max_answers,
            max_bytes=settings.save_queue_max_bytes,
            batch_max=settings.save_batch_max,
            wait_seconds=settings.save_wait_seconds,
        )
        clock = ServerClock(self._database_now)
        shield = MinimumGap(gap_seconds)
        self.endpoint = AutosaveEndpoint(self._queue, PaperRules(self._reader), clock, shield, settings)
        self._wanted_migrations = set(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)
        await clock.ask()

    async def _database_now(self) -> datetime:
        [(now,)] = await self._reader.fetch("SELECT clock_timestamp()", {})
        assert isinstance(now, datetime)  # noqa: S101 - for the type checker
        return now

    async def stop(self) -> None:
        await self._queue.close()
        await self._store.close()
        await self._reader.close()

    async def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Whether this process can save, and the facts behind it, for `/readyz`."""
        queue = self._queue.state()
        database, migrations = "ok", "applied"
        try:
            rows = await self._reader.fetch("SELECT app, name FROM django_migrations", {})
        except DatabaseAway:
            database, migrations = "away", "unknown"
        except psycopg.errors.UndefinedTable:
            migrations = "missing"
        except psycopg.Error:  # somebody has locked the table
            migrations = "unknown"
        else:
            if missing := self._wanted_migrations - set(rows):
                migrations = f"{len(missing)} missing"
        is_draining_well = queue.oldest_seconds < _STUCK_AFTER_SECONDS and not queue.is_full
        is_ready = database == "ok" and migrations == "applied" and is_draining_well
        return is_ready, {
            "database": database,
            "migrations": migrations,
            "saveQueue": {
                "status": "ok" if is_draining_well else "stuck",
                "pending": queue.pending,
                "pendingBytes": queue.pending_bytes,
                "oldestPendingSeconds": round(queue.oldest_seconds, 3),
            },
        }
