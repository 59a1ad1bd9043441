"""
What gateways say later about a message: sent, delivered, read, failed. In any order, twice, or too early.

Contract:
- States only move forward: queued < sent < delivered < read. A receipt that was seen before changes nothing.
- `failed` after `sent` makes a failed row. After `delivered` it is ignored, and a later `delivered` overrules it.
- A receipt for a message that is not recorded yet is kept, and applied once its id is known.
- A receipt that carries our own id proves that a try with an unknown end was sent: there is no next try.

Not here: signatures and shapes (`webhooks.py`).
"""

from __future__ import annotations

import logging
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from notifications import settling
from notifications.clock import database_now
from notifications.models import Notification, Receipt, State

logger = logging.getLogger(__name__)

_RANK = {State.SENT: 1, State.DELIVERED: 2, State.READ: 3}
#: Tried, and not known to be sent: only its own id can tell.
_UNSURE = (State.SENDING, State.WAITING, State.HELD)
UNDELIVERED = "undelivered"


def apply_receipt(
    *,
    gateway: str,
    provider_id: str,
    provider_state_id: str = "",
    notification_id: UUID | None = None,
    state: str,
    error: str = "",
    at: datetime,
) -> bool:
    """Take one receipt in; whether it changed anything. States beside sent, delivered, read and failed are ignored."""
    if state not in (*_RANK, State.FAILED):
        return False
    ids = {"gateway": gateway, "provider_id": provider_id, "provider_state_id": provider_state_id}
    changed = _apply(ids, notification_id, state, error, at)
    if changed is not None and provider_id and provider_state_id:
        # Now it is known whose second id this is.
        changed |= apply_kept(gateway=gateway, provider_state_id=provider_state_id) > 0
    if changed is not None or not (provider_id or provider_state_id):
        return bool(changed)
    Receipt.objects.bulk_create([Receipt(**ids, state=state, error=error, at=at)], ignore_conflicts=True)
    # The send may have been recorded just now; from here on one of us sees the other, and else the sweeper does.
    return apply_kept(gateway=gateway, provider_id=provider_id) > 0 if provider_id else False


def apply_kept(*, gateway: str, provider_id: str = "", provider_state_id: str = "") -> int:
    """Apply what came before its message was known by one of the two ids; how many changed something."""
    changed = 0
    with transaction.atomic():
        kept = list(
            Receipt.objects.select_for_update(skip_locked=True)
            .filter(
                Q(provider_id=provider_id) if provider_id else Q(provider_id="", provider_state_id=provider_state_id),
                gateway=gateway,
            )
            .order_by("at", "pk")
        )
        for receipt in kept:
            ids = {name: getattr(receipt, name) for name in ("gateway", "provider_id", "provider_state_id")}
            applied = _apply(ids, None, receipt.state, receipt.error, receipt.at)
            if applied is None:
                break
            changed += applied
            receipt.delete()
    return changed


_RECORDED_SINCE_SQL = """
SELECT DISTINCT kept.gateway, kept.provider_id FROM notification_receipts AS kept
JOIN notifications USING (gateway, provider_id) WHERE kept.provider_id <> '' LIMIT 500
"""


def apply_all_kept() -> int:
    """Those whose message was recorded in the same moment; for the sweeper."""
    with connection.cursor() as cursor:
        cursor.execute(_RECORDED_SINCE_SQL)
        found = cursor.fetchall()
    return sum(apply_kept(gateway=gateway, provider_id=provider_id) for gateway, provider_id in found)


def _matching(ids: dict[str, str], notification_id: UUID | None) -> Q | None:
    """By our own id, else by the gateway's; later receipts of Fonnte carry only its second id."""
    if notification_id is not None:
        return Q(pk=notification_id, gateway=ids["gateway"])
    if ids["provider_id"]:
        return Q(gateway=ids["gateway"], provider_id=ids["provider_id"])
    if ids["provider_state_id"]:
        return Q(gateway=ids["gateway"], provider_state_id=ids["provider_state_id"])
    return None


@transaction.atomic
def _apply(ids: dict[str, str], notification_id: UUID | None, state: str, error: str, at: datetime) -> bool | None:
    """Whether the receipt changed its message; None where there is none."""
    matching = _matching(ids, notification_id)
    if matching is None:
        return None
    found = Notification.objects.select_for_update(of=("self",)).select_related("retry_of")
    notification = found.filter(matching).order_by("-created_at").first()
    if notification is None:
        return None
    changed = _add_ids(notification, ids)
    if state == State.FAILED:
        return _fail(notification, error) or changed
    return _move_forward(notification, State(state), at) or changed


def _add_ids(notification: Notification, ids: dict[str, str]) -> bool:
    new = {name: ids[name] for name in ("provider_id", "provider_state_id") if ids[name]}
    new = {name: value[:200] for name, value in new.items() if not getattr(notification, name)}
    if not new or notification.tries == 0:
        return False
    for name, value in new.items():
        setattr(notification, name, value)
    notification.save(update_fields=list(new))
    return True


def _fail(notification: Notification, error: str) -> bool:
    unsure = notification.state in (State.WAITING, State.HELD) and notification.tries > 0
    if notification.state != State.SENT and not unsure:
        return False
    settling.fail(notification, error=error or "not delivered", error_class=UNDELIVERED, now=database_now())
    return True


def _move_forward(notification: Notification, state: State, at: datetime) -> bool:
    before = State(notification.state)
    may_move = (
        (before in _RANK and _RANK[state] > _RANK[before])
        or (before in _UNSURE and notification.tries > 0)
        # Three tries with an unknown end, or a "failed" that came too early: it has arrived all the same.
        or (before == State.FAILED and _RANK[state] >= _RANK[State.DELIVERED])
    )
    if may_move:
        notification.state = state
        notification.lease_token = notification.lease_until = None
        notification.error = notification.error_class = ""
        notification.sent_at = notification.sent_at or at
    elif before not in _RANK:
        return False
    if state != State.SENT and (notification.delivered_at is None or at < notification.delivered_at):
        notification.delivered_at, may_move = at, True
    if state == State.READ and notification.read_at is None:
        notification.read_at, may_move = at, True
    if not may_move:
        return False
    notification.updated_at = database_now()
    notification.save(
        update_fields=[
            *("state", "lease_token", "lease_until", "error", "error_class"),
            *("sent_at", "delivered_at", "read_at", "updated_at"),
        ]
    )
    return True
