"""Sending again: once per click, however many click."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from notifications import retries
from notifications.backends import memory
from notifications.exceptions import BadReceiver
from notifications.models import FailedNotification, Notification
from notifications.outcomes import Outcome
from tests.exams.at_once import at_once
from tests.notifications.sending import bells, configure, drain, forget_bells, queue, receiver, refused, try_once

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("gateways")]
race = pytest.mark.django_db(transaction=True)


def fail(number: int = 0, **values: Any) -> FailedNotification:
    queued = queue(number, **values)
    try_once(refused(Outcome.BAD_MESSAGE))
    return FailedNotification.objects.get(notification=queued)


def test_a_retry_is_a_new_message_and_the_row_stays() -> None:
    failed = fail(topic="exam:12:results", template={"name": "hasil", "parameters": ["80"]})
    forget_bells()
    again = retries.retry_failed(failed_id=failed.pk, by="guru")
    assert again is not None
    assert (again.state, again.tries, again.retry_of, again.topic) == ("queued", 0, failed, "exam:12:results")
    assert (again.receiver, again.message, again.template) == (
        failed.receiver,
        failed.message,
        {"name": "hasil", "parameters": ["80"]},
    )
    assert len(bells()) == 1
    failed.refresh_from_db()
    assert (failed.retried, failed.retried_by) == (True, "guru")
    assert failed.retried_at is not None
    assert retries.retry_failed(failed_id=failed.pk, by="guru") is None
    assert retries.retry_failed(failed_id=uuid4(), by="guru") is None
    drain()
    assert len(memory.outbox) == 1


@race
def test_many_clicks_at_once_send_once() -> None:
    failed = fail()
    found = at_once(8, lambda n: retries.retry_failed(failed_id=failed.pk, by=f"guru{n}"))
    assert sum(again is not None for again in found) == 1
    drain()
    assert len(memory.outbox) == 1


@race
def test_one_click_a_crowd_and_the_admin_at_once_send_each_once() -> None:
    """Two tabs with "all", one with each, and the API's button."""
    rows = [fail(number) for number in range(20)]
    user = get_user_model().objects.create_superuser("guru", password="x" * 12)
    clients = [Client(), Client()]
    for client in clients:
        client.force_login(user)

    def act(number: int) -> int:
        if number < 2:
            return retries.retry_many(FailedNotification.objects.all(), by=f"tab{number}")
        if number < 4:
            return sum(retries.retry_failed(failed_id=row.pk, by="admin") is not None for row in rows)
        answers = [
            clients[number - 4].post(f"/api/notifications/failed/{row.pk}/retry").status_code for row in rows[:10]
        ]
        assert set(answers) <= {202, 409}
        return answers.count(202)

    assert sum(at_once(6, act)) == 20
    drain()
    assert sorted(message.receiver for message in memory.outbox) == [receiver(number) for number in range(20)]


def test_a_crowd_is_counted_before_it_is_sent() -> None:
    for number in range(3):
        fail(number)
    fail(9, gateway="lain")
    utama = FailedNotification.objects.filter(gateway="utama")
    assert retries.retry_many(utama, by="guru", dry_run=True) == 3
    assert not FailedNotification.objects.filter(retried=True).exists()
    assert retries.retry_many(utama, by="guru") == 3
    assert retries.retry_many(FailedNotification.objects.all(), by="guru") == 1


def test_a_crowd_goes_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "_BATCH", 2)
    for number in range(5):
        fail(number)
    assert retries.retry_many(FailedNotification.objects.all(), by="guru") == 5


def test_a_bad_number_is_said_and_left_as_it_is() -> None:
    bad = FailedNotification.objects.create(receiver="nomor ibu", message="Halo", error="no number")
    good = fail()
    with pytest.raises(BadReceiver):
        retries.retry_failed(failed_id=bad.pk, by="guru")
    assert retries.retry_many(FailedNotification.objects.all(), by="guru") == 1
    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.retried, good.retried) == (False, True)


def test_a_gateway_that_is_gone_keeps_nothing_from_the_default(gateways: Any) -> None:
    configure(gateways, lama={"backend": "memory"})
    failed = fail(gateway="lama")
    configure(gateways)
    again = retries.retry_failed(failed_id=failed.pk, by="guru")
    assert again is not None
    assert again.gateway == "utama"


def test_what_another_system_reported_can_be_sent_again() -> None:
    reported = FailedNotification.objects.create(
        receiver="081234567890", message="Halo", error="time-out", source="SIAKAD"
    )
    retries.retry_failed(failed_id=reported.pk, by="guru")
    drain()
    assert [message.receiver for message in memory.outbox] == ["6281234567890"]
    assert Notification.objects.get().retry_of == reported
