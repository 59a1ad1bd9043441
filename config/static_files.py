"""
Static files: the students' under a versioned address, everything else by WhiteNoise.

Contract:
- `/static/v-<version>/exams/<name>` answers from memory. Under the current version a browser may keep it for ever
  (`immutable`); under any other it gets the current file and must ask again each time: a page that was opened before an
  update goes on working.
- Compressed where the browser takes gzip: many schools have no proxy in front that would do it.
- `versioned()` is pure, so that whoever speaks ASGI can answer without a thread and outside the pages' line.

WhiteNoise answers with a file that Django streams, and under ASGI Django can only warn and read a file's synchronous
iterator whole. So it is read whole here, quietly; the files are ours and small.

Not here: what the version is made of (`exams/page_assets.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile

from exams import page_assets
from exams.page_assets import Asset

_VERSIONED = re.compile(r"/static/v-([0-9a-f]{12})/exams/(.+)")
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Answer:
    """What goes out, whoever sends it."""

    status: int
    headers: dict[str, str]
    body: bytes


def versioned(path: str, header: Callable[[str], str]) -> Answer | None:
    """
    The answer to a GET or HEAD of *path*, or None if this is no file under a versioned address.

    *header* gives a request header by its lower-case name, empty where there is none.
    """
    match = _VERSIONED.fullmatch(path)
    if match is None:
        return None
    assets = page_assets.load()
    asset = assets.files.get(match[2])
    if asset is None:
        return None
    return answer_with(asset, _FOR_EVER if match[1] == assets.version else "no-cache", header)


def answer_with(asset: Asset, cache_control: str, header: Callable[[str], str]) -> Answer:
    """*asset*, or 304 where the browser has it already."""
    # Weak: the same for both encodings.
    etag = f'W/"{asset.etag}"'
    headers = {
        "Content-Type": asset.content_type,
        "Cache-Control": cache_control,
        "ETag": etag,
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
    }
    if asset.etag in header("if-none-match"):
        return Answer(304, headers, b"")
    body = asset.content
    if asset.gzipped is not None and re.search(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))", header("accept-encoding")):
        headers["Content-Encoding"] = "gzip"
        body = asset.gzipped
    headers["Content-Length"] = str(len(body))
    return Answer(200, headers, body)


async def send_versioned(scope: MutableMapping[str, Any], send: Callable[[Any], Any]) -> bool:
    """Answer an ASGI request if it is for a versioned file; False if it is not, and nothing was sent."""
    if scope["method"] not in ("GET", "HEAD"):
        return False
    given = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    answer = versioned(scope["path"], lambda name: given.get(name, ""))
    if answer is None:
        return False
    headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})
    return True


class StaticFilesMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]  # WhiteNoise has no types
    """WhiteNoise with responses that are complete, and the versioned files before it."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method in ("GET", "HEAD"):
            found = versioned(request.path_info, lambda name: request.headers.get(name, ""))
            if found is not None:
                return HttpResponse(found.body, status=found.status, headers=found.headers)
        response: HttpResponse = super().__call__(request)
        return response

    @staticmethod
    def serve(static_file: StaticFile, request: HttpRequest) -> HttpResponse:
        found = static_file.get_response(request.method, request.META)
        if found.file is None:
            content = b""
        else:
            with found.file as file:
                content = file.read()
        response = HttpResponse(content, status=int(found.status))
        del response["content-type"]
        for name, value in found.headers:
            response[name] = value
        return response
