"""
Is this save one that may be stored? The same judgement for saves and for what submit brings along.

Pure: the paper's questions and the time come in, (revision, value as JSON) or an `ExamError` comes out.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from exams.answers import check_answer
from exams.autosave.messages import SaveRequest
from exams.content import QuestionContent
from exams.exceptions import RevisionAhead, UnknownQuestion, WrongAnswer

_encode = msgspec.json.Encoder().encode


def check_save(
    request: SaveRequest, questions: Mapping[int, QuestionContent], *, now_ms: int, ahead_seconds: int
) -> tuple[int, bytes]:
    """The revision and the value to store. A save without a revision gets the server's time."""
    question = questions.get(request.question_id)
    if question is None:
        raise UnknownQuestion(field="questionId")
    if request.question_type is not None and request.question_type != question.type:
        raise WrongAnswer(field="questionType", reason=f"this question is {question.type}")
    value = _encode(check_answer(question, request.answer))
    revision = now_ms if request.revision is None else request.revision
    if revision > now_ms + ahead_seconds * 1000:
        raise RevisionAhead(field="revision", serverNow=now_ms)
    return revision, value
