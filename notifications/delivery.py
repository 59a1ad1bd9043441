"""
The engine: a message is written with what it belongs to, claimed by one worker, sent once per try, and recorded.

Contract:
- `enqueue()` writes in the caller's transaction and rings the doorbell in it: both happen or neither.
- `claim()` is one short transaction, committed and on the disk when it returns. The try is counted and the lease taken
  *before* the gateway is called, so that a message that kills its worker is tried three times and no more.
- `send()` holds no transaction, no row and no lock. It calls the gateway once, for at most the deadline.
- `recording.record()` writes down what came of it, guarded by the lease.
- No gateway has more messages in the air than `in_flight`, more per second than its pace, or two for one person within
  the gap; what waits for that is not a try. Nothing here sleeps.

The one window in which a message can be sent twice is between the gateway's yes and the record's commit: a worker or a
database that dies there leaves a lease that runs out, and the next try is marked `possible_duplicate`.

Not here: what becomes of a result (`recording.py`), gateways in trouble (`breaker.py`, `probes.py`), what was
lost (`sweeper.py`).
"""

from __future__ import annotations

import logging
import traceback
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from time import monotonic
from typing import Any, Literal

from django.db import connection, transaction
from django.db.models.functions import Now

from notifications import breaker, doorbell, receivers, recording
from notifications.backends.base import Message, Result, Template
from notifications.backends.loading import backend_for
from notifications.clock import database_now
from notifications.conf import conf
from notifications.exceptions import BadReceiver, GatewayNotConfigured, UnknownGateway
from notifications.models import FailedNotification, GatewayState, Notification
from notifications.outcomes import Outcome
from notifications.recording import Claim

logger = logging.getLogger(__name__)

#: A lease outlives every call that keeps its deadline; what is older belongs to a worker that died.
LEASE_DEADLINES = 3
_INSERT_BATCH = 500
#: What an idle gateway may catch up at once: bells are heard five times a second, not more often.
_BURST = timedelta(seconds=0.5)


# -- enqueue ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class NewMessage:
    """What `enqueue` takes. *receiver* as somebody wrote it; *template* for gateways that want an approved one."""

    receiver: str
    message: str = ""
    template: Mapping[str, Any] | None = None
    gateway: str | None = None
    dedupe_key: str | None = None
    expires_at: datetime | None = None
    topic: str = ""
    send_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What `enqueue_many` did: queued, known before (the same dedupe key), and failed rows for bad numbers."""

    queued: int = 0
    known: int = 0
    failed: int = 0


def enqueue(
    *,
    receiver: str,
    message: str = "",
    template: Mapping[str, Any] | None = None,
    gateway: str | None = None,
    dedupe_key: str | None = None,
    expires_at: datetime | None = None,
    topic: str = "",
    retry_of: FailedNotification | None = None,
    send_at: datetime | None = None,
) -> Notification:
    """
    Queue a message, or return the one that has this *dedupe_key* already, whatever became of it.

    Raises `BadReceiver` and `UnknownGateway`; both know a sentence for the person who asked.
    """
    new = _row(
        NewMessage(
            receiver=receiver,
            message=message,
            template=template,
            gateway=gateway,
            dedupe_key=dedupe_key,
            expires_at=expires_at,
            topic=topic,
            send_at=send_at,
        )
    )
    new.retry_of = retry_of
    with transaction.atomic():
        if dedupe_key is None:
            Notification.objects.bulk_create([new])
        else:
            Notification.objects.bulk_create([new], ignore_conflicts=True)
        doorbell.ring(at=send_at)
    if dedupe_key is None:
        return Notification.objects.get(pk=new.pk)
    return Notification.objects.get(dedupe_key=dedupe_key)


def enqueue_many(rows: Iterable[NewMessage], *, bad_receivers: Literal["raise", "fail"] = "raise") -> Counts:
    """
    Queue many, in the caller's transaction, with one statement per 500.

    A number that is none raises `BadReceiver` before anything is written, or ("fail") becomes a failed row, once per
    dedupe key.
    """
    new, failed = [], []
    for row in rows:
        try:
            new.append(_row(row))
        except BadReceiver as exc:
            if bad_receivers == "raise":
                raise
            failed.append(_failed_row(row, exc))
    has_keys = any(row.dedupe_key is not None for row in new)
    with transaction.atomic():
        Notification.objects.bulk_create(new, ignore_conflicts=True, batch_size=_INSERT_BATCH)
        # Without keys there is nothing to conflict with.
        queued = Notification.objects.filter(pk__in=[row.pk for row in new]).count() if has_keys else len(new)
        FailedNotification.objects.bulk_create(failed, ignore_conflicts=True, batch_size=_INSERT_BATCH)
        if queued:
            doorbell.ring(times=min(queued, conf().workers))
        for send_at in {row.next_try_at for row in new if isinstance(row.next_try_at, datetime)}:
            doorbell.ring(at=send_at)
    return Counts(queued=queued, known=len(new) - queued, failed=len(failed))


def _row(new: NewMessage) -> Notification:
    settings = conf()
    alias = new.gateway or settings.default_alias
    if alias not in settings.gateways:
        raise UnknownGateway(alias)
    return Notification(
        receiver=receivers.normalise(new.receiver, settings.region),
        message=new.message.replace("\0", ""),  # which PostgreSQL cannot store and nobody can see
        template=None if new.template is None else dict(new.template),
        gateway=alias,
        dedupe_key=new.dedupe_key,
        expires_at=new.expires_at,
        topic=new.topic,
        next_try_at=Now() if new.send_at is None else new.send_at,
    )


def _failed_row(new: NewMessage, exc: BadReceiver) -> FailedNotification:
    return FailedNotification(
        receiver=new.receiver.replace("\0", "")[:32],
        message=new.message.replace("\0", ""),
        error=str(exc.message),
        error_class=Outcome.BAD_RECIPIENT,
        gateway=new.gateway or conf().default_alias,
        idempotency_key=None if new.dedupe_key is None else f"dedupe:{new.dedupe_key}"[:200],
    )


# -- claim -----------------------------------------------------------------------------------------------------------


# Two statements, sent as one and committed together: the second must see what the claims before it have committed, or
# a gateway gets more than its share. The lock is nobody's row, so a look that finds nothing writes nothing. Its holder
# does not wait for the disk, so that a slow one is waited for by all workers at once and not by one after the other.
#
# The gap: a new message waits until the last one to this person is so old; its own next tries need not.
_CLAIM_SQL = """
SELECT pg_advisory_xact_lock(hashtextextended(%(lock)s, 0)), set_config('synchronous_commit', 'off', true);

WITH clock AS MATERIALIZED (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now),
due AS MATERIALIZED (
    SELECT id, tries, receiver, expires_at <= (SELECT now FROM clock) AS is_late FROM notifications
    WHERE gateway = %(alias)s AND state IN ('queued', 'waiting') AND next_try_at <= (SELECT now FROM clock)
      AND EXISTS (
        SELECT 1 FROM notification_gateways
        WHERE alias = %(alias)s AND NOT is_open AND paused_at IS NULL
          AND (next_send_at IS NULL OR next_send_at <= (SELECT now FROM clock))
      )
      AND (
        SELECT count(*) FROM notifications
        WHERE gateway = %(alias)s AND state = 'sending' AND lease_until > (SELECT now FROM clock)
      ) < %(in_flight)s
    ORDER BY next_try_at, id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
),
near AS MATERIALIZED (
    SELECT due.id, due.is_late, clock.now, (
        SELECT max(coalesce(other.sent_at, clock.now)) + %(gap)s FROM notifications AS other
        WHERE other.receiver = due.receiver AND other.gateway = %(alias)s AND other.id <> due.id AND due.tries = 0
          AND (other.state = 'sending' OR other.sent_at > clock.now - %(gap)s)
    ) AS not_before
    FROM due, clock
),
verdict AS MATERIALIZED (
    SELECT id, now, CASE WHEN is_late THEN 'late' WHEN not_before > now THEN 'near' ELSE 'go' END AS word, not_before
    FROM near
),
claimed AS (
    UPDATE notifications AS n SET
        state = CASE word WHEN 'late' THEN 'expired' WHEN 'near' THEN n.state ELSE 'sending' END,
        tries = n.tries + (CASE word WHEN 'go' THEN 1 ELSE 0 END),
        lease_token = CASE word WHEN 'go' THEN %(token)s::uuid END,
        lease_until = CASE word WHEN 'go' THEN now + %(lease)s END,
        next_try_at = CASE word WHEN 'near' THEN not_before ELSE n.next_try_at END,
        updated_at = now
    FROM verdict WHERE n.id = verdict.id
    RETURNING n.id, n.receiver, n.message, n.template, n.tries, word, n.next_try_at, now
),
paced AS (
    UPDATE notification_gateways AS g
    SET next_send_at = greatest(coalesce(g.next_send_at, now - %(burst)s), now - %(burst)s) + %(step)s
    FROM claimed WHERE g.alias = %(alias)s AND word = 'go' AND %(step)s > interval '0'
)
SELECT * FROM claimed
"""

# A commit of nothing: with it, everything that was committed before is on the disk.
_FLUSH_SQL = "SELECT pg_logical_emit_message(true, 'notifications', '')"

# Everything else for that person stands in line behind it, so that it is not looked at again and again.
_STAND_IN_LINE_SQL = """
UPDATE notifications AS n SET next_try_at = %(first)s + line.place * %(gap)s, updated_at = %(now)s
FROM (
    SELECT id, row_number() OVER (ORDER BY next_try_at, id) AS place FROM notifications
    WHERE gateway = %(alias)s AND receiver = %(receiver)s AND state = 'queued' AND next_try_at <= %(now)s
) AS line
WHERE n.id = line.id AND n.state = 'queued'
"""

_turns = count()
#: After the last moment to begin something, for results that a database does not take: with 3 s before it and 3 s in
#: which a connection may fail, a task still ends before django-q2's 15 s.
_KEPT_SECONDS = 8.5
#: How long somebody else's lock on a due message is given.
_LOCKED = timedelta(seconds=1)


def claim(*, now: datetime | None = None) -> Claim | None:
    """The next message that may be sent, or None. Gateways take turns, so that none waits for another's crowd."""
    aliases = list(conf().gateways)
    first = next(_turns)
    for place in range(len(aliases)):
        claimed = claim_of(aliases[(first + place) % len(aliases)], now=now)
        if claimed is not None:
            return claimed
    return None


def claim_of(alias: str, *, now: datetime | None = None) -> Claim | None:
    """The next message of one gateway."""
    settings = conf()
    per_second = settings.per_second_of(alias)
    token = uuid.uuid4()
    lease = timedelta(seconds=settings.deadline_seconds * LEASE_DEADLINES)
    gap = timedelta(seconds=settings.receiver_gap_seconds)
    values: dict[str, Any] = {
        "alias": alias,
        "lock": f"notifications:{alias}",
        "now": now,
        "in_flight": settings.in_flight_of(alias),
        "gap": gap,
        "lease": lease,
        "token": token,
        "burst": _BURST,
        "step": timedelta(seconds=1 / per_second if per_second > 0 else 0),
    }
    with connection.cursor() as cursor:
        while True:
            cursor.execute(_CLAIM_SQL, values)
            cursor.nextset()
            row = cursor.fetchone()
            if row is None:
                return None
            word, next_try_at, claimed_at = row[5:]
            if word == "go":
                break
            if word == "near":
                line = {"alias": alias, "receiver": row[1], "first": next_try_at, "gap": gap, "now": claimed_at}
                cursor.execute(_STAND_IN_LINE_SQL, line)
        cursor.execute(_FLUSH_SQL)
    return Claim.of(row[:5], gateway=alias, token=token, now=claimed_at, until=claimed_at + lease)


# -- send ------------------------------------------------------------------------------------------------------------


def send(claimed: Claim) -> Result:
    """Call the gateway once. Never raises: a backend with a bug must not lose a message, nor end its worker."""
    try:
        return backend_for(claimed.gateway).send(
            Message(
                receiver=claimed.receiver,
                text=claimed.message,
                template=None if claimed.template is None else Template.from_json(claimed.template),
                notification_id=claimed.id,
            )
        )
    except GatewayNotConfigured as exc:
        logger.error("Gateway %s is not set up: %s", claimed.gateway, exc.problem)
        return Result(outcome=Outcome.GATEWAY_AUTH, error=exc.problem)
    except Exception as exc:  # noqa: BLE001 - see the docstring
        # Its text may hold the number or the message, so only where it happened is logged.
        frame = traceback.extract_tb(exc.__traceback__)[-1]
        what = f"{type(exc).__name__} in {frame.filename}:{frame.lineno}"
        logger.error("Message %s: %s", claimed.id, what, extra={"action": "backend_failed"})
        return Result(outcome=Outcome.UNKNOWN, error=f"{type(exc).__name__} in the gateway's code", maybe_sent=True)


# -- all together ----------------------------------------------------------------------------------------------------


def ensure_gateways() -> None:
    """Each gateway of the settings has its row."""
    known = set(GatewayState.objects.values_list("alias", flat=True))
    missing = [GatewayState(alias=alias) for alias in conf().gateways if alias not in known]
    if missing:
        GatewayState.objects.bulk_create(missing, ignore_conflicts=True)


def deliver_due(*, until: float, limit: int | None = None, stopping: Callable[[], bool] = lambda: False) -> int:
    """
    Claim, send and record while something may be sent, and return how many calls were made.

    Nothing is begun after *until* (by `time.monotonic`), after *limit* calls, or once *stopping*.
    """
    with transaction.atomic(durable=True):  # which refuses a caller's transaction: a claim must be committed
        ensure_gateways()
    calls = 0
    while (limit is None or calls < limit) and monotonic() < until and not stopping():
        claimed = claim()
        if claimed is None:
            break
        recording.record_surely(claimed, send(claimed), kept_until=until + _KEPT_SECONDS)
        calls += 1
    return calls


_REST_SQL = """
SELECT alias, is_open OR paused_at IS NOT NULL, CASE WHEN paused_at IS NULL AND is_open THEN probe_at END, next_send_at,
       (SELECT next_try_at FROM notifications WHERE gateway = alias AND state IN ('queued', 'waiting')
        ORDER BY next_try_at LIMIT 1),
       (SELECT count(*) FROM notifications WHERE gateway = alias AND state = 'sending' AND lease_until > %(now)s)
FROM notification_gateways WHERE alias = ANY(%(aliases)s)
"""


def ring_for_the_rest(*, has_time_left: bool = False) -> None:
    """
    Ring for what is still due, or will be soon: whoever stops sending must not be the last who knew of it.

    *has_time_left*: the caller stopped although nobody made it, so what is due now is in somebody else's hands.
    """
    settings = conf()
    now = database_now()
    rings_at: list[datetime] = []
    with connection.cursor() as cursor:
        cursor.execute(_REST_SQL, {"now": now, "aliases": list(settings.gateways)})
        rows = cursor.fetchall()
    for alias, is_blocked, probe_at, next_send_at, due_at, in_flight in rows:
        if is_blocked:
            if due_at is not None:
                breaker.hold_due(alias)
            if probe_at is not None:
                rings_at.append(probe_at)
        elif due_at is not None:
            rings_at.append(max(due_at, next_send_at or due_at))
            if rings_at[-1] <= now and in_flight >= settings.in_flight_of(alias):
                rings_at.pop()  # whoever has one of those in the air rings when it is done
    if not rings_at:
        return
    earliest = min(rings_at)
    if earliest > now:
        doorbell.ring_if_quiet(at=earliest)
    elif has_time_left:
        doorbell.ring_if_quiet(at=now + _LOCKED)
    else:
        doorbell.ring_if_quiet(enough=settings.workers)
