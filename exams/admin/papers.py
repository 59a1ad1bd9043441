"""Frozen papers, to read."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from exams.admin.answer_rows import plain
from exams.admin.base import ReadOnlyAdmin
from exams.models import Paper, PaperQuestion, Question
from exams.papers import load


@admin.register(Paper)
class PaperAdmin(ReadOnlyAdmin[Paper]):
    list_display = ("exam", "version", "created_at", "question_count")
    list_filter = ("exam",)
    list_select_related = ("exam",)
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    search_fields = ("exam__title",)
    fields = ("exam", "version", "created_at", "frozen_questions")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Paper]:
        # The content is up to a megabyte a row; the list does not need it.
        return super().get_queryset(request).defer("content").annotate(questions_frozen=Count("paperquestion"))

    @admin.display(description=_("questions"))
    def question_count(self, paper: Paper) -> int:
        return int(paper.questions_frozen)  # type: ignore[attr-defined]  # annotated above

    @admin.display(description=_("questions"))
    def frozen_questions(self, paper: Paper) -> SafeString:
        frozen = load(paper.pk)
        items = format_html_join(
            "",
            "<li>{} ({}, {} {})</li>",
            (
                (
                    question.content.name or plain(frozen.rendered[question.id]["html"], longest=100),
                    Question.Type(question.content.type).label,
                    f"{question.content.points:g}",
                    _("points"),
                )
                for question in frozen.questions
            ),
        )
        return format_html("<ol>{}</ol>", items)


@admin.register(PaperQuestion)
class PaperQuestionAdmin(ReadOnlyAdmin[PaperQuestion]):
    list_display = ("paper", "question")
    list_filter = ("paper__exam",)
    list_select_related = ("paper", "question")
    ordering = ("-paper_id", "question_id")
    search_fields = ("question__name", "question__stem")

    def get_queryset(self, request: HttpRequest) -> QuerySet[PaperQuestion]:
        return super().get_queryset(request).defer("paper__content")
