"""
What a failed page looks like: a database that is away is a 503 that says when to come back, anything else a 500.

Contract: under `/api/` every error is the API's JSON, also where no view was found. A page that could not be shown
because the database is away reloads itself.
"""

from __future__ import annotations

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views import defaults

from exams.api_errors import database_away
from exams.exceptions import NotFound


def server_error(request: HttpRequest) -> HttpResponse:
    """`handler500`: called by Django while the exception is being handled."""
    if not isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        return defaults.server_error(request)
    away = database_away()
    if request.path.startswith("/api/"):
        return away
    seconds = away["Retry-After"]
    page = render(request, "503.html", {"seconds": seconds, "reloads": request.method == "GET"}, status=503)
    page["Retry-After"] = seconds
    return page


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler404`."""
    if request.path.startswith("/api/"):
        return JsonResponse(NotFound().body(), status=404)
    return defaults.page_not_found(request, exception)
