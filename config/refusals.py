"""
What the gate says to a request that it does not let in: a small page to a browser, JSON to everyone else.

Contract:
- `code` is lasting and in English: `busy` (503), `too_large` (413), `body_timeout` (408).
- The texts are Indonesian, or English where `Accept-Language` ranks it higher.
- A page stands alone: no script, style, image or link. It reloads itself only if that repeats a mere GET.
- Nothing here needs Django, a database or a file.

Not here: when to refuse (`gate.py`).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

# Two languages, written here and not in the message catalogues: a refusal must cost nothing, and must work
# while Django is what is overloaded.
_TITLES = {
    "id": {
        "busy": "Server sedang ramai",
        "too_large": "Kiriman terlalu besar",
        "body_timeout": "Kiriman terputus",
    },
    "en": {"busy": "The server is busy", "too_large": "Too large", "body_timeout": "The upload broke off"},
}
_TEXTS = {
    "id": {
        "busy": "Server sedang ramai. Coba lagi dalam {seconds} detik.",
        "busy_reloading": "Server sedang ramai. Halaman ini memuat ulang sendiri dalam {seconds} detik. "
        "Jawaban yang sudah tersimpan aman.",
        "busy_form": "Server sedang ramai. Kiriman Anda belum diproses. Kembali ke halaman sebelumnya dan kirim lagi "
        "dalam {seconds} detik. Jawaban yang sudah tersimpan aman.",
        "too_large": "Kiriman terlalu besar. Batasnya {limit} KiB.",
        "body_timeout": "Kiriman tidak selesai dalam {seconds} detik. Periksa jaringan, lalu coba lagi.",
    },
    "en": {
        "busy": "The server is busy. Try again in {seconds} seconds.",
        "busy_reloading": "The server is busy. This page reloads by itself in {seconds} seconds. "
        "Answers that were saved are safe.",
        "busy_form": "The server is busy. What you sent was not processed. Go back to the page before and send it "
        "again in {seconds} seconds. Answers that were saved are safe.",
        "too_large": "What you sent is too large. The limit is {limit} KiB.",
        "body_timeout": "What you sent did not arrive within {seconds} seconds. Check the network, then try again.",
    },
}
_PAGE = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
{refresh}<title>{title}</title>
</head>
<body>
<main>
<h1>{title}</h1>
<p role="status">{text}</p>
</main>
</body>
</html>
"""
_CSP = b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


class RefusedError(Exception):
    """
    The request does not come in.

    *values* fill in the text of *code*: `seconds` (busy, body_timeout) or `limit` in KiB (too_large). *close* ends
    the connection with the answer, for a body that may never end.
    """

    def __init__(
        self, *, status: int, code: str, retry_after_ms: int | None = None, close: bool = False, **values: int
    ):
        super().__init__(code)
        self.status = status
        self.code = code
        self.retry_after_ms = retry_after_ms
        self.close = close
        self.values = values


def busy(*, retry_after_ms: int) -> RefusedError:
    """503: no place within reach. `Retry-After` knows whole seconds only, so it is rounded up."""
    seconds = -(-retry_after_ms // 1000)
    return RefusedError(status=503, code="busy", retry_after_ms=retry_after_ms, seconds=seconds)


def body_too_large(*, limit: int, close: bool) -> RefusedError:
    """413: more than *limit* bytes."""
    return RefusedError(status=413, code="too_large", close=close, limit=limit // 1024)


def body_timeout(*, seconds: float) -> RefusedError:
    """408: the body had not arrived after *seconds*."""
    return RefusedError(status=408, code="body_timeout", close=True, seconds=round(seconds))


async def send_refusal(
    refusal: RefusedError,
    *,
    method: str,
    accept: str,
    accept_language: str,
    send: Callable[[Any], Awaitable[None]],
) -> None:
    """Answer over ASGI. *accept* and *accept_language* are the request's headers, empty where it has none."""
    language = _language(accept_language)
    headers = [
        (b"cache-control", b"no-store"),
        (b"vary", b"Accept, Accept-Language"),
        (b"content-language", language.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"content-security-policy", _CSP),
    ]
    if refusal.retry_after_ms is not None:
        headers.append((b"retry-after", b"%d" % refusal.values["seconds"]))
    if refusal.close:
        headers.append((b"connection", b"close"))
    if "text/html" in accept:
        content_type, body = b"text/html; charset=utf-8", _page(refusal, method, language)
    else:
        content_type, body = b"application/json", _json(refusal, language)
    headers += [(b"content-type", content_type), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _language(accept_language: str) -> str:
    """Indonesian, unless the header (RFC 9110, 12.5.4) ranks English above it."""
    ranks: dict[str, float] = {}
    for part in accept_language[:256].lower().split(","):
        tag, _, parameter = part.strip().partition(";")
        try:
            rank = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue  # not a rank: as if it had not been sent
        language = tag.strip().partition("-")[0]
        language = "id" if language == "in" else language  # its old name, as old Android sends it
        ranks[language] = max(rank, ranks.get(language, 0.0))
    return "en" if ranks.get("en", 0.0) > ranks.get("id", 0.0) else "id"


def _page(refusal: RefusedError, method: str, language: str) -> bytes:
    text, refresh = refusal.code, ""
    if refusal.code == "busy" and method == "GET":
        text, refresh = "busy_reloading", f'<meta http-equiv="refresh" content="{refusal.values["seconds"]}">\n'
    elif refusal.code == "busy":
        text = "busy_form"  # reloading would send the form again, behind the back of whoever filled it in
    return _PAGE.format(
        language=language,
        refresh=refresh,
        title=_TITLES[language][refusal.code],
        text=_TEXTS[language][text].format(**refusal.values),
    ).encode()


def _json(refusal: RefusedError, language: str) -> bytes:
    message = _TEXTS[language][refusal.code].format(**refusal.values)
    content: dict[str, Any] = {"success": False, "code": refusal.code, "message": message}
    if refusal.retry_after_ms is not None:
        content["retryAfterMs"] = refusal.retry_after_ms
    return json.dumps(content, ensure_ascii=False).encode()
