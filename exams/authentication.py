"""
Students' sessions: who is this request's student?

Contract:
- A session is opened by an exam card and ends with logout, a new card, or when the student may not log in any more.
- CSRF is enforced on every unsafe request, with or without a session (Django's own middleware leaves DRF views out).

Staff use Django's users in the same session cookie; the two do not know each other.
"""

from __future__ import annotations

from django.http import HttpRequest
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request

from exams import cards
from exams.models import Student

_STUDENT_KEY, _CARD_KEY = "student_id", "student_card"


def log_in(request: HttpRequest, student: Student) -> None:
    """Open a session of *student*, under a new session key."""
    request.session.flush()
    request.session[_STUDENT_KEY] = student.pk
    request.session[_CARD_KEY] = cards.fingerprint(student)


def log_out(request: HttpRequest) -> None:
    """End the session; harmless where there is none."""
    request.session.flush()


def student_of(request: HttpRequest) -> Student | None:
    """The student whose session this is."""
    student_id = request.session.get(_STUDENT_KEY)
    if student_id is None:
        return None
    student = Student.objects.filter(pk=student_id, is_active=True).first()
    if student is None or cards.fingerprint(student) != request.session.get(_CARD_KEY):
        return None
    return student


class StudentSession(BaseAuthentication):
    """DRF's view of it: `request.user` is the student, or None."""

    def authenticate(self, request: Request) -> tuple[Student, None] | None:
        SessionAuthentication().enforce_csrf(request)
        student = student_of(request._request)
        return None if student is None else (student, None)

    def authenticate_header(self, request: Request) -> str:
        return "Session"


class StudentSessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI description calls it."""

    target_class = StudentSession
    name = "studentSession"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}
