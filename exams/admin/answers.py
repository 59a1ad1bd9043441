"""
Answers, to read; and the points of essays, the one thing that a teacher writes here.

What decides is the question as the attempt's paper froze it, as in scoring.
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import JSONField, Q, QuerySet, Value
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from exams import attempts, papers
from exams.admin.answer_rows import plain, readable
from exams.admin.base import StaffAdmin
from exams.answers import ESSAY_MAX
from exams.content import QuestionContent, QuestionType
from exams.models import Answer


def _frozen(answer: Answer) -> QuestionContent | None:
    return papers.load(answer.attempt.paper_id).by_id.get(answer.question_id)


class PointsForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's own class takes a type only in its stubs
    """The teacher's points for an essay."""

    class Meta:
        model = Answer
        fields = ("points",)

    def clean_points(self) -> Decimal | None:
        points: Decimal | None = self.cleaned_data["points"]
        question = _frozen(self.instance)
        if points is not None and question is not None and points > Decimal(repr(question.points)):
            raise ValidationError(
                _("The question is worth %(points)s points at most.") % {"points": f"{question.points:g}"}
            )
        return points


class EssaysFilter(admin.SimpleListFilter):
    title = gettext_lazy("essays")
    parameter_name = "essays"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("ungraded", _("essays without points")), ("graded", _("essays with points"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Answer]) -> QuerySet[Answer]:
        # A question's type never changes once it is in a paper (see questions.py), so the live one will do here.
        essays = queryset.filter(question__type=QuestionType.ESSAY)
        empty = Q(value="") | Q(value=Value(None, JSONField()))
        match self.value():
            case "ungraded":
                return essays.filter(points=None).exclude(empty)
            case "graded":
                return essays.exclude(points=None)
        return queryset


@admin.register(Answer)
class AnswerAdmin(StaffAdmin[Answer]):
    form = PointsForm
    list_display = ("student", "exam", "question_text", "answer_begins", "points", "saved_at")
    list_filter = (EssaysFilter, "question__type", "attempt__exam")
    list_select_related = ("attempt__student", "attempt__exam", "question")
    search_fields = ("attempt__student__name", "attempt__student__username", "question__name")
    # The order of the primary key. No date hierarchy: it would read the whole table, the largest one there is.
    ordering = ("-attempt_id", "-question_id")
    fields = ("student", "exam", "question_text", "answer_text", "revision", "saved_at", "points", "maximum")
    list_display_links = ("question_text",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Answer]:
        return super().get_queryset(request).select_related("attempt__student", "attempt__exam", "question")

    def get_readonly_fields(self, request: HttpRequest, obj: Answer | None = None) -> tuple[str, ...]:
        question = None if obj is None else _frozen(obj)
        is_essay = question is not None and question.type is QuestionType.ESSAY
        return tuple(name for name in self.fields if name != "points" or not is_essay)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Answer | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Answer, form: Any, change: bool) -> None:
        if "points" in form.changed_data:
            # The verb locks the attempt and commits by itself, so it waits for this page's transaction.
            transaction.on_commit(partial(attempts.grade_answer, answer_id=obj.pk, points=obj.points))

    @admin.display(description=gettext_lazy("student"), ordering="attempt__student__name")
    def student(self, answer: Answer) -> str:
        return str(answer.attempt.student)

    @admin.display(description=gettext_lazy("exam"))
    def exam(self, answer: Answer) -> str:
        return str(answer.attempt.exam)

    @admin.display(description=gettext_lazy("question"))
    def question_text(self, answer: Answer) -> str:
        question = papers.load(answer.attempt.paper_id).rendered.get(answer.question_id)
        return "" if question is None else plain(question["html"], longest=1_000)

    @admin.display(description=gettext_lazy("answer"))
    def answer_begins(self, answer: Answer) -> str:
        return readable(papers.load(answer.attempt.paper_id), answer, longest=100)

    @admin.display(description=gettext_lazy("answer"))
    def answer_text(self, answer: Answer) -> str:
        return readable(papers.load(answer.attempt.paper_id), answer, longest=ESSAY_MAX)

    @admin.display(description=gettext_lazy("highest possible points"))
    def maximum(self, answer: Answer) -> str:
        question = _frozen(answer)
        return "-" if question is None else f"{question.points:g}"
