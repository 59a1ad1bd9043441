"""
Attempts, to read and to supervise: lock, unlock, more time.

The actions run outside a transaction, as Django's changelist does, because each verb commits by itself.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from exams import attempts
from exams.admin.answer_rows import answer_rows
from exams.admin.base import ReadOnlyAdmin
from exams.admin.receipts import receipt_page
from exams.exceptions import ExamClosed
from exams.models import Attempt

_MORE_MINUTES = 10


class NeedsAttentionFilter(admin.SimpleListFilter):
    title = gettext_lazy("attention")
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("missing", _("answers are missing")), ("essays", _("essays without points"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Attempt]) -> QuerySet[Attempt]:
        match self.value():
            case "missing":
                return queryset.filter(missing_answers__gt=0)
            case "essays":
                return queryset.filter(ungraded_essays__gt=0)
        return queryset


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin[Attempt]):
    list_display = (
        "student",
        "exam",
        "status",
        "started_at",
        "deadline_at",
        "extra_minutes",
        "points",
        "missing_answers",
        "ungraded_essays",
    )
    list_filter = ("status", NeedsAttentionFilter, "exam", "student__class_name")
    list_select_related = ("student", "exam")
    search_fields = ("student__name", "student__username", "student__nisn", "=receipt")
    date_hierarchy = "started_at"
    actions = ("lock", "unlock", "give_more_time")
    fields = (
        ("student", "exam"),
        ("status", "paper_version"),
        ("started_at", "deadline_at", "extra_minutes"),
        ("submitted_at", "receipt"),
        ("points", "ungraded_essays", "missing_answers"),
    )

    def get_urls(self) -> list[URLPattern]:
        check_receipt = self.admin_site.admin_view(receipt_page(self.admin_site, self.has_view_permission))
        return [path("receipt/", check_receipt, name="exams_attempt_receipt"), *super().get_urls()]

    @admin.display(description=gettext_lazy("points"), ordering="score")
    def points(self, attempt: Attempt) -> str:
        return "-" if attempt.score is None else f"{attempt.score} / {attempt.max_score}"

    @admin.display(description=gettext_lazy("version of the paper"))
    def paper_version(self, attempt: Attempt) -> int:
        return attempt.paper.version

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        attempt = context["original"]
        return super().render_change_form(request, {**context, "answer_rows": answer_rows(attempt)}, *args, **kwargs)

    @admin.action(description=gettext_lazy("Lock: stop saving at once"), permissions=["supervise"])
    def lock(self, request: HttpRequest, queryset: QuerySet[Attempt]) -> None:
        running = list(queryset.filter(status=Attempt.Status.IN_PROGRESS))
        count = attempts.lock_attempts(attempt_ids=[attempt.pk for attempt in running])
        self.log_for_each(request, running, _("Locked."))
        text = ngettext("%(count)d attempt is locked.", "%(count)d attempts are locked.", count)
        messages.success(request, text % {"count": count})

    @admin.action(description=gettext_lazy("Unlock"), permissions=["supervise"])
    def unlock(self, request: HttpRequest, queryset: QuerySet[Attempt]) -> None:
        locked = list(queryset.filter(status=Attempt.Status.LOCKED))
        count = attempts.unlock_attempts(attempt_ids=[attempt.pk for attempt in locked])
        self.log_for_each(request, locked, _("Unlocked."))
        text = ngettext(
            "%(count)d attempt goes on. Its clock has not stopped: give more time if it should get the time back.",
            "%(count)d attempts go on. Their clocks have not stopped: give more time if they should get the time back.",
            count,
        )
        messages.success(request, text % {"count": count})

    @admin.action(description=gettext_lazy("Give 10 more minutes"), permissions=["supervise"])
    def give_more_time(self, request: HttpRequest, queryset: QuerySet[Attempt]) -> None:
        extended, closed = [], 0
        for attempt in queryset.order_by("pk"):
            try:
                extended.append(attempts.extend_attempt(attempt_id=attempt.pk, minutes=_MORE_MINUTES))
            except ExamClosed:
                closed += 1
        self.log_for_each(request, extended, _("10 more minutes."))
        if extended:
            text = ngettext(
                "%(count)d attempt got 10 minutes more.", "%(count)d attempts got 10 minutes more.", len(extended)
            )
            messages.success(request, text % {"count": len(extended)})
        if closed:
            text = ngettext(
                "%(count)d attempt is over and got no more time.",
                "%(count)d attempts are over and got no more time.",
                closed,
            )
            messages.warning(request, text % {"count": closed})
