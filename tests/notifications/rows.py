"""
Rows of `notifications` for the tests of API and admin: every maker has defaults, so that a test shows what it is about.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from notifications.models import DeliveryTry, FailedNotification, Notification, State

RECEIVER = "628123456789"
MASKED = "62812****789"
_numbers = count(1)


def make_notification(**overrides: Any) -> Notification:
    """A queued message, due now; sent ones have a time, as the database wants."""
    defaults: dict[str, Any] = {"receiver": RECEIVER, "message": f"Pesan {next(_numbers)}", "gateway": "console"}
    if overrides.get("state") in (State.SENT, State.DELIVERED, State.READ):
        defaults["sent_at"] = timezone.now()
    return Notification.objects.create(**defaults | overrides)


def make_failed(**overrides: Any) -> FailedNotification:
    """A message that failed a minute ago and was not sent again; `with_tries=2` gives it a message with tries."""
    tries = overrides.pop("with_tries", 0)
    retried = overrides.get("retried", False)
    defaults: dict[str, Any] = {
        "receiver": RECEIVER,
        "message": f"Pesan {next(_numbers)}",
        "error": "request timeout",
        "error_class": "unknown",
        "gateway": "console",
        "failed_at": timezone.now() - timedelta(minutes=1),
        "retried_at": timezone.now() if retried else None,
    }
    values = defaults | overrides
    if tries:
        about = make_notification(
            receiver=values["receiver"], message=values["message"], state=State.FAILED, tries=tries,
            topic=values.pop("topic", ""),
        )  # fmt: skip
        for number in range(1, tries + 1):
            make_try(about, number=number)
        values["notification"] = about
    return FailedNotification.objects.create(**values)


def make_try(notification: Notification, **overrides: Any) -> DeliveryTry:
    """The first try: a server error after 120 ms."""
    defaults: dict[str, Any] = {
        "number": 1,
        "started_at": timezone.now(),
        "duration_ms": 120,
        "http_status": 500,
        "outcome": "gateway_down",
        "code": "500",
        "answer": "Internal Server Error",
    }
    return DeliveryTry.objects.create(notification=notification, **defaults | overrides)


def make_staff(*permissions: str, **overrides: Any) -> User:
    """A member of the staff with *permissions*, written as "app.codename"."""
    user: User = get_user_model().objects.create_user(f"guru{next(_numbers)}", **{"is_staff": True, **overrides})
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(codename=codename, content_type__app_label=app))
    return user


def client_of(user: User, **options: Any) -> Client:
    """A browser in which *user* is logged in."""
    client = Client(**options)
    client.force_login(user)
    return client
