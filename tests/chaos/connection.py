"""
One HTTP/1.1 connection as a phone has it: small, fast, and able to hang up in the middle.

Contract: `post()` returns a whole reply or raises `Broken`, after which the connection is closed; the next `post()`
connects anew. Replies without a Content-Length are `Broken`: the save path always sends one.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

_CONNECT_SECONDS = 3.0
_REPLY_MAX_BYTES = 64 * 1024


class BrokenError(Exception):
    """Nothing is known about what became of the request."""


@dataclass(frozen=True)
class Reply:
    """A status and a JSON body."""

    status: int
    body: dict[str, Any]


class Connection:
    """To one port on this machine; reused as long as the server keeps it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, ticket: str, body: bytes, *, timeout_seconds: float) -> Reply:
        """Send one save and wait for its reply."""
        try:
            async with asyncio.timeout(timeout_seconds):
                reader, writer = await self._connected()
                writer.write(_request(path, ticket, body))
                return await self._read(reader)
        except (OSError, TimeoutError, EOFError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as exc:
            self.hang_up()
            raise BrokenError(type(exc).__name__) from exc
        except BaseException:
            self.hang_up()
            raise

    async def post_and_hang_up(self, path: str, ticket: str, body: bytes, *, share: float) -> None:
        """Send *share* (0 to 1) of a save and hang up at once; with 1 the server may well store it."""
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                _, writer = await self._connected()
                request = _request(path, ticket, body)
                writer.write(request[: max(1, int(len(request) * share))])
                await writer.drain()
        except (OSError, TimeoutError) as exc:
            raise BrokenError(type(exc).__name__) from exc
        finally:
            self.hang_up()

    def hang_up(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            async with asyncio.timeout(_CONNECT_SECONDS):
                self._streams = await asyncio.open_connection("127.0.0.1", self.port, limit=_REPLY_MAX_BYTES)
        return self._streams

    async def _read(self, reader: asyncio.StreamReader) -> Reply:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        length = headers.get("content-length", "")
        if not length.isdigit():
            raise EOFError("a reply without a length")
        body = await reader.readexactly(int(length))
        if headers.get("connection", "").lower() == "close":
            self.hang_up()
        status = int(head[0].split(" ")[1])
        return Reply(status, json.loads(body) if headers.get("content-type") == "application/json" else {})


def _request(path: str, ticket: str, body: bytes) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {ticket}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
