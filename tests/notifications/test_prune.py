"""What is forgotten when it is old, and what never is."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from notifications import retries
from notifications.models import DeliveryTry, FailedNotification, Notification, Receipt, State
from notifications.outcomes import Outcome
from notifications.prune import PruneReport, prune
from tests.notifications.sending import drain, queue, refused, try_once

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("gateways")]
NOTHING = PruneReport(failed=0, messages=0, receipts=0, tasks=0)


def age(days: int = 40) -> None:
    """As if everything had happened *days* ago."""
    then = timezone.now() - timedelta(days=days)
    Notification.objects.update(created_at=then, updated_at=then)
    Notification.objects.filter(sent_at__isnull=False).update(sent_at=then)
    FailedNotification.objects.update(failed_at=then, created_at=then)
    FailedNotification.objects.filter(retried=True).update(retried_at=then)
    Receipt.objects.update(created_at=then)


def fail() -> FailedNotification:
    queued = queue()
    try_once(refused(Outcome.BAD_MESSAGE))
    return FailedNotification.objects.get(notification=queued)


def deliver_all() -> None:
    drain()
    Notification.objects.filter(state="sent").update(state="delivered")


def test_delivered_messages_go_with_their_tries_when_they_are_old() -> None:
    queue()
    deliver_all()
    assert prune(days=30) == NOTHING
    age()
    assert prune(days=30).messages == 1
    assert not DeliveryTry.objects.exists()


@pytest.mark.parametrize("state", [State.QUEUED, State.HELD, State.CANCELLED, State.EXPIRED])
def test_what_was_not_delivered_stays(state: State) -> None:
    queue()
    Notification.objects.update(state=state)
    age()
    assert prune(days=30, include_sent=True) == NOTHING


def test_what_was_sent_without_a_receipt_goes_when_asked() -> None:
    queue()
    drain()
    age()
    assert prune(days=30) == NOTHING
    assert prune(days=30, include_sent=True).messages == 1


def test_a_failure_that_was_not_retried_is_never_forgotten() -> None:
    fail()
    age(4000)
    assert prune(days=1, include_sent=True) == NOTHING


def test_a_failure_that_was_sent_again_goes_with_its_message() -> None:
    failed = fail()
    retries.retry_failed(failed_id=failed.pk, by="guru")
    deliver_all()
    age()
    report = prune(days=30)
    assert (report.failed, report.messages) == (1, 2)
    assert not FailedNotification.objects.exists()
    assert not Notification.objects.exists()


def test_a_failure_stays_while_its_retry_is_under_way() -> None:
    failed = fail()
    retries.retry_failed(failed_id=failed.pk, by="guru")
    age()
    assert prune(days=30) == NOTHING


def test_the_first_of_a_chain_stays_while_a_later_one_needs_somebody() -> None:
    first = fail()
    retries.retry_failed(failed_id=first.pk, by="guru")
    try_once(refused(Outcome.BAD_MESSAGE))
    age()
    assert prune(days=30) == NOTHING


def test_receipts_of_nobody_go() -> None:
    Receipt.objects.create(gateway="utama", provider_id="x", state="read", at=timezone.now())
    assert prune(days=30).receipts == 0
    age(9)
    assert prune(days=30).receipts == 1


def test_the_command_first_says_what_it_would_do() -> None:
    queue()
    deliver_all()
    age()
    said = StringIO()
    call_command("prune_notifications", stdout=said)
    assert "1 messages" in said.getvalue()
    assert "Nothing was deleted" in said.getvalue()
    assert Notification.objects.count() == 1
    call_command("prune_notifications", "--yes", stdout=said)
    assert not Notification.objects.exists()
    with pytest.raises(CommandError):
        call_command("prune_notifications", "--days", "0")
