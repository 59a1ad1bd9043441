"""The database's clock: the only one that decides what is due. Hosts disagree, and one that is wrong sends twice."""

from __future__ import annotations

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """The time of this statement, in a long transaction too."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        [now] = cursor.fetchone()
    assert isinstance(now, datetime)  # noqa: S101 - for the type checker
    return now
