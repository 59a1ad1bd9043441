"""
Messages: what waits, what was sent and what became of it. Those that have not gone yet can be taken back.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from notifications import cancelling
from notifications.admin.base import WithReceiver
from notifications.admin.filters import ErrorClassFilter, GatewayFilter, StateFilter
from notifications.admin.story import advice_on, chain_of, kind_in_words, tries_of
from notifications.models import FailedNotification, Notification


@admin.register(Notification)
class NotificationAdmin(WithReceiver[Notification]):
    list_display = ("shown_receiver", "state", "tries", "may_be_twice", "created_on", "text_begins")
    list_filter = (StateFilter, GatewayFilter, ErrorClassFilter, ("created_at", admin.DateFieldListFilter))
    date_hierarchy = "created_at"
    actions = ("cancel_selected",)
    fields = (
        ("shown_receiver", "gateway"),
        "text",
        ("state", "tries", "next_try_at"),
        ("kind_of_error", "error"),
        "advice",
        ("created_at", "expires_at"),
        ("sent_at", "delivered_at", "read_at"),
        ("provider_id", "may_be_twice"),
        ("topic", "dedupe_key"),
    )
    readonly_fields = ("text", "kind_of_error", "advice", "may_be_twice")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # The exam's page links to its messages by topic; that is a column of ours and always allowed, said here once.
        return lookup in ("topic", "topic__exact") or super().lookup_allowed(lookup, value, request)

    @admin.display(description=gettext_lazy("created"), ordering="created_at")
    def created_on(self, notification: Notification) -> str:
        return timezone.localtime(notification.created_at).strftime("%Y-%m-%d %H:%M")

    @admin.display(description=gettext_lazy("message"))
    def text_begins(self, notification: Notification) -> str:
        return Truncator(self.text(notification)).chars(50)

    @admin.display(description=gettext_lazy("message"))
    def text(self, notification: Notification) -> str:
        if notification.template is None:
            return notification.message
        values = ", ".join(map(str, notification.template.get("parameters", ())))
        return f"[{notification.template.get('name', '')}] {values}"

    @admin.display(description=gettext_lazy("kind of error"))
    def kind_of_error(self, notification: Notification) -> str:
        return kind_in_words(notification.error_class)

    @admin.display(description=gettext_lazy("what to do"))
    def advice(self, notification: Notification) -> str:
        return advice_on(notification.error_class)

    @admin.display(description=gettext_lazy("twice?"), ordering="possible_duplicate")
    def may_be_twice(self, notification: Notification) -> str:
        # In words: Django's icon for "true" is a green tick, and this is no good news.
        return _("perhaps") if notification.possible_duplicate else "-"

    @admin.action(description=gettext_lazy("Cancel: do not send"), permissions=["supervise"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[Notification]) -> None:
        ids = list(queryset.order_by().values_list("pk", flat=True))
        cancelled = cancelling.cancel(ids)
        self.log_for_each(request, cancelled, _("Cancelled."))
        text = ngettext(
            "%(count)d message is cancelled and will not be sent.",
            "%(count)d messages are cancelled and will not be sent.",
            len(cancelled),
        )
        messages.success(request, text % {"count": len(cancelled)})
        left = len(ids) - len(cancelled)
        if left:
            text = ngettext(
                "%(count)d message is being sent or is done: it cannot be taken back.",
                "%(count)d messages are being sent or are done: they cannot be taken back.",
                left,
            )
            messages.warning(request, text % {"count": left})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        notification = self.get_object(request, object_id)
        context: dict[str, Any] = {}
        if notification is not None:
            about = notification.retry_of or FailedNotification.objects.filter(notification=notification).first()
            context = {"tries": tries_of(notification.pk), "chain": chain_of(about) if about else []}
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})
