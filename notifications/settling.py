"""
How a message leaves the air: back into the line, held, or failed for good.

Contract: the caller is in a transaction and holds the row's lock. The lease ends with it; the failed row and the state
are written together, and a message has one failed row at most.

Not here: which of them it is to be (`recording.py`, `sweeper.py`, `receipts.py`).
"""

from __future__ import annotations

import logging
from datetime import datetime

from notifications import doorbell
from notifications.models import FailedNotification, Notification, State

logger = logging.getLogger(__name__)


def wait(notification: Notification, *, until: datetime, error: str, error_class: str, now: datetime) -> None:
    """Back into the line, due at *until*, with a bell for then."""
    notification.state = State.WAITING
    notification.next_try_at = until
    _finish(notification, error, error_class, now)
    doorbell.ring(at=until)


def hold(notification: Notification, *, error: str, error_class: str, now: datetime) -> None:
    """Until its gateway is back."""
    notification.state = State.HELD
    _finish(notification, error, error_class, now)


def fail(notification: Notification, *, error: str, error_class: str, now: datetime) -> FailedNotification:
    """Failed for good: the state and the failed row."""
    notification.state = State.FAILED
    _finish(notification, error, error_class, now)
    again = notification.retry_of
    row, _created = FailedNotification.objects.get_or_create(
        notification=notification,
        defaults={
            "receiver": notification.receiver,
            "message": notification.message,
            "error": error,
            "error_class": error_class,
            "gateway": notification.gateway,
            "failed_at": now,
            # Always the first of the chain, so that its whole story is one query.
            "retry_of_id": None if again is None else again.retry_of_id or again.pk,
        },
    )
    logger.warning("Message %s failed: %s", notification.pk, error_class, extra={"action": "message_failed"})
    return row


def _finish(notification: Notification, error: str, error_class: str, now: datetime) -> None:
    notification.lease_token = notification.lease_until = None
    notification.error, notification.error_class, notification.updated_at = error, error_class, now
    notification.save(
        update_fields=[
            *("state", "tries", "next_try_at", "lease_token", "lease_until"),
            *("possible_duplicate", "error", "error_class", "updated_at"),
        ]
    )
