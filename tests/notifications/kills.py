"""
`python -m tests.notifications.kills`: messages are sent while everything is killed, and then every one is looked up.

Contract: exit code 0 if each message was sent or has a failed row, none was sent twice without being marked, and each
kind of kill happened; 1 and what is wrong else. It has a PostgreSQL, a gateway and a worker of its own, and leaves
nothing behind.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from threading import Event
from typing import Any

from config.embedded_postgres import EmbeddedPostgres
from tests.gateway.server import GatewayServer, ok

NAME = "kills"
#: The same as a school's, faster: a lease of 3 s, a sweep each second.
QUICK = {"heartbeat_seconds": 1.0, "frozen_seconds": 6.0, "sweep_seconds": 1.0}
CALM_SECONDS = 150.0
_pause = Event()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=9.0, help="of killing")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--log", action="store_true", help="show what the worker said")
    options = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    print(f"seed {seed}")
    with tempfile.TemporaryDirectory(prefix="kills-") as directory, GatewayServer() as gateway:
        server = EmbeddedPostgres(Path(directory) / "postgres")
        server.start()
        try:
            server.create_database(NAME)
            # Slow enough that messages are in the air when something dies; taken before the answer, as in real life.
            gateway.always(ok(after_seconds=0.05))
            _configure(server.url(NAME), gateway.url)
            return _run(server, gateway, options, random.Random(seed))
        finally:
            if server.is_running():
                server.stop()


def _configure(url: str, gateway_url: str) -> None:
    os.environ |= {
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "HTTPS": "false",
        "LOG_LEVEL": "WARNING",
        "NOTIFICATIONS_GATEWAYS": json.dumps(
            {"utama": {"backend": "fonnte", "token_env": "TEST_TOKEN", "base_url": gateway_url}}
        ),
        "NOTIFICATIONS_PER_SECOND": "0",
        "NOTIFICATIONS_RECEIVER_GAP_SECONDS": "0",
        "NOTIFICATIONS_DEADLINE_SECONDS": "1",
        "TEST_TOKEN": "a-token-for-tests",
    }
    import django

    django.setup()
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity=0"], check=True)


def _run(server: EmbeddedPostgres, gateway: GatewayServer, options: argparse.Namespace, chance: random.Random) -> int:
    from notifications import delivery
    from notifications.models import Notification
    from tests.notifications.sending import receiver
    from tests.notifications.worker import WorkerProcess

    from django.db import DatabaseError, InterfaceError, connection  # isort: skip

    def ask(query: Any) -> Any:
        while True:
            try:
                return query()
            except (DatabaseError, InterfaceError):
                connection.close()
                _pause.wait(0.1)

    def unfinished() -> int:
        return int(ask(lambda: Notification.objects.exclude(state__in=("sent", "failed")).count()))

    def put(first: int, count: int) -> None:
        rows = [
            delivery.NewMessage(receiver=receiver(n), message=f"Nilai {n}", dedupe_key=f"kills:{n}")
            for n in range(first, first + count)
        ]
        # The answer to a commit may be lost: the key makes asking again safe.
        ask(lambda: delivery.enqueue_many(rows))

    began = time.monotonic()
    happened: Counter[str] = Counter()
    with WorkerProcess(server.url(NAME), json.loads(os.environ["NOTIFICATIONS_GATEWAYS"]), times=QUICK) as worker:
        worker.wait_until_ready()
        put(0, options.messages // 2)
        queued = options.messages // 2
        ends_at = time.monotonic() + options.seconds
        while time.monotonic() < ends_at or len(happened) < 3:
            if queued < options.messages:
                count = min(options.messages - queued, options.messages // 10)
                put(queued, count)
                queued += count
            _pause.wait(chance.uniform(0.3, 1.0))
            kind = min(("worker", "cluster", "database"), key=lambda name: (happened[name], chance.random()))
            if _kill(kind, worker, server, chance):
                happened[kind] += 1
                print(f"{time.monotonic() - began:5.1f} s: {kind}")
        put(queued, options.messages - queued)
        calm_until = time.monotonic() + CALM_SECONDS
        while left := unfinished():
            if time.monotonic() > calm_until:
                print("".join(worker.output[-60:]))
                print(f"{left} messages are not finished")
                return 1
            _pause.wait(0.2)
    print(f"{time.monotonic() - began:5.1f} s: kills {dict(happened)}")
    if options.log:
        print("".join(worker.output))
    return _verdict(gateway, options.messages)


def _kill(kind: str, worker: Any, server: EmbeddedPostgres, chance: random.Random) -> bool:
    """Kill something, if it is there."""
    if kind == "database":
        server.kill()
        _pause.wait(chance.uniform(0.2, 1.5))
        server.start()
        return True
    if kind == "cluster":
        if not worker.has_cluster():
            return False
        os.killpg(worker.cluster(), signal.SIGKILL)
        return True
    pids = worker.workers()
    if not pids:
        return False
    os.kill(chance.choice(pids), signal.SIGKILL)
    return True


def _verdict(gateway: GatewayServer, messages: int) -> int:
    from notifications.models import FailedNotification, Notification

    taken = Counter(request.text for request in gateway.accepted)
    failed = set(FailedNotification.objects.values_list("notification_id", flat=True))
    wrong = []
    rows = list(Notification.objects.all())
    if len(rows) != messages:
        wrong.append(f"{len(rows)} rows for {messages} messages")
    for row in rows:
        if row.state == "sent" and not taken[row.message]:
            wrong.append(f"{row.message} is sent, but the gateway never got it")
        if row.state == "failed" and row.pk not in failed:
            wrong.append(f"{row.message} failed without a row")
        if taken[row.message] > 1 and not row.possible_duplicate:
            wrong.append(f"{row.message} came {taken[row.message]} times and is not marked")
    twice = sum(1 for count in taken.values() if count > 1)
    marked = sum(1 for row in rows if row.possible_duplicate)
    print(f"{len(rows)} messages, {len(failed)} failed, {twice} came twice, {marked} are marked")
    print("\n".join(wrong) or "nothing is lost")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
