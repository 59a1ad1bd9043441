"""
Every error of the API as the one JSON: `{"success": false, "code", "message", …}`.

Contract: nothing here makes a 500 of something foreseen; a database that is away or busy is a 503 with `Retry-After`.
"""

from __future__ import annotations

import random
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, JsonResponse
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from exams.exceptions import ExamError, NotFound, NotJson, NotJsonType, NotLoggedIn, RateLimited
from ratelimit.responses import retry_after_header

_RETRY_SECONDS, _RETRY_JITTER_SECONDS = 2, 4


def database_away() -> JsonResponse:
    """503: no connection, none free in time, or the statement took too long."""
    seconds = _RETRY_SECONDS + random.randrange(_RETRY_JITTER_SECONDS)  # noqa: S311 - jitter, no secret
    return JsonResponse(
        {
            "success": False,
            "code": "unavailable",
            "message": _("The server is busy or its database is away. Try again in a moment."),
            "retryAfterMs": seconds * 1000,
        },
        status=503,
        headers={"Retry-After": str(seconds)},
    )


def _response(error: ExamError, headers: dict[str, str] | None = None) -> Response:
    return Response(error.body(), status=error.status, headers=headers)


def _failure(status: int, code: str, message: str, **details: Any) -> Response:
    return Response({"success": False, "code": code, "message": message, **details}, status=status)


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | JsonResponse | None:
    """DRF's hook. None lets an unforeseen exception become a logged 500."""
    set_rollback()
    match exc:
        case RateLimited():
            return _response(exc, {"Retry-After": retry_after_header(exc.seconds)})
        case ExamError():
            return _response(exc, {"WWW-Authenticate": "Session"} if exc.status == 401 else None)
        case exceptions.Throttled():
            return exception_handler(RateLimited(getattr(exc, "wait", None) or 1.0), context)
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return exception_handler(NotLoggedIn(), context)
        case exceptions.ParseError():
            return _response(NotJson())
        case exceptions.UnsupportedMediaType():
            return _response(NotJsonType())
        case exceptions.ValidationError():
            return _failure(400, "invalid", _("Some fields are wrong."), fields=exc.detail)
        case exceptions.PermissionDenied() if "CSRF" in str(exc.detail):
            return _failure(403, "csrf_failed", _("Reload the page: its security token is missing or too old."))
        case exceptions.PermissionDenied() | PermissionDenied():
            return _failure(403, "forbidden", _("You may not do this."))
        case exceptions.NotFound() | Http404():
            return _response(NotFound())
        case exceptions.MethodNotAllowed():
            return _failure(405, "method_not_allowed", _("This address does not take this method."))
        case exceptions.APIException():
            return _failure(exc.status_code, str(exc.default_code), str(exc.detail))
        case OperationalError() | InterfaceError():
            return database_away()
    return None
