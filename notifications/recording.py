"""
What became of a try, written down once: sent, waiting for the next try, or failed for good.

Contract:
- `record()` is one transaction, guarded by the lease: of two records of one claim the second changes nothing but the
  list of tries. A yes that comes after its lease ran out still counts, as long as nobody has tried again since.
- The third failure sets the state and writes the failed row in the same transaction; a refusal that cannot pass does so
  at once. A message that was asked to wait (`rate_limited`) gets its try back.
- The bell for the next try is in the transaction too: both or neither.
- `record_surely()` keeps the result while the database is away, but not for longer than django-q2 lets a task run.

Not here: which answer is which outcome (`backends/`), opening and closing of the breaker (`breaker.py`).
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, Self

from django.db import InterfaceError, OperationalError, connection, transaction

from notifications import breaker, receipts, settling
from notifications.backends.base import Result
from notifications.clock import database_now
from notifications.conf import conf
from notifications.models import DeliveryTry, Notification
from notifications.outcomes import RULES, Outcome

logger = logging.getLogger(__name__)

#: Of how long a pause may be longer than it must: upwards only, so that "2 s" is never less.
_JITTER = 0.2
#: Where the gateway asks for patience and does not say how much; and what it may say at most.
_RATE_LIMITED_SECONDS, _PATIENCE_SECONDS = 30.0, 3600.0
#: Somebody who is asked to wait for longer than this is not waiting any more: from then on it costs tries.
_RATE_LIMITED_FOR = timedelta(days=1)
#: A result is kept so long at least: a call of 10 s that began at 3 s stays below django-q2's 15 s.
_KEPT_SECONDS = 1.5
_AGAIN_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One message that is ours to send until *lease_until*. *number*: of this try, from 1 on."""

    id: uuid.UUID
    receiver: str
    message: str
    template: dict[str, Any] | None
    gateway: str
    number: int
    lease_token: uuid.UUID
    claimed_at: datetime
    lease_until: datetime
    is_probe: bool = False

    @classmethod
    def of(
        cls,
        row: Sequence[Any],
        *,
        gateway: str,
        token: uuid.UUID,
        now: datetime,
        until: datetime,
        is_probe: bool = False,
    ) -> Self:
        """From (id, receiver, message, template, tries) as SQL returns them."""
        found_id, receiver, message, template, number = row
        return cls(
            id=found_id,
            receiver=receiver,
            message=message,
            template=json.loads(template) if isinstance(template, str) else template,
            gateway=gateway,
            number=number,
            lease_token=token,
            claimed_at=now,
            lease_until=until,
            is_probe=is_probe,
        )


# The usual case in one statement: nothing is read first, and a lease that ran out is caught by the guard.
# It does not wait for the disk: the next claim flushes it, or PostgreSQL does within half a second. One that is killed
# in that moment forgets the record but not the lease, which is what brings the message back and marks it.
_SENT_SQL = """
WITH clock AS MATERIALIZED (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now),
sent AS (
    UPDATE notifications SET
        state = 'sent', sent_at = clock.now, updated_at = clock.now, lease_token = NULL, lease_until = NULL,
        provider_id = %(provider_id)s, error = '', error_class = '',
        possible_duplicate = possible_duplicate OR %(maybe)s
    FROM clock
    WHERE id = %(id)s AND (lease_token = %(token)s OR (state IN ('waiting', 'held') AND tries = %(number)s))
    RETURNING id
),
line AS (
    INSERT INTO notification_tries
        (notification_id, number, started_at, duration_ms, http_status, outcome, code, answer)
    SELECT %(id)s, %(number)s, %(started)s, greatest(0, extract(epoch FROM clock.now - %(started)s) * 1000)::int,
           %(status)s, %(outcome)s, %(code)s, %(answer)s
    FROM clock
),
gateway AS (
    UPDATE notification_gateways SET failures = 0 WHERE alias = %(gateway)s AND failures > 0
)
SELECT (SELECT count(*) FROM sent),
       EXISTS (SELECT 1 FROM notification_receipts
               WHERE gateway = %(gateway)s AND provider_id = %(provider_id)s AND provider_id <> ''),
       set_config('synchronous_commit', 'off', true)
"""


def backoff(number: int) -> timedelta:
    """The pause after try *number*: 2 s, 4 s, 8 s and so on, and up to a fifth more, so that a crowd comes apart."""
    share = secrets.randbelow(1_000_000) / 1_000_000
    return timedelta(seconds=2.0**number * (1 + _JITTER * share))


def record_surely(
    claim: Claim, result: Result, *, kept_until: float = 0.0, kept_seconds: float = _KEPT_SECONDS
) -> None:
    """
    `record`, again and again while the database is away: until *kept_until* (`time.monotonic`), and for *kept_seconds*.

    What is lost in the end, the lease brings back.
    """
    until = max(kept_until, monotonic() + kept_seconds)
    while True:
        try:
            record(claim, result)
        except (OperationalError, InterfaceError) as exc:
            connection.close()
            if monotonic() > until:
                logger.error(
                    "Message %s: %s could not be recorded: %s",
                    claim.id,
                    result.outcome,
                    type(exc).__name__,
                    extra={"action": "result_lost"},
                )
                raise
            _never.wait(_AGAIN_SECONDS)
        else:
            return


def record(claim: Claim, result: Result, *, now: datetime | None = None) -> None:
    """Write down what came of *claim*. See the module's contract."""
    if result.outcome is Outcome.ACCEPTED:
        _record_sent(claim, result, now)
    else:
        _record_refused(claim, result, now)


def _record_sent(claim: Claim, result: Result, now: datetime | None) -> None:
    values = _line(claim, result) | {
        "now": now,
        "token": claim.lease_token,
        "gateway": claim.gateway,
        "provider_id": result.provider_id,
        "maybe": result.maybe_sent,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SENT_SQL, values)
        [is_ours, has_receipts, _] = cursor.fetchone()
    if not is_ours:
        logger.warning("Message %s was sent, but its lease had run out", claim.id, extra={"action": "sent_late"})
    if has_receipts:
        receipts.apply_kept(gateway=claim.gateway, provider_id=result.provider_id)
    if claim.is_probe:
        breaker.close(claim.gateway)


def _record_refused(claim: Claim, result: Result, now: datetime | None) -> None:
    with transaction.atomic(durable=True):
        found = Notification.objects.select_for_update(of=("self",)).select_related("retry_of")
        notification = found.filter(pk=claim.id, lease_token=claim.lease_token).first()
        now = now or database_now()
        values = _line(claim, result)
        milliseconds = round((now - claim.claimed_at).total_seconds() * 1000)
        DeliveryTry.objects.create(
            notification_id=values["id"],
            number=values["number"],
            started_at=values["started"],
            duration_ms=max(0, milliseconds),
            http_status=values["status"],
            outcome=values["outcome"],
            code=values["code"],
            answer=values["answer"],
        )
        if notification is None:
            logger.warning("Message %s: %s came after its lease", claim.id, result.outcome)
            return
        notification.possible_duplicate |= _may_be_sent(result)
        if claim.is_probe and not breaker.is_healthy(result) and not _may_be_sent(result):
            # It was sent to see whether the gateway is back: what the gateway suffers from costs it no try.
            notification.tries -= 1
            settling.hold(notification, error=result.error, error_class=result.outcome, now=now)
            is_last = False
        else:
            is_last = _settle(notification, result, now)
        breaker.note(claim.gateway, result, now=now, is_last=is_last, is_probe=claim.is_probe)


def _may_be_sent(result: Result) -> bool:
    return result.maybe_sent or result.outcome is Outcome.UNKNOWN


def _settle(notification: Notification, result: Result, now: datetime) -> bool:
    """Wait for the next try or fail; whether it was the last."""
    rule = RULES[result.outcome]
    is_patient = not rule.costs_a_try and now - notification.created_at < _RATE_LIMITED_FOR
    if is_patient:
        notification.tries -= 1
        pause = timedelta(seconds=_patience(result))
    elif rule.fails_at_once or notification.tries >= conf().max_tries:
        settling.fail(notification, error=result.error or str(rule.meaning), error_class=result.outcome, now=now)
        return True
    else:
        pause = backoff(notification.tries)
        if result.retry_after_seconds is not None:
            pause = max(pause, timedelta(seconds=_patience(result)))
    settling.wait(notification, until=now + pause, error=result.error, error_class=result.outcome, now=now)
    return False


def _patience(result: Result) -> float:
    asked = _RATE_LIMITED_SECONDS if result.retry_after_seconds is None else result.retry_after_seconds
    return min(max(asked, 1.0), _PATIENCE_SECONDS)


def _line(claim: Claim, result: Result) -> dict[str, Any]:
    return {
        "id": claim.id,
        "number": claim.number,
        "started": claim.claimed_at,
        "status": result.http_status,
        "outcome": result.outcome.value,
        "code": result.code[:64],
        "answer": result.answer[:500],
    }


#: Never set: waiting for it is a pause.
_never = threading.Event()
