"""
Failed messages: find them, read why, send them again, one by one or many.

The button sends one again at once: pressed twice, or by two people, it is sent once, and the second is told so. Many
are sent again only after a page that counts them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from notifications import retries
from notifications.admin.base import WithReceiver, sees_numbers
from notifications.admin.filters import ErrorClassFilter, GatewayFilter
from notifications.admin.story import advice_on, chain_of, kind_in_words, tries_of
from notifications.csv_export import csv_response
from notifications.exceptions import NotificationError
from notifications.models import FailedNotification
from notifications.receivers import mask

_CSV_COLUMNS = (
    "id", "receiver", "message", "error", "error_class", "gateway", "failed_at", "retried", "retried_at", "retried_by",
    "source",
)  # fmt: skip


@admin.register(FailedNotification)
class FailedNotificationAdmin(WithReceiver[FailedNotification]):
    # The button in front: beside the filters, the last columns are only reached by scrolling.
    list_display = ("shown_receiver", "retry_button", "failed_on", "error_begins", "message_begins")
    list_filter = ("retried", GatewayFilter, ErrorClassFilter, ("failed_at", admin.DateFieldListFilter))
    date_hierarchy = "failed_at"
    actions = ("retry_selected", "export_csv")
    fields = (
        ("shown_receiver", "gateway"),
        "message",
        ("kind_of_error", "error"),
        "advice",
        ("failed_at", "source"),
        ("retried", "retried_at", "retried_by"),
    )
    readonly_fields = ("kind_of_error", "advice")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # The exam's page links to the failures of its messages.
        return lookup == "notification__topic" or super().lookup_allowed(lookup, value, request)

    def get_urls(self) -> list[URLPattern]:
        retry = self.admin_site.admin_view(self.retry_view)
        return [
            path("<uuid:failed_id>/retry/", retry, name="notifications_failednotification_retry"),
            *super().get_urls(),
        ]

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        columns = super().get_list_display(request)
        if self.has_supervise_permission(request):
            return columns
        return tuple("retried_at" if name == "retry_button" else name for name in columns)

    @admin.display(description=gettext_lazy("failed"), ordering="failed_at")
    def failed_on(self, failed: FailedNotification) -> str:
        return timezone.localtime(failed.failed_at).strftime("%Y-%m-%d %H:%M")

    @admin.display(description=gettext_lazy("message"))
    def message_begins(self, failed: FailedNotification) -> str:
        return Truncator(failed.message).chars(50) or "-"

    @admin.display(description=gettext_lazy("error"))
    def error_begins(self, failed: FailedNotification) -> str:
        return Truncator(failed.error).chars(60)

    @admin.display(description=gettext_lazy("kind of error"))
    def kind_of_error(self, failed: FailedNotification) -> str:
        return kind_in_words(failed.error_class)

    @admin.display(description=gettext_lazy("what to do"))
    def advice(self, failed: FailedNotification) -> str:
        return advice_on(failed.error_class)

    @admin.display(description=gettext_lazy("sent again"), ordering="retried")
    def retry_button(self, failed: FailedNotification) -> SafeString | str:
        if failed.retried:
            assert failed.retried_at is not None  # noqa: S101 - the database says so
            return timezone.localtime(failed.retried_at).strftime("%Y-%m-%d %H:%M")
        # The list is one form; a button in it may name another address, and takes its CSRF token along.
        return format_html(
            '<button type="submit" class="button" formaction="{}">{}</button>',
            reverse("admin:notifications_failednotification_retry", args=[failed.pk]),
            _("Send again"),
        )

    # -- one ---------------------------------------------------------------------------------------------------------

    def retry_view(self, request: HttpRequest, failed_id: UUID) -> HttpResponse:
        refused = self.refuse_button(request)
        if refused is not None:
            return refused
        failed = self.get_object(request, str(failed_id))
        if failed is None:
            messages.warning(request, _("This failed message is no longer here."))
            return self.back(request)
        try:
            notification = retries.retry_failed(failed_id=failed_id, by=request.user.get_username())
        except NotificationError as exc:
            messages.error(request, _("Not sent again: %(reason)s") % {"reason": exc.message})
            return self.back(request)
        if notification is None:
            messages.warning(request, _("It was sent again already; nothing was sent twice."))
        else:
            self.log_for_each(request, [failed], _("Sent again."))
            messages.success(
                request,
                format_html(
                    '{} <a href="{}">{}</a>',
                    _("Queued once more."),
                    reverse("admin:notifications_notification_change", args=[notification.pk]),
                    _("See what becomes of it."),
                ),
            )
        return self.back(request)

    # -- many --------------------------------------------------------------------------------------------------------

    @admin.action(description=gettext_lazy("Send selected again…"), permissions=["supervise"])
    def retry_selected(
        self, request: HttpRequest, queryset: QuerySet[FailedNotification]
    ) -> TemplateResponse | HttpResponse | None:
        seen_at = parse_datetime(request.POST.get("seen_at", ""))
        if seen_at is None:
            return self._ask(request, queryset)
        # With "select all" the filter decides; what failed after the page had counted is not meant.
        meant = queryset.order_by().filter(created_at__lte=seen_at)
        open_ids = list(meant.filter(retried=False).values_list("pk", flat=True))
        already = meant.count() - len(open_ids)
        count = retries.retry_many(
            FailedNotification.objects.filter(pk__in=open_ids), by=request.user.get_username(), dry_run=False
        )
        now_retried = FailedNotification.objects.filter(
            pk__in=open_ids, retried=True, retried_by=request.user.get_username()
        )
        self.log_for_each(request, now_retried, _("Sent again."))
        text = ngettext("%(count)d message is queued once more.", "%(count)d messages are queued once more.", count)
        messages.success(request, text % {"count": count})
        already += len(open_ids) - count
        if already:
            text = ngettext(
                "%(count)d was left out: it was sent again before, or cannot be.",
                "%(count)d were left out: they were sent again before, or cannot be.",
                already,
            )
            messages.warning(request, text % {"count": already})
        return None

    def _ask(self, request: HttpRequest, queryset: QuerySet[FailedNotification]) -> TemplateResponse:
        selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
        is_everyone = request.POST.get("select_across") == "1"
        seen_at = _database_now()
        meant = queryset.order_by().filter(created_at__lte=seen_at)
        unsent = meant.filter(retried=False)
        context = {
            **self.admin_site.each_context(request),
            **self.page_context(request),
            "opts": self.opts,
            "title": _("Send again"),
            "count": unsent.count(),
            "count_retried": meant.filter(retried=True).count(),
            "count_maybe_sent": unsent.filter(
                Q(notification__possible_duplicate=True) | Q(error_class="unknown")
            ).count(),
            "gateways": sorted(set(unsent.values_list("gateway", flat=True))),
            "seen_at": seen_at.isoformat(),
            "checkbox_name": ACTION_CHECKBOX_NAME,
            # With "select all" the filter decides and Django only wants to see one id.
            "selected": selected[:1] if is_everyone else selected,
            "is_everyone": is_everyone,
        }
        return TemplateResponse(request, "admin/notifications/failednotification/confirm_retry.html", context)

    @admin.action(description=gettext_lazy("Download selected as CSV"), permissions=["view"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet[FailedNotification]) -> HttpResponse:
        in_full = sees_numbers(request)
        rows = queryset.values_list(*_CSV_COLUMNS)
        receiver = _CSV_COLUMNS.index("receiver")

        def cells(row: tuple[Any, ...]) -> list[object]:
            shown = [timezone.localtime(cell).isoformat() if isinstance(cell, datetime) else cell for cell in row]
            shown[receiver] = row[receiver] if in_full else mask(row[receiver])
            return shown

        response = csv_response("failed_notifications.csv", _CSV_COLUMNS, map(cells, rows.iterator(chunk_size=2_000)))
        what = _("Downloaded as CSV: %(count)d rows.") % {"count": queryset.count()}
        assert request.user.pk is not None  # noqa: S101 - for the type checker: nobody else gets here
        LogEntry.objects.create(
            user_id=request.user.pk,
            content_type=ContentType.objects.get_for_model(FailedNotification),
            object_repr="CSV",
            action_flag=CHANGE,
            change_message=what,
        )
        return response

    # -- the page of one ---------------------------------------------------------------------------------------------

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        failed = self.get_object(request, object_id)
        context = {} if failed is None else {"tries": tries_of(failed.notification_id), "chain": chain_of(failed)}
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})


def _database_now() -> datetime:
    # created_at is by the database's clock, so this must be as well.
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        [now] = cursor.fetchone()
    return now  # type: ignore[no-any-return]
