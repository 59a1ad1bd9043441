"""
Emergency files: upload one, see what it would change, apply what is chosen.

Contract:
- Who may change attempts may do all of it; nobody else sees anything of it.
- The upload is a row between the two pages. A hidden field would be bounded by DATA_UPLOAD_MAX_MEMORY_SIZE, a session
  would be read with each of the user's pages; and the row is the evidence if somebody asks later.
- The file is opened and verified anew with each request. Nothing that the browser sends is believed but which rows are
  meant and why; a row that is not what it was when it was shown is not applied.

Not here: the format (`emergency.py`), the verdicts (`emergency_difference.py`), the changes (`emergency_apply.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from exams import attempts, emergency_apply, papers
from exams.admin.answer_rows import plain, readable
from exams.admin.base import ReadOnlyAdmin
from exams.answers import ESSAY_MAX
from exams.emergency import FILE_MAX_BYTES, EmergencyFile, EmergencyFileError, FileTooLarge, attempt_of, open_file
from exams.emergency_difference import Difference, Verdict
from exams.models import Answer, Attempt, EmergencyUpload

#: What stands in the table, and what it means is in docs/howto/emergency-file.md.
VERDICTS = {
    Verdict.MISSING: gettext_lazy("The server has no answer"),
    Verdict.NEWER: gettext_lazy("Newer than the server's"),
    Verdict.SAME: gettext_lazy("The server has it already"),
    Verdict.OLDER: gettext_lazy("The server has a newer one"),
    Verdict.AFTER_END: gettext_lazy("Edited after the end"),
    Verdict.BEFORE_START: gettext_lazy("Edited before the start"),
    Verdict.IN_FUTURE: gettext_lazy("Edited in the future"),
    Verdict.NOT_FITTING: gettext_lazy("Does not fit the question"),
    Verdict.UNKNOWN_QUESTION: gettext_lazy("Not in this student's paper"),
}
#: A device's clock that is this much off is worth a word.
_CLOCK_TOLERANCE = timedelta(minutes=2)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table, in words."""

    difference: Difference
    verdict: str
    question: str
    stored: str
    filed: str
    loses_points: bool

    @property
    def late_text(self) -> str:
        """By how much the edit was late, as h:mm:ss."""
        seconds = 0 if self.difference.late is None else int(self.difference.late.total_seconds())
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"

    @property
    def choice(self) -> str:
        """What the box sends: which question, and what was said about it."""
        return f"{self.difference.question_id}:{self.difference.verdict}"


class UploadForm(forms.Form):
    """The file, and whose it is where that is clear already."""

    file = forms.FileField(
        label=gettext_lazy("Emergency file"),
        widget=forms.FileInput(attrs={"accept": ".tahanuji"}),
        help_text=gettext_lazy("The file that the student's page has made; its name ends in .tahanuji."),
    )

    def __init__(self, *args: Any, expected: Attempt | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._expected = expected

    def clean_file(self) -> tuple[Attempt, bytes]:
        upload: UploadedFile[Any] = self.cleaned_data["file"]
        try:
            if upload.size is None or upload.size > FILE_MAX_BYTES:
                raise FileTooLarge
            content = upload.read()
            attempt = attempt_of(open_file(content))
        except EmergencyFileError as exc:
            raise ValidationError(str(exc.message)) from exc
        if self._expected is not None and attempt != self._expected:
            text = _("This file is of %(student)s, exam %(exam)s, and not of the attempt from which you came.")
            raise ValidationError(text % {"student": attempt.student, "exam": attempt.exam})
        return attempt, content


class ApplyForm(forms.Form):
    """Why; which rows are meant is read beside it."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text=gettext_lazy("Stays in the attempt's history, with your name: what happened, and who saw it."),
    )


@admin.register(EmergencyUpload)
class EmergencyUploadAdmin(ReadOnlyAdmin[EmergencyUpload]):
    list_display = ("student", "exam", "uploaded_at", "uploaded_by")
    list_select_related = ("attempt__student", "attempt__exam", "uploaded_by")
    list_filter = ("attempt__exam",)
    search_fields = ("attempt__student__name", "attempt__student__username")
    date_hierarchy = "uploaded_at"

    # The model has no permissions of its own; see its Meta.
    def has_view_permission(self, request: HttpRequest, obj: EmergencyUpload | None = None) -> bool:
        return bool(request.user.has_perm("exams.change_attempt"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[EmergencyUpload]:
        # Up to two megabytes a row; the list does not need them.
        return super().get_queryset(request).defer("content")

    @admin.display(description=gettext_lazy("student"), ordering="attempt__student__name")
    def student(self, upload: EmergencyUpload) -> str:
        return str(upload.attempt.student)

    @admin.display(description=gettext_lazy("exam"))
    def exam(self, upload: EmergencyUpload) -> str:
        return str(upload.attempt.exam)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page to upload; `?attempt=<id>` says whose file is expected."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        expected = None
        if wanted := request.GET.get("attempt", ""):
            found = Attempt.objects.select_related("student", "exam")
            expected = get_object_or_404(found, pk=int(wanted) if wanted.isdecimal() else 0)
        sent = (request.POST, request.FILES) if request.method == "POST" else ()
        form = UploadForm(*sent, expected=expected)
        if form.is_valid():
            attempt, content = form.cleaned_data["file"]
            assert request.user.pk is not None  # noqa: S101 - for the type checker: nobody else gets here
            upload = emergency_apply.keep_upload(attempt_id=attempt.pk, content=content, user_id=request.user.pk)
            return redirect("admin:exams_emergencyupload_change", upload.pk)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Upload an emergency file"),
            "form": form,
            "expected": expected,
        }
        return TemplateResponse(request, "admin/exams/emergencyupload/upload.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The comparison, and applying it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        uploads = EmergencyUpload.objects.select_related("uploaded_by")
        upload = get_object_or_404(uploads, pk=int(object_id) if object_id.isdecimal() else 0)
        try:
            file = open_file(bytes(upload.content))
            attempt = attempt_of(file)
        except EmergencyFileError as exc:  # it was fine when it was uploaded: a key or a user name has changed since
            messages.error(request, str(exc.message))
            return redirect("admin:exams_emergencyupload_changelist")
        if attempts.is_overdue(attempt, attempts.database_now()):
            attempts.close_expired(attempt_ids=[attempt.pk])
            attempt = attempt_of(file)
        form = ApplyForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            chosen = _chosen(request.POST.getlist("choose"))
            if chosen:
                return self._apply(request, file, chosen, form.cleaned_data["reason"])
            form.add_error(None, _("Choose at least one answer."))
        rows = _rows(attempt, emergency_apply.compare(attempt, file))
        ticked = set(request.POST.getlist("choose")) if request.method == "POST" else None
        device_ahead = file.device_now - file.server_now
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Compare an emergency file"),
            "upload": upload,
            "file": file,
            "attempt": attempt,
            "rows": [(row, row.difference.is_expected if ticked is None else row.choice in ticked) for row in rows],
            "choosable_count": sum(row.difference.is_choosable for row in rows),
            "clock_seconds": int(abs(device_ahead).total_seconds()),
            "is_clock_ahead": device_ahead > timedelta(0),
            "is_clock_wrong": abs(device_ahead) > _CLOCK_TOLERANCE,
            "form": form,
        }
        return TemplateResponse(request, "admin/exams/emergencyupload/compare.html", context)

    def _apply(
        self, request: HttpRequest, file: EmergencyFile, chosen: dict[int, Verdict], reason: str
    ) -> HttpResponse:
        assert request.user.pk is not None  # noqa: S101 - for the type checker: nobody else gets here
        done = emergency_apply.apply_file(file=file, chosen=chosen, reason=reason, user_id=request.user.pk)
        if done.applied:
            text = ngettext(
                "%(count)d answer was taken over from the emergency file.",
                "%(count)d answers were taken over from the emergency file.",
                done.applied,
            )
            messages.success(request, text % {"count": done.applied})
            if done.old_receipt:
                text = _("The receipt %(old)s is replaced by %(new)s: give the student the new one.")
                messages.warning(request, text % {"old": done.old_receipt, "new": done.attempt.receipt})
        else:
            messages.info(request, _("Nothing was changed."))
        if done.left_out:
            text = ngettext(
                "%(count)d answer was left out: the attempt has changed since you saw it, or has it already.",
                "%(count)d answers were left out: the attempt has changed since you saw them, or has them already.",
                done.left_out,
            )
            messages.warning(request, text % {"count": done.left_out})
        return redirect(reverse("admin:exams_attempt_change", args=[done.attempt.pk]))


def _chosen(boxes: Iterable[str]) -> dict[int, Verdict]:
    """What the boxes say. Whatever else a browser sends is no choice."""
    chosen = {}
    for box in boxes:
        question, _colon, verdict = box.partition(":")
        if question.isdecimal() and verdict in set(Verdict):
            chosen[int(question)] = Verdict(verdict)
    return chosen


def _rows(attempt: Attempt, differences: Iterable[Difference]) -> list[Row]:
    paper = papers.load(attempt.paper_id)
    rows = []
    for difference in differences:
        question, stored = difference.question, difference.stored
        if question is None:
            name = str(difference.question_id)
        else:
            name = question.name or plain(paper.rendered[difference.question_id]["html"], longest=100)
        if difference.value is None:
            filed = Truncator(json.dumps(difference.entry.answer, ensure_ascii=False)).chars(200)
        else:
            value = json.loads(difference.value)
            answer = Answer(attempt=attempt, question_id=difference.question_id, value=value)
            filed = readable(paper, answer, longest=ESSAY_MAX)
        rows.append(
            Row(
                difference=difference,
                verdict=str(VERDICTS[difference.verdict]),
                question=name,
                stored="" if stored is None else readable(paper, stored, longest=ESSAY_MAX),
                filed=filed,
                loses_points=difference.is_choosable and stored is not None and stored.points is not None,
            )
        )
    return rows
