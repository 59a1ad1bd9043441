"""
What the tests of the gate share: clients made by hand, and a room behind the gate that keeps everyone until let go.

The event loop is stepped by hand, so nothing here waits for time to pass.
"""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

from config.gate import Gate


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*args, **kwargs):
        asyncio.run(test(*args, **kwargs))

    return run


async def settle() -> None:
    """Let everything happen that can happen without the outside world."""
    for _ in range(20):
        await asyncio.sleep(0)


class Client:
    """One connection as a server presents it: what it sends is put in by hand, what it gets is kept."""

    def __init__(self, gate, *, path="/", method="GET", body: bytes | None = b"", slow_reader=False, **headers: str):
        self.scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        }
        self.incoming: asyncio.Queue[dict[str, Any] | Exception] = asyncio.Queue()
        self.received = 0
        self.sent: list[dict[str, Any]] = []
        self.reads = asyncio.Event()
        if not slow_reader:
            self.reads.set()
        if body is not None:
            self.upload(body, more=False)
        self.task = asyncio.ensure_future(gate(self.scope, self._receive, self._send))

    async def _receive(self):
        self.received += 1
        message = await self.incoming.get()
        if isinstance(message, Exception):
            raise message
        return message

    async def _send(self, message):
        await self.reads.wait()
        self.sent.append(message)

    def upload(self, body: bytes, *, more: bool) -> None:
        self.incoming.put_nowait({"type": "http.request", "body": body, "more_body": more})

    def hang_up(self) -> None:
        self.incoming.put_nowait({"type": "http.disconnect"})

    @property
    def status(self) -> int | None:
        return self.sent[0]["status"] if self.sent else None

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def text(self) -> str:
        return b"".join(message.get("body", b"") for message in self.sent[1:]).decode()


class Room:
    """The application behind the gate: everyone stays until he is let go, and then answers with his body."""

    def __init__(self) -> None:
        self.entered: list[str] = []
        self.bodies: dict[str, bytes] = {}
        self.inside: dict[str, asyncio.Future[Any]] = {}
        self.most_inside = 0

    async def __call__(self, scope, receive, send) -> None:
        path = scope["path"]
        self.entered.append(path)
        self.inside[path] = asyncio.get_running_loop().create_future()
        self.most_inside = max(self.most_inside, len(self.inside))
        try:
            message = await receive()
            assert message["type"] == "http.request"
            assert not message["more_body"]
            self.bodies[path] = message["body"]
            await self.inside[path]
        finally:
            del self.inside[path]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"page ", "more_body": True})
        await send({"type": "http.response.body", "body": path.encode()})

    def let_go(self, path: str) -> None:
        self.inside[path].set_result(None)

    def let_all_go(self) -> None:
        for path in self.inside:
            self.let_go(path)


def make(app=None, **options):
    app = app or Room()
    return app, Gate(app, **{"at_once": 1, "line_max": 10, "wait_seconds": 60, **options})


def assert_empty(gate: Gate) -> None:
    assert {**gate.snapshot(), "refused_total": 0} == {
        "inside": 0,
        "waiting": 0,
        "reading": 0,
        "refused_total": 0,
        "oldest_wait_seconds": 0.0,
    }
