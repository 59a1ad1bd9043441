"""
A WhatsApp gateway of our own: a real HTTP server in a thread that speaks as the real ones do and fails as they do.

    with GatewayServer() as gateway:
        gateway.script([http_500(), reset()])   # the first two sends; then as `always` says
        gateway.always(ok())                    # which is what it starts with
        ... base_url / url of the gateway's settings = gateway.url ...
        gateway.requests                        # every request, in order of arrival
        gateway.accepted                        # what was really taken: receiver and text, once per time it was

Contract:
- The address decides the dialect (`shapes.py`); one server speaks all of them at once.
- A behaviour is used up by a *send*. Probes (Fonnte's /device, WAHA's session, gowa's number check) answer as
  `gateway.probe_always()` says.
- Nothing outlives `with`: what hangs or drips is cut off when it ends.
- It answers in one write without delay, keeps connections, and counts them: `gateway.connections`.

`python -m tests.gateway --port 9000 --behaviour http_500` runs one by hand.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs

from tests.gateway.shapes import Answer, Dialect, Sent, dialect_of

_HTML = b"<!DOCTYPE html><html><head><title>Login hotspot</title></head><body>Silakan masuk</body></html>"


@dataclass(frozen=True)
class Behaviour:
    """What becomes of one request: `answer` makes status and body; `manner` says how it is written, if at all."""

    answer: Callable[[Dialect, Sent | None, int], Answer | bytes] = lambda dialect, sent, number: (200, {})
    manner: str = "at_once"  # at_once, reset, hang, drip, drip_headers, cut
    accepts: bool = False
    status: int = 200  # of an answer in bytes
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def _ok(dialect: Dialect, sent: Sent | None, number: int) -> Answer:
    return dialect.probe() if sent is None else dialect.ok(sent, number)


def ok(*, after_seconds: float = 0.0) -> Behaviour:
    """Take it and answer as the gateway does."""
    return Behaviour(_ok, accepts=True, seconds=after_seconds)


def answers(status: int, body: dict[str, Any] | list[Any] | bytes, **headers: str) -> Behaviour:
    """Exactly this, whoever asks; in *headers*, `_` stands for `-`."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Behaviour(lambda dialect, sent, number: raw, status=status, headers=named)


def status_false(reason: str) -> Behaviour:
    """The gateway's own refusal, in its words and with its usual HTTP status (Fonnte: 200)."""
    return Behaviour(lambda dialect, sent, number: dialect.failed(reason, "", 200))


def error(code: int | str, *, reason: str = "refused", status: int = 400) -> Behaviour:
    """A refusal with the gateway's own code."""
    return Behaviour(lambda dialect, sent, number: dialect.failed(reason, code, status))


def disconnected() -> Behaviour:
    """The phone behind the gateway is off line."""
    return Behaviour(lambda dialect, sent, number: dialect.disconnected())


def http_400_transient() -> Behaviour:
    """A 400 that passes."""
    return Behaviour(lambda dialect, sent, number: dialect.transient_400())


def http_401() -> Behaviour:
    """Wrong token, as the gateway says it."""
    return Behaviour(lambda dialect, sent, number: dialect.unauthorized())


def http_429(retry_after: int | str | None = None) -> Behaviour:
    return answers(
        429, {"message": "Too Many Requests"}, **({} if retry_after is None else {"Retry_After": f"{retry_after}"})
    )


def http_500() -> Behaviour:
    return answers(500, {"message": "Internal Server Error"})


def http(status: int) -> Behaviour:
    """A bare status with an HTML body, as proxies give it."""
    return Behaviour(lambda dialect, sent, number: _HTML, status=status)


def html() -> Behaviour:
    """200 and HTML: the hot spot's log-in page, or a gateway's maintenance page."""
    return http(200)


def reset(*, accepts: bool = False) -> Behaviour:
    """The connection is reset after the request was read; *accepts*: the message was taken all the same."""
    return Behaviour(_ok, manner="reset", accepts=accepts)


def cut(*, accepts: bool = False) -> Behaviour:
    """Half of the answer, then the connection is closed."""
    return Behaviour(_ok, manner="cut", accepts=accepts)


def hang(*, seconds: float = 120.0, accepts: bool = False) -> Behaviour:
    """No answer for so long; then the connection is closed."""
    return Behaviour(_ok, manner="hang", seconds=seconds, accepts=accepts)


def drip(*, seconds: float = 1.0, accepts: bool = False) -> Behaviour:
    """The headers at once, then one byte of the body each so many seconds."""
    return Behaviour(_ok, manner="drip", seconds=seconds, accepts=accepts)


def drip_headers(*, seconds: float = 1.0, accepts: bool = False) -> Behaviour:
    """One byte each so many seconds, from the first of the status line on."""
    return Behaviour(_ok, manner="drip_headers", seconds=seconds, accepts=accepts)


@dataclass(frozen=True)
class Request:
    """One request as it came. `at` is `time.monotonic()` when it was read whole."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    at: float
    dialect: str = ""
    sent: Sent | None = None  # None: a probe

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()}

    @property
    def receiver(self) -> str:
        return self.sent.receiver if self.sent else ""

    @property
    def text(self) -> str:
        return self.sent.text if self.sent else ""


class GatewayServer:
    """See the module. Every method may be called from any thread at any time."""

    def __init__(self, *, port: int = 0, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self._lock = threading.Lock()
        self._always, self._probe_always = ok(), ok()
        self._script: deque[Behaviour] = deque()
        self._requests: list[Request] = []
        self._accepted: list[Request] = []
        self.connections = 0
        self.closing = threading.Event()
        self._server = _Server((host, port), self)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.host, self.port = host, self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://{host}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._thread.join()

    def script(self, behaviours: Iterable[Behaviour]) -> None:
        """What becomes of the next sends, one each; replaces what is left of an earlier script."""
        with self._lock:
            self._script = deque(behaviours)

    def always(self, behaviour: Behaviour) -> None:
        """What becomes of sends that no script speaks of."""
        with self._lock:
            self._always = behaviour

    def probe_always(self, behaviour: Behaviour) -> None:
        """What becomes of probes."""
        with self._lock:
            self._probe_always = behaviour

    @property
    def requests(self) -> list[Request]:
        """Every request until now, probes included."""
        with self._lock:
            return list(self._requests)

    @property
    def sends(self) -> list[Request]:
        """Every request that wanted to send."""
        return [request for request in self.requests if request.sent is not None]

    @property
    def accepted(self) -> list[Request]:
        """Every send that was taken, whether or not the answer got through."""
        with self._lock:
            return list(self._accepted)

    def forget(self) -> None:
        """Forget all requests, keep the behaviours."""
        with self._lock:
            self._requests.clear()
            self._accepted.clear()

    def take(self, request: Request) -> tuple[Behaviour, int]:
        """Note *request*; what becomes of it, and its number from 1 on."""
        with self._lock:
            self._requests.append(request)
            if request.sent is None:
                return self._probe_always, len(self._requests)
            behaviour = self._script.popleft() if self._script else self._always
            if behaviour.accepts:
                self._accepted.append(request)
            return behaviour, len(self._requests)

    def connected(self) -> None:
        with self._lock:
            self.connections += 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], gateway: GatewayServer) -> None:
        self.gateway = gateway
        self._open: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Wake up every handler that still reads."""
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # closed on its own meanwhile

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are what this server is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.gateway.connected()

    def do_POST(self) -> None:
        gateway = self.server.gateway
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            dialect, is_send = dialect_of(self.path)
        except LookupError:
            self._write(404, b'{"message": "no such address"}', {})
            return
        try:
            sent = dialect.read(body) if is_send else None
        except (KeyError, ValueError, AssertionError) as exc:
            self._write(400, f"the request is not {dialect.name}'s: {exc!r}".encode(), {})
            return
        request = Request(self.command, self.path, headers, body, time.monotonic(), dialect.name, sent)
        behaviour, number = gateway.take(request)
        answer = behaviour.answer(dialect, sent, number)
        status, raw = (behaviour.status, answer) if isinstance(answer, bytes) else (answer[0], _dumped(answer[1]))
        getattr(self, f"_{behaviour.manner}")(behaviour, status, raw)

    do_GET = do_POST  # noqa: N815

    def _at_once(self, behaviour: Behaviour, status: int, raw: bytes) -> None:
        if not (behaviour.seconds and self.server.gateway.closing.wait(behaviour.seconds)):
            self._write(status, raw, behaviour.headers)

    def _hang(self, behaviour: Behaviour, _status: int, _raw: bytes) -> None:
        self.server.gateway.closing.wait(behaviour.seconds)
        self.close_connection = True

    def _reset(self, _behaviour: Behaviour, _status: int, _raw: bytes) -> None:
        # Closing with a linger of 0 s sends RST instead of FIN.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _cut(self, behaviour: Behaviour, status: int, raw: bytes) -> None:
        self.wfile.write(self._head(status, raw, behaviour.headers) + raw[: len(raw) // 2])
        self.close_connection = True

    def _drip(self, behaviour: Behaviour, status: int, raw: bytes) -> None:
        self.wfile.write(self._head(status, raw, behaviour.headers))
        self._byte_by_byte(raw, behaviour.seconds)

    def _drip_headers(self, behaviour: Behaviour, status: int, raw: bytes) -> None:
        self._byte_by_byte(self._head(status, raw, behaviour.headers) + raw, behaviour.seconds)

    def _byte_by_byte(self, raw: bytes, seconds: float) -> None:
        for byte in raw:
            if self.server.gateway.closing.wait(seconds):
                break
            self.wfile.write(bytes([byte]))
        self.close_connection = True

    def _write(self, status: int, raw: bytes, headers: dict[str, str]) -> None:
        self.wfile.write(self._head(status, raw, headers) + raw)

    def _head(self, status: int, raw: bytes, headers: dict[str, str]) -> bytes:
        kind = "application/json" if raw[:1] in (b"{", b"[") else "text/html"
        lines = [f"HTTP/1.1 {status} Said", f"Content-Type: {kind}", f"Content-Length: {len(raw)}"]
        return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode()

    def log_message(self, format: str, *args: Any) -> None:
        """Quietly."""


def _dumped(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()
