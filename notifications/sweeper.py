"""
Every half minute: find what got lost, and put it back into the line.

Contract: whatever dies, a message that was committed is looked at again within a lease and two sweeps. `sweep()` may
run in several workers at once: what one holds, the others leave alone. Each step is bounded, in its own transactions.

- leases that ran out: the worker or the database died between claim and record. The message may have been sent, so its
  next try, or its failed row, says `possible_duplicate`.
- messages whose time is over; messages that are held although their gateway is back, or wait for one that is not;
- doorbells that were lost, by ringing for whatever is due; receipts that were kept in the moment of a record.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import transaction

from notifications import breaker, delivery, receipts, settling
from notifications.clock import database_now
from notifications.conf import conf
from notifications.models import DUE_STATES, DeliveryTry, GatewayState, Notification, State
from notifications.outcomes import Outcome

logger = logging.getLogger(__name__)

_BATCH = 500
LEASE_EXPIRED = "lease_expired"
_LOST = "The worker or the database stopped while this was being sent. It may have been sent."


@dataclass(frozen=True, kw_only=True)
class SweepReport:
    """How many messages were found in each state of being lost."""

    leases: int = 0
    expired: int = 0
    released: int = 0
    held: int = 0
    receipts: int = 0

    def __bool__(self) -> bool:
        return any(asdict(self).values())


def sweep(*, now: datetime | None = None) -> SweepReport:
    """Look once. *now* is for tests."""
    delivery.ensure_gateways()
    report = SweepReport(
        leases=_recover_leases(now),
        expired=_expire(now),
        released=sum(breaker.release(alias) for alias in conf().gateways),
        held=_hold_for_nobody() + _hold_blocked(),
        receipts=receipts.apply_all_kept(),
    )
    delivery.ring_for_the_rest()
    if report:
        logger.warning("Swept: %s", ", ".join(f"{count} {name}" for name, count in asdict(report).items() if count))
    return report


def _recover_leases(now: datetime | None) -> int:
    recovered = 0
    while True:
        with transaction.atomic(durable=True):
            moment = now or database_now()
            found = Notification.objects.select_for_update(skip_locked=True, of=("self",)).select_related("retry_of")
            lost = list(found.filter(state=State.SENDING, lease_until__lt=moment).order_by("lease_until")[:_BATCH])
            for notification in lost:
                _recover(notification, moment)
        recovered += len(lost)
        if len(lost) < _BATCH:
            return recovered


def _recover(notification: Notification, now: datetime) -> None:
    lease_seconds = conf().deadline_seconds * delivery.LEASE_DEADLINES
    DeliveryTry.objects.create(
        notification=notification,
        number=notification.tries,
        started_at=notification.updated_at,  # when it was claimed
        duration_ms=round(lease_seconds * 1000),
        outcome=Outcome.UNKNOWN,
        code=LEASE_EXPIRED,
    )
    notification.possible_duplicate = True
    if notification.tries >= conf().max_tries:
        settling.fail(notification, error=_LOST, error_class=Outcome.UNKNOWN, now=now)
    else:
        settling.wait(notification, until=now, error=_LOST, error_class=Outcome.UNKNOWN, now=now)


def _expire(now: datetime | None) -> int:
    moment = now or database_now()
    waiting = Notification.objects.filter(state__in=(*DUE_STATES, State.HELD), expires_at__lte=moment)
    expired = 0
    while True:
        with transaction.atomic(durable=True):
            ids = list(waiting.select_for_update(skip_locked=True).values_list("pk", flat=True)[:_BATCH])
            Notification.objects.filter(pk__in=ids).update(state=State.EXPIRED, updated_at=moment)
        expired += len(ids)
        if len(ids) < _BATCH:
            return expired


def _hold_for_nobody() -> int:
    """A gateway that left the settings: its messages wait, in sight, until it is back or their time is over."""
    lost = Notification.objects.filter(state__in=DUE_STATES).exclude(gateway__in=list(conf().gateways))
    return lost.update(state=State.HELD, error="This gateway is not in the settings.", updated_at=database_now())


def _hold_blocked() -> int:
    blocked = GatewayState.objects.filter(breaker.BLOCKED, pk__in=list(conf().gateways))
    return sum(breaker.hold_due(alias) for alias in blocked.values_list("alias", flat=True))
