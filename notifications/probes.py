"""
Asking a gateway that was in trouble whether it is back.

Contract: of all workers one asks, once per cool-down; one that dies while it asks is replaced after a lease's time. The
gateway's own probe is used where it has one, else one of the messages that are held for it; with neither, the next
message is the probe.
"""

from __future__ import annotations

import logging
import uuid
from datetime import timedelta
from typing import Any

from django.db import connection, transaction

from notifications import breaker, doorbell, recording
from notifications.backends.base import Result
from notifications.backends.loading import backend_for
from notifications.clock import database_now
from notifications.conf import conf
from notifications.delivery import LEASE_DEADLINES, send
from notifications.exceptions import GatewayNotConfigured
from notifications.models import GatewayState
from notifications.outcomes import Outcome
from notifications.recording import Claim

logger = logging.getLogger(__name__)


def probe_due() -> int:
    """Ask every gateway whose cool-down is over; how many were asked."""
    now = database_now()
    due = GatewayState.objects.filter(is_open=True, paused_at__isnull=True, probe_at__lte=now)
    asked = 0
    for alias in due.values_list("alias", flat=True):
        if alias in conf().gateways and _take(alias):
            _ask(alias)
            asked += 1
    return asked


def _lease() -> timedelta:
    return timedelta(seconds=conf().deadline_seconds * LEASE_DEADLINES)


@transaction.atomic
def _take(alias: str) -> bool:
    # The guarded UPDATE is the lock: of two workers at once, one updates no row.
    now = database_now()
    mine = GatewayState.objects.filter(pk=alias, is_open=True, paused_at__isnull=True, probe_at__lte=now).update(
        probe_at=now + _lease()
    )
    if mine:
        doorbell.ring(at=now + _lease())
    return bool(mine)


def _ask(alias: str) -> None:
    try:
        result = backend_for(alias).probe()
    except GatewayNotConfigured as exc:
        result = Result(outcome=Outcome.GATEWAY_AUTH, error=exc.problem)
    except Exception as exc:  # noqa: BLE001 - a backend with a bug must not end its worker
        logger.error("The probe of gateway %s failed: %s", alias, type(exc).__name__)
        result = Result(outcome=Outcome.TRANSIENT, error=f"{type(exc).__name__} in the gateway's code")
    if result is not None:
        _note(alias, result)
        return
    claimed = _claim_held(alias)
    if claimed is None:
        breaker.close(alias, is_sure=False)
    else:
        recording.record_surely(claimed, send(claimed))


@transaction.atomic(durable=True)
def _note(alias: str, result: Result) -> None:
    if breaker.is_healthy(result):
        breaker.close(alias)
    else:
        breaker.probe_failed(alias, result, now=database_now())


_CLAIM_HELD_SQL = """
UPDATE notifications SET
    state = 'sending', tries = tries + 1, lease_token = %(token)s, lease_until = %(until)s, updated_at = %(now)s
WHERE id = (
    SELECT id FROM notifications WHERE gateway = %(alias)s AND state = 'held'
      AND (expires_at IS NULL OR expires_at > %(now)s)
    ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING id, receiver, message, template, tries
"""


def _claim_held(alias: str) -> Claim | None:
    now = database_now()
    values: dict[str, Any] = {"alias": alias, "token": uuid.uuid4(), "now": now, "until": now + _lease()}
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(_CLAIM_HELD_SQL, values)
        row = cursor.fetchone()
    if row is None:
        return None
    return Claim.of(row[:5], gateway=alias, token=values["token"], now=now, until=values["until"], is_probe=True)
