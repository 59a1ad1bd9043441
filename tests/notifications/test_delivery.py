"""The engine: enqueue, claim, send. What becomes of a result: test_recording.py."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from notifications import delivery, recording
from notifications.backends import memory
from notifications.backends.base import Result
from notifications.delivery import NewMessage
from notifications.exceptions import BadReceiver, UnknownGateway
from notifications.models import FailedNotification, Notification, State
from notifications.outcomes import Outcome
from tests.exams.at_once import at_once
from tests.notifications.sending import (
    bells,
    claimed,
    configure,
    drain,
    forget_bells,
    make_due,
    queue,
    receiver,
    soon,
    states,
    try_once,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("gateways")]
race = pytest.mark.django_db(transaction=True)


# -- enqueue ---------------------------------------------------------------------------------------------------------


def test_a_message_is_queued_with_its_bell() -> None:
    queued = queue(receiver="0812-3456-789")
    assert (queued.state, queued.receiver, queued.gateway, queued.tries) == ("queued", "628123456789", "utama", 0)
    assert len(bells()) == 1
    assert bells()[0] <= 0


@race
def test_what_is_rolled_back_neither_stays_nor_rings() -> None:
    with transaction.atomic():
        queue()
        transaction.set_rollback(True)
    assert not Notification.objects.exists()
    assert bells() == []


def test_a_dedupe_key_sends_once_whatever_became_of_the_first() -> None:
    first = queue(dedupe_key="exam:1:budi:results")
    drain()
    again = queue(dedupe_key="exam:1:budi:results", message="another text")
    assert again.pk == first.pk
    assert again.state == State.SENT
    drain()
    assert len(memory.outbox) == 1


@race
def test_two_presses_at_once_send_once() -> None:
    found = at_once(6, lambda _: queue(dedupe_key="the same").pk)
    assert len(set(found)) == 1
    assert Notification.objects.count() == 1


@pytest.mark.parametrize("bad", ["", "0812", "abc", "0812345678,0812345679", "628123456789@s.whatsapp.net"])
def test_a_bad_number_is_an_error_with_a_sentence(bad: str) -> None:
    with pytest.raises(BadReceiver) as caught:
        queue(receiver=bad)
    assert str(caught.value.message)
    assert not Notification.objects.exists()


def test_an_unknown_gateway_is_refused() -> None:
    with pytest.raises(UnknownGateway):
        queue(gateway="nobody")


def test_a_message_for_later_is_not_sent_before() -> None:
    queue(send_at=timezone.now() + timedelta(minutes=1))
    drain()
    assert memory.outbox == []
    assert 50 < max(bells()) < 70
    make_due()
    drain()
    assert len(memory.outbox) == 1


def test_many_are_queued_with_few_bells() -> None:
    counts = delivery.enqueue_many(NewMessage(receiver=receiver(n), message="Halo") for n in range(1200))
    assert (counts.queued, counts.known, counts.failed) == (1200, 0, 0)
    assert len(bells()) == 4


def test_many_count_what_is_known_and_make_rows_of_bad_numbers_once() -> None:
    rows = [
        NewMessage(receiver=number, message="Halo", dedupe_key=f"key:{place}")
        for place, number in enumerate(["081234567890", "+6281234567891", "nomor ibu", ""])
    ]
    first = delivery.enqueue_many(rows, bad_receivers="fail")
    assert (first.queued, first.known, first.failed) == (2, 0, 2)
    second = delivery.enqueue_many(rows, bad_receivers="fail")
    assert (second.queued, second.known, second.failed) == (0, 2, 2)
    assert set(FailedNotification.objects.values_list("receiver", "error_class")) == {
        ("nomor ibu", "bad_recipient"),
        ("", "bad_recipient"),
    }


def test_many_with_one_bad_number_write_nothing_unless_asked() -> None:
    with pytest.raises(BadReceiver):
        delivery.enqueue_many([NewMessage(receiver=receiver(1), message="a"), NewMessage(receiver="x", message="b")])
    assert not Notification.objects.exists()


def test_a_zero_byte_is_no_reason_to_lose_a_message() -> None:
    queue(message="Nilai\x00 80")
    drain()
    assert memory.outbox[0].text == "Nilai 80"


# -- claim -----------------------------------------------------------------------------------------------------------


def test_a_claim_counts_the_try_and_takes_a_lease_before_anything_is_sent() -> None:
    queued = queue()
    claim = claimed()
    queued.refresh_from_db()
    assert (queued.state, queued.tries, queued.lease_token) == ("sending", 1, claim.lease_token)
    assert queued.lease_until == claim.claimed_at + timedelta(seconds=30)
    assert delivery.claim() is None


def test_the_oldest_goes_first() -> None:
    third, first, second = (queue(n) for n in range(3))
    Notification.objects.filter(pk=third.pk).update(next_try_at=timezone.now() - timedelta(seconds=1))
    Notification.objects.filter(pk=first.pk).update(next_try_at=timezone.now() - timedelta(seconds=9))
    Notification.objects.filter(pk=second.pk).update(next_try_at=timezone.now() - timedelta(seconds=5))
    assert [claimed().id for _ in range(3)] == [first.pk, second.pk, third.pk]


def test_gateways_take_turns() -> None:
    for number in range(3):
        queue(number)
    queue(9, gateway="lain")
    assert "lain" in {claimed().gateway for _ in range(2)}


def test_a_gateway_has_no_more_in_the_air_than_it_may() -> None:
    for number in range(5):
        queue(number)
    queue(9, gateway="lain")
    aliases = [claimed().gateway for _ in range(4)]
    assert sorted(aliases) == ["lain", "utama", "utama", "utama"]
    assert delivery.claim() is None


@race
def test_claims_at_once_never_take_one_message_twice_nor_more_than_may_fly(gateways: Any) -> None:
    configure(gateways, utama={"backend": "memory", "in_flight": 5})
    delivery.ensure_gateways()
    for number in range(20):
        queue(number)
    claims = at_once(12, lambda _: delivery.claim())
    got = [claim.id for claim in claims if claim is not None]
    assert len(got) == len(set(got)) == 5
    assert states() == {"sending": 5, "queued": 15}


@race
def test_drains_at_once_send_each_message_once(gateways: Any) -> None:
    configure(gateways, utama={"backend": "memory", "in_flight": 6})
    delivery.enqueue_many(NewMessage(receiver=receiver(n), message=f"Nilai {n}") for n in range(120))
    at_once(6, lambda _: delivery.deliver_due(until=soon(20)))
    assert len(memory.outbox) == 120
    assert len({message.receiver for message in memory.outbox}) == 120
    assert states() == {"sent": 120}


def test_the_pace_of_a_gateway_holds(gateways: Any) -> None:
    configure(gateways, utama={"backend": "memory", "per_second": 2})
    for number in range(4):
        queue(number)
    forget_bells()
    drain()
    # Two at once: an idle gateway may catch up half a second.
    assert len(memory.outbox) == 2
    assert 0.2 < min(bells()) < 0.6


def test_two_messages_to_one_person_keep_their_distance(gateways: Any) -> None:
    gateways.NOTIFICATIONS_RECEIVER_GAP_SECONDS = 6.0
    for _ in range(3):
        queue(1)
    queue(2)
    forget_bells()
    drain()
    assert sorted(message.receiver for message in memory.outbox) == [receiver(1), receiver(2)]
    waiting = list(Notification.objects.filter(state="queued").order_by("next_try_at"))
    sent = Notification.objects.get(state="sent", receiver=receiver(1))
    assert sent.sent_at is not None
    gaps = [(row.next_try_at - sent.sent_at).total_seconds() for row in waiting]
    assert gaps == pytest.approx([6, 12], abs=0.2)
    assert bells()[0] == pytest.approx(6, abs=1)


def test_the_next_try_of_a_message_needs_no_distance(gateways: Any) -> None:
    gateways.NOTIFICATIONS_RECEIVER_GAP_SECONDS = 6.0
    queue(1)
    drain()
    second = queue(1)
    Notification.objects.filter(pk=second.pk).update(state="waiting", tries=1)
    drain()
    assert len(memory.outbox) == 2


def test_a_message_whose_time_is_over_is_not_sent() -> None:
    late = queue(expires_at=timezone.now() - timedelta(seconds=1))
    good = queue(1, expires_at=timezone.now() + timedelta(hours=1))
    drain()
    late.refresh_from_db()
    good.refresh_from_db()
    assert (late.state, late.tries, good.state) == ("expired", 0, "sent")
    assert not FailedNotification.objects.exists()


# -- send ------------------------------------------------------------------------------------------------------------


@race
def test_nothing_is_locked_while_the_gateway_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    queued = queue()
    called, go_on = Event(), Event()

    def slow(self: object, message: object) -> Result:
        assert not connection.in_atomic_block
        called.set()
        assert go_on.wait(10)
        return Result(outcome=Outcome.ACCEPTED, provider_id="x")

    monkeypatch.setattr(memory.MemoryBackend, "send", slow)

    def work() -> None:
        try:
            delivery.deliver_due(until=soon(), limit=1)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        assert called.wait(10)
        with transaction.atomic():
            Notification.objects.select_for_update(nowait=True).get(pk=queued.pk)
            queue(2)  # nor is the gateway's line
        go_on.set()
        working.result(10)
    queued.refresh_from_db()
    assert queued.state == State.SENT


def test_a_backend_with_a_bug_loses_no_message_and_shows_no_number(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: object, message: Any) -> Result:
        raise ValueError(f"cannot send to {message.receiver}: {message.text}")

    monkeypatch.setattr(memory.MemoryBackend, "send", broken)
    queued = queue()
    try_once()
    queued.refresh_from_db()
    assert (queued.state, queued.possible_duplicate) == ("waiting", True)
    assert "ValueError" in caplog.text
    assert queued.receiver not in caplog.text + queued.error
    assert queued.message not in caplog.text + queued.error


def test_a_gateway_that_is_not_set_up_is_an_error_of_the_gateway(gateways: Any) -> None:
    configure(gateways, utama={"backend": "fonnte"})
    queued = queue()
    try_once()
    queued.refresh_from_db()
    assert (queued.state, queued.error_class) == ("waiting", "gateway_auth")


def test_nothing_is_begun_after_the_time_or_when_stopping() -> None:
    queue()
    assert delivery.deliver_due(until=soon(-1)) == 0
    assert delivery.deliver_due(until=soon(), stopping=lambda: True) == 0
    assert delivery.deliver_due(until=soon(), limit=0) == 0
    assert delivery.deliver_due(until=soon()) == 1


def test_whoever_stops_with_work_left_rings_for_it() -> None:
    for number in range(3):
        queue(number)
    forget_bells()
    delivery.deliver_due(until=soon(), limit=1)
    delivery.ring_for_the_rest()
    assert len(bells()) == 1
    for _ in range(10):
        delivery.ring_for_the_rest()
    assert len(bells()) == 4  # one for each worker, no storm
    forget_bells()
    drain()
    assert bells() == []


def test_a_template_reaches_the_gateway() -> None:
    queue(message="", template={"name": "hasil", "language": "id", "parameters": ["Budi", "80"]})
    drain()
    template = memory.outbox[0].template
    assert template is not None
    assert (template.name, template.parameters) == ("hasil", ("Budi", "80"))


def test_a_late_yes_still_counts() -> None:
    queued = queue()
    claim = claimed()
    Notification.objects.filter(pk=queued.pk).update(
        state="waiting", lease_token=None, lease_until=None, possible_duplicate=True
    )
    recording.record(claim, Result(outcome=Outcome.ACCEPTED, provider_id="x"))
    queued.refresh_from_db()
    assert (queued.state, queued.provider_id, queued.possible_duplicate) == ("sent", "x", True)
