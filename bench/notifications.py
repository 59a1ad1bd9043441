"""
`python -m bench.notifications`: messages per second through our worker, beside one django-q2 task for each of them.

Both have the same database, the same number of workers and the same gateway, which answers at once. In each round a
cluster stands ready, all messages are queued in one transaction, and the clock runs from its commit until the gateway
has them all (ours: until they are recorded, too, which the other never does).

Exit code: 0 when the run is sound, 1 when it says nothing. Not here: what a message costs on a real gateway's network.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import psutil  # type: ignore[import-untyped]
import requests
from psycopg import sql

from bench import postgres
from bench.figures import BrokenRunError
from bench.postgres import Database
from bench.programs import PROJECT

TARGET = 0.8
_LIMIT_SECONDS = 120.0
_pause = Event()

#: Whoever queues them says when they are committed: the clock must not run while Python starts.
_QUEUE = {
    "ours": """
import django, time; django.setup()
from notifications import delivery
from notifications.delivery import NewMessage
delivery.enqueue_many([NewMessage(receiver=f"62812{n:07d}", message=f"Nilai {n}") for n in range(COUNT)])
print(time.time())
""",
    "plain": """
import django, time; django.setup()
from django.db import transaction
from django_q.tasks import async_task
with transaction.atomic():
    for n in range(COUNT):
        async_task("bench.peers.plain_queue.tasks.post", URL, f"62812{n:07d}", f"Nilai {n}")
print(time.time())
""",
}
_LAST_RECORD = sql.SQL(
    "SELECT extract(epoch FROM max(sent_at))::float8, count(*) FILTER (WHERE state <> 'sent') FROM notifications"
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.notifications", description=__doc__)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path("var/bench-notifications.json"))
    options = parser.parse_args()
    directory = PROJECT / "var" / "bench-notifications"
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with postgres.database(directory) as database, _gateway() as url:
            environment = _environment(database.url, url, options.workers)
            _python("manage.py", "migrate", "--verbosity=0", environment=environment)
            rounds = []
            for number in range(1, options.rounds + 1):
                plain = _measure("plain", options.messages, url, database, _plain(environment))
                ours = _measure("ours", options.messages, url, database, environment)
                print(f"round {number}: plain {plain:.0f}/s, ours {ours:.0f}/s, {ours / plain:.2f}", flush=True)
                rounds.append({"plain": round(plain, 1), "ours": round(ours, 1)})
    except BrokenRunError as exc:
        print(f"The run is broken: {exc}", file=sys.stderr)
        return 1
    ratio = statistics.median(each["ours"] / each["plain"] for each in rounds)
    facts = {"messages": options.messages, "workers": options.workers, "cores": os.cpu_count(), "rounds": rounds}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(facts | {"ratio": round(ratio, 2), "target": TARGET}, indent=2) + "\n")
    print(f"ours/plain {ratio:.2f} (target {TARGET}). Written to {options.out}.")
    return 0


def _environment(database_url: str, gateway_url: str, workers: int) -> dict[str, str]:
    gateway = {"backend": "fonnte", "token_env": "BENCH_TOKEN", "base_url": gateway_url, "in_flight": workers}
    ours = {
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "HTTPS": "false",
        "LOG_LEVEL": "WARNING",
        "BENCH_TOKEN": "a-token",
        "NOTIFICATIONS_GATEWAYS": json.dumps({"utama": gateway}),
        "NOTIFICATIONS_WORKERS": str(workers),
        "NOTIFICATIONS_PER_SECOND": "0",
        "NOTIFICATIONS_RECEIVER_GAP_SECONDS": "0",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NOTIFICATIONS_", "EXAMS_"))}
    return kept | ours


def _plain(environment: Mapping[str, str]) -> dict[str, str]:
    return {**environment, "DJANGO_SETTINGS_MODULE": "bench.peers.plain_queue.settings"}


def _measure(kind: str, messages: int, url: str, database: Database, environment: Mapping[str, str]) -> float:
    """Messages per second of one round."""
    _get(url, "forget")
    with _running("worker" if kind == "ours" else "qcluster", environment):
        script = _QUEUE[kind].replace("COUNT", str(messages)).replace("URL", repr(f"{url}/send"))
        started_at = float(_python("-c", script, environment=environment).split()[-1])
        _wait(lambda: _get(url, "count")["count"] >= messages, "messages")
        ended_at = float(_get(url, "count")["last_at"])
        if kind == "ours":
            _wait(lambda: database.ask(_LAST_RECORD)[1] == 0, "records")
            ended_at = max(ended_at, float(str(database.ask(_LAST_RECORD)[0])))
    if (got := _get(url, "count")["count"]) != messages:
        raise BrokenRunError(f"{got} messages came for {messages}")
    return messages / (ended_at - started_at)


@contextmanager
def _running(command: str, environment: Mapping[str, str]) -> Iterator[None]:
    """A cluster that is ready: all of its processes are there, and idle."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", command], cwd=PROJECT, env=dict(environment), start_new_session=True
    )
    wanted = int(environment["NOTIFICATIONS_WORKERS"]) + 3  # sentinel, monitor, pusher
    try:
        _wait(lambda: len(psutil.Process(process.pid).children(recursive=True)) >= wanted, "processes")
        _pause.wait(2)
        yield
    finally:
        everyone = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.terminate()
        try:
            process.wait(timeout=25)
        except subprocess.TimeoutExpired:
            process.kill()
        for child in everyone:
            if child.is_running():
                child.kill()


@contextmanager
def _gateway() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.quick_gateway"], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _get(url: str, what: str) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{url}/{what}", timeout=5).json()
    return found


def _python(*arguments: str, environment: Mapping[str, str]) -> str:
    run = subprocess.run(
        [sys.executable, *arguments], cwd=PROJECT, env=dict(environment), capture_output=True, text=True, check=False
    )
    if run.returncode != 0:
        raise BrokenRunError(run.stderr[-2000:])
    return run.stdout


def _wait(is_true: Callable[[], bool], what: str) -> None:
    deadline = monotonic() + _LIMIT_SECONDS
    while not is_true():
        if monotonic() > deadline:
            raise BrokenRunError(f"the {what} did not come within {_LIMIT_SECONDS:.0f} s")
        _pause.wait(0.05)


if __name__ == "__main__":
    sys.exit(main())
