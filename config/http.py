"""
HTTP as a school's server speaks it: uvicorn's protocol with bounds that hold before any of our code runs.

Contract, for each connection:
- A request's head (line and headers) over 32 KiB or with more than 100 headers is answered 431 and the connection
  closed.
- A head that is not complete 10 s after its first byte, and a body that is not complete 60 s after its head or goes
  over 32 MiB, ends the connection.
- An idle connection is closed after 75 s, also one that never asked for anything.
- A body is read only as fast as the application asks for it (uvicorn pauses at 64 KiB). How large a body may be is the
  application's business: the 32 MiB here only bound what an application never gets to see.

A request that arrives in one piece, as nearly all do, pays for a few comparisons and no timer.

Not here: sockets and processes (`supervisor.py`), the client's address behind a proxy (`ratelimit`), the router
(`asgi.py`).
"""

from asyncio import TimerHandle, Transport
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 32 * 1024
MAX_HEADERS = 100
MAX_BODY_BYTES = 32 * 1024 * 1024
HEAD_SECONDS = 10
BODY_SECONDS = 60
#: Longer than the 60 s after which nginx gives up an idle connection: the side that sends requests should be the one to
#: close.
KEEP_ALIVE_SECONDS = 75
GRACEFUL_SECONDS = 8


def serve_config() -> dict[str, Any]:
    """The options of `uvicorn.Config` that `serve` and `runserver` share."""
    return {
        "app": "config.asgi:application",
        "http": BoundedHttpProtocol,
        "loop": "uvloop",
        "lifespan": "on",  # the save queue lives in it: an application that cannot start must not serve
        "ws": "none",
        "log_config": None,  # Django's LOGGING is the only one
        "access_log": False,  # the proxy writes one; a path may hold what must not be logged
        "server_header": False,
        "proxy_headers": False,  # ratelimit decides whose word about an address is taken
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        "timeout_graceful_shutdown": GRACEFUL_SECONDS,
        "backlog": 2048,
    }


class HeadTooLargeError(Exception):
    """Raised inside the parser's callback to make it stop; the client gets a 431."""


class _Trailers(list[tuple[bytes, bytes]]):
    """Where headers after a body go: nowhere. They would be appended to the request's own headers, unbounded."""

    def append(self, header: tuple[bytes, bytes]) -> None:
        pass


_TRAILERS = _Trailers()


class _JoiningTransport:
    """
    Writes a response's head together with what follows it: one system call and one packet, not two.

    uvicorn writes them apart, which cost a seventh of the processor time of a save. Without a body the head goes out
    when the response is complete; a stream must send its first chunk at once if its head is to be seen at once.
    """

    __slots__ = ("_held", "_transport")

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._held = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if self._held:
            data, self._held = self._held + data, b""
        elif data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 100"):
            self._held = data
            return
        self._transport.write(data)

    def flush(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)

    def close(self) -> None:
        self.flush()
        self._transport.close()


class BoundedHttpProtocol(HttpToolsProtocol):
    """See the module's contract."""

    #: Aborts the connection; always set while a request is incomplete.
    _deadline: TimerHandle | None = None
    #: What the deadline is for: the seconds of its phase and the request's scope.
    _phase: tuple[float, object] | None = None
    #: The bytes of all pieces of an incomplete request so far.
    _received = 0
    #: Whether so much has come in that a head may be too large, so that it is worth adding up.
    _check_size = False
    _head_too_large = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(_JoiningTransport(transport))  # type: ignore[arg-type]  # it acts like one
        self._abort_in(KEEP_ALIVE_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._clear_deadline()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self.transport.flush()  # type: ignore[attr-defined]  # ours, see above
        super().on_response_complete()

    def data_received(self, data: bytes) -> None:
        self._check_size = self._received + len(data) > MAX_HEAD_BYTES
        super().data_received(data)
        cycle = self.cycle
        if cycle is None or cycle.more_body or "method" not in self.scope:
            self._incomplete(len(data))
        elif not cycle.response_complete:
            # A whole request is in: the way of nearly all of them.
            if self._deadline is not None:
                self._clear_deadline()
        elif self._deadline is None and self.timeout_keep_alive_task is None:
            # Bytes that begin no request (a stray line end) have cancelled uvicorn's keep-alive timer.
            self._abort_in(HEAD_SECONDS)

    def on_headers_complete(self) -> None:
        if len(self.headers) > MAX_HEADERS or (self._check_size and self._head_bytes() > MAX_HEAD_BYTES):
            self._head_too_large = True
            raise HeadTooLargeError
        super().on_headers_complete()
        self.headers = _TRAILERS  # the scope keeps the real list

    def send_400_response(self, msg: str) -> None:
        if not self._head_too_large:
            super().send_400_response(msg)
            return
        body = b"The request's head is too large."
        self.transport.write(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(body), body)
        )
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """
        An upgrade that we do not offer: the parser stops at it, so nothing after the head can be trusted.

        Without a body the plain request that it also is gets its answer, and the connection ends. A body would be
        taken for the next request, so such a request is refused.
        """
        if any(name in (b"content-length", b"transfer-encoding") for name, _value in self.scope["headers"]):
            super().send_400_response("Send the request again without the Upgrade header.")
        elif self.cycle is not None:
            self.cycle.keep_alive = False

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _incomplete(self, received: int) -> None:
        """A piece of a request is in and more must follow: bound its size and its time."""
        if self.transport.is_closing():
            return
        in_head = self.scope is None or "method" not in self.scope
        phase = (HEAD_SECONDS if in_head else BODY_SECONDS, self.scope)
        if self._phase is None or phase[0] != self._phase[0] or phase[1] is not self._phase[1]:
            self._received = 0
            self._phase = phase
            self._abort_in(phase[0])
        self._received += received
        if in_head and self._received > MAX_HEAD_BYTES:
            self._head_too_large = True
            self.send_400_response("")
        elif self._received > MAX_BODY_BYTES:
            self.transport.abort()

    def _abort_in(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        # Not close(): it would wait for a peer that reads as slowly as it writes.
        self._deadline = self.loop.call_later(seconds, self.transport.abort)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._phase = None
        self._received = 0
