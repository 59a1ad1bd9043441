"""What a result does to its message. Which answer is which outcome: backends/."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from notifications import delivery, recording, retries
from notifications.backends.base import Result
from notifications.models import DeliveryTry, FailedNotification, Notification, State
from notifications.outcomes import Outcome
from tests.exams.at_once import at_once
from tests.notifications.sending import (
    bells,
    claimed,
    failed_row,
    forget_bells,
    gateway,
    make_due,
    make_old_leases,
    queue,
    refused,
    try_once,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("gateways")]
race = pytest.mark.django_db(transaction=True)

FATAL = [Outcome.BAD_RECIPIENT, Outcome.BAD_MESSAGE]
COUNTED = [Outcome.GATEWAY_DOWN, Outcome.TRANSIENT, Outcome.UNKNOWN, Outcome.GATEWAY_AUTH, Outcome.GATEWAY_QUOTA]


def test_every_outcome_is_known_here() -> None:
    assert set(Outcome) == {Outcome.ACCEPTED, Outcome.RATE_LIMITED, *FATAL, *COUNTED}


def test_a_yes_is_sent_with_the_gateways_id_and_a_line() -> None:
    queued = queue()
    try_once(Result(outcome=Outcome.ACCEPTED, provider_id="wamid.1", http_status=200, answer='{"ok": true}'))
    queued.refresh_from_db()
    assert (queued.state, queued.provider_id, queued.tries, queued.lease_token) == ("sent", "wamid.1", 1, None)
    assert queued.sent_at is not None
    assert not queued.possible_duplicate
    line = DeliveryTry.objects.get()
    assert (line.number, line.outcome, line.http_status, line.answer) == (1, "accepted", 200, '{"ok": true}')


@pytest.mark.parametrize("outcome", FATAL)
def test_what_can_never_work_fails_at_once(outcome: Outcome) -> None:
    queued = queue()
    try_once(refused(outcome, code="131026", http_status=400))
    queued.refresh_from_db()
    assert (queued.state, queued.tries, queued.error_class) == ("failed", 1, outcome)
    row = failed_row()
    assert (row.notification_id, row.receiver, row.message) == (queued.pk, queued.receiver, queued.message)
    assert (row.error, row.error_class, row.gateway, row.retried) == (f"said {outcome}", outcome, "utama", False)


@pytest.mark.parametrize("outcome", COUNTED)
def test_what_may_pass_is_tried_three_times_and_then_is_a_row(outcome: Outcome) -> None:
    queued = queue()
    for number, (least, most) in enumerate([(2.0, 2.5), (4.0, 4.9)], start=1):
        forget_bells()
        try_once(refused(outcome))
        queued.refresh_from_db()
        assert (queued.state, queued.tries) == ("waiting", number)
        pause = (queued.next_try_at - queued.updated_at).total_seconds()
        assert least <= pause < most
        assert bells()[0] == pytest.approx(pause, abs=0.5)
        assert not FailedNotification.objects.exists()
        make_due()
    try_once(refused(outcome))
    queued.refresh_from_db()
    assert (queued.state, queued.tries) == ("failed", 3)
    assert failed_row().error_class == outcome
    assert [line.number for line in DeliveryTry.objects.order_by("id")] == [1, 2, 3]
    assert queued.possible_duplicate is (outcome is Outcome.UNKNOWN)


def test_the_pauses_double_and_are_never_shorter() -> None:
    for number, seconds in enumerate([2, 4, 8], start=1):
        pauses = [recording.backoff(number).total_seconds() for _ in range(200)]
        assert seconds <= min(pauses)
        assert max(pauses) <= seconds * 1.2
        assert max(pauses) - min(pauses) > seconds * 0.1


def test_a_fourth_try_can_be_asked_for(gateways: Any) -> None:
    gateways.NOTIFICATIONS_MAX_TRIES = 4
    queued = queue()
    for _ in range(3):
        try_once(refused(Outcome.TRANSIENT))
        make_due()
    queued.refresh_from_db()
    assert queued.state == State.WAITING
    assert queued.updated_at + timedelta(seconds=8) > queued.created_at
    try_once(refused(Outcome.TRANSIENT))
    assert failed_row().notification_id == queued.pk


def test_who_is_asked_to_wait_loses_no_try() -> None:
    queued = queue()
    for asked, expected in [(None, 30), (5.0, 5), (0.0, 1), (1e9, 3600)]:
        forget_bells()
        try_once(refused(Outcome.RATE_LIMITED, retry_after_seconds=asked))
        queued.refresh_from_db()
        assert (queued.state, queued.tries) == ("waiting", 0)
        assert (queued.next_try_at - queued.updated_at).total_seconds() == expected
        make_due()
    Notification.objects.update(created_at=timezone.now() - timedelta(days=2))
    try_once(refused(Outcome.RATE_LIMITED))
    queued.refresh_from_db()
    assert queued.tries == 1  # not for ever


def test_a_429_slows_the_whole_gateway_down() -> None:
    queue(1)
    queue(2)
    try_once(refused(Outcome.RATE_LIMITED, retry_after_seconds=7.0, http_status=429))
    assert delivery.claim() is None
    next_send_at = gateway().next_send_at
    assert next_send_at is not None
    assert 5 < (next_send_at - timezone.now()).total_seconds() <= 7


def test_a_gateway_that_asks_for_patience_gets_it_after_other_errors_too() -> None:
    queued = queue()
    try_once(refused(Outcome.GATEWAY_DOWN, retry_after_seconds=20.0, http_status=503))
    queued.refresh_from_db()
    assert (queued.next_try_at - queued.updated_at).total_seconds() == 20


def test_a_result_whose_lease_is_gone_changes_nothing_but_the_list() -> None:
    queued = queue()
    first = claimed()
    make_old_leases()
    Notification.objects.update(state="waiting", lease_token=None, lease_until=None, next_try_at=timezone.now())
    second = claimed()
    recording.record(first, refused(Outcome.BAD_MESSAGE))
    queued.refresh_from_db()
    assert (queued.state, queued.lease_token) == ("sending", second.lease_token)
    recording.record(second, Result(outcome=Outcome.ACCEPTED, provider_id="b"))
    recording.record(first, Result(outcome=Outcome.ACCEPTED, provider_id="a"))
    queued.refresh_from_db()
    assert (queued.state, queued.provider_id) == ("sent", "b")
    assert DeliveryTry.objects.count() == 3
    assert not FailedNotification.objects.exists()


@race
def test_two_records_of_the_last_try_make_one_row() -> None:
    queue()
    for _ in range(2):
        try_once(refused(Outcome.TRANSIENT))
        make_due()
    last = claimed()
    at_once(4, lambda _: recording.record(last, refused(Outcome.TRANSIENT)))
    assert FailedNotification.objects.count() == 1
    assert Notification.objects.get().state == State.FAILED


@race
def test_state_and_row_are_written_together_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    queued = queue()
    claim = claimed()

    def broken(**values: Any) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(FailedNotification.objects, "get_or_create", broken)
    with pytest.raises(OperationalError):
        recording.record(claim, refused(Outcome.BAD_RECIPIENT))
    queued.refresh_from_db()
    assert queued.state == State.SENDING
    assert not DeliveryTry.objects.exists()


@race
def test_a_result_survives_a_database_that_is_away_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    queued = queue()
    claim = claimed()
    real, calls = recording.record, []

    def flaky(*args: Any, **values: Any) -> None:
        calls.append(args)
        if len(calls) < 3:
            raise OperationalError from psycopg.OperationalError("server closed the connection")
        real(*args, **values)

    monkeypatch.setattr(recording, "record", flaky)
    recording.record_surely(claim, Result(outcome=Outcome.ACCEPTED, provider_id="x"))
    queued.refresh_from_db()
    assert (queued.state, len(calls)) == ("sent", 3)


def test_a_result_is_not_kept_for_longer_than_a_task_may_run(monkeypatch: pytest.MonkeyPatch) -> None:
    queue()
    claim = claimed()

    def away(*args: Any, **values: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(recording, "record", away)
    monkeypatch.setattr(connection, "close", lambda: None)
    with pytest.raises(OperationalError):
        recording.record_surely(claim, refused(Outcome.TRANSIENT), kept_seconds=0.3)


def test_a_retry_that_fails_is_a_row_that_links_to_the_first() -> None:
    queue()
    try_once(refused(Outcome.BAD_MESSAGE))
    first = failed_row()
    previous = first
    for _ in range(2):
        retried = retries.retry_failed(failed_id=previous.pk, by="guru")
        assert retried is not None
        try_once(refused(Outcome.BAD_MESSAGE))
        previous = FailedNotification.objects.get(notification=retried)
        assert previous.retry_of_id == first.pk
    assert first.later_failures.count() == 2


def test_times_come_from_the_database() -> None:
    queued = queue()
    claim = claimed()
    at = claim.claimed_at + timedelta(milliseconds=250)
    recording.record(claim, Result(outcome=Outcome.ACCEPTED, provider_id="x"), now=at)
    queued.refresh_from_db()
    assert queued.sent_at == at
    assert DeliveryTry.objects.get().duration_ms == 250
    assert isinstance(at, datetime)
