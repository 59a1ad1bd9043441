"""
Connections that keep a total deadline, whatever the server does, and know whether anything was written.

Contract:
- Everything inside `limited_to(seconds)` ends by then: looking up the name, every address tried, the TLS handshake, a
  server that sends one byte a second, headers included. `requests` alone bounds each read, not their sum.
- `current().began` is True from the first byte written on: before it, the request was surely not sent.
- An idle connection is not used again after `_IDLE_SECONDS`: gateways close theirs (Node after 5 s), and a request that
  meets the closing would have to be called "may have been sent".

Not here: which request, what its answer means (`http.py`).
"""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

CONNECT_SECONDS = 3.0
READ_SECONDS = 8.0
_IDLE_SECONDS = 2.0


@dataclass
class Call:
    """One exchange with a gateway: when it must be over, and how far it came."""

    ends_at: float  # time.monotonic()
    began: bool = False  # something was written
    problem: str = ""  # why no connection came about, in words that hold no address

    def left(self, at_most: float) -> float:
        """Seconds that the next step may take; `TimeoutError` when there are none."""
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the total deadline is over")
        return min(left, at_most)


_current: ContextVar[Call | None] = ContextVar("notifications_call", default=None)


@contextmanager
def limited_to(seconds: float) -> Iterator[Call]:
    """
    Everything inside is over in so many seconds. Inside another one the outer deadline stays, if it is nearer.

    Each has its own `began`: it is about the requests made directly inside it.
    """
    ends_at = time.monotonic() + seconds
    outer = _current.get()
    call = Call(ends_at if outer is None else min(ends_at, outer.ends_at))
    token = _current.set(call)
    try:
        yield call
    finally:
        _current.reset(token)


def current() -> Call:
    """The exchange that runs in this thread; outside of `limited_to` there is none, and that is a mistake."""
    call = _current.get()
    if call is None:
        raise RuntimeError("a bounded connection was used outside of limited_to()")
    return call


class _BoundedReader(io.RawIOBase):
    """Reads a socket so that no read, and not their sum, goes beyond the deadline."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._socket.settimeout(current().left(READ_SECONDS))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedResponse(HTTPResponse):
    """http.client's response, reading through `_BoundedReader`."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        bounded: io.BufferedIOBase = io.BufferedReader(_BoundedReader(sock))
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = bounded  # type: ignore[assignment]


class _Bounded(HTTPConnection):
    """What our plain and our TLS connections have in common."""

    response_class = _BoundedResponse
    _used_at = 0.0

    def _new_conn(self) -> socket.socket:
        call = current()
        try:
            return _connected(call, self.host.strip("[]"), self.port, self.socket_options or ())
        except OSError as exc:
            raise NewConnectionError(self, call.problem) from exc

    def send(self, data: Any) -> None:
        # http.client would connect inside of its own send(), and nobody could tell a refusal from a reset any more.
        if self.sock is None:
            self.connect()
        current().began = True
        super().send(data)

    def getresponse(self) -> Any:
        response = super().getresponse()
        self._used_at = time.monotonic()
        return response

    @property
    def is_connected(self) -> bool:
        return time.monotonic() - self._used_at < _IDLE_SECONDS and super().is_connected


class _PlainConnection(_Bounded):
    pass


class _TlsConnection(_Bounded, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class BoundedAdapter(HTTPAdapter):
    """`requests` over our connections. Never tries again by itself: whether to is the engine's matter."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}


def _connected(call: Call, host: str, port: int, options: Any) -> socket.socket:
    """A connection to the first address of *host* that answers, each given 3 s, all of them within the deadline."""
    addresses = _addresses(call, host, port)
    problem: OSError = OSError("no address")
    for family, kind, protocol, _name, address in addresses:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(call.left(CONNECT_SECONDS))
            for option in options:
                sock.setsockopt(*option)
            sock.connect(address)
            # The TLS handshake runs on what is left, too.
            sock.settimeout(call.left(CONNECT_SECONDS))
        except OSError as exc:
            sock.close()
            problem = exc
        else:
            return sock
    slow = isinstance(problem, TimeoutError)
    call.problem = f"no connection within {CONNECT_SECONDS:g} s" if slow else f"no connection: {problem.strerror}"
    raise problem


def _addresses(call: Call, host: str, port: int) -> list[Any]:
    """
    The addresses of *host*. The system's resolver knows no deadline and can take half a minute when its server is away,
    so it runs in a thread of its own, which is left alone when it is too slow.
    """
    found: list[Any] = []
    problems: list[OSError] = []

    def look_up() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM))
        except OSError as exc:
            problems.append(exc)
        except UnicodeError:
            problems.append(OSError("no valid name"))

    thread = threading.Thread(target=look_up, name="gateway-name", daemon=True)
    thread.start()
    thread.join(call.left(CONNECT_SECONDS))
    if not found:
        call.problem = "the gateway's name was not found"
        raise problems[0] if problems else TimeoutError("the gateway's name was not found in time")
    return found
