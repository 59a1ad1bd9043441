"""
What workers call, by dotted name and without arguments: each looks for what there is to do.

Contract: a task begins nothing after `DRAIN_SECONDS`, and a call to a gateway ends within its deadline, so that
django-q2's time-out of 15 s, which may hurt its queues, is never met. A database that is away ends the task with a line
in the log; the sweeper rings again.

Not here: when they are called (`doorbell.py`, `config/worker.py`).
"""

from __future__ import annotations

import logging
import mmap
from time import monotonic

from django.db import InterfaceError, OperationalError, connection

from notifications import delivery, probes, sweeper

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 3.0

#: One byte that all processes of a cluster share, without a lock that one of them could die with: 1 means "finish".
_stopping = mmap.mmap(-1, 1)


def stop_soon() -> None:
    """From now on tasks of this process and of those it has forked begin nothing new."""
    _stopping[0] = 1


def is_stopping() -> bool:
    """Whether `stop_soon()` was called."""
    return _stopping[0] == 1


def deliver() -> None:
    """Answer a doorbell: send what is due."""
    until = monotonic() + DRAIN_SECONDS
    try:
        if not is_stopping():
            probes.probe_due()
        delivery.deliver_due(until=until, stopping=is_stopping)
        delivery.ring_for_the_rest(has_time_left=monotonic() < until and not is_stopping())
    except (OperationalError, InterfaceError) as exc:
        _away(exc)


def sweep() -> None:
    """Find what got lost."""
    try:
        if not is_stopping():
            sweeper.sweep()
    except (OperationalError, InterfaceError) as exc:
        _away(exc)


def heartbeat() -> None:
    """Nothing: that it was called, and that its row is gone, is the news."""


def _away(exc: Exception) -> None:
    logger.warning("The database could not do it: %s", type(exc).__name__, extra={"action": "database_away"})
    connection.close()
