"""Receipts: forwards only, in any order, twice, too early."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import permutations
from typing import Any

import pytest

from notifications import recording, sweeper
from notifications.backends.base import Result
from notifications.models import FailedNotification, Notification, Receipt, State
from notifications.outcomes import Outcome
from notifications.receipts import apply_receipt
from tests.exams.at_once import at_once
from tests.notifications.sending import claimed, failed_row, queue, refused, try_once

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("gateways")]
race = pytest.mark.django_db(transaction=True)
AT = datetime(2026, 3, 1, 8, tzinfo=UTC)


def sent(**values: Any) -> Notification:
    queued = queue(**values)
    try_once(Result(outcome=Outcome.ACCEPTED, provider_id="wamid.1"))
    queued.refresh_from_db()
    return queued


def take(state: str, *, seconds: int = 0, **values: Any) -> bool:
    ids = {"gateway": "utama", "provider_id": "wamid.1"}
    return apply_receipt(**{**ids, "state": state, "at": AT + timedelta(seconds=seconds), **values})


@pytest.mark.parametrize("order", list(permutations(["sent", "delivered", "read"])))
def test_in_any_order_it_ends_as_read_with_all_times(order: tuple[str, ...]) -> None:
    queued = sent()
    for state in order:
        take(state, seconds={"sent": 0, "delivered": 5, "read": 9}[state])
    queued.refresh_from_db()
    assert queued.state == State.READ
    assert queued.delivered_at == AT + timedelta(seconds=5)
    assert queued.read_at == AT + timedelta(seconds=9)


def test_what_was_seen_before_changes_nothing() -> None:
    queued = sent()
    assert take("delivered")
    queued.refresh_from_db()
    before = queued.updated_at
    assert not take("delivered")
    assert not take("sent")
    queued.refresh_from_db()
    assert queued.updated_at == before


@race
def test_the_same_receipt_from_several_sides_at_once_counts_once() -> None:
    sent()
    assert sum(at_once(6, lambda _: take("failed", error="131026"))) == 1
    assert FailedNotification.objects.count() == 1


def test_failed_after_sent_is_a_failed_row() -> None:
    queued = sent()
    assert take("failed", error="131026 undeliverable")
    assert not take("failed", error="131026 undeliverable")
    queued.refresh_from_db()
    row = failed_row()
    assert (queued.state, row.error, row.error_class) == ("failed", "131026 undeliverable", "undelivered")
    assert row.notification == queued


def test_failed_after_delivered_is_not_believed_and_delivered_after_failed_is() -> None:
    queued = sent()
    take("delivered")
    assert not take("failed")
    queued.refresh_from_db()
    assert queued.state == State.DELIVERED
    Notification.objects.update(state=State.FAILED)
    assert not take("sent")
    assert take("read")
    queued.refresh_from_db()
    assert queued.state == State.READ


def test_one_that_comes_before_the_send_is_recorded_is_kept_and_applied() -> None:
    queued = queue()
    claim = claimed()
    assert not take("delivered")
    assert not take("delivered")
    assert Receipt.objects.count() == 1
    recording.record(claim, Result(outcome=Outcome.ACCEPTED, provider_id="wamid.1"))
    queued.refresh_from_db()
    assert queued.state == State.DELIVERED
    assert not Receipt.objects.exists()


@race
def test_a_record_and_its_receipt_at_once_end_as_delivered() -> None:
    for _ in range(5):
        queued = queue()
        claim = claimed()
        both = [
            partial(recording.record, claim, Result(outcome=Outcome.ACCEPTED, provider_id=str(claim.id))),
            partial(take, "delivered", provider_id=str(claim.id)),
        ]
        at_once(2, partial(_call, both))
        sweeper.sweep()
        queued.refresh_from_db()
        assert queued.state == State.DELIVERED


def _call(acts: list[Any], number: int) -> None:
    acts[number]()


def test_fonntes_later_receipts_carry_only_the_second_id() -> None:
    queued = sent()
    assert take("sent", provider_state_id="77")
    assert take("read", provider_id="", provider_state_id="77")
    queued.refresh_from_db()
    assert queued.state == State.READ


def test_the_second_id_may_come_before_anybody_knows_whose_it_is() -> None:
    queued = sent()
    assert not take("delivered", provider_id="", provider_state_id="77")
    assert take("sent", provider_state_id="77")
    queued.refresh_from_db()
    assert queued.state == State.DELIVERED
    assert not Receipt.objects.exists()


def test_our_own_id_proves_that_an_unknown_try_was_sent() -> None:
    queued = queue()
    try_once(refused(Outcome.UNKNOWN))
    assert take("sent", provider_id="wamid.9", notification_id=queued.pk)
    queued.refresh_from_db()
    assert (queued.state, queued.provider_id, queued.possible_duplicate) == ("sent", "wamid.9", True)
    assert take("delivered", provider_id="wamid.9")


def test_our_own_id_while_it_is_being_sent_is_believed_too() -> None:
    queued = queue()
    claim = claimed()
    assert take("delivered", notification_id=queued.pk)
    recording.record(claim, Result(outcome=Outcome.ACCEPTED, provider_id="wamid.1"))
    recording.record(claim, refused(Outcome.UNKNOWN))
    queued.refresh_from_db()
    assert (queued.state, queued.provider_id) == ("delivered", "wamid.1")


def test_a_message_that_was_never_tried_is_not_sent_by_a_receipt() -> None:
    queued = queue()
    assert not take("read", notification_id=queued.pk)
    queued.refresh_from_db()
    assert queued.state == State.QUEUED


def test_another_gateways_receipt_is_not_ours() -> None:
    queued = sent()
    take("read", gateway="lain")
    queued.refresh_from_db()
    assert queued.state == State.SENT


def test_an_unknown_state_and_a_receipt_without_an_id_are_ignored() -> None:
    sent()
    assert not take("played")
    assert not take("read", provider_id="")
    assert not Receipt.objects.exists()
