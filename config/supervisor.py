"""
The web processes behind one listening socket: started, replaced when they die, and ended in time.

Contract:
- `listen()` comes before anything is started: a port in use is a `PortUnavailableError` with one line to show.
- A worker that dies, or whose interpreter does not answer for 10 s, is replaced; new connections wait in the socket's
  queue meanwhile. (An event loop that is blocked in Python code is not noticed here: `/readyz` hangs then.)
  Where no worker has ever become ready the application itself is broken: `run()` gives up and returns False.
- SIGTERM, SIGINT and SIGHUP are passed on to the workers at once; what is left of them after 9 s is killed.
- Workers end by themselves when their parent is gone, whatever ended it: nobody is left who holds the port.

uvicorn has a supervisor too. It stops for good when a worker cannot start, also while the database is away for a
moment, leaves its workers behind when it is killed, and waits without end for one that hangs.

Not here: what is served (`asgi.py`), how connections are bounded (`http.py`).
"""

import errno
import logging
import multiprocessing
import os
import resource
import signal
import socket
import threading
from multiprocessing.connection import Connection, wait
from time import monotonic
from typing import Any

import uvicorn

logger = logging.getLogger(__name__)
spawn = multiprocessing.get_context("spawn")  # a fork would share Django's connections and threads half-way

PING_SECONDS = 1
#: A worker that only pauses (SIGSTOP, a disk that stalls) must not be killed for it.
HUNG_SECONDS = 10
END_SECONDS = 9
#: Before the next start of a worker that died before it was ready: what stops it needs a moment to pass.
PAUSES_SECONDS = (0.0, 1.0, 2.0, 5.0)
#: A peer that has not acknowledged our data for so long is gone; TCP alone would hold its connection for a quarter
#: hour.
DEAD_PEER_SECONDS = 60


class PortUnavailableError(Exception):
    """The address cannot be listened on; the text says why and what to do."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket on *host* (a name or an address) and *port* (0: any free one). Raises PortUnavailableError."""
    if not 0 <= port <= 65_535:  # the system would take its lowest 16 bits and say nothing
        raise PortUnavailableError(f"There is no port {port}: use a number from 1 to 65535.")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as exc:
        raise PortUnavailableError(_explain(exc, host, port)) from exc
    # Accepted connections inherit these on Linux: a phone that went away is noticed without a timer of ours.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, DEAD_PEER_SECONDS)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_PEER_SECONDS * 1000)
    return listener


def _explain(exc: OSError, host: str, port: int) -> str:
    if exc.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is in use by another program. Stop that, or choose another port: "
            f"--port {port + 1}, or PORT={port + 1} in the environment."
        )
    if exc.errno == errno.EACCES:
        return f"Port {port} on {host} is only for root. Choose one above 1023, for example --port 8000."
    return f"Cannot listen on {host} port {port}: {exc.strerror or exc}."


def raise_open_files_limit() -> None:
    """Allow as many open connections as the system lets us: the usual 1024 are fewer than a large school's phones."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _serve(options: dict[str, Any], listener: socket.socket, parent: Connection) -> None:
    """What a worker runs."""
    # A terminal's Ctrl-C reaches everyone; until uvicorn listens to signals, the parent's SIGTERM is what ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    server = uvicorn.Server(uvicorn.Config(**options))
    threading.Thread(target=_answer_pings, args=(parent, server), name="pings", daemon=True).start()
    server.run(sockets=[listener])
    if not server.started:
        raise SystemExit(1)


def _answer_pings(parent: Connection, server: uvicorn.Server) -> None:
    try:
        while True:
            parent.recv()
            parent.send(server.started)
    except (EOFError, OSError):  # the parent is gone
        os.kill(os.getpid(), signal.SIGTERM)


class _Worker:
    def __init__(self, options: dict[str, Any], listener: socket.socket) -> None:
        self.pings, theirs = spawn.Pipe()
        self.process = spawn.Process(target=_serve, args=(options, listener, theirs), name="web")
        self.process.start()
        theirs.close()  # so that the pipe breaks when the worker dies
        self.is_ready = False
        self._asked_at = 0.0
        self._answered_at = monotonic()

    def ping(self) -> None:
        """Ask whether it is ready, unless it still owes an answer or has just given one."""
        if self._asked_at <= self._answered_at and monotonic() >= self._asked_at + PING_SECONDS:
            try:
                self.pings.send(None)
            except OSError:
                return  # it has just died: its sentinel says so
            self._asked_at = monotonic()

    def take_answer(self) -> None:
        try:
            self.is_ready = bool(self.pings.recv())
        except (EOFError, OSError):
            return  # as above
        self._answered_at = monotonic()

    def is_hung(self) -> bool:
        return monotonic() - self._answered_at > HUNG_SECONDS

    def close(self) -> None:
        """Forget a worker that has ended."""
        self.process.join()
        self.pings.close()


class Supervisor:
    """Runs *workers* processes of `uvicorn.Server` with *options* on *listener*. See the module's contract."""

    def __init__(self, options: dict[str, Any], listener: socket.socket, *, workers: int) -> None:
        self._options = options
        self._listener = listener
        self._workers: list[_Worker] = []
        self._wanted = workers
        self._failures = 0  # workers in a row that died before they were ready
        self._start_at = 0.0
        self._ever_ready = False

    def run(self) -> bool:
        """Serve until a signal ends it (True), or until it is clear that no worker can start (False)."""
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        previous = {
            number: signal.signal(number, lambda *_: os.write(wake, b"."))
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        }
        try:
            return self._watch(woken)
        finally:
            self._end()
            for number, handler in previous.items():
                signal.signal(number, handler)
            os.close(woken)
            os.close(wake)

    def _watch(self, woken: int) -> bool:
        while True:
            while len(self._workers) < self._wanted and monotonic() >= self._start_at:
                self._workers.append(_Worker(self._options, self._listener))
            for worker in self._workers:
                worker.ping()
            pings = {worker.pings: worker for worker in self._workers}
            ready = wait([woken, *pings, *(worker.process.sentinel for worker in self._workers)], timeout=PING_SECONDS)
            if woken in ready:
                return True
            for worker in list(self._workers):
                if worker.pings in ready:
                    worker.take_answer()
                self._ever_ready |= worker.is_ready
                if worker.is_hung():
                    logger.error("Web process %s does not answer: killed", worker.process.pid)
                    worker.process.kill()
                    worker.process.join()
                if worker.process.exitcode is not None:
                    self._replace(worker)
            if self._failures and not self._ever_ready:
                return False

    def _replace(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.close()
        logger.error("Web process %s ended with %s", worker.process.pid, worker.process.exitcode)
        # Negative: a signal killed it. That says nothing about whether another one can start.
        failed = not worker.is_ready and (worker.process.exitcode or 0) > 0
        self._failures = self._failures + 1 if failed else 0
        self._start_at = monotonic() + PAUSES_SECONDS[min(self._failures, len(PAUSES_SECONDS) - 1)]

    def _end(self) -> None:
        """End the workers: politely, then after END_SECONDS for good."""
        end_at = monotonic() + END_SECONDS
        self._listener.close()  # new connections are refused from here on, not left waiting
        for worker in self._workers:
            worker.process.terminate()
        while running := [w.process.sentinel for w in self._workers if w.process.exitcode is None]:
            if not wait(running, timeout=max(0.0, end_at - monotonic())):
                break
        for worker in self._workers:
            if worker.process.exitcode is None:
                logger.error("Web process %s did not end in time: killed", worker.process.pid)
                worker.process.kill()
            worker.close()
