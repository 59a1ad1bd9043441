"""
What the notifications' API answers on purpose when it cannot do what was asked.

Contract: each has a lasting `code` and a `status`; `details` are further camelCase fields of the JSON body. The
project's exception handler answers everything else (wrong fields, limits, CSRF, a database that is away) in the same
shape, so a client meets one shape only.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from notifications.exceptions import NotificationError


class ApiProblem(NotificationError):
    """Base class. Subclasses set `code`, `status` and `message`; instances may add details for the JSON body."""

    def __init__(self, **details: Any) -> None:
        super().__init__()
        self.details = details

    def body(self) -> dict[str, Any]:
        """The JSON body, in the language that is active now."""
        return {"success": False, "code": self.code, "message": str(self.message), **self.details}


class StaffOnly(ApiProblem):
    code, status = "staff_only", 401
    message = _("Log in as staff, or send an API key.")


class WrongApiKey(ApiProblem):
    code, status = "wrong_api_key", 401
    message = _("The API key is unknown or revoked.")


class NoSuchFailure(ApiProblem):
    code, status = "no_such_failure", 404
    message = _("There is no such failed message.")


class AlreadyRetried(ApiProblem):
    code, status = "already_retried", 409
    message = _("This message was sent again already.")


class BadNumber(ApiProblem):
    """`message` says what is wrong with it."""

    code, status = "bad_receiver", 422

    def __init__(self, message: str) -> None:
        super().__init__()
        self.message = message


class IdempotencyKeyReused(ApiProblem):
    code, status = "idempotency_key_reused", 422
    message = _("This Idempotency-Key was used before, with another body.")
