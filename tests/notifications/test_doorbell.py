"""The doorbell and the queue behind it: in time, in order, and never to the wrong one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from notifications import broker, delivery, doorbell, sweeper, tasks
from notifications.broker import Broker
from notifications.clock import database_now
from tests.exams.at_once import at_once
from tests.notifications.sending import bells

pytestmark = pytest.mark.django_db


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Broker:
    """The queue as a cluster reads it, without its pauses."""
    monkeypatch.setattr(broker._pause, "wait", lambda seconds: None)
    return Broker()


def test_a_bell_calls_the_delivery_by_name_and_holds_nothing_else() -> None:
    doorbell.ring()
    task = SignedPackage.loads(OrmQ.objects.get().payload)
    assert (task["func"], task["args"], task["kwargs"]) == ("notifications.tasks.deliver", (), {})
    assert task["ack_failure"] is True


def test_a_bell_for_later_is_not_given_out_before(queue: Broker) -> None:
    doorbell.ring(at=database_now() + timedelta(seconds=30))
    assert queue.dequeue() is None
    OrmQ.objects.update(lock=database_now())
    assert queue.dequeue() is not None


def test_the_oldest_comes_first_and_nothing_twice(queue: Broker) -> None:
    for seconds in (1, 3, 2):
        doorbell.ring(at=database_now() - timedelta(seconds=seconds))
    order = list(OrmQ.objects.order_by("lock").values_list("pk", flat=True))
    taken = [queue.dequeue() for _ in range(4)]
    assert [row[0][0] for row in taken if row is not None] == order
    assert taken[3] is None


@pytest.mark.django_db(transaction=True)
def test_clusters_at_once_take_each_task_once(queue: Broker) -> None:
    doorbell.ring(times=12)
    taken = at_once(8, lambda _: Broker().dequeue())
    ids = [row[0][0] for row in taken if row is not None]
    assert len(ids) == len(set(ids)) == 8


def test_what_is_not_acknowledged_comes_again_after_a_while(queue: Broker) -> None:
    doorbell.ring()
    taken = queue.dequeue()
    assert taken is not None
    assert 80 < bells()[0] <= 90
    queue.acknowledge(taken[0][0])
    assert bells() == []


def test_what_is_put_for_one_worker_goes_to_no_other(queue: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    row_id = doorbell.put_task("notifications.tasks.heartbeat", key="tahan-uji:mine")
    assert queue.dequeue() is None
    monkeypatch.setenv(broker.OWN_KEY_VARIABLE, "tahan-uji:mine")
    taken = Broker().dequeue()
    assert taken is not None
    assert taken[0][0] == row_id
    assert doorbell.is_waiting(row_id)
    queue.acknowledge(row_id)
    assert not doorbell.is_waiting(row_id)


def test_what_was_put_for_workers_that_are_gone_is_forgotten() -> None:
    old = doorbell.put_task("notifications.tasks.heartbeat", key="tahan-uji:gone")
    OrmQ.objects.filter(pk=old).update(lock=database_now() - timedelta(hours=2))
    doorbell.put_task("notifications.tasks.heartbeat", key="tahan-uji:mine")
    doorbell.ring(at=database_now() - timedelta(hours=5))
    doorbell.forget_old_keys()
    assert OrmQ.objects.count() == 2
    assert not doorbell.is_waiting(old)


def test_a_quiet_ring_adds_to_enough_bells_nothing() -> None:
    for _ in range(3):
        doorbell.ring_if_quiet(enough=2)
    assert len(bells()) == 2
    doorbell.ring_if_quiet(at=database_now() + timedelta(seconds=9))
    assert len(bells()) == 2  # one of those rings before


def test_a_bell_that_is_being_answered_does_not_count(queue: Broker) -> None:
    doorbell.ring()
    queue.dequeue()
    doorbell.ring_if_quiet()
    assert len(bells()) == 2


def test_a_database_that_is_away_ends_no_process(queue: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        def cursor(self) -> Any:
            raise OperationalError

        def close(self) -> None:
            pass

    doorbell.ring()
    monkeypatch.setattr(broker, "connections", {"default": Away()})
    assert queue.dequeue() is None
    queue.acknowledge(1)
    monkeypatch.setattr(broker, "connections", {"default": connection})
    assert queue.dequeue() is not None


def test_the_queue_is_read_by_its_index(queue: Broker) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_indexes WHERE indexname = 'notifications_doorbells'")
        assert cursor.fetchone()


def test_a_task_in_a_database_that_is_away_is_a_line_and_no_failure(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*args: Any, **values: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(delivery, "deliver_due", away)
    monkeypatch.setattr(sweeper, "sweep", away)
    monkeypatch.setattr(connection, "close", lambda: None)
    tasks.deliver()
    tasks.sweep()
    tasks.heartbeat()
    assert caplog.text.count("The database could not do it") == 2
