"""What got lost, and how it comes back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from notifications import breaker, receipts, sweeper
from notifications.backends import memory
from notifications.models import DeliveryTry, FailedNotification, GatewayState, Notification, Receipt, State
from tests.exams.at_once import at_once
from tests.notifications.sending import (
    bells,
    claimed,
    configure,
    drain,
    failed_row,
    forget_bells,
    make_old_leases,
    queue,
    states,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("gateways")]
race = pytest.mark.django_db(transaction=True)


def test_with_nothing_lost_it_says_so() -> None:
    queue(send_at=timezone.now() + timedelta(hours=1))
    assert not sweeper.sweep()


def test_a_lost_bell_is_rung_again() -> None:
    queue()
    forget_bells()
    sweeper.sweep()
    assert len(bells()) == 1
    drain()
    assert states() == {"sent": 1}


def test_a_lease_that_ran_out_is_tried_again_and_marked() -> None:
    queued = queue()
    claimed()
    make_old_leases()
    forget_bells()
    assert sweeper.sweep().leases == 1
    queued.refresh_from_db()
    assert (queued.state, queued.tries, queued.possible_duplicate) == ("waiting", 1, True)
    line = DeliveryTry.objects.get()
    assert (line.number, line.outcome, line.code) == (1, "unknown", "lease_expired")
    assert bells()[0] <= 0
    drain()
    queued.refresh_from_db()
    assert (queued.state, queued.tries, queued.possible_duplicate) == ("sent", 2, True)


def test_a_message_that_kills_its_worker_is_tried_three_times_and_no_more() -> None:
    queued = queue()
    for _ in range(3):
        claimed()
        make_old_leases()
        sweeper.sweep()
    queued.refresh_from_db()
    assert (queued.state, queued.tries) == ("failed", 3)
    row = failed_row()
    assert row.error_class == "unknown"
    assert row.notification == queued
    assert memory.outbox == []


def test_a_lease_that_runs_is_left_alone() -> None:
    claimed_id = queue().pk
    claimed()
    assert sweeper.sweep().leases == 0
    assert Notification.objects.get(pk=claimed_id).state == State.SENDING


def test_messages_whose_time_is_over_are_expired_wherever_they_wait() -> None:
    for number, state in enumerate(["queued", "waiting", "held"]):
        queued = queue(number, expires_at=timezone.now() - timedelta(seconds=1))
        Notification.objects.filter(pk=queued.pk).update(state=state)
    queue(9)
    assert sweeper.sweep().expired == 3
    assert states() == {"expired": 3, "queued": 1}
    assert not FailedNotification.objects.exists()


def test_held_messages_whose_gateway_is_back_are_released() -> None:
    queued = queue()
    Notification.objects.update(state=State.HELD, tries=1)
    forget_bells()
    assert sweeper.sweep().released == 1
    queued.refresh_from_db()
    assert queued.state == State.WAITING
    assert bells()


def test_messages_for_a_stopped_gateway_are_held() -> None:
    queue()
    breaker.pause("utama", "guru")
    assert sweeper.sweep().held == 1


def test_a_gateway_that_left_the_settings_keeps_its_messages_in_sight(gateways: Any) -> None:
    configure(gateways, lama={"backend": "memory"})
    queued = queue(gateway="lama")
    configure(gateways)
    assert sweeper.sweep().held == 1
    queued.refresh_from_db()
    assert (queued.state, queued.error) == ("held", "This gateway is not in the settings.")
    assert not sweeper.sweep()
    configure(gateways, lama={"backend": "memory"})
    assert sweeper.sweep().released == 1


def test_a_lost_bell_of_a_probe_is_rung_again() -> None:
    now = timezone.now()
    sweeper.sweep()
    GatewayState.objects.filter(pk="utama").update(is_open=True, opened_at=now, probe_at=now)
    forget_bells()
    sweeper.sweep()
    assert bells()


def test_a_receipt_that_was_kept_in_the_moment_of_the_record_is_applied() -> None:
    queued = queue()
    drain()
    queued.refresh_from_db()
    Receipt.objects.create(gateway="utama", provider_id=queued.provider_id, state="delivered", at=timezone.now())
    assert sweeper.sweep().receipts == 1
    queued.refresh_from_db()
    assert queued.state == State.DELIVERED
    assert not Receipt.objects.exists()
    assert receipts.apply_all_kept() == 0


@race
def test_sweeps_at_once_recover_each_message_once() -> None:
    for number in range(3):
        queue(number)
        claimed()
    make_old_leases()
    reports = at_once(4, lambda _: sweeper.sweep())
    assert sum(report.leases for report in reports) == 3
    assert DeliveryTry.objects.count() == 3
