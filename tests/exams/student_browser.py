"""A student's browser: over HTTP to a real web process, or, faster, through Django's test client."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import httpx
from django.test import Client

from exams.cards import Card, issue_cards
from exams.models import Student
from tests.exams.factories import make_student
from tests.web import WebProcess

EXAMS = "/api/siswa/ujian"


def card_of(student: Student | None = None) -> Card:
    """A new card of *student*, or of a new student."""
    [card] = issue_cards([student or make_student()])
    return card


class Browser:
    """Keeps cookies and sends the CSRF token, as the page does."""

    def __init__(self, web: WebProcess, **headers: str) -> None:
        self.http = httpx.Client(base_url=web.url, timeout=20, verify=False, headers=headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.http.close()

    def get(self, path: str) -> httpx.Response:
        return self.http.get(path)

    def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """POST *body* as JSON, or *options* of httpx instead, with the CSRF token of our cookie."""
        if body is not None:
            options["json"] = body
        headers = {"X-CSRFToken": self.http.cookies.get("csrftoken") or "", **options.pop("headers", {})}
        return self.http.post(path, headers=headers, **options)

    def log_in(self, card: Card) -> httpx.Response:
        """From the first visit on: session, then login."""
        assert self.get("/api/auth/session").status_code == 200
        return self.post("/api/auth/login", {"username": card.username, "pin": card.pin})


def logged_in(student: Student) -> Client:
    """Django's test client with a session of *student*; it is not asked for CSRF tokens."""
    card = card_of(student)
    client = Client()
    response = client.post(
        "/api/auth/login", {"username": card.username, "pin": card.pin}, content_type="application/json"
    )
    assert response.status_code == 200, response.content
    return client


def post_json(client: Client, path: str, body: Any = None, **options: Any) -> Any:
    """What Django's client answers to *body* as JSON; no body at all for None."""
    data = {} if body is None else {"data": body}
    return client.post(path, content_type="application/json", **data, **options)
