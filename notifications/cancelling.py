"""
Take back messages that have not gone yet.

Contract:
- What is queued, waits for its next try or is held becomes cancelled, by one guarded statement: of a cancel and a
  worker at once, one gets the row. What is being sent or was sent cannot be taken back.
- The `dedupe_key` becomes free again: who cancels a wrong text wants to send the right one.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from notifications.models import DUE_STATES, Notification, State

CANCELLABLE = (*DUE_STATES, State.HELD)


def cancel(ids: Collection[UUID]) -> list[Notification]:
    """Cancel those of *ids* that can be; returns them."""
    with transaction.atomic():
        # Locked first, so that the caller learns which rows they were; a row that a worker holds is waited for and
        # then looked at again, and a worker passes over ours.
        rows = list(
            Notification.objects.select_for_update(no_key=True).filter(pk__in=ids, state__in=CANCELLABLE).order_by("pk")
        )
        Notification.objects.filter(pk__in=[row.pk for row in rows]).update(
            state=State.CANCELLED, dedupe_key=None, updated_at=Now()
        )
    return rows
