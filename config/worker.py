"""
The worker: django-q2's cluster, watched, and whatever has to happen again and again.

Contract:
- The cluster runs in a process group of its own. Where it dies, or takes no task for `frozen_seconds` although the
  database answers (django-q2 can freeze and still look alive), the whole group is killed and a new one started. That
  is safe by design: docs/explanation/delivery.md says what each kill costs.
- Each `sweep_seconds` lost messages are looked for, each `close_seconds` attempts whose time is over are closed. A
  database that is away is waited for, and is no reason to restart anything.
- SIGTERM, SIGINT and SIGHUP end it: tasks finish the message they are sending, and after `stop_seconds` the group is
  killed. The cluster ends by itself when its parent is gone.
- No process of it has a connection pool: a pool's threads do not survive a fork.

The time is kept here and not by django-q2's scheduler, which stands still with its cluster.

Not here: what the tasks do (`notifications/tasks.py`, `exams/tasks.py`), the queue (`notifications/broker.py`).
"""

from __future__ import annotations

import logging
import os
import select
import signal
import subprocess
import sys
import threading
import uuid
from dataclasses import dataclass
from multiprocessing.connection import wait
from time import monotonic

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django_q.conf import Conf

from notifications import doorbell, tasks
from notifications.broker import OWN_KEY_VARIABLE

logger = logging.getLogger(__name__)

HEARTBEAT = "notifications.tasks.heartbeat"
SWEEP = "notifications.tasks.sweep"
CLOSE_EXPIRED = "exams.tasks.close_expired"
_LOOK_SECONDS = 0.5
#: Before the next start of a cluster that did not live for a minute.
_PAUSES_SECONDS = (0.0, 1.0, 2.0, 5.0)
_LIVED_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Times:
    """How often, and how long."""

    heartbeat_seconds: float = 5.0
    #: The longest honest silence: all workers in calls of 10 s, and a line of prefetched tasks of 13 s each.
    frozen_seconds: float = 40.0
    sweep_seconds: float = 30.0
    close_seconds: float = 60.0
    stop_seconds: float = 20.0


# -- the parent ------------------------------------------------------------------------------------------------------


class Pulse:
    """
    Puts tasks into the queue and sees whether they are called, in a thread of its own.

    A thread, because a database that hangs may hold a statement for long, and signals must not wait for it.
    """

    def __init__(self, times: Times, key: str) -> None:
        self._key = key
        self._every = {HEARTBEAT: times.heartbeat_seconds, SWEEP: times.sweep_seconds}
        self._every[CLOSE_EXPIRED] = times.close_seconds
        self._frozen_seconds = times.frozen_seconds
        self._lock = threading.Lock()
        self._waiting: dict[str, int] = {}
        self._put_at: dict[str, float] = {}
        self._is_away = False
        self._is_new = True
        self._ended = threading.Event()
        self._seen_at = self._looked_at = monotonic()

    def start(self) -> None:
        threading.Thread(target=self._run, name="pulse", daemon=True).start()

    def end(self) -> None:
        self._ended.set()

    def is_frozen(self) -> bool:
        """Whether the database has answered all the while, and no heartbeat was called for too long."""
        with self._lock:
            return self._looked_at - self._seen_at > self._frozen_seconds

    def begin_anew(self) -> None:
        """There is a new cluster: sweep at once, and wait as long as for the first one."""
        with self._lock:
            self._seen_at = self._looked_at = monotonic()
            self._is_new = True

    def _run(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            try:
                if self._is_new:
                    self._is_new = False
                    self._forget()
                for name in self._every:
                    self._look_after(name)
            except (DatabaseError, InterfaceError) as exc:
                connection.close()
                self._note_away(exc)
            else:
                if self._is_away:
                    self._is_away = False
                    logger.warning("The database is back")

    def _forget(self) -> None:
        """What the cluster before had taken would be given out again, but only after `retry`."""
        doorbell.forget_old_keys()
        for row_id in self._waiting.values():
            doorbell.forget(row_id)
        self._waiting.clear()
        self._put_at.clear()

    def _look_after(self, name: str) -> None:
        row_id = self._waiting.get(name)
        is_waiting = row_id is not None and doorbell.is_waiting(row_id)
        now = monotonic()
        if name == HEARTBEAT:
            with self._lock:
                self._looked_at = now
                if row_id is not None and not is_waiting:
                    self._seen_at = now
        if row_id is not None and not is_waiting:
            del self._waiting[name]
        if not is_waiting and (name not in self._put_at or now >= self._put_at[name] + self._every[name]):
            self._waiting[name] = doorbell.put_task(name, key=self._key)
            self._put_at[name] = now

    def _note_away(self, exc: Exception) -> None:
        if not self._is_away:
            self._is_away = True
            logger.warning("The database is away: %s", type(exc).__name__)
        with self._lock:
            self._seen_at = self._looked_at = monotonic()


class Worker:
    """The parent process. See the module's contract."""

    def __init__(self, times: Times) -> None:
        self._times = times
        self._key = f"{Conf.CLUSTER_NAME}:{uuid.uuid4().hex[:12]}"
        self._pulse = Pulse(times, self._key)
        self._cluster: subprocess.Popen[bytes] | None = None
        self._started_at = self._start_at = 0.0
        self._failures = 0

    def run(self) -> None:
        """Work until a signal ends it."""
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: os.write(wake, b"."))
        self._pulse.start()
        try:
            while not select.select([woken], [], [], _LOOK_SECONDS)[0]:
                self._look()
        finally:
            self._pulse.end()
            self._stop()

    def _look(self) -> None:
        if self._cluster is None:
            if monotonic() >= self._start_at:
                self._start()
        elif self._cluster.poll() is not None:
            logger.error("The cluster ended with %s", self._cluster.returncode, extra={"action": "cluster_died"})
            self._clear_away()
        elif self._pulse.is_frozen():
            logger.error("The cluster takes no tasks: killed", extra={"action": "cluster_frozen"})
            self._clear_away()

    def _start(self) -> None:
        # In a session of its own: the terminal's Ctrl-C is for us, who then stop it properly.
        # Its standard input is the thread that it hangs by: it breaks when we are gone, whatever ended us.
        environment = {name: value for name, value in os.environ.items() if name != "DATABASE_POOL"}
        self._cluster = subprocess.Popen(  # noqa: S603 (a list, no shell, our own program)
            [sys.executable, str(settings.BASE_DIR / "manage.py"), "worker", "--cluster"],
            env=environment | {OWN_KEY_VARIABLE: self._key},
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        self._started_at = monotonic()
        self._pulse.begin_anew()
        logger.info("Cluster %s started with %s workers", self._cluster.pid, Conf.WORKERS)

    def _clear_away(self) -> None:
        """Kill what is left of the cluster, and start another one soon."""
        assert self._cluster is not None  # noqa: S101 - for the type checker
        _kill_group(self._cluster.pid)
        self._cluster.wait()
        if self._cluster.stdin is not None:
            self._cluster.stdin.close()
        self._cluster = None
        lived = monotonic() - self._started_at >= _LIVED_SECONDS
        self._failures = 0 if lived else self._failures + 1
        self._start_at = monotonic() + _PAUSES_SECONDS[min(self._failures, len(_PAUSES_SECONDS) - 1)]

    def _stop(self) -> None:
        if self._cluster is None:
            return
        logger.info("Stopping the cluster")
        self._cluster.terminate()
        try:
            self._cluster.wait(timeout=self._times.stop_seconds)
            logger.info("The cluster has stopped")
        except subprocess.TimeoutExpired:
            logger.error("The cluster did not stop in time: killed")
        _kill_group(self._cluster.pid)
        self._cluster.wait()


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # nobody is left


# -- the cluster -----------------------------------------------------------------------------------------------------


def run_cluster(times: Times) -> None:
    """What the parent starts: django-q2's cluster, until SIGTERM or until the parent is gone."""
    from django_q.cluster import Cluster  # it asks for the apps when it is imported

    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    cluster = Cluster()
    # django-q2's own handler waits for a lock inside the signal, and hangs one time in nine.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.write(wake, b"."))
    cluster.start()
    # Only now: a fork while a thread runs would be one more thing to think about.
    threading.Thread(target=_watch_parent, args=(wake, times.stop_seconds), name="parent", daemon=True).start()
    ready = wait([woken, cluster.sentinel.sentinel])
    if woken not in ready:
        raise SystemExit(1)
    tasks.stop_soon()
    cluster.stop()


def _watch_parent(wake: int, stop_seconds: float) -> None:
    while os.read(0, 1):
        pass
    os.write(wake, b".")
    threading.Event().wait(stop_seconds)
    os.killpg(os.getpgrp(), signal.SIGKILL)
