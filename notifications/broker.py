"""
django-q2's queue in PostgreSQL, read as a queue is: the oldest first, one statement, by the database's clock.

Contract:
- A task whose `lock` lies in the future is not given out before that time: this is how a next try comes after 2 s.
- A database that is away is waited for. django-q2's own broker ends its process then and pauses for 10 s.
- Tasks with the key `own_key()` go to this worker's cluster alone: no other may answer its heartbeat.

Not here: what is put into the queue (`doorbell.py`).
"""

from __future__ import annotations

import logging
import os
import threading
from time import monotonic
from typing import Any

from django.db import DatabaseError, InterfaceError, connections
from django_q.brokers.orm import ORM
from django_q.conf import Conf

logger = logging.getLogger(__name__)

OWN_KEY_VARIABLE = "TAHAN_UJI_WORKER_KEY"
_AWAY_SECONDS = 0.5
_OWN_EVERY_SECONDS = 1.0

# django-q2 reads and updates in two statements, without an order; several clusters then fight for the same rows.
_TAKE = """
UPDATE django_q_ormq SET lock = clock_timestamp() + make_interval(secs => %s)
WHERE id = (
    SELECT id FROM django_q_ormq WHERE key = %s AND lock < clock_timestamp()
    ORDER BY lock, id LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING id, payload
"""


def own_key() -> str:
    """The queue of this worker alone; empty outside `manage.py worker`."""
    return os.environ.get(OWN_KEY_VARIABLE, "")


class Broker(ORM):  # type: ignore[misc]  # django-q2 has no types
    """`Q_CLUSTER["broker_class"]`."""

    def __init__(self, list_key: str | None = None) -> None:
        super().__init__(list_key)
        self._start()

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)
        self._start()

    def _start(self) -> None:
        self._own_at = 0.0
        self._is_away = False

    def dequeue(self) -> list[tuple[int, str]] | None:
        """The next task, or None after a short wait."""
        try:
            row = self._take_own() or self._take(self.list_key)
        except (DatabaseError, InterfaceError) as exc:
            self._away(exc)
            return None
        if self._is_away:
            self._is_away = False
            logger.warning("The database is back: tasks are taken again")
        if row is None:
            _pause.wait(Conf.POLL)
            return None
        return [row]

    def acknowledge(self, task_id: int) -> None:
        try:
            with connections[Conf.ORM].cursor() as cursor:
                cursor.execute("DELETE FROM django_q_ormq WHERE id = %s", [task_id])
        except (DatabaseError, InterfaceError) as exc:
            # It rings once more later, which changes nothing.
            self._away(exc)

    def _take_own(self) -> tuple[int, str] | None:
        if not own_key() or monotonic() < self._own_at:
            return None
        self._own_at = monotonic() + _OWN_EVERY_SECONDS
        return self._take(own_key())

    def _take(self, key: str) -> tuple[int, str] | None:
        with connections[Conf.ORM].cursor() as cursor:
            cursor.execute(_TAKE, [Conf.RETRY, key])
            row: tuple[int, str] | None = cursor.fetchone()
            return row

    def _away(self, exc: Exception) -> None:
        if not self._is_away:
            self._is_away = True
            logger.warning("No tasks are taken, the database is away: %s", type(exc).__name__)
        connections[Conf.ORM].close()
        _pause.wait(_AWAY_SECONDS)


#: Never set: waiting for it is a pause.
_pause = threading.Event()
