"""
Forget what is done with, when it is old.

Contract:
- Only what nobody needs any more goes: failed messages that were sent again, with the whole story of them being over,
  and messages that were delivered. What failed and was not retried, what waits, and what was cancelled stays.
- `include_sent` adds messages that were sent and of which no receipt ever came: some gateways give none.
- `dry_run` counts and changes nothing. Rows go in transactions of 1,000; an end in the middle leaves a smaller rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django_q.models import Task

from notifications.clock import database_now
from notifications.models import FINAL_STATES, FailedNotification, Notification, Receipt, State

_BATCH = 1000
#: Receipts that nobody claims: of messages that somebody sent by hand on the gateway's phone.
_RECEIPT_DAYS = 8


@dataclass(frozen=True, kw_only=True)
class PruneReport:
    """How many rows went, or would."""

    failed: int
    messages: int
    receipts: int
    tasks: int


def prune(*, days: int, include_sent: bool = False, dry_run: bool = False) -> PruneReport:
    """Forget what was done with *days* ago."""
    before = database_now() - timedelta(days=days)
    count: Callable[[QuerySet[Any]], int] = _count if dry_run else _delete
    return PruneReport(
        messages=count(_old_messages(before, include_sent=include_sent)),
        failed=count(_old_failures(before)),
        receipts=count(Receipt.objects.filter(created_at__lt=database_now() - timedelta(days=_RECEIPT_DAYS))),
        tasks=count(Task.objects.filter(stopped__lt=before)),
    )


def _old_messages(before: datetime, *, include_sent: bool) -> QuerySet[Notification]:
    done = [State.DELIVERED, State.READ, *([State.SENT] if include_sent else [])]
    is_delivered = Q(state__in=done, sent_at__lt=before)
    # A failed message goes with its failed row, and not before it.
    is_forgotten = Q(state=State.FAILED, failed_row__in=_old_failures(before))
    return Notification.objects.filter(is_delivered | is_forgotten)


def _old_failures(before: datetime) -> QuerySet[FailedNotification]:
    """Retried long ago, and neither a retry nor a later failure of the same chain still needs somebody."""
    running = Notification.objects.filter(retry_of=OuterRef("pk")).exclude(state__in=FINAL_STATES)
    first = FailedNotification.objects.filter(retry_of=OuterRef("pk"), retried=False)
    return FailedNotification.objects.filter(retried=True, retried_at__lt=before).exclude(
        Exists(running) | Exists(first)
    )


def _count(rows: QuerySet[Any]) -> int:
    return rows.count()


def _delete(rows: QuerySet[Any]) -> int:
    deleted = 0
    while True:
        with transaction.atomic(durable=True):
            batch = list(rows.order_by("pk").values_list("pk", flat=True)[:_BATCH])
            rows.model._default_manager.filter(pk__in=batch).delete()
        deleted += len(batch)
        if len(batch) < _BATCH:
            return deleted
