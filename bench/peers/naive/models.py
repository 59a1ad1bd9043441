"""The two tables that a first version needs."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Attempt(models.Model):
    """One student's sitting."""

    exam_id = models.BigIntegerField()
    status = models.CharField(max_length=12, default="in_progress")
    deadline_at = models.DateTimeField()

    objects: ClassVar[models.Manager[Attempt]] = models.Manager()

    class Meta:
        db_table = "naive_attempts"

    def __str__(self) -> str:
        return f"{self.pk}: {self.status}"


class Answer(models.Model):
    """The newest answer to a question."""

    attempt = models.ForeignKey(Attempt, models.CASCADE, db_index=False)  # the unique pair is the index
    question_id = models.BigIntegerField()
    value = models.JSONField()
    saved_at = models.DateTimeField()

    objects: ClassVar[models.Manager[Answer]] = models.Manager()

    class Meta:
        db_table = "naive_answers"
        constraints = (models.UniqueConstraint(fields=["attempt", "question_id"], name="naive_one_answer"),)

    def __str__(self) -> str:
        return f"{self.pk}: question {self.question_id}"
