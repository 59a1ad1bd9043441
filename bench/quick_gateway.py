"""
`python -m bench.quick_gateway`: a gateway that takes every message at once, as Fonnte says it, and counts.

It does as little as an HTTP server can, so that it is not the one that is measured. The first line it prints is its
port; `GET /count` answers how many messages it got since the last `GET /forget`, and when
the last one came.
"""

from __future__ import annotations

import asyncio
import json
import time


class Gateway(asyncio.Protocol):
    """One connection; requests come one after the other, as `requests` sends them."""

    got = 0
    last_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, _, rest = self._buffer.partition(b"\r\n\r\n")
            length = _content_length(head)
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        if head.startswith(b"GET /count"):
            body = json.dumps({"count": Gateway.got, "last_at": Gateway.last_at})
        elif head.startswith(b"GET /forget"):
            Gateway.got = 0
            body = "{}"
        else:
            Gateway.got += 1
            Gateway.last_at = time.time()
            body = json.dumps({"status": True, "id": [str(Gateway.got)], "process": "pending", "target": ["62812"]})
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
            + body.encode()
        )


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Gateway, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
