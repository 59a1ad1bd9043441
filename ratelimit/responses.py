"""
What "too many requests" looks like on the wire: the only place that knows.

Contract: status 429, `Retry-After` in whole seconds, and
`{"success": false, "code": "rate_limited", "message": …, "retryAfterMs": …}`. Both times are rounded up, so that who
waits that long gets through, and neither is ever 0.

Any endpoint that writes its own bytes (the save path) takes body and header from here.
"""

from __future__ import annotations

import math
from typing import Any

from django.http import JsonResponse
from django.utils.translation import gettext

CODE = "rate_limited"


def retry_after_header(retry_after_seconds: float) -> str:
    """Return the value of `Retry-After`: whole seconds, at least 1."""
    return str(max(1, math.ceil(retry_after_seconds)))


def too_many_requests_body(retry_after_seconds: float, message: str | None = None) -> dict[str, Any]:
    """Return the JSON of a 429, with *message* or the usual sentence in the language that is active."""
    if message is None:
        seconds = int(retry_after_header(retry_after_seconds))
        message = gettext("Too many requests. Wait %(seconds)d seconds.") % {"seconds": seconds}
    return {
        "success": False,
        "code": CODE,
        "message": message,
        "retryAfterMs": max(1, math.ceil(retry_after_seconds * 1000)),
    }


def too_many_requests(retry_after_seconds: float, message: str | None = None) -> JsonResponse:
    """Return the whole answer, for plain Django views."""
    return JsonResponse(
        too_many_requests_body(retry_after_seconds, message),
        status=429,
        headers={"Retry-After": retry_after_header(retry_after_seconds)},
    )
