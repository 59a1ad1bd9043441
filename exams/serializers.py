"""
The shapes of the API's JSON, in and out. They are the OpenAPI description, and tests hold real answers against it.

Names are camelCase because the page's are; times are ISO 8601 in UTC, except `serverNow` and everything in `…Ms`.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

from rest_framework import serializers

from exams.autosave.messages import REVISION_MAX
from exams.content import QuestionType
from exams.models import Attempt

#: A paper of 1,000 questions is more than any; a manifest longer than that is not ours.
MANIFEST_MAX = 1_000

CLOSED_STATUSES = [(status.value, status.label) for status in (Attempt.Status.SUBMITTED, Attempt.Status.EXPIRED)]

Serializer = serializers.Serializer


class Moment(serializers.DateTimeField):
    """A time in UTC, whatever the school's time zone is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(default_timezone=UTC, **options)


class Success(Serializer[Any]):
    success = serializers.BooleanField(read_only=True)


class Problem(Serializer[Any]):
    """What every error looks like; which of the further fields are there depends on the code."""

    success = serializers.BooleanField(read_only=True)
    code = serializers.CharField()
    message = serializers.CharField()
    field = serializers.CharField(required=False, help_text="the field that is wrong")
    reason = serializers.CharField(required=False, help_text="what is wrong with it, in English")
    fields = serializers.DictField(required=False, help_text="what is wrong with each field")  # type: ignore[assignment]
    opensAt = Moment(required=False)
    serverNow = serializers.IntegerField(required=False)
    revision = serializers.IntegerField(required=False)
    retryAfterMs = serializers.IntegerField(required=False)


class LoginRequest(Serializer[Any]):
    username = serializers.CharField(max_length=64)
    pin = serializers.CharField(max_length=32)


class StudentShape(Serializer[Any]):
    username = serializers.CharField()
    name = serializers.CharField()
    className = serializers.CharField(source="class_name")


class SessionReply(Success):
    student = StudentShape(allow_null=True)
    csrfToken = serializers.CharField()
    serverNow = serializers.IntegerField()


class AttemptShape(Serializer[Any]):
    id = serializers.IntegerField()
    status = serializers.ChoiceField(choices=Attempt.Status.choices)
    startedAt = Moment(source="started_at")
    deadlineAt = Moment(source="deadline_at")
    extraMinutes = serializers.IntegerField(source="extra_minutes")
    submittedAt = Moment(source="submitted_at", allow_null=True)


class ExamShape(Serializer[Any]):
    id = serializers.IntegerField()
    title = serializers.CharField()
    opensAt = Moment(source="opens_at")
    closesAt = Moment(source="closes_at")
    durationMinutes = serializers.IntegerField(source="duration_minutes")
    needsEntryToken = serializers.BooleanField(source="needs_entry_token")


class MyExamShape(ExamShape):
    attempt = AttemptShape(allow_null=True)


class ExamListReply(Success):
    serverNow = serializers.IntegerField()
    open = MyExamShape(many=True)
    upcoming = MyExamShape(many=True)
    done = MyExamShape(many=True)


class StartRequest(Serializer[Any]):
    entryToken = serializers.CharField(max_length=32, required=False, allow_blank=True, default="")


class OptionShape(Serializer[Any]):
    id = serializers.CharField()
    html = serializers.CharField()


class QuestionShape(Serializer[Any]):
    id = serializers.IntegerField()
    type = serializers.ChoiceField(choices=[str(kind) for kind in QuestionType])
    html = serializers.CharField()
    points = serializers.FloatField()
    choices = OptionShape(many=True)
    stems = OptionShape(many=True)


class PaperShape(Serializer[Any]):
    version = serializers.IntegerField()
    questions = QuestionShape(many=True)


class AnswerShape(Serializer[Any]):
    questionId = serializers.IntegerField(source="question_id")
    answer = serializers.JSONField(source="value")
    revision = serializers.IntegerField()
    savedAt = Moment(source="saved_at")


class StateReply(Success):
    serverNow = serializers.IntegerField()
    examId = serializers.IntegerField()
    title = serializers.CharField()
    deadlineAt = Moment()
    graceSeconds = serializers.IntegerField()
    attempt = AttemptShape()
    ticket = serializers.CharField(allow_null=True, help_text="null unless the attempt is in progress")
    answers = AnswerShape(many=True)


class StartReply(StateReply):
    paper = PaperShape()


class SubmitRequest(Serializer[Any]):
    attemptId = serializers.IntegerField(
        required=False, min_value=1, help_text="if given, nothing but this attempt is handed in"
    )
    answers = serializers.ListField(
        child=serializers.DictField(), required=False, default=list, max_length=MANIFEST_MAX
    )
    manifest = serializers.DictField(
        child=serializers.IntegerField(min_value=1, max_value=REVISION_MAX),
        required=False,
        default=dict,
        help_text="question id -> newest revision that the device knows",
    )

    def validate_manifest(self, manifest: dict[str, int]) -> dict[int, int]:
        if len(manifest) > MANIFEST_MAX:
            raise serializers.ValidationError(f"At most {MANIFEST_MAX} questions.")
        if not all(key.isascii() and key.isdecimal() and len(key) <= 18 for key in manifest):
            raise serializers.ValidationError("The keys are question ids.")
        return {int(key): revision for key, revision in manifest.items()}


class RejectedShape(Serializer[Any]):
    questionId = serializers.IntegerField(allow_null=True)
    code = serializers.CharField()
    reason = serializers.CharField()


class SubmitReply(Success):
    status = serializers.ChoiceField(choices=CLOSED_STATUSES)
    submittedAt = Moment()
    receipt = serializers.CharField()
    answered = serializers.IntegerField()
    missing = serializers.ListField(
        child=serializers.IntegerField(), help_text="questions of which the server lacks the newest answer"
    )
    rejected = RejectedShape(many=True)
    serverNow = serializers.IntegerField()


class ResultShape(Serializer[Any]):
    status = serializers.ChoiceField(choices=CLOSED_STATUSES)
    submittedAt = Moment(source="submitted_at")
    receipt = serializers.CharField()
    missingAnswers = serializers.IntegerField(source="missing_answers")
    isReleased = serializers.BooleanField(source="exam.show_result")
    isFinal = serializers.BooleanField(source="is_final", help_text="false while essays wait for a teacher")
    score = serializers.DecimalField(max_digits=10, decimal_places=2, allow_null=True, coerce_to_string=False)
    maxScore = serializers.DecimalField(
        source="max_score", max_digits=10, decimal_places=2, allow_null=True, coerce_to_string=False
    )


class ResultReply(ResultShape, Success):
    pass
