"""
Send again what could not be sent, once per click.

Contract:
- `retry_failed()` returns the new message, or None where another click came first.
- The failed row stays and is marked as retried: it is the audit trail. What becomes of the new message is a story of
  its own; if it fails too, its row links to the first.
- `retry_many()` does the same with a crowd, in transactions of 200; of two at once each row is retried by one.
- Nothing is sent here: the worker claims the new messages once they are committed.

Not here: HTTP (`api.py`), buttons (`admin/`), sending (`delivery.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from notifications import delivery
from notifications.conf import conf
from notifications.exceptions import BadReceiver
from notifications.models import FailedNotification, Notification

logger = logging.getLogger(__name__)

_BATCH = 200


@transaction.atomic(durable=True)
def retry_failed(*, failed_id: UUID, by: str) -> Notification | None:
    """Queue the message of *failed_id* again. Raises `BadReceiver` where its number is none: correct it instead."""
    # The guarded UPDATE is the lock: of two clicks at once, one updates no row.
    unclaimed = FailedNotification.objects.filter(pk=failed_id, retried=False)
    if not unclaimed.update(retried=True, retried_at=Now(), retried_by=by, updated_at=Now()):
        return None
    return _queue(FailedNotification.objects.select_related("notification").get(pk=failed_id))


def retry_many(failed: QuerySet[FailedNotification], *, by: str, dry_run: bool = False) -> int:
    """
    Queue all of *failed* again that nobody has yet; how many were, or (*dry_run*) would be.

    A row whose number is none is left as it is. What fails while this runs is not part of it.
    """
    ids = list(failed.filter(retried=False).order_by("failed_at", "pk").values_list("pk", flat=True))
    if dry_run:
        return len(ids)
    count = sum(_retry_batch(ids[start : start + _BATCH], by) for start in range(0, len(ids), _BATCH))
    logger.info("%s failed messages are sent again", count, extra={"action": "failed_retried", "by": by})
    return count


@transaction.atomic(durable=True)
def _retry_batch(ids: Sequence[UUID], by: str) -> int:
    # In the order of their keys, so that two crowds that overlap wait for each other and do not lock each other out.
    mine = (
        FailedNotification.objects.select_for_update(of=("self",))
        .select_related("notification")
        .filter(pk__in=ids, retried=False)
        .order_by("pk")
    )
    done = []
    for failed in mine:
        try:
            with transaction.atomic():
                _queue(failed)
        except BadReceiver:
            continue
        done.append(failed.pk)
    FailedNotification.objects.filter(pk__in=done).update(
        retried=True, retried_at=Now(), retried_by=by, updated_at=Now()
    )
    return len(done)


def _queue(failed: FailedNotification) -> Notification:
    before = failed.notification
    template: dict[str, Any] | None = None if before is None else before.template
    return delivery.enqueue(
        receiver=failed.receiver,
        message=failed.message,
        template=template,
        # A gateway that is no longer there must not keep the message from the one that is.
        gateway=failed.gateway if failed.gateway in conf().gateways else None,
        topic="" if before is None else before.topic,
        retry_of=failed,
    )
