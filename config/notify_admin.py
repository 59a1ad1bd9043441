"""
"Notify parents…": the page that tells the parents of a class about an exam, and its progress on the exam's page.

Contract:
- Nothing is sent that was not shown: the button sends what the page showed, and shows it anew where the text, the
  classes or the readers have changed since.
- It needs the permission to add messages, and to see the exam; who lacks it sees no button and no page.
- What was queued stands in the exam's history.

Not here: who gets what (`notify_class.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from config import notify_class
from config.notify_class import PLACEHOLDERS, TEXT_MAX, TEXTS, Kind, Plan
from exams.admin.exams import ExamAdmin
from exams.models import Exam
from notifications.admin.banner import gateway_lines
from notifications.authentication import SEE_NUMBERS
from notifications.receivers import mask

_PREVIEWS = 3


class NotifyForm(forms.Form):
    """The text, and whose parents get it."""

    text = forms.CharField(
        label=gettext_lazy("Text"),
        max_length=TEXT_MAX,
        widget=forms.Textarea(attrs={"rows": 7, "class": "vLargeTextField", "lang": "id"}),
    )
    classes = forms.MultipleChoiceField(
        label=gettext_lazy("Classes"), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, exam: Exam, kind: Kind, data: Any = None) -> None:
        classes = notify_class.classes_of(exam)
        chosen = [name for name, has_started in classes if has_started]
        super().__init__(data, initial={"text": TEXTS[kind], "classes": chosen})
        self.kind = kind
        self.fields["classes"].choices = [(name, name or _("without a class")) for name, _started in classes]  # type: ignore[attr-defined]
        self.fields["text"].help_text = " ".join(f"{{{name}}}" for name in PLACEHOLDERS[kind])

    def clean_text(self) -> str:
        text: str = self.cleaned_data["text"].replace("\r\n", "\n")
        found = notify_class.problems_of(text, self.kind)
        if found:
            raise forms.ValidationError(found)
        return text

    def now(self) -> Mapping[str, Any]:
        """What the form says: what was typed, or at first what it begins with."""
        return self.cleaned_data if self.is_bound else self.initial


def _digest(plan: Plan) -> str:
    """Changes with any letter of any message and with every reader."""
    shown = [[letter.dedupe_key, letter.receiver, letter.text] for letter in plan.letters]
    return hashlib.sha256(json.dumps(shown).encode()).hexdigest()


class NotifyingExamAdmin(ExamAdmin):
    """The exams' pages with the parents' messages."""

    change_form_template = "admin/exams/exam/notify_change_form.html"
    actions = (*ExamAdmin.actions, "notify_parents")  # type: ignore[assignment]  # the base has two of them

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.notify_view)
        return [path("<int:exam_id>/notify/<str:kind>/", view, name="exams_exam_notify"), *super().get_urls()]

    def has_notify_permission(self, request: HttpRequest) -> bool:
        """Named in `@admin.action(permissions=["notify"])`."""
        return bool(request.user.has_perm("notifications.add_notification"))

    @admin.action(description=gettext_lazy("Notify parents…"), permissions=["notify"])
    def notify_parents(self, request: HttpRequest, queryset: QuerySet[Exam]) -> HttpResponse | None:
        exams = list(queryset[:2])
        if len(exams) != 1:
            messages.warning(request, _("Choose one exam: each has its own text and readers."))
            return None
        return redirect("admin:exams_exam_notify", exams[0].pk, Kind.RESULTS.value)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        exam = self.get_object(request, object_id)
        context: dict[str, Any] = {"may_notify": self.has_notify_permission(request)}
        if exam is not None and request.user.has_perm("notifications.view_notification"):
            context["notify_progress"] = _rows(exam)
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def notify_view(self, request: HttpRequest, exam_id: int, kind: str) -> HttpResponse:
        exam = self.get_object(request, str(exam_id))
        if not self.has_notify_permission(request) or not self.has_view_permission(request, exam):
            raise PermissionDenied
        if exam is None or kind not in Kind.values:
            raise Http404
        what = Kind(kind)
        form = NotifyForm(exam, what, request.POST if request.method == "POST" else None)
        plan = None
        if not form.is_bound or form.is_valid():
            given = form.now()
            plan = notify_class.plan(exam=exam, kind=what, text=given["text"], classes=given["classes"])
        if plan is not None and "_send" in request.POST:
            if request.POST.get("shown") == _digest(plan):
                return self._send(request, exam, what, plan)
            messages.warning(request, _("Nothing was sent yet: something has changed. Look at it once more."))
        return self._page(request, exam, what, form, plan)

    def _send(self, request: HttpRequest, exam: Exam, kind: Kind, plan: Plan) -> HttpResponse:
        queued = notify_class.send(exam=exam, kind=kind, plan=plan)
        if queued:
            text = ngettext("%(count)d message is queued.", "%(count)d messages are queued.", queued)
            messages.success(request, text % {"count": queued})
            what = _("Messages to parents queued: %(count)d (%(kind)s).") % {"count": queued, "kind": kind.label}
            self.log_for_each(request, [exam], what)
        before = plan.sent_before + len(plan.letters) - queued
        if before:
            text = ngettext(
                "%(count)d was queued before and is not sent twice.",
                "%(count)d were queued before and are not sent twice.",
                before,
            )
            messages.info(request, text % {"count": before})
        return redirect("admin:exams_exam_change", exam.pk)

    def _page(
        self, request: HttpRequest, exam: Exam, kind: Kind, form: NotifyForm, plan: Plan | None
    ) -> TemplateResponse:
        in_full = request.user.has_perm(SEE_NUMBERS)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Notify parents"),
            "exam": exam,
            "kind": kind,
            "kinds": [
                (each, each.label, reverse("admin:exams_exam_notify", args=[exam.pk, each.value])) for each in Kind
            ],
            "form": form,
            "plan": plan,
            "shown": "" if plan is None else _digest(plan),
            "previews": []
            if plan is None
            else [
                (letter, letter.receiver if in_full else mask(letter.receiver)) for letter in plan.letters[:_PREVIEWS]
            ],
            "gateway_lines": gateway_lines(),
        }
        return TemplateResponse(request, "admin/exams/exam/notify_parents.html", context)


def _rows(exam: Exam) -> list[dict[str, Any]]:
    """The progress, with addresses of what its numbers count."""
    listed = reverse("admin:notifications_notification_changelist")
    failed = reverse("admin:notifications_failednotification_changelist")
    return [
        {
            "progress": progress,
            "all_url": f"{listed}?{urlencode({'topic': progress.topic})}",
            "open_url": f"{listed}?{urlencode({'topic': progress.topic, 'state': 'open'})}",
            "failed_url": f"{failed}?{urlencode({'notification__topic': progress.topic, 'retried__exact': 0})}",
        }
        for progress in notify_class.progress_of(exam)
    ]
