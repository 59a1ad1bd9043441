"""
Whether a gateway takes messages: its breaker opens by itself, a pause is somebody's will.

Contract:
- Failures of the gateway's own making, `breaker_failures` in a row, open the breaker; so does one wrong token or used
  up quota, once its message has had its tries. Any sensible answer begins the count anew.
- While it is open or paused, the gateway's messages are held: nothing is tried and no try is lost.
- An open breaker is probed after 30 s, then 1, 2 and 5 min, for ever; one good probe closes it and everything flows.
- `pause()` stops a gateway until `resume()`, which also closes the breaker; the next failure opens that again at once.

Not here: who probes (`probes.py`), messages that arrive while it is open (`delivery.ring_for_the_rest`).
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from notifications import doorbell
from notifications.backends.base import Result
from notifications.conf import conf
from notifications.exceptions import UnknownGateway
from notifications.models import GatewayState
from notifications.outcomes import RULES

logger = logging.getLogger(__name__)

#: Before each probe, counted from the last; the last of them stays.
COOL_DOWN_SECONDS = (30, 60, 120, 300)
#: Rows per statement: a batch is one lock on a crowd, and a school has thousands of messages.
_BATCH = 1000
#: "Too many requests" is said to all messages, but for no longer than this without asking again.
_SLOWED_SECONDS = 60.0

BLOCKED = Q(is_open=True) | Q(paused_at__isnull=False)


def is_healthy(result: Result) -> bool:
    """Whether *result* shows a gateway that works, whatever it thinks of the message."""
    return not RULES[result.outcome].feeds_breaker


def note(alias: str, result: Result, *, now: datetime, is_last: bool, is_probe: bool) -> None:
    """
    Take *result* into account. Last in the transaction that records it: a gateway's row is locked after all others.

    *is_last*: its message has had all its tries.
    """
    gateway = GatewayState.objects.select_for_update().filter(pk=alias)
    if is_healthy(result):
        if result.http_status == 429:
            asked = result.retry_after_seconds or 1.0
            gateway.update(next_send_at=now + timedelta(seconds=min(asked, _SLOWED_SECONDS)))
        if is_probe:
            close(alias)
        else:
            gateway.filter(failures__gt=0).update(failures=0, updated_at=Now())
        return
    if is_probe:
        probe_failed(alias, result, now=now)
        return
    state = gateway.first()
    if state is None or state.is_open:
        return
    state.failures += 1
    is_at_once = RULES[result.outcome].opens_breaker_at_once and is_last
    if is_at_once or state.failures >= conf().breaker_failures:
        state.is_open, state.opened_at, state.cool_down_step = True, now, 0
        state.probe_at = now + timedelta(seconds=COOL_DOWN_SECONDS[0])
        state.reason, state.error_class = result.error, result.outcome
        doorbell.ring(at=state.probe_at)
        # The crowd is held by whoever looks next; this transaction stays short.
        doorbell.ring()
        logger.error(
            "Gateway %s is stopped by its errors (%s): its messages are held",
            alias,
            result.outcome,
            extra={"action": "breaker_opened"},
        )
    state.updated_at = now
    state.save()


def probe_failed(alias: str, result: Result, *, now: datetime) -> None:
    """Still in trouble: the next probe comes later."""
    state = GatewayState.objects.select_for_update().filter(pk=alias, is_open=True).first()
    if state is None:
        return
    state.cool_down_step = min(state.cool_down_step + 1, len(COOL_DOWN_SECONDS) - 1)
    state.probe_at = now + timedelta(seconds=COOL_DOWN_SECONDS[state.cool_down_step])
    state.reason, state.error_class, state.updated_at = result.error, result.outcome, now
    state.save()
    doorbell.ring(at=state.probe_at)
    logger.warning("Gateway %s is still in trouble: %s", alias, result.outcome, extra={"action": "probe_failed"})


@transaction.atomic
def close(alias: str, *, is_sure: bool = True) -> None:
    """The gateway works again. Not *is_sure*: nobody has asked it, and one more failure is enough to open it again."""
    failures = 0 if is_sure else max(0, conf().breaker_failures - 1)
    was_open = GatewayState.objects.filter(pk=alias, is_open=True).update(
        is_open=False,
        failures=failures,
        opened_at=None,
        probe_at=None,
        reason="",
        error_class="",
        cool_down_step=0,
        updated_at=Now(),
    )
    if was_open:
        logger.warning("Gateway %s works again", alias, extra={"action": "breaker_closed"})
        _release_and_ring(alias)


@transaction.atomic
def pause(alias: str, by: str) -> bool:
    """Stop a gateway by hand; False where it was paused already. What is in the air is still recorded."""
    _require(alias)
    GatewayState.objects.get_or_create(pk=alias)
    changed = GatewayState.objects.filter(pk=alias, paused_at__isnull=True).update(
        paused_at=Now(), paused_by=by, updated_at=Now()
    )
    if changed:
        doorbell.ring()
        logger.warning("Gateway %s is paused", alias, extra={"action": "gateway_paused"})
    return bool(changed)


@transaction.atomic
def resume(alias: str, by: str) -> bool:
    """End a pause, and give a gateway that its errors had stopped another chance; False where neither was so."""
    _require(alias)
    changed = GatewayState.objects.filter(pk=alias, paused_at__isnull=False).update(
        paused_at=None, paused_by="", updated_at=Now()
    )
    was_open = GatewayState.objects.filter(pk=alias, is_open=True).exists()
    close(alias, is_sure=False)
    if changed:
        logger.warning("Gateway %s is resumed", alias, extra={"action": "gateway_resumed", "by": by})
        _release_and_ring(alias)
    return bool(changed) or was_open


def _require(alias: str) -> None:
    if alias not in conf().gateways:
        raise UnknownGateway(alias)


# -- holding and releasing -------------------------------------------------------------------------------------------

# The gateway is looked at once more in the same statement: it may be back by now.
_HOLD_SQL = """
UPDATE notifications SET state = 'held', updated_at = clock_timestamp()
WHERE id IN (
    SELECT id FROM notifications WHERE gateway = %(alias)s AND state IN ('queued', 'waiting')
    ORDER BY next_try_at, id LIMIT %(batch)s FOR UPDATE SKIP LOCKED
)
AND EXISTS (
    SELECT 1 FROM notification_gateways WHERE alias = %(alias)s AND (is_open OR paused_at IS NOT NULL)
)
"""
_RELEASE_SQL = """
UPDATE notifications SET
    state = CASE WHEN tries = 0 THEN 'queued' ELSE 'waiting' END, updated_at = clock_timestamp()
WHERE id IN (
    SELECT id FROM notifications WHERE gateway = %(alias)s AND state = 'held'
    ORDER BY id LIMIT %(batch)s FOR UPDATE SKIP LOCKED
)
AND NOT EXISTS (
    SELECT 1 FROM notification_gateways WHERE alias = %(alias)s AND (is_open OR paused_at IS NOT NULL)
)
"""


def hold_due(alias: str) -> int:
    """Hold what waits for a gateway that is open or paused; how many. Each batch is a transaction of its own."""
    return _in_batches(_HOLD_SQL, alias)


def release(alias: str) -> int:
    """Put what was held back into the line, unless the gateway is still open or paused."""
    return _in_batches(_RELEASE_SQL, alias)


def _in_batches(sql: str, alias: str) -> int:
    moved = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(sql, {"alias": alias, "batch": _BATCH})
            batch: int = cursor.rowcount
        moved += batch
        if batch < _BATCH:
            return moved


def _release_and_ring(alias: str) -> None:
    if release(alias):
        doorbell.ring(times=conf().workers)
