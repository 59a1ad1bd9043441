"""An ASGI application to be served by test_serve.py: it tells which process it is, and can be slow or stuck."""

import asyncio
import os
from pathlib import Path


async def application(scope, receive, send) -> None:
    if scope["type"] == "lifespan":
        await live(receive, send)
        return
    if scope["path"] == "/slow":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"began\n", "more_body": True})
        await asyncio.sleep(0.5)
        await send({"type": "http.response.body", "body": b"ended\n"})
        return
    body = f"{os.getpid()} {os.environ['WEB_WORKERS']}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def live(receive, send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            failure = os.environ.get("FAIL_AT_START")
            await send({"type": f"lifespan.startup.{'failed' if failure else 'complete'}"})
        elif os.environ.get("HANG_AT_END"):
            await asyncio.Event().wait()
        else:
            if log := os.environ.get("LIFESPAN_LOG"):
                Path(log).write_text("drained")
            await send({"type": "lifespan.shutdown.complete"})
            return
