"""
The network between a browser and the server, as bad as a test wants it: a proxy of our own on a port of its own.

Contract:
- `Wire(server_url)` listens on 127.0.0.1; `url` is what the browser gets. `with Wire(...)` leaves nothing behind.
- `mode` says what happens to what comes from now on, and may be changed at any time:
  OPEN passes everything on; CUT resets what is open and what comes; HANG accepts and never answers; SWALLOW lets the
  server do its work and throws its reply away; BUSY and LIMIT answer saves with 503 and 429 as our server words them,
  and pass everything else on.
- `answer_with` may answer a request itself: a captive portal, a refused question. It goes before the mode.
- `only` is a part of the path: HANG and SWALLOW then leave every other request alone.
- `delay_seconds` is added to each reply. `requests` has every request that reached the wire, in order.
- The Host header stays as the browser sent it, so the page's origin is the wire's.

One request for each connection, so that nothing travels on a connection of before. Not here: a device that knows that
it is off line (Playwright's `set_offline`).
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

SAVES = ("/save-answer", "/save-answers")
_BUSY_MS, _LIMIT_MS = 1000, 2000
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close() sends a reset
_REASONS = {200: "OK", 404: "Not Found", 422: "Unprocessable Content", 429: "Too Many Requests"}
#: What never changes, of all wires: a browser asks for thirty files, and none of them is what the tests are about.
_FILES: dict[tuple[str, str], bytes] = {}


class Mode(StrEnum):
    """See the module's contract."""

    OPEN = "open"
    CUT = "cut"
    HANG = "hang"
    SWALLOW = "swallow"
    BUSY = "busy"
    LIMIT = "limit"


@dataclass(frozen=True)
class Request:
    """What a browser sent, and when (`time.monotonic`)."""

    method: str
    path: str
    body: bytes
    headers: dict[str, str]
    at: float = field(default_factory=time.monotonic)

    @property
    def is_save(self) -> bool:
        return self.path.endswith(SAVES)

    @property
    def is_bulk(self) -> bool:
        return self.path.endswith("/save-answers")

    def saves(self) -> list[dict[str, Any]]:
        """The answers in a save, one or many."""
        body = json.loads(self.body)
        return list(body["answers"]) if self.is_bulk else [body]


@dataclass(frozen=True)
class Reply:
    """What the wire says in the server's place; *body* is text, or JSON of anything else."""

    status: int
    body: Any
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        body = (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()
        lines = [f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Unavailable')}"]
        ours = {"Content-Type": self.content_type, "Content-Length": str(len(body)), "Connection": "close"}
        lines += [f"{name}: {value}" for name, value in {**ours, "Cache-Control": "no-store", **self.headers}.items()]
        return "\r\n".join([*lines, "", ""]).encode() + body


def busy() -> Reply:
    """503 as the save path words it when the database is away."""
    body = {"success": False, "code": "unavailable", "message": "Server sibuk.", "retryAfterMs": _BUSY_MS}
    return Reply(503, body, headers={"Retry-After": "1"})


def limited(request: Request) -> Reply:
    """429 as the save path words it; of many saves each has its own outcome in a 200."""
    one = {
        "success": False,
        "code": "rate_limited",
        "message": "Terlalu banyak request. Tunggu 2 detik.",
        "retryAfterMs": _LIMIT_MS,
    }
    if not request.is_bulk:
        return Reply(429, one, headers={"Retry-After": "2"})
    results = [{"questionId": save["questionId"], **one} for save in request.saves()]
    now_ms = int(time.time() * 1000)
    return Reply(200, {"success": False, "results": results, "serverNow": now_ms, "nextSaveMs": _LIMIT_MS})


class Wire:
    """See the module's contract."""

    def __init__(self, server_url: str) -> None:
        self.server_url = server_url
        self.mode = Mode.OPEN
        self.only = ""
        self.delay_seconds = 0.0
        self.answer_with: Callable[[Request], Reply | None] | None = None
        self.requests: list[Request] = []
        self._clients: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[Any] | None] = set()  # asyncio forgets a task whose client has gone
        self._loop = asyncio.new_event_loop()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)

    # -- for tests -------------------------------------------------------------------------------------------------

    def set(self, mode: Mode) -> None:
        """From now on; CUT also resets what is open."""
        self.mode = mode
        if mode is Mode.CUT:
            self._loop.call_soon_threadsafe(self._reset_all)

    def saves(self, since: int = 0) -> list[Request]:
        """The save requests, from number *since* of `requests` on."""
        return [request for request in self.requests[since:] if request.is_save]

    def paths(self, since: int = 0) -> list[str]:
        return [request.path for request in self.requests[since:]]

    # -- the proxy itself ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, sock=self._listener))
        try:
            self._loop.run_forever()
        finally:
            server.close()
            self._loop.run_until_complete(self._let_go())
            self._loop.close()

    async def _let_go(self) -> None:
        """Until nothing is open: a turn later what was just accepted is a task, and an aborted socket is closed."""
        for _ in range(3):
            await asyncio.sleep(0.02)  # a task that is cancelled before its first step would never close its socket
            while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0)

    def _reset_all(self) -> None:
        for client in list(self._clients):
            _reset(client)

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._serving.add(task)
        self._clients.add(client)
        try:
            if self.mode is Mode.CUT:
                _reset(client)
            else:
                await self._answer(reader, client)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            _reset(client)  # one of the two sides is gone, or the wire itself: that is what a wire is for
        finally:
            self._clients.discard(client)
            self._serving.discard(task)
            client.close()

    async def _answer(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        request = await _read_request(head, reader)
        self.requests.append(request)
        mode = self.mode if self.only in request.path else Mode.OPEN
        reply = self.answer_with(request) if self.answer_with else None
        if reply is None and request.is_save and mode in (Mode.BUSY, Mode.LIMIT):
            reply = busy() if mode is Mode.BUSY else limited(request)
        if reply is None and mode is Mode.HANG:
            await reader.read()  # until the browser gives up, or the wire is cut
            return
        raw = reply.encode() if reply else await self._from_server(request, head)
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        if self.mode is Mode.CUT or mode is Mode.SWALLOW:
            _reset(client)
            return
        client.write(raw)
        await client.drain()

    async def _from_server(self, request: Request, head: bytes) -> bytes:
        """The server's reply. Files whose address carries their version are asked for once: they cannot change."""
        if not request.path.startswith("/static/v-"):
            return await self._ask_server(head, request.body)
        key = (request.path, request.headers.get("accept-encoding", ""))
        if key not in _FILES:
            raw = await self._ask_server(head, request.body)
            if b"immutable" not in raw[: raw.find(b"\r\n\r\n")]:
                return raw
            _FILES[key] = raw
        return _FILES[key]

    async def _ask_server(self, head: bytes, body: bytes) -> bytes:
        address = urlsplit(self.server_url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            lines = [line for line in head[:-4].split(b"\r\n") if not line.lower().startswith(b"connection:")]
            writer.write(b"\r\n".join([*lines, b"Connection: close", b"", b""]) + body)
            return await reader.read()
        finally:
            writer.close()


async def _read_request(head: bytes, reader: asyncio.StreamReader) -> Request:
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path.partition("?")[0], body, headers)


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    with suppress(OSError):  # closed already
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
