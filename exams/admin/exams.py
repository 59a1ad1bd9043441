"""
Exams: their window and rules, and the verbs publish and close.

Editing questions does not publish them: the page says when they differ from the newest paper.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
from django.contrib import admin, messages
from django.db import OperationalError, transaction
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from exams import attempts, papers, publishing
from exams.admin.base import StaffAdmin
from exams.models import Attempt, Exam, Paper, Question


def has_unpublished_changes(exam: Exam) -> bool:
    """Whether publishing *exam* again would freeze another paper than its newest one. False for an exam without any."""
    newest = exam.papers.order_by("-version").first()
    if newest is None:
        return False
    try:
        return bool(newest.content != papers.content_of(exam))
    except msgspec.ValidationError:  # broken by hand in the database: it differs, and publishing will name it
        return True


def _count_of(rows: QuerySet[Any]) -> Coalesce:
    """How many of *rows* the outer exam has; a subquery each, because two joins would multiply the rows."""
    counted = rows.filter(exam=OuterRef("pk")).order_by().values("exam").annotate(count=Count("pk")).values("count")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


@admin.register(Exam)
class ExamAdmin(StaffAdmin[Exam]):
    list_display = ("title", "status", "running", "opens_at", "closes_at", "duration_minutes", "questions", "version")
    list_filter = ("status",)
    search_fields = ("title",)
    date_hierarchy = "opens_at"
    actions = ("publish", "close")
    readonly_fields = ("status", "version", "questions", "attempts")
    fieldsets = (
        (None, {"fields": ("title", "entry_token")}),
        (gettext_lazy("Time"), {"fields": ("opens_at", "closes_at", "duration_minutes")}),
        (gettext_lazy("Paper"), {"fields": ("shuffle_questions", "shuffle_options", "show_result")}),
        (gettext_lazy("State"), {"fields": ("status", "version", "questions", "attempts")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Exam]:
        running = Attempt.objects.filter(status=Attempt.Status.IN_PROGRESS)
        return (
            super()
            .get_queryset(request)
            .annotate(
                question_count=_count_of(Question.objects.filter(is_withdrawn=False)),
                withdrawn_count=_count_of(Question.objects.filter(is_withdrawn=True)),
                attempt_count=_count_of(Attempt.objects.all()),
                running_count=_count_of(running),
            )
        )

    @admin.display(description=gettext_lazy("questions"))
    def questions(self, exam: Any) -> SafeString | str:
        if exam.pk is None:
            return "-"
        text = str(exam.question_count)
        if exam.withdrawn_count:
            text += " " + _("(and %(count)d withdrawn)") % {"count": exam.withdrawn_count}
        return _link("question", exam, text)

    @admin.display(description=gettext_lazy("attempts"))
    def attempts(self, exam: Any) -> SafeString | str:
        return "-" if exam.pk is None else _link("attempt", exam, str(exam.attempt_count))

    @admin.display(description=gettext_lazy("running now"))
    def running(self, exam: Any) -> SafeString | str:
        if not exam.running_count:
            return "-"
        text = ngettext("%(count)d attempt is running", "%(count)d attempts are running", exam.running_count)
        return format_html("<strong>⚠ {}</strong>", text % {"count": exam.running_count})

    def save_model(self, request: HttpRequest, obj: Exam, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change:
            # The verb commits by itself, so it waits for this page's transaction. After every edit and not only after
            # one of the times: saving the page again then repairs what a lock time-out left undone.
            transaction.on_commit(partial(self._refresh_deadlines, request, obj.pk))

    def _refresh_deadlines(self, request: HttpRequest, exam_id: int) -> None:
        try:
            attempts.refresh_deadlines(exam_id=exam_id)
        except OperationalError as exc:
            messages.error(
                request,
                _("The exam is saved, but running attempts kept their deadlines (%(error)s). Save it once more.")
                % {"error": str(exc).splitlines()[0]},
            )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().change_view(request, object_id, form_url, extra_context)
        exam = self.get_object(request, object_id) if request.method == "GET" and response.status_code == 200 else None
        if exam is not None and exam.status == Exam.Status.PUBLISHED and has_unpublished_changes(exam):
            messages.warning(
                request,
                _(
                    "The questions were changed since version %(version)d: "
                    "changes reach new attempts when you publish again."
                )
                % {"version": exam.version},
            )
        return response

    @admin.action(description=gettext_lazy("Publish, or publish changes"), permissions=["change"])
    def publish(self, request: HttpRequest, queryset: QuerySet[Exam]) -> None:
        for exam in queryset:
            try:
                paper = publishing.publish(exam_id=exam.pk)
            except publishing.NothingToAsk:
                messages.error(request, _("%(exam)s: there is no question to answer yet.") % {"exam": exam})
            except publishing.BrokenQuestion as exc:
                text = _("%(exam)s: question %(question)s is broken: %(reason)s")
                messages.error(request, text % {"exam": exam, **exc.details})
            else:
                self.log_for_each(request, [exam], _("Published version %(version)d.") % {"version": paper.version})
                self._tell_published(request, exam, paper)

    def _tell_published(self, request: HttpRequest, exam: Exam, paper: Paper) -> None:
        count = len(paper.content["questions"])
        text = ngettext(
            "%(exam)s is published: version %(version)d with %(count)d question.",
            "%(exam)s is published: version %(version)d with %(count)d questions.",
            count,
        )
        messages.success(request, text % {"exam": exam, "version": paper.version, "count": count})

    @admin.action(description=gettext_lazy("Close: nobody starts any more"), permissions=["change"])
    def close(self, request: HttpRequest, queryset: QuerySet[Exam]) -> None:
        for exam in queryset:
            if exam.status != Exam.Status.PUBLISHED:
                messages.warning(request, _("%(exam)s is not published.") % {"exam": exam})
                continue
            publishing.close_exam(exam_id=exam.pk)
            self.log_for_each(request, [exam], _("Closed."))
            messages.success(
                request, _("%(exam)s is closed. Attempts that run go on until their deadline.") % {"exam": exam}
            )


def _link(model: str, exam: Exam, text: str) -> SafeString:
    url = reverse(f"admin:exams_{model}_changelist")
    return format_html('<a href="{}?exam__id__exact={}">{}</a>', url, exam.pk, text)
