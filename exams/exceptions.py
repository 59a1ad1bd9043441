"""
What `exams` raises on purpose, and how each of it looks to a client.

Contract:
- `code` is lasting and for machines; `message` is for people and translated when it is shown.
- `details` are further camelCase fields of the JSON body; they never hold an answer's text.

One table for both worlds: `api_errors.py` turns these into DRF responses, `autosave/endpoint.py` into ASGI ones.
"""

from __future__ import annotations

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from ratelimit.responses import too_many_requests_body


class ExamError(Exception):
    """Base class. Subclasses set `code`, `status` and `message`; instances may add details for the JSON body."""

    code = "exam_error"
    status = 400
    message: str | Promise = _("The request cannot be carried out.")

    def __init__(self, **details: Any) -> None:
        super().__init__(self.code)
        self.details = details

    def body(self) -> dict[str, Any]:
        """The JSON body, in the language that is active now."""
        return {"success": False, "code": self.code, "message": str(self.message), **self.details}


class NotLoggedIn(ExamError):
    code, status = "not_logged_in", 401
    message = _("Please log in with your exam card.")


class WrongCard(ExamError):
    code, status = "wrong_card", 401
    message = _("The user name or the PIN is wrong.")


class NotFound(ExamError):
    code, status = "not_found", 404
    message = _("There is no such exam for you.")


class ExamNotOpenYet(ExamError):
    code, status = "not_open_yet", 409
    message = _("The exam has not opened yet.")


class ExamClosed(ExamError):
    code, status = "exam_closed", 409
    message = _("The exam is closed.")


class WrongEntryToken(ExamError):
    code, status = "wrong_entry_token", 403
    message = _("The entry token is wrong. Ask the supervisor in the room.")


class NotStarted(ExamError):
    code, status = "not_started", 409
    message = _("You have not started this exam.")


class AttemptInProgress(ExamError):
    code, status = "attempt_in_progress", 409
    message = _("The exam has not been submitted yet.")


class AttemptSubmitted(ExamError):
    code, status = "attempt_submitted", 409
    message = _("The exam has been submitted already.")


class AttemptExpired(ExamError):
    code, status = "attempt_expired", 409
    message = _("The time is over.")


class AttemptLocked(ExamError):
    code, status = "attempt_locked", 409
    message = _("A teacher has locked your exam. Ask the supervisor in the room.")


class OtherAttempt(ExamError):
    """The session is another student's than the page's: on a shared computer, or after a login in another tab."""

    code, status = "other_attempt", 409
    message = _("Another student has logged in on this device. Enter your PIN again.")


class BadTicket(ExamError):
    code, status = "bad_ticket", 401
    message = _("The ticket is missing, wrong or too old. The page fetches a new one.")


class TicketForOtherExam(ExamError):
    code, status = "ticket_for_other_exam", 403
    message = _("The ticket belongs to another exam.")


class UnknownQuestion(ExamError):
    code, status = "unknown_question", 404
    message = _("This question is not in your paper.")


class WrongAnswer(ExamError):
    code, status = "wrong_answer", 422
    message = _("The answer does not fit the question.")


class RevisionAhead(ExamError):
    code, status = "revision_ahead", 422
    message = _("The revision is ahead of the server's clock.")


class NotJson(ExamError):
    code, status = "not_json", 400
    message = _("The body is not valid JSON of the expected shape.")


class NotJsonType(ExamError):
    code, status = "unsupported_media_type", 415
    message = _("Send application/json.")


class BodyTooLarge(ExamError):
    code, status = "too_large", 413
    message = _("The body is too large.")


class RateLimited(ExamError):
    """A limit of `ratelimit` was reached; the body is the one that `ratelimit` gives for every 429."""

    code, status = "rate_limited", 429

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def body(self) -> dict[str, Any]:
        return dict(too_many_requests_body(self.seconds))


class MethodNotAllowed(ExamError):
    code, status = "method_not_allowed", 405
    message = _("Use POST.")


class BadSave(ExamError):
    """The database refused this one save for a reason nobody foresaw; it was tried alone."""

    code, status = "save_refused", 422
    message = _("This answer cannot be stored.")


class SavingUnavailable(ExamError):
    """Queue full or database away; always sent with `Retry-After`."""

    code, status = "unavailable", 503
    message = _("The server cannot save right now. Your answer stays on this device and is sent again.")


ATTEMPT_CLOSED = {
    "submitted": AttemptSubmitted,
    "expired": AttemptExpired,
    "locked": AttemptLocked,
}
