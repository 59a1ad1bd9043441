"""
The doorbell: a row in django-q2's queue that says "something is due". It may ring twice, or never.

Contract:
- `ring()` writes in the caller's transaction: what is rolled back never rings, what is committed does.
- `ring(at=…)` rings then, not before, and within about a quarter second.
- `ring_if_quiet()` rings only where fewer than so many bells are waiting already. Only for messages that are committed:
  a waiting bell may be answered before a transaction that is still open.
- A bell holds no message, no id and no number: whoever answers it looks for what is due.

Not here: who answers (`tasks.py`), the queue's reading (`broker.py`), bells that were lost (`sweeper.py`).
"""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import connection
from django.utils import timezone
from django_q.conf import Conf
from django_q.signing import SignedPackage

DELIVER = "notifications.tasks.deliver"

_RING = """
INSERT INTO django_q_ormq (key, payload, lock)
SELECT %(key)s, %(payload)s, coalesce(%(at)s, statement_timestamp()) FROM generate_series(1, %(times)s)
RETURNING id
"""
# A task that is running has a lock of more than a minute ahead and is not counted.
_RING_IF_QUIET = """
INSERT INTO django_q_ormq (key, payload, lock)
SELECT %(key)s, %(payload)s, coalesce(%(at)s, statement_timestamp())
WHERE (
    SELECT count(*) FROM (
        SELECT 1 FROM django_q_ormq WHERE key = %(key)s AND lock <= coalesce(%(at)s, statement_timestamp())
        LIMIT %(enough)s
    ) AS waiting
) < %(enough)s
"""


def ring(*, at: datetime | None = None, times: int = 1) -> None:
    """Ring *times* bells, at once or *at* a time."""
    _insert(DELIVER, at=at, times=times)


def ring_if_quiet(*, at: datetime | None = None, enough: int = 1) -> None:
    """Ring once, unless *enough* bells ring until then anyway."""
    with connection.cursor() as cursor:
        cursor.execute(
            _RING_IF_QUIET, {"key": Conf.CLUSTER_NAME, "payload": _payload(DELIVER), "at": at, "enough": enough}
        )


def put_task(function: str, *, key: str = "") -> int:
    """Have a worker call *function* (a dotted name) soon; the id of its row, which is deleted when it was called."""
    return _insert(function, key=key)


def is_waiting(row_id: int) -> bool:
    """Whether that task has not been called to its end yet."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM django_q_ormq WHERE id = %s", [row_id])
        return cursor.fetchone() is not None


def forget(row_id: int) -> None:
    """Take a task out of the queue."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_q_ormq WHERE id = %s", [row_id])


def forget_old_keys() -> None:
    """Take out what was put for workers that are gone: nobody else reads their keys."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM django_q_ormq WHERE key LIKE %s AND lock < clock_timestamp() - interval '1 hour'",
            [f"{Conf.CLUSTER_NAME}:%"],
        )


def _insert(function: str, *, at: datetime | None = None, times: int = 1, key: str = "") -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            _RING, {"key": key or Conf.CLUSTER_NAME, "payload": _payload(function), "at": at, "times": times}
        )
        [row_id] = cursor.fetchone()
    assert isinstance(row_id, int)  # noqa: S101 - for the type checker
    return row_id


def _payload(function: str) -> str:
    """A task as django-q2's `async_task` writes it, which can neither be given a time nor stay on our connection."""
    package: str = SignedPackage.dumps(
        {
            "id": uuid.uuid4().hex,
            "name": function.rpartition(".")[2],
            "func": function,
            "args": (),
            "kwargs": {},
            "started": timezone.now(),
            "ack_failure": True,
        }
    )
    return package
