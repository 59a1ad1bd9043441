"""
One HTTP request to a gateway, and the one question that matters when it fails: may it have been sent?

Contract:
- `exchange(request)` returns an `Answer` (any status), or raises `NotSent` (nothing was written: trying again is safe)
  or `MaybeSent` (something was written and no whole answer came back).
- Bounds: 3 s to connect, 8 s for a read, `NOTIFICATIONS_DEADLINE_SECONDS` (10) for all of it; 64 KiB of answer.
- TLS is verified, always; redirects are answers like any other; no cookies; no proxies, `.netrc` or certificates from
  the environment (`.netrc` would silently replace the gateway's token). A gateway with a certificate of the school's
  own has `ca_file` in its settings.
- Connections are kept per process. A fork starts with none.
- No exception and no `repr` holds an address, a header or a body: they carry tokens, numbers and texts.

Not here: what an answer means (`backends/`), when to try again (`delivery.py`).
"""

from __future__ import annotations

import json
import logging
import os
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from notifications.bounded_connection import CONNECT_SECONDS, READ_SECONDS, BoundedAdapter, Call, limited_to
from notifications.conf import conf

ANSWER_MAX_BYTES = 64 * 1024
#: A gateway that says "come back in a week" is believed for a day.
RETRY_AFTER_MAX_SECONDS = 24 * 60 * 60

# At DEBUG it logs every path with its query, and one gateway's number check has the number there.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


class NotSent(Exception):
    """Nothing was written to the gateway. `str()` is a sentence without addresses or secrets."""


class MaybeSent(Exception):
    """The request went out, wholly or in part, and no whole answer came back. `status` where one was read."""

    def __init__(self, sentence: str, *, status: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to send. Nothing of it is shown by `repr`: each field may hold a secret or a person."""

    method: str = field(default="POST", repr=False)
    url: str = field(repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    ca_file: str = field(default="", repr=False)  # "": the authorities that every browser trusts


@dataclass(frozen=True)
class Answer:
    """What came back. The body is cut at 64 KiB; a cut one is not JSON."""

    status: int
    body: bytes = field(default=b"", repr=False)
    retry_after_seconds: float | None = None
    is_cut: bool = False

    @cached_property
    def json(self) -> Any:
        """The body as JSON, or None where it is none."""
        if self.is_cut:
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def fields(self) -> dict[str, Any]:
        """The body as a JSON object, with names in lower case (vendors' capitals vary); {} where it is none."""
        found = self.json
        return {name.lower(): value for name, value in found.items()} if isinstance(found, dict) else {}

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def is_json(self) -> bool:
        return isinstance(self.json, dict | list)


def exchange(request: Request, *, seconds: float | None = None) -> Answer:
    """Send *request* and read the answer. See the module's contract."""
    with limited_to(conf().deadline_seconds if seconds is None else seconds) as call:
        response: requests.Response | None = None
        try:
            response = _session().request(
                request.method,
                request.url,
                headers=request.headers,
                data=request.body or None,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
                stream=True,
                verify=request.ca_file or True,
            )
            body = _read(response)
        # The causes' texts hold addresses and headers, so none of them is kept.
        except (requests.RequestException, HTTPError, OSError, ValueError) as exc:
            if not call.began:
                raise NotSent(_why_not(call, exc)) from None
            status = None if response is None else response.status_code
            raise MaybeSent(_how_it_broke(call, exc, status), status=status) from None
        finally:
            if response is not None:
                response.close()
    after = _retry_after(response.headers.get("Retry-After", ""))
    return Answer(response.status_code, body[:ANSWER_MAX_BYTES], after, is_cut=len(body) > ANSWER_MAX_BYTES)


def _read(response: requests.Response) -> bytes:
    """The body up to the bound and one byte more; the rest is left and its connection closed."""
    body = b""
    while len(body) <= ANSWER_MAX_BYTES:
        part = response.raw.read(ANSWER_MAX_BYTES + 1 - len(body), decode_content=True)
        if not part:
            break
        body += part
    return body


def _why_not(call: Call, exc: Exception) -> str:
    if call.problem:
        return call.problem
    if isinstance(exc, requests.exceptions.SSLError):
        reason = getattr(_innermost(exc), "verify_message", "") or "the handshake failed"
        return f"TLS: {reason}"
    if isinstance(exc, requests.Timeout | TimeoutError):
        return f"no connection within {CONNECT_SECONDS:g} s"
    return f"the request could not be made ({type(exc).__name__})"


def _how_it_broke(call: Call, exc: Exception, status: int | None) -> str:
    where = "before the answer began" if status is None else "within the answer"
    inner = _innermost(exc)
    if call.ends_at <= time.monotonic():
        return f"the deadline was over {where}"
    if isinstance(exc, requests.Timeout | TimeoutError) or isinstance(inner, TimeoutError):
        return f"no byte for {READ_SECONDS:g} s {where}"
    return f"the connection broke {where} ({type(inner).__name__})"


def _innermost(exc: BaseException) -> BaseException:
    """What started it: `requests` wraps urllib3, which wraps the socket's error, here as cause, there as context."""
    while (inner := exc.__cause__ or exc.__context__) is not None:
        exc = inner
    return exc


def _retry_after(text: str) -> float | None:
    """Seconds from a `Retry-After`, which is a number or a date; None where it is neither."""
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return float(min(int(text[:9]), RETRY_AFTER_MAX_SECONDS))
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return min(max((at - datetime.now(UTC)).total_seconds(), 0.0), RETRY_AFTER_MAX_SECONDS)


_kept: requests.Session | None = None


def _session() -> requests.Session:
    """This process's connections. Made twice by two threads at once, one of them wins and nothing is lost."""
    global _kept
    if _kept is None:
        session = requests.Session()
        session.trust_env = False
        session.headers.clear()
        session.headers.update({"Accept": "application/json", "User-Agent": "tahan-uji"})
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = BoundedAdapter(pool_connections=16, pool_maxsize=32, max_retries=0)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        _kept = session
    return _kept


def forget_connections() -> None:
    """Start anew: after a fork, two processes on one connection would read each other's answers."""
    global _kept
    _kept = None


os.register_at_fork(after_in_child=forget_connections)
