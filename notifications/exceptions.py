"""
What `notifications` raises on purpose.

Contract:
- `code` is lasting and for machines; `message` is a sentence for people, translated when it is shown.
- `str()` of any of them is the code alone: it may end in a log, where no phone number and no token belongs.
"""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class NotificationError(Exception):
    """Base class. Subclasses set `code`, `status` and `message`."""

    code = "notification_error"
    status = 400
    message: str | Promise = _("The request cannot be carried out.")

    def __init__(self) -> None:
        super().__init__(self.code)


class BadReceiver(NotificationError):
    """
    The receiver is no number that WhatsApp can reach.

    `reason` is lasting and for machines (see `receivers.REASONS`); `suggestion` is the number that was probably meant,
    as digits, or "": offer it, never take it unasked.
    """

    code, status = "bad_receiver", 400

    def __init__(self, reason: str, message: str | Promise, *, suggestion: str = "") -> None:
        super().__init__()
        self.reason = reason
        self.message = message
        self.suggestion = suggestion


class GatewayNotConfigured(NotificationError):
    """
    A gateway's settings lack something or name something that does not exist.

    `problem` says what, in English, for the log, the check and the command. It names options and variables, never
    their values.
    """

    code, status = "gateway_not_configured", 500
    message = _("The WhatsApp gateway is not set up completely.")

    def __init__(self, problem: str) -> None:
        super().__init__()
        self.problem = problem


class UnknownGateway(NotificationError):
    """No gateway of that name is in the settings."""

    code, status = "unknown_gateway", 400
    message = _("There is no WhatsApp gateway of this name.")

    def __init__(self, alias: str) -> None:
        super().__init__()
        self.alias = alias
