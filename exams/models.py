"""
The exam's tables: students, exams, questions, papers, attempts, answers, emergency uploads.

Contract:
- The database repeats every rule that stands here (unique, check, foreign keys, triggers in `0002`), so that no
  script and no second server can break one.
- State changes go through the verbs (`attempts.py`, `papers.py`, `cards.py`), never through `save()` in a view.

Not here: what a question consists of (`content.py`), who may do what (`api.py`, `admin.py`).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now, Upper
from django.utils.translation import gettext_lazy as _

from exams import phones
from exams.content import QuestionContent, QuestionType, TextFormat
from exams.content_problems import problems

#: Small letters only: nobody can tell from a printed card whether Budi or budi is meant.
USERNAME = r"^[a-z0-9][a-z0-9._-]*$"


class Student(models.Model):
    """Somebody who sits exams. Logs in with an exam card (`cards.py`), never with a Django user."""

    username = models.CharField(
        _("user name"),
        max_length=64,
        unique=True,
        validators=[RegexValidator(USERNAME, _("Small letters, digits, dots, dashes, underscores."))],
    )
    nisn = models.CharField(
        "NISN",
        max_length=10,
        unique=True,
        help_text=_("The national student number: ten digits."),
        validators=[RegexValidator(r"^[0-9]{10}$", _("A NISN has ten digits."))],
    )
    name = models.CharField(_("name"), max_length=200)
    class_name = models.CharField(_("class"), max_length=50, blank=True)
    parent_phone = models.CharField(
        _("a parent's phone"),
        max_length=15,
        blank=True,
        help_text=_("Digits with the country code, as in 6281234567890."),
    )
    pin_hmac = models.CharField(max_length=64, blank=True, editable=False)
    is_active = models.BooleanField(_("may log in"), default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "students"
        verbose_name, verbose_name_plural = _("student"), _("students")
        ordering = ("class_name", "name")
        constraints = (
            models.CheckConstraint(condition=Q(nisn__regex=r"^[0-9]{10}$"), name="nisn_has_ten_digits"),
            models.CheckConstraint(
                condition=Q(parent_phone="") | Q(parent_phone__regex=r"^[0-9]{8,15}$"), name="parent_phone_is_digits"
            ),
            models.CheckConstraint(condition=Q(username__regex=USERNAME), name="username_is_typeable"),
            models.CheckConstraint(condition=~Q(name=""), name="student_has_a_name"),
        )
        indexes = (models.Index(fields=["class_name", "name"], name="students_by_class"),)

    def __str__(self) -> str:
        return f"{self.name} ({self.username})"

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        self.username = self.username.strip().lower()
        super().clean_fields(exclude=exclude)

    def clean(self) -> None:
        try:
            self.parent_phone = phones.normalise(self.parent_phone)
        except ValueError as exc:
            raise ValidationError({"parent_phone": str(exc)}) from exc

    # What Django REST framework asks of a user.
    is_authenticated = True
    is_anonymous = False


class Exam(models.Model):
    """One exam: its window, its rules and its questions."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        PUBLISHED = "published", _("published")
        CLOSED = "closed", _("closed")

    title = models.CharField(_("title"), max_length=200)
    opens_at = models.DateTimeField(_("opens"))
    closes_at = models.DateTimeField(_("closes"))
    duration_minutes = models.PositiveIntegerField(
        _("duration in minutes"), default=90, validators=[MinValueValidator(1)]
    )
    shuffle_questions = models.BooleanField(_("shuffle questions"), default=True)
    shuffle_options = models.BooleanField(_("shuffle options"), default=True)
    entry_token = models.CharField(
        _("entry token"), max_length=12, blank=True, help_text=_("Read out in the exam room; empty for none.")
    )
    show_result = models.BooleanField(
        _("show the result"), default=False, help_text=_("Students see their score as soon as it is final.")
    )
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.DRAFT, editable=False)
    version = models.PositiveIntegerField(
        _("version"), default=0, editable=False, help_text=_("Of the newest frozen paper; 0 before publishing.")
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "exams"
        verbose_name, verbose_name_plural = _("exam"), _("exams")
        ordering = ("-opens_at", "title")
        constraints = (
            models.CheckConstraint(condition=Q(closes_at__gt=F("opens_at")), name="exam_closes_after_it_opens"),
            models.CheckConstraint(
                condition=Q(duration_minutes__gte=1, duration_minutes__lte=7 * 24 * 60),
                name="exam_lasts_a_week_at_most",
            ),
            models.CheckConstraint(condition=Q(status__in=["draft", "published", "closed"]), name="exam_status_known"),
            models.CheckConstraint(condition=Q(entry_token=Upper("entry_token")), name="entry_token_in_capitals"),
            models.CheckConstraint(condition=Q(status="draft") | Q(version__gte=1), name="published_exam_has_a_paper"),
        )

    def __str__(self) -> str:
        return self.title

    def clean(self) -> None:
        self.entry_token = self.entry_token.strip().upper()
        if self.opens_at and self.closes_at and self.closes_at <= self.opens_at:
            raise ValidationError({"closes_at": _("The exam closes before it opens.")})

    @property
    def needs_entry_token(self) -> bool:
        return self.entry_token != ""

    @property
    def duration(self) -> timedelta:
        return timedelta(minutes=self.duration_minutes)

    def deadline_for(self, started_at: datetime, extra: timedelta) -> datetime:
        """
        DESIGN's rule: start + duration + extra time, at most the exam's close + extra time.

        Never before the start: a close that was moved back afterwards leaves no time, not less than none.
        """
        return max(started_at, min(started_at + self.duration, self.closes_at) + extra)


class Question(models.Model):
    """
    A question as the teacher edits it. Students see the copy that is frozen in a paper.

    `options`, `key` and `feedback` hold the structures of `content.py` as JSON.
    """

    class Type(models.TextChoices):
        MULTIPLE_CHOICE = QuestionType.MULTIPLE_CHOICE, _("multiple choice")
        MULTIPLE_RESPONSE = QuestionType.MULTIPLE_RESPONSE, _("multiple response")
        TRUE_FALSE = QuestionType.TRUE_FALSE, _("true or false")
        SHORT_ANSWER = QuestionType.SHORT_ANSWER, _("short answer")
        NUMERICAL = QuestionType.NUMERICAL, _("numerical")
        MATCHING = QuestionType.MATCHING, _("matching")
        ESSAY = QuestionType.ESSAY, _("essay")
        DESCRIPTION = QuestionType.DESCRIPTION, _("description")

    class Format(models.TextChoices):
        HTML = TextFormat.HTML, "HTML"
        MARKDOWN = TextFormat.MARKDOWN, "Markdown"
        PLAIN = TextFormat.PLAIN, _("plain text")

    exam = models.ForeignKey(Exam, models.CASCADE, related_name="questions", verbose_name=_("exam"))
    position = models.PositiveIntegerField(_("order"), default=0)
    type = models.CharField(_("type"), max_length=20, choices=Type)
    name = models.CharField(_("name"), max_length=255, blank=True)
    category = models.CharField(_("category"), max_length=255, blank=True)
    stem = models.TextField(_("stem"))
    text_format = models.CharField(_("written as"), max_length=10, choices=Format, default=Format.PLAIN)
    options = models.JSONField(_("options"), default=dict, blank=True)
    key = models.JSONField(_("key"), default=dict, blank=True)
    feedback = models.JSONField(_("feedback"), default=dict, blank=True)
    points = models.DecimalField(
        _("points"), max_digits=6, decimal_places=2, default=Decimal(1), validators=[MinValueValidator(0)]
    )
    is_withdrawn = models.BooleanField(
        _("withdrawn"), default=False, help_text=_("Not in the next version of the paper; older versions keep it.")
    )

    class Meta:
        db_table = "questions"
        verbose_name, verbose_name_plural = _("question"), _("questions")
        ordering = ("exam", "position", "id")
        constraints = (
            models.CheckConstraint(
                condition=Q(type__in=[str(kind) for kind in QuestionType]), name="question_type_known"
            ),
            models.CheckConstraint(
                condition=Q(text_format__in=[str(kind) for kind in TextFormat]), name="question_format_known"
            ),
            models.CheckConstraint(condition=Q(points__gte=0), name="question_points_not_negative"),
        )
        indexes = (models.Index(fields=["exam", "position"], name="questions_in_order"),)

    def __str__(self) -> str:
        return self.name or self.stem[:60]

    @property
    def content(self) -> QuestionContent:
        """The question as pure data. Raises `msgspec.ValidationError` where its JSON is not as `content.py` says."""
        return msgspec.convert(
            {
                "type": self.type,
                "stem": self.stem,
                "text_format": self.text_format,
                "name": self.name,
                "options": self.options,
                "key": self.key,
                "feedback": self.feedback,
                "points": float(self.points),
            },
            QuestionContent,
        )

    @staticmethod
    def columns_of(question: QuestionContent) -> dict[str, Any]:
        """The other way round: the columns that hold *question*."""
        return {
            "type": str(question.type),
            "stem": question.stem,
            "text_format": str(question.text_format),
            "name": question.name[:255],
            "options": msgspec.to_builtins(question.options),
            "key": msgspec.to_builtins(question.key),
            "feedback": msgspec.to_builtins(question.feedback),
            "points": Decimal(str(question.points)),
        }

    def problems(self) -> list[str]:
        """All that would make the question unanswerable or unscorable."""
        try:
            return problems(self.content)
        except msgspec.ValidationError as exc:
            return [str(exc)]

    def clean(self) -> None:
        if found := self.problems():
            raise ValidationError(found)


class Paper(models.Model):
    """An exam's questions, frozen: what running attempts are answered and scored against. Never changes."""

    exam = models.ForeignKey(Exam, models.PROTECT, related_name="papers", verbose_name=_("exam"))
    version = models.PositiveIntegerField(_("version"))
    content = models.JSONField(_("content"))
    questions = models.ManyToManyField(Question, through="PaperQuestion", related_name="papers")
    created_at = models.DateTimeField(_("frozen at"), db_default=Now())

    class Meta:
        db_table = "papers"
        verbose_name, verbose_name_plural = _("paper"), _("papers")
        ordering = ("exam", "-version")
        constraints = (
            models.UniqueConstraint(fields=["exam", "version"], name="one_paper_per_version"),
            models.CheckConstraint(condition=Q(version__gte=1), name="paper_version_from_one"),
        )

    def __str__(self) -> str:
        return f"{self.exam_id} v{self.version}"


class PaperQuestion(models.Model):
    """Which questions a paper froze: the foreign key that keeps them from being deleted."""

    paper = models.ForeignKey(Paper, models.CASCADE)
    question = models.ForeignKey(Question, models.PROTECT)

    class Meta:
        db_table = "paper_questions"
        verbose_name, verbose_name_plural = _("frozen question"), _("frozen questions")
        constraints = (models.UniqueConstraint(fields=["paper", "question"], name="question_once_in_a_paper"),)

    def __str__(self) -> str:
        return f"{self.paper_id}: {self.question_id}"


class Attempt(models.Model):
    """
    One sitting of one student in one exam.

    in_progress -> submitted (by the student) | expired (deadline + grace are over) | locked (by a teacher).
    locked -> in_progress (unlocked by a teacher). submitted and expired are final.
    """

    class Status(models.TextChoices):
        IN_PROGRESS = "in_progress", _("in progress")
        SUBMITTED = "submitted", _("submitted")
        EXPIRED = "expired", _("expired")
        LOCKED = "locked", _("locked")

    exam = models.ForeignKey(Exam, models.PROTECT, related_name="attempts", verbose_name=_("exam"))
    student = models.ForeignKey(Student, models.PROTECT, related_name="attempts", verbose_name=_("student"))
    paper = models.ForeignKey(Paper, models.PROTECT, related_name="attempts", verbose_name=_("paper"))
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.IN_PROGRESS)
    started_at = models.DateTimeField(_("started"))
    deadline_at = models.DateTimeField(_("deadline"))
    extra_minutes = models.PositiveIntegerField(_("extra minutes"), default=0)
    submitted_at = models.DateTimeField(_("submitted"), null=True, blank=True)
    score = models.DecimalField(_("score"), max_digits=10, decimal_places=2, null=True, blank=True)
    max_score = models.DecimalField(_("highest score"), max_digits=10, decimal_places=2, null=True, blank=True)
    ungraded_essays = models.PositiveIntegerField(_("essays without points"), default=0)
    missing_answers = models.PositiveIntegerField(
        _("missing answers"), default=0, help_text=_("Answers that the student's device had and the server never got.")
    )
    receipt = models.CharField(_("receipt"), max_length=20, blank=True)

    class Meta:
        db_table = "attempts"
        verbose_name, verbose_name_plural = _("attempt"), _("attempts")
        ordering = ("-started_at",)
        constraints = (
            models.UniqueConstraint(fields=["student", "exam"], name="one_attempt_per_student_and_exam"),
            models.CheckConstraint(
                condition=Q(status__in=["in_progress", "submitted", "expired", "locked"]), name="attempt_status_known"
            ),
            models.CheckConstraint(condition=Q(deadline_at__gte=F("started_at")), name="deadline_after_start"),
            models.CheckConstraint(
                condition=Q(status__in=["in_progress", "locked"], submitted_at=None, score=None, receipt="")
                | Q(
                    status__in=["submitted", "expired"],
                    submitted_at__isnull=False,
                    score__isnull=False,
                    max_score__isnull=False,
                )
                & ~Q(receipt=""),
                name="closed_attempt_is_scored",
            ),
        )
        indexes = (models.Index(fields=["deadline_at"], name="attempts_to_expire", condition=Q(status="in_progress")),)

    def __str__(self) -> str:
        return f"#{self.pk}, {self.get_status_display()}"

    @property
    def is_closed(self) -> bool:
        return self.status in (self.Status.SUBMITTED, self.Status.EXPIRED)

    @property
    def is_final(self) -> bool:
        """Whether the score stands: closed, and no essay waits for a teacher."""
        return self.is_closed and self.ungraded_essays == 0

    @property
    def extra(self) -> timedelta:
        return timedelta(minutes=self.extra_minutes)


class Answer(models.Model):
    """
    The newest answer of an attempt to a question; written by `autosave/store.py` alone.

    In the database the key is (attempt, question), as `0002` makes it, so that the table can be distributed by
    attempt; `id` is only there because Django's admin wants one column.
    """

    attempt = models.ForeignKey(
        Attempt, models.PROTECT, related_name="answers", verbose_name=_("attempt"), db_index=False
    )
    question = models.ForeignKey(Question, models.PROTECT, related_name="answers", verbose_name=_("question"))
    value = models.JSONField(_("answer"))
    revision = models.BigIntegerField(_("revision"))
    saved_at = models.DateTimeField(_("saved"))
    points = models.DecimalField(
        _("points by hand"),
        max_digits=6,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("Essays only: the teacher's points."),
    )

    class Meta:
        db_table = "answers"
        verbose_name, verbose_name_plural = _("answer"), _("answers")
        ordering = ("attempt", "question")
        constraints = (
            models.UniqueConstraint(fields=["attempt", "question"], name="one_answer_per_question"),
            models.CheckConstraint(condition=Q(revision__gte=1, revision__lt=2**53), name="revision_is_a_js_number"),
            models.CheckConstraint(condition=Q(points=None) | Q(points__gte=0), name="points_by_hand_not_negative"),
        )

    def __str__(self) -> str:
        return f"{self.attempt_id}/{self.question_id} r{self.revision}"


class EmergencyUpload(models.Model):
    """
    An emergency file as staff uploaded it: kept between looking at it and applying it, and afterwards as the evidence.

    The content is the encrypted file itself, opened again and verified each time (`emergency.py`). What was done with
    it stands in the attempt's history.
    """

    attempt = models.ForeignKey(
        Attempt, models.PROTECT, related_name="emergency_uploads", verbose_name=_("attempt"), db_index=False
    )
    digest = models.CharField(max_length=64, editable=False)
    content = models.BinaryField(editable=False)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("uploaded by")
    )
    uploaded_at = models.DateTimeField(_("uploaded"), db_default=Now())

    class Meta:
        db_table = "emergency_uploads"
        verbose_name, verbose_name_plural = _("emergency file"), _("emergency files")
        ordering = ("-uploaded_at",)
        #: Who may change attempts may use emergency files; a right of their own would only be forgotten.
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=["attempt", "digest"], name="emergency_file_kept_once"),)

    def __str__(self) -> str:
        return f"{self.attempt_id}, {self.digest[:8]}"
