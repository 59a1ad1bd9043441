"""
Let a few page requests at a time into Django, so that the saves beside them keep their share of the process.

Contract:
- At most `at_once` requests are inside the application. A place is taken only when the request's body has
  arrived and is given back when the application is done, has raised or was cancelled, or when its response outgrows
  the buffer; never later because a client reads slowly.
- Behind them stands a line, first come, first served. `line_max` bounds the requests in it together with those whose
  body is still arriving; beyond it, and after `wait_seconds` in it, the answer is 503 with `Retry-After`. Whoever hangs
  up leaves the line at once, and a place that was on its way to him goes to the next.
- The application sees an ordinary ASGI connection: its body in one message, then `http.disconnect` when the client
  hangs up or the response is complete. It must not be a stream: up to `response_buffer_max` bytes, nothing
  reaches the client before the application is done.
- One gate belongs to one event loop. Only `snapshot()` may be called from other threads.

Not here: which requests come to the gate (`asgi.py`); saves and streams never do. What the refused are told
(`refusals.py`). docs/explanation/gate.md says why the gate exists and how to choose the numbers.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

from config.refusals import RefusedError, body_timeout, body_too_large, busy, send_refusal

logger = logging.getLogger(__name__)

Message = dict[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Any, Receive, Send], Awaitable[None]]

MIB = 1024 * 1024

#: How much of a refused body we let the browser finish sending. A connection closed earlier looks to it like a
#: broken network, and the teacher with the large photo never sees the sentence that says what is wrong.
_DISCARD_MAX = 64 * MIB
_REPORT_SECONDS = 60.0


class Snapshot(TypedDict):
    """What `/readyz` shows of a gate."""

    inside: int
    waiting: int
    reading: int
    refused_total: int
    oldest_wait_seconds: float


class _ClientLeftError(Exception):
    """The client hung up: nobody is there to be answered."""


@dataclass(frozen=True, eq=False)
class _Waiter:
    """One request in the line; its future is resolved by whoever hands it a place."""

    since: float
    place: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class _Place:
    """One of the gate's places, in somebody's hands. Giving it back twice gives it back once."""

    def __init__(self, hand_on: Callable[[], None]) -> None:
        self._hand_on: Callable[[], None] | None = hand_on

    def give_back(self) -> None:
        hand_on, self._hand_on = self._hand_on, None
        if hand_on is not None:
            hand_on()


class _Response:
    """Keeps what the application sends until it is written, or until it is more than *buffer_max* bytes."""

    def __init__(self, send: Send, *, buffer_max: int, on_overflow: Callable[[], None]) -> None:
        self._send = send
        self._buffer_max = buffer_max
        self._on_overflow = on_overflow
        self._kept: list[Message] | None = []
        self._kept_bytes = 0
        self.complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def send(self, message: Message) -> None:
        """The `send` that the application gets."""
        if self._kept is None:
            await self._send(message)
        else:
            self._kept.append(message)
            self._kept_bytes += len(message.get("body", b""))
            if self._kept_bytes > self._buffer_max:
                # From here on the client's network sets the pace, and that must not cost a place.
                self._on_overflow()
                await self.write()
        is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if is_last and not self.complete.done():
            self.complete.set_result(None)

    async def write(self) -> None:
        """Send what was kept; what comes later passes through."""
        kept, self._kept = self._kept, None
        for message in kept or ():
            await self._send(message)


class _Request:
    """One request: its body, and one look-out for the client's hang-up that line and application share."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self._receive = receive
        self._body: bytes | None = None
        self._left: asyncio.Task[Any] | None = None
        headers = {bytes(name).lower(): bytes(value) for name, value in scope.get("headers", ())}
        self.accept = headers.get(b"accept", b"").decode("latin-1")
        self.accept_language = headers.get(b"accept-language", b"").decode("latin-1")
        length = headers.get(b"content-length", b"")
        #: None: not said, or not a number. More digits than 18 are no length either way, only work for int().
        self.declared_length = int(length[:18]) if length.isdigit() else None
        # In HTTP/1.1, the only one uvicorn speaks, a request that declares neither of the two has no body.
        self.has_body = bool(self.declared_length) or b"transfer-encoding" in headers

    async def read_body(self, *, length_max: int, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                body = bytearray()
                while True:
                    message = await self._receive()
                    if message["type"] == "http.disconnect":
                        raise _ClientLeftError
                    body += message.get("body", b"")
                    if len(body) > length_max:
                        raise self.too_large(length_max)
                    if not message.get("more_body", False):
                        break
        except TimeoutError as exc:
            raise body_timeout(seconds=seconds) from exc
        self._body = bytes(body)
        if body and self.declared_length is None:
            # WSGI's habits live on: Django REST framework takes a request without this header for one without a body.
            headers = [pair for pair in self.scope["headers"] if bytes(pair[0]).lower() != b"transfer-encoding"]
            self.scope = {**self.scope, "headers": [*headers, (b"content-length", b"%d" % len(body))]}

    def too_large(self, length_max: int) -> RefusedError:
        is_endless = self.declared_length is None or self.declared_length > _DISCARD_MAX
        return body_too_large(limit=length_max, close=is_endless)

    def left(self) -> asyncio.Task[Any]:
        """
        Done once the client has hung up. For `asyncio.wait` only, which leaves it running: a cancelled
        `receive()` may take a message with it. Not before the body is read.
        """
        if self._left is None:
            self._left = asyncio.ensure_future(self._look_out())
        return self._left

    async def _look_out(self) -> None:
        # Only `http.disconnect` can follow a complete body, so whatever comes is taken for it.
        await self._receive()

    def has_left(self) -> bool:
        """Raise what `receive()` has raised, if it did."""
        if self._left is None or not self._left.done() or self._left.cancelled():
            return False
        self._left.result()
        return True

    def stop_looking_out(self) -> None:
        if self._left is not None:
            self._left.cancel()

    async def receive_for_app(self, response: _Response) -> Message:
        """The `receive` that the application gets."""
        if self._body is not None:
            body, self._body = self._body, None  # not kept twice while the application works on it
            return {"type": "http.request", "body": body, "more_body": False}
        # As the ASGI specification has it, a complete response ends the connection too. The server cannot tell the
        # application so, since it has not seen the response yet: without this, an application that waits
        # for the end would wait for ever, in its place.
        await asyncio.wait((self.left(), response.complete), return_when=asyncio.FIRST_COMPLETED)
        self.has_left()
        return {"type": "http.disconnect"}


class Gate:
    """
    An ASGI application for HTTP requests that lets *at_once* of them into *app*; see the module's contract.

    Sizes are in bytes. *body_max* may be a function of the request's path, for the few pages that take uploads.
    *clock* is in seconds and only goes up; *jitter* is in 0..1 and keeps refused clients from coming back together.
    """

    def __init__(
        self,
        app: App,
        *,
        at_once: int = 4,
        line_max: int = 200,
        wait_seconds: float = 10,
        body_max: int | Callable[[str], int] = MIB,
        body_seconds: float = 20,
        response_buffer_max: int = 4 * MIB,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        for name, value in (("at_once", at_once), ("line_max", line_max)):
            if value < 1:
                raise ValueError(f"{name} is {value}: no page could ever be served. Use 1 or more.")
        for name, seconds in (("wait_seconds", wait_seconds), ("body_seconds", body_seconds)):
            if seconds <= 0:
                raise ValueError(f"{name} is {seconds}: every request would be refused. Use more than 0.")
        self.app = app
        self.at_once = at_once
        self.line_max = line_max
        self.wait_seconds = wait_seconds
        self.body_max = body_max
        self.body_seconds = body_seconds
        self.response_buffer_max = response_buffer_max
        self._clock = clock
        self._jitter = jitter
        # A place is free only while the line is empty: whoever gives one back hands it to the first in the line.
        self._inside = 0
        self._line: deque[_Waiter] = deque()
        self._reading = 0
        self._refused_total = 0
        self._reported_at: float | None = None

    def snapshot(self) -> Snapshot:
        """
        How the gate stands now. `waiting` is the line itself and `reading` the requests whose body is arriving;
        `refused_total` counts the 503s since the start.
        """
        line = tuple(self._line)  # one step for the interpreter, so other threads may call this
        return {
            "inside": self._inside,
            "waiting": len(line),
            "reading": self._reading,
            "refused_total": self._refused_total,
            "oldest_wait_seconds": round(self._clock() - line[0].since, 3) if line else 0.0,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"The gate is for HTTP requests only, not for {scope['type']!r}.")
        request = _Request(scope, receive)
        try:
            await self._read(request)
            place = await self._take_place(request)
            # Nothing may come between these two lines: an `await` there could be cancelled with the place in hand.
            await self._run(request, send, place)
        except _ClientLeftError:
            return
        except RefusedError as refusal:
            await send_refusal(
                refusal,
                method=scope["method"],
                accept=request.accept,
                accept_language=request.accept_language,
                send=send,
            )
        finally:
            request.stop_looking_out()

    async def _read(self, request: _Request) -> None:
        length_max = self.body_max(request.scope["path"]) if callable(self.body_max) else self.body_max
        if request.declared_length is not None and request.declared_length > length_max:
            raise request.too_large(length_max)
        if not request.has_body:
            # Not counted: its one, empty message is here. So slow uploads keep nobody from merely opening a page.
            await request.read_body(length_max=length_max, seconds=self.body_seconds)
            return
        if self._is_full():
            raise self._busy("line_full")
        self._reading += 1
        try:
            await request.read_body(length_max=length_max, seconds=self.body_seconds)
        finally:
            self._reading -= 1

    async def _take_place(self, request: _Request) -> _Place:
        if self._inside < self.at_once:
            self._inside += 1
            return _Place(self._hand_on)
        # A request that was counted while it was being read has just made room for itself.
        if self._is_full():
            raise self._busy("line_full")
        waiter = _Waiter(since=self._clock())
        self._line.append(waiter)
        try:
            await asyncio.wait(
                (waiter.place, request.left()), timeout=self.wait_seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if request.has_left():
                raise _ClientLeftError
            if not waiter.place.done():
                raise self._busy("waited_too_long")
        except BaseException:
            # Hang-up, time-out and cancellation can each come in the very turn of the loop in which a place was handed
            # over. It is ours then, though we leave, and nobody else will pass it on.
            if waiter.place.done():
                self._hand_on()
            else:
                self._line.remove(waiter)
            raise
        return _Place(self._hand_on)

    def _hand_on(self) -> None:
        """Give a place to the first in the line; without a line it becomes free."""
        if self._line:
            self._line.popleft().place.set_result(None)
        else:
            self._inside -= 1

    async def _run(self, request: _Request, send: Send, place: _Place) -> None:
        response = _Response(send, buffer_max=self.response_buffer_max, on_overflow=place.give_back)

        async def receive() -> Message:
            return await request.receive_for_app(response)

        try:
            try:
                await self.app(request.scope, receive, response.send)
            finally:
                place.give_back()
        except Exception:
            # What was begun is thrown away, so that the server can answer 500. A complete response still goes out.
            if response.complete.done() and not request.has_left():
                await response.write()
            raise
        if not request.has_left():
            await response.write()

    def _is_full(self) -> bool:
        return self._reading + len(self._line) >= self.line_max

    def _busy(self, reason: str) -> RefusedError:
        self._refused_total += 1
        now = self._clock()
        # Once a minute: while hundreds are refused, a line for each would be a load of its own.
        if self._reported_at is None or now - self._reported_at >= _REPORT_SECONDS:
            self._reported_at = now
            logger.warning(
                "Pages are refused: the line is too long or too slow",
                extra={"action": "page_refused", "reason": reason, **self.snapshot()},
            )
        return busy(retry_after_ms=2000 + int(self._jitter() * 3000))
