"""
Calls that end in time, whatever the thing called does.

Contract:
- `BoundedCaller.call(job, timeout_seconds)` returns what *job* returns, raises what it raises, or raises
  `DeadlineExceeded` when the time is up.
- At most `workers` threads, kept for the next calls; they are daemons and never delay the end of the process.
- A job that overruns keeps its thread until it ends by itself: a thread cannot be killed. With all threads held,
  further calls time out without their job being started.

Why threads: a socket's time-out is per read and says nothing about looking up a host name, so a name server that is
silent, or a server that sends one byte at a time, would hold a request for as long as it likes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Lock, Semaphore, Thread
from typing import Any, TypeVar

Result = TypeVar("Result")
_Job = tuple["Future[Any]", Callable[[], Any]]


class DeadlineExceeded(Exception):
    """The job had not ended when its time was up."""


class BoundedCaller:
    """A few threads that run jobs for others, who wait no longer than they said."""

    def __init__(self, *, workers: int, name: str) -> None:
        self._workers = workers
        self._name = name
        self._forget_threads()

    def call(self, job: Callable[[], Result], *, timeout_seconds: float) -> Result:
        """Run *job* in another thread. See the module's contract."""
        if self._pid != os.getpid():
            # A fork copies this object but none of its threads: jobs would wait for workers that are not there.
            self._forget_threads()
        future: Future[Result] = Future()
        self._jobs.put((future, job))
        self._start_worker_if_none_is_idle()
        try:
            return future.result(timeout_seconds)
        except TimeoutError:
            # The job may have raised a TimeoutError of its own, which belongs to the caller.
            if future.done() and not future.cancelled():
                return future.result()
            future.cancel()
            raise DeadlineExceeded(f"No answer within {timeout_seconds} s.") from None

    def _forget_threads(self) -> None:
        self._pid = os.getpid()
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        self._idle = Semaphore(0)
        self._lock = Lock()
        self._started = 0

    def _start_worker_if_none_is_idle(self) -> None:
        if self._idle.acquire(blocking=False):
            return
        with self._lock:
            if self._started == self._workers:
                return
            self._started += 1
        Thread(target=_work, args=(self._jobs, self._idle), name=self._name, daemon=True).start()


def _work(jobs: SimpleQueue[_Job], idle: Semaphore) -> None:
    while True:
        future, job = jobs.get()
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(job())
            except BaseException as error:  # noqa: BLE001 - nothing is swallowed: call() raises it where it belongs
                future.set_exception(error)
        # Kept alive by this frame otherwise, with all that the job holds, until the next job comes.
        del future, job
        idle.release()
