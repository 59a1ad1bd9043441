"""The real worker with the real clock, against a gateway over HTTP."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
from django.utils import timezone

from exams.models import Attempt
from notifications import delivery
from notifications.delivery import NewMessage
from notifications.models import DeliveryTry, FailedNotification, Notification, State
from tests.exams.factories import make_attempt
from tests.gateway.server import GatewayServer, hang, http_500, ok
from tests.notifications.sending import configure, queue, receiver, states
from tests.notifications.worker import WorkerProcess
from tests.web import PROJECT, url_of_test_database, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def fonnte(server: GatewayServer) -> dict[str, Any]:
    return {"backend": "fonnte", "token_env": "TEST_TOKEN", "base_url": server.url}


def test_what_always_fails_is_tried_at_0_2_and_4_seconds_and_then_is_a_row(settings: Any) -> None:
    with GatewayServer() as gateway:
        gateway.always(http_500())
        gateways = {"utama": fonnte(gateway)}
        configure(settings, **gateways)
        with WorkerProcess(url_of_test_database(), gateways) as worker:
            worker.wait_until_ready()
            started = time.monotonic()
            queued = queue()
            wait_until(FailedNotification.objects.exists, 20, f"a row: {worker.output}")
            first, second, third = [request.at for request in gateway.sends]
    assert first - started < 1.0
    # Two seconds, a fifth of jitter, half a second.
    assert 2.0 <= second - first < 2.9
    assert 4.0 <= third - second < 5.3
    queued.refresh_from_db()
    assert (queued.state, queued.tries) == ("failed", 3)
    assert DeliveryTry.objects.filter(notification=queued).count() == 3


def test_a_hanging_gateway_delays_no_other(settings: Any) -> None:
    with GatewayServer() as hanging, GatewayServer() as good:
        hanging.always(hang(accepts=True))
        gateways = {"buntu": fonnte(hanging), "baik": fonnte(good)}
        configure(settings, **gateways)
        delivery.enqueue_many(NewMessage(receiver=receiver(n), message="Halo", gateway="buntu") for n in range(1000))
        # Calls of 2 s, so that many of them end and begin meanwhile, and no breaker that would spare us the trouble.
        with WorkerProcess(
            url_of_test_database(),
            gateways,
            NOTIFICATIONS_DEADLINE_SECONDS="2",
            NOTIFICATIONS_BREAKER_FAILURES="9999",
        ) as worker:
            worker.wait_until_ready()
            wait_until(lambda: len(hanging.sends) >= 3, 20, "the gateway hangs")
            delays, pause = [], threading.Event()
            for number in range(12):
                asked = time.monotonic()
                queued = queue(2000 + number, gateway="baik")
                sent = Notification.objects.filter(pk=queued.pk, state=State.SENT)
                wait_until(sent.exists, 15, "the other's message")
                delays.append(time.monotonic() - asked)
                pause.wait(0.4)
        assert max(delays) < 2.0, delays
        assert 6 <= len(hanging.sends) <= 30
        # At most three at once: they came in rounds of three.
        assert len([r for r in hanging.sends if r.at < hanging.sends[0].at + 1.0]) == 3


def test_a_frozen_cluster_is_started_again(settings: Any) -> None:
    """django-q2 freezes where a worker is killed that waits for a task: it holds the queue's lock for ever."""
    with GatewayServer() as gateway:
        gateways = {"utama": fonnte(gateway)}
        configure(settings, **gateways)
        times = {"heartbeat_seconds": 1.0, "frozen_seconds": 6.0, "sweep_seconds": 2.0}
        with WorkerProcess(url_of_test_database(), gateways, times=times, NOTIFICATIONS_WORKERS="2") as worker:
            worker.wait_until_ready(2)
            queue(1)
            wait_until(lambda: states() == {"sent": 1}, 15, "the first message")
            cluster = worker.cluster()
            for pid in worker.workers(2):
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: worker.says("after sudden death") or worker.says("after death"), 10, "new workers")
            queue(2)
            wait_until(lambda: states() == {"sent": 2}, 40, f"the second message: {worker.output}")
            assert worker.says("The cluster takes no tasks: killed")
            assert worker.cluster() != cluster
            assert worker.process.poll() is None


def test_a_cluster_that_dies_is_started_again_and_nothing_is_left_of_it(settings: Any) -> None:
    with GatewayServer() as gateway:
        gateways = {"utama": fonnte(gateway)}
        configure(settings, **gateways)
        with WorkerProcess(url_of_test_database(), gateways) as worker:
            worker.wait_until_ready()
            before = [worker.cluster(), *worker.processes()]
            os.kill(worker.cluster(), signal.SIGKILL)
            wait_until(lambda: not any(psutil.pid_exists(pid) for pid in before), 10, "an end of the old processes")
            queue(1)
            wait_until(lambda: states() == {"sent": 1}, 30, f"the message: {worker.output}")


def test_a_sigterm_finishes_what_is_in_the_air_and_begins_nothing(settings: Any) -> None:
    with GatewayServer() as gateway:
        gateway.always(ok(after_seconds=1.0))
        gateways = {"utama": fonnte(gateway)}
        configure(settings, **gateways)
        with WorkerProcess(url_of_test_database(), gateways) as worker:
            worker.wait_until_ready()
            delivery.enqueue_many(NewMessage(receiver=receiver(n), message="Halo") for n in range(60))
            wait_until(lambda: len(gateway.sends) >= 3, 20, "some in the air")
            everyone = [worker.cluster(), *worker.processes()]
            started = time.monotonic()
            worker.process.terminate()
            assert worker.process.wait(timeout=25) == 0
            assert time.monotonic() - started < 10
            assert not any(psutil.pid_exists(pid) for pid in everyone)
            assert worker.says("The cluster has stopped")
        assert set(states()) == {"sent", "queued"}
        assert states()["sent"] == len(gateway.accepted) < 30
        assert not Notification.objects.filter(possible_duplicate=True).exists()


def test_a_cluster_without_its_parent_ends(settings: Any) -> None:
    with GatewayServer() as gateway:
        gateways = {"utama": fonnte(gateway)}
        configure(settings, **gateways)
        with WorkerProcess(url_of_test_database(), gateways) as worker:
            worker.wait_until_ready()
            everyone = [worker.cluster(), *worker.processes()]
            worker.process.kill()
            wait_until(lambda: not any(psutil.pid_exists(pid) for pid in everyone), 25, "the end of its cluster")


def test_the_worker_closes_expired_attempts_and_its_cluster_has_no_pool() -> None:
    attempt = make_attempt(started_at=timezone.now() - timedelta(hours=4))
    with WorkerProcess(url_of_test_database(), {"utama": {"backend": "memory"}}, DATABASE_POOL="on") as worker:
        wait_until(lambda: Attempt.objects.get(pk=attempt.pk).is_closed, 30, f"a closed attempt: {worker.output}")
        assert "DATABASE_POOL" not in psutil.Process(worker.cluster()).environ()


@pytest.mark.timeout(240)
def test_kills_at_random_lose_nothing() -> None:
    """Of workers, of the whole cluster, of PostgreSQL; in a database of its own, see `kills.py`."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.notifications.kills", "--messages", "500", "--seconds", "6"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=220,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-3000:]
