"""
The one statement that stores answers, and what its result means. Nothing else writes the table `answers`.

Contract:
- `AnswerStore.save()` stores a batch of saves with distinct (attempt, question) in one statement and one commit.
  A result that says saved, already_saved or superseded describes a row that is committed and flushed.
- None in place of a result means "ask again soon": the attempt's row is locked by somebody (a submit, a teacher).
- `DatabaseAway` means that nothing is known about the batch. Sending it again is safe: revisions decide.
- `SaveRefused`, or any other exception, means that a smaller batch may be stored. Sending again is safe here too.

Locks, in this order everywhere: the attempts by id (`FOR SHARE` here, `FOR UPDATE` in submit), then the answers by
(attempt, question). A locked attempt is skipped, not waited for, so one slow teacher never delays a class.
docs/explanation/saving.md explains each line.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import psycopg
from django.db import connection as django_connection

from exams.autosave.entries import Outcome, Save, SaveResult

#: A database that has not answered after this is treated as away. Above the statement's own time-out on the server.
_HANGS_AFTER_SECONDS = 6.0
_CONNECT_SECONDS = 3
#: After a failed connect the next try waits this long; saves that come meanwhile are answered at once.
_RECONNECT_SECONDS = 0.25

# json_to_recordset and not unnest(arrays): one parameter that Python joins in a microsecond per save.
# A cleared answer is the JSON null, which json_to_recordset hands over as SQL's.
_ENTRIES = (
    "(SELECT a, q, r, coalesce(v, 'null') AS v "
    "FROM json_to_recordset(%(saves)s::json) AS sent(a bigint, q bigint, r bigint, v jsonb)) AS entry"
)

# The 2 s rule reads the clock when it holds the row, however long it waited for it. A stored saved_at that lies so far
# in the future means that the clock was set back: it must not block the student.
# A teacher's points belong to the answer that was read, not to the one that replaces it.
SAVE_SQL = f"""
WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS now),
open_attempt AS MATERIALIZED (
    SELECT attempts.id FROM attempts, clock
    WHERE attempts.id = ANY(%(attempts)s::bigint[]) AND attempts.status = 'in_progress'
      AND clock.now < attempts.deadline_at + %(grace)s
    ORDER BY attempts.id
    FOR SHARE OF attempts SKIP LOCKED
)
INSERT INTO answers (attempt_id, question_id, value, revision, saved_at)
SELECT entry.a, entry.q, entry.v, entry.r, clock_timestamp()
FROM {_ENTRIES} JOIN open_attempt ON open_attempt.id = entry.a
ORDER BY entry.a, entry.q
ON CONFLICT (attempt_id, question_id) DO UPDATE
SET value = excluded.value, revision = excluded.revision, saved_at = clock_timestamp(), points = NULL
WHERE answers.revision < excluded.revision
  AND (answers.saved_at <= clock_timestamp() - %(gap)s OR answers.saved_at >= clock_timestamp() + %(gap)s)
RETURNING attempt_id, question_id, saved_at
"""  # noqa: S608 - constants of this module

# Asked only for the saves that the first statement left out, with a snapshot taken after it.
EXPLAIN_SQL = f"""
WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS now)
SELECT entry.a, entry.q, attempts.status, clock.now < attempts.deadline_at + %(grace)s,
       answers.revision, answers.saved_at, answers.value = entry.v, answers.value::text,
       extract(epoch FROM answers.saved_at + %(gap)s - clock.now)::float8
FROM {_ENTRIES} CROSS JOIN clock
LEFT JOIN attempts ON attempts.id = entry.a
LEFT JOIN answers ON answers.attempt_id = entry.a AND answers.question_id = entry.q
"""  # noqa: S608 - constants of this module

# Submit holds the attempt's lock and has checked the deadline; the 2 s rule does not apply to it.
APPLY_SQL = f"""
INSERT INTO answers (attempt_id, question_id, value, revision, saved_at)
SELECT entry.a, entry.q, entry.v, entry.r, clock_timestamp()
FROM {_ENTRIES}
ORDER BY entry.a, entry.q
ON CONFLICT (attempt_id, question_id) DO UPDATE
SET value = excluded.value, revision = excluded.revision, saved_at = excluded.saved_at, points = NULL
WHERE answers.revision < excluded.revision
"""  # noqa: S608 - constants of this module


class DatabaseAway(Exception):
    """No connection, it was lost in the middle, or the database can store nothing at all now (disk full, read-only)."""


class SaveRefused(Exception):
    """The database will never take this: trying again cannot help."""


def _as_json(saves: Sequence[Save]) -> str:
    return (
        b"["
        + b",".join(b'{"a":%d,"q":%d,"r":%d,"v":%b}' % (s.attempt, s.question, s.revision, s.value) for s in saves)
        + b"]"
    ).decode()


def apply_in_submit(saves: Sequence[Save]) -> None:
    """Store what is newer, on Django's connection, in a transaction that holds the attempt `FOR UPDATE`."""
    newest: dict[tuple[int, int], Save] = {}
    for save in saves:
        if save.key not in newest or newest[save.key].revision < save.revision:
            newest[save.key] = save
    if newest:
        with django_connection.cursor() as cursor:
            cursor.execute(APPLY_SQL, {"saves": _as_json(list(newest.values()))})


def connection_arguments() -> dict[str, Any]:
    """What `psycopg.connect` needs to reach Django's database, without Django's own cursors and pool."""
    django = django_connection.get_connection_params()
    ours = {key: value for key, value in django.items() if key not in ("context", "cursor_factory", "pool")}
    return {**ours, "connect_timeout": _CONNECT_SECONDS, "application_name": "tahan-uji saves"}


_WAITED_FOR_OTHERS = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)


class Connection:
    """
    One autocommit connection on the event loop that comes back by itself.

    One statement at a time; a second task waits for its turn. A server that stopped answering (a frozen disk, a
    SIGSTOP) is noticed by our own timer: the socket is shut down and the statement fails, instead of a cancellation
    that waits for the same server.
    """

    def __init__(self, arguments: dict[str, Any], settings_sql: str) -> None:
        self._arguments = arguments
        self._settings_sql = settings_sql
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._not_before = 0.0
        self._turn = asyncio.Lock()
        self._has_hung = False
        self.is_away = False

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is not None and not self._connection.closed:
            return self._connection
        loop = asyncio.get_running_loop()
        if loop.time() < self._not_before:
            raise DatabaseAway
        connection = None
        try:
            async with asyncio.timeout(_CONNECT_SECONDS + 1):
                connection = await psycopg.AsyncConnection.connect(**self._arguments, autocommit=True)
            await self._execute(connection, self._settings_sql)
        except (psycopg.Error, OSError, TimeoutError) as exc:
            self._not_before = loop.time() + _RECONNECT_SECONDS
            if connection is not None:
                await connection.close()
            raise DatabaseAway from exc
        self._connection = connection
        return connection

    async def _execute(
        self, connection: psycopg.AsyncConnection[Any], sql: str, parameters: dict[str, Any] | None = None
    ) -> psycopg.AsyncCursor[Any]:
        """Run *sql*, and hang up on a server that does not answer in time."""
        timer = asyncio.get_running_loop().call_later(_HANGS_AFTER_SECONDS, self._hang_up, connection)
        try:
            return await connection.execute(sql, parameters)
        finally:
            timer.cancel()

    def _hang_up(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._has_hung = True
        with (
            suppress(psycopg.Error, OSError),  # closed in the same moment: just what we want
            socket.socket(fileno=os.dup(connection.fileno())) as doubled,
        ):
            doubled.shutdown(socket.SHUT_RDWR)

    async def fetch(self, sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Run one statement in a transaction of its own. Raises `DatabaseAway` or what a smaller batch may avoid."""
        async with self._turn:
            try:
                return await self._fetch(sql, parameters)
            except DatabaseAway:
                if self.is_away or self._has_hung:
                    self.is_away = True
                    raise
            # The first failure may only be an old connection to a server that has restarted since: once more, at once.
            self._not_before = 0.0
            try:
                return await self._fetch(sql, parameters)
            except DatabaseAway:
                self.is_away = True
                raise

    async def _fetch(self, sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        connection = await self._connected()
        self._has_hung = False
        try:
            cursor = await self._execute(connection, sql, parameters)
            rows = await cursor.fetchall()
        except (psycopg.DataError, psycopg.IntegrityError) as exc:
            raise SaveRefused from exc
        except _WAITED_FOR_OTHERS:
            raise  # a smaller batch waits for fewer
        except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.ReadOnlySqlTransaction) as exc:
            # Also where the connection itself is fine (disk full, a standby after a failover): a new one may be better.
            self._connection = None
            await connection.close()
            raise DatabaseAway from exc
        self.is_away = False
        return rows

    async def close(self) -> None:
        """Close; the next statement connects again."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None


#: Nothing is prepared: planning takes 0.3 ms a batch, and a plan made on empty tables would stay when they are full.
_WRITER_SETTINGS = (
    "SET statement_timeout = '5s'; SET lock_timeout = '1s'; SET synchronous_commit = on; "
    "SET enable_seqscan = off; SET jit = off"
)


class AnswerStore:
    """Stores batches on a connection of its own, and explains what was not stored."""

    def __init__(self, arguments: dict[str, Any], *, grace_seconds: int, gap_seconds: float) -> None:
        self.connection = Connection(arguments, _WRITER_SETTINGS)
        self._gap_seconds = gap_seconds
        self._intervals = {"grace": timedelta(seconds=grace_seconds), "gap": timedelta(seconds=gap_seconds)}

    async def save(self, saves: Sequence[Save]) -> list[SaveResult | None]:
        """Store *saves* (distinct keys) and say for each what became of it. See the module's contract."""
        parameters = {
            "saves": _as_json(saves),
            "attempts": list({save.attempt for save in saves}),
            **self._intervals,
        }
        rows = await self.connection.fetch(SAVE_SQL, parameters)
        saved = {(attempt, question): saved_at for attempt, question, saved_at in rows}
        left_out = [save for save in saves if save.key not in saved] if len(saved) < len(saves) else []
        explained = await self._explain(left_out) if left_out else {}
        return [
            SaveResult(Outcome.SAVED, save.revision, saved[save.key]) if save.key in saved else explained[save.key]
            for save in saves
        ]

    async def _explain(self, saves: Sequence[Save]) -> dict[tuple[int, int], SaveResult | None]:
        rows = await self.connection.fetch(EXPLAIN_SQL, {"saves": _as_json(saves), **self._intervals})
        sent = {save.key: save.revision for save in saves}
        return {(row[0], row[1]): _meaning(sent[row[0], row[1]], self._gap_seconds, *row[2:]) for row in rows}

    async def close(self) -> None:
        await self.connection.close()


def _meaning(
    sent: int,
    gap_seconds: float,
    status: str | None,
    is_open: bool | None,
    revision: int | None,
    saved_at: Any,
    is_same: bool | None,
    stored: str | None,
    retry_after_seconds: float | None,
) -> SaveResult | None:
    """
    Why a save was left out, judged by what is stored *now*: each answer is true at this moment.

    A resend of what is stored comes first: it is acknowledged within the 2 s and after the deadline as well. An older
    revision within the 2 s is refused like any other save, as the shield of the process that saved would do.
    """
    stored_is_newer = revision is not None and revision > sent
    if revision == sent and is_same:
        return SaveResult(Outcome.ALREADY_SAVED, sent, saved_at)
    is_closed = status != "in_progress" or not is_open
    if is_closed and not stored_is_newer and revision != sent:
        return SaveResult(Outcome.CLOSED, attempt_status="expired" if status in (None, "in_progress") else status or "")
    is_within_gap = retry_after_seconds is not None and 0 < retry_after_seconds <= gap_seconds
    if is_within_gap and not is_closed and revision != sent:
        return SaveResult(Outcome.RATE_LIMITED, retry_after_seconds=retry_after_seconds or 0)
    if revision is not None and (stored_is_newer or revision == sent):
        return SaveResult(Outcome.SUPERSEDED, revision, saved_at, stored=(stored or "null").encode())
    return None  # the attempt was locked for a moment, or the 2 s have just passed
