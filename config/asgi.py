"""
The ASGI application: saves, health checks and the students' scripts natively, everything else through the gate into
Django.

Contract:
- Saves never stand in the line of the pages, and pages never take more than their places.
- Nor do the scripts and styles of the exam page, of which a class that comes at once asks for some thousands.
- On shutdown every accepted save is committed or answered before the process ends.
"""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from config import database

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
database.use_pool()
database.ensure_running(["asgi"])

from django.conf import settings  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402

django_application = get_asgi_application()

from config.gate import MIB, Gate  # noqa: E402
from config.static_files import send_versioned  # noqa: E402
from exams import page_assets  # noqa: E402
from exams.autosave.service import Autosave  # noqa: E402
from exams.emergency import FILE_MAX_BYTES  # noqa: E402
from ratelimit.check import health as ratelimit_health  # noqa: E402

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_EXAMS = "/api/siswa/ujian/"
#: The one page that takes a file; the form around the file is small.
_UPLOAD = "/admin/exams/emergencyupload/add/"


def _body_max(path: str) -> int:
    return FILE_MAX_BYTES + MIB // 16 if path == _UPLOAD else MIB


class Application:
    """One per process; uvicorn calls it for the life of the process (lifespan) and for each request."""

    def __init__(self) -> None:
        self._autosave = Autosave()
        self._gate = Gate(
            django_application,
            at_once=settings.PAGES_AT_ONCE,
            line_max=settings.PAGES_WAITING_MAX,
            body_max=_body_max,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        path: str = scope["path"]
        if path.startswith(_EXAMS):
            exam, _, action = path[len(_EXAMS) :].partition("/")
            if action == "save-answer" and _is_id(exam):
                await self._autosave.endpoint.save_answer(int(exam), scope, receive, send)
                return
            if action == "save-answers" and _is_id(exam):
                await self._autosave.endpoint.save_answers(int(exam), scope, receive, send)
                return
        if path == "/healthz":
            await _send_json(send, 200, {"status": "alive"})
        elif path == "/readyz":
            is_ready, facts = await self._autosave.readiness()
            body = {"ready": is_ready, **facts, "pages": self._gate.snapshot(), "rateLimits": ratelimit_health()}
            await _send_json(send, 200 if is_ready else 503, body)
        elif path.startswith(page_assets.VERSIONED) and await send_versioned(scope, send):
            return
        else:
            await self._gate(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._autosave.start()
                # What is loaded now stays for the life of the process. Else the garbage collector walks all of it again
                # and again under load: that took a fifth of the saves per second and made a p99 of 53 ms out of 11.
                gc.collect()
                gc.freeze()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._autosave.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18


async def _send_json(send: Send, status: int, body: dict[str, Any]) -> None:
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    if status == 503:
        headers.append((b"retry-after", b"5"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


application = Application()
