"""
What happened to a message, as the pages tell it: its tries, its failures and retries, what to do about an error.

Contract: a chain has every message and every failed row from the first to the last, in order, in a bounded number of
queries however often it was sent again.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifications.models import DeliveryTry, FailedNotification, Notification
from notifications.outcomes import RULES, Outcome
from notifications.receipts import UNDELIVERED

#: Nobody sends a message again more often; a page with more would help nobody.
_LONGEST = 100


#: For lists and filters; `outcomes.RULES` has the sentences.
KINDS: dict[str, str | Promise] = {
    Outcome.BAD_RECIPIENT: gettext_lazy("wrong number"),
    Outcome.BAD_MESSAGE: gettext_lazy("message refused"),
    Outcome.GATEWAY_AUTH: gettext_lazy("not let in by the gateway"),
    Outcome.GATEWAY_QUOTA: gettext_lazy("quota used up"),
    Outcome.GATEWAY_DOWN: gettext_lazy("gateway down"),
    Outcome.RATE_LIMITED: gettext_lazy("too fast for the gateway"),
    Outcome.UNKNOWN: gettext_lazy("perhaps sent"),
    Outcome.TRANSIENT: gettext_lazy("passing trouble"),
    UNDELIVERED: gettext_lazy("not delivered"),
}


def kind_in_words(error_class: str) -> str:
    """The kind of error, with its lasting name for whoever looks it up."""
    words = KINDS.get(error_class)
    return error_class or "-" if words is None else f"{words} ({error_class})"


def advice_on(error_class: str) -> str:
    """What the kind of error means and asks for; a dash for one that is not ours."""
    if error_class == UNDELIVERED:
        return _("The gateway took the message and said later that it did not arrive. Look at the reason it gave.")
    if error_class not in set(Outcome):
        return "-"
    rule = RULES[Outcome(error_class)]
    return f"{rule.meaning} {rule.advice}"


def tries_of(notification_id: UUID | None) -> list[DeliveryTry]:
    """The tries of a message, the first one first."""
    return list(DeliveryTry.objects.filter(notification_id=notification_id).order_by("pk")) if notification_id else []


@dataclass(frozen=True, kw_only=True)
class Link:
    """One station: a failure and, where it was sent again, the message that came of it."""

    failed: FailedNotification
    again: Notification | None
    is_this: bool
    url: str
    again_url: str


def chain_of(failed: FailedNotification) -> list[Link]:
    """Every failure of the message that *failed* is about, the first one first."""
    first = failed.retry_of_id or failed.pk
    rows = list(
        FailedNotification.objects.filter(Q(pk=first) | Q(retry_of=first)).order_by("failed_at", "pk")[:_LONGEST]
    )
    agains = {again.retry_of_id: again for again in Notification.objects.filter(retry_of__in=rows)}
    return [
        Link(
            failed=row,
            again=agains.get(row.pk),
            is_this=row.pk == failed.pk,
            url=reverse("admin:notifications_failednotification_change", args=[row.pk]),
            again_url=(
                reverse("admin:notifications_notification_change", args=[agains[row.pk].pk]) if row.pk in agains else ""
            ),
        )
        for row in rows
    ]
