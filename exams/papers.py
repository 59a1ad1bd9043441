"""
Papers: an exam's questions, frozen per version, decoded once per process, shuffled per student.

Contract:
- `freeze()` makes a new version only if the questions differ from the newest one; a paper never changes afterwards
  (a trigger sees to that), so whatever is cached by (exam, version) stays true for ever.
- `student_view()` never contains a key, a weight or a feedback, and gives the same order on every reload.
- `decode()` is pure; the save path uses it on bytes that it fetched itself.

Not here: when an exam is published (`publishing.py`), who gets which paper (`attempts.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import Any

import msgspec

from exams import richtext
from exams.content import Option, QuestionContent, QuestionType
from exams.models import Exam, Paper, PaperQuestion

#: Decoded papers kept per process; a paper of 100 questions takes about 200 KiB.
_CACHED_PAPERS = 64


class FrozenQuestion(msgspec.Struct, frozen=True):
    """A question as a paper keeps it."""

    id: int
    content: QuestionContent


class _Content(msgspec.Struct, frozen=True):
    questions: list[FrozenQuestion]


@dataclass(frozen=True)
class FrozenPaper:
    """A paper in memory."""

    exam_id: int
    version: int
    questions: tuple[FrozenQuestion, ...]

    @cached_property
    def by_id(self) -> dict[int, QuestionContent]:
        """The questions' contents by question id: what a save is checked against."""
        return {question.id: question.content for question in self.questions}

    def pairs(self) -> Iterable[tuple[int, QuestionContent]]:
        """(id, content) in the paper's order, as `scoring.score_paper` takes them."""
        return self.by_id.items()

    @cached_property
    def rendered(self) -> dict[int, dict[str, Any]]:
        """Each question as students get it, in the bank's order. Rendering HTML is the dear part, so it is kept."""
        return {question.id: _render(question) for question in self.questions}


def _render(question: FrozenQuestion) -> dict[str, Any]:
    content = question.content

    def shown(options: list[Option]) -> list[dict[str, str]]:
        return [{"id": option.id, "html": richtext.render(option.text, content.text_format)} for option in options]

    return {
        "id": question.id,
        "type": str(content.type),
        "html": richtext.render(content.stem, content.text_format),
        "points": 0 if content.type is QuestionType.DESCRIPTION else content.points,
        "choices": shown(content.options.choices),
        "stems": shown(content.options.stems),
    }


def decode(exam_id: int, version: int, content: bytes) -> FrozenPaper:
    """A paper from the JSON of its row. Raises `msgspec.ValidationError` if a newer program wrote it."""
    return FrozenPaper(exam_id, version, tuple(msgspec.json.decode(content, type=_Content).questions))


@lru_cache(maxsize=_CACHED_PAPERS)
def load(paper_id: int) -> FrozenPaper:
    """The paper of this id, for Django's threads."""
    paper = Paper.objects.get(pk=paper_id)
    return FrozenPaper(paper.exam_id, paper.version, tuple(msgspec.convert(paper.content, _Content).questions))


def content_of(exam: Exam) -> dict[str, Any]:
    """What a paper of *exam* would hold if frozen now. Raises `msgspec.ValidationError` on a broken question."""
    questions = exam.questions.filter(is_withdrawn=False).order_by("position", "pk")
    frozen = _Content([FrozenQuestion(id=question.pk, content=question.content) for question in questions])
    content: dict[str, Any] = msgspec.to_builtins(frozen)
    return content


def freeze(exam: Exam) -> Paper:
    """
    Freeze the questions of *exam* as they are now and return the newest paper. Call it in a transaction.

    The exam's row is the lock: two teachers who publish at once make one version after the other.
    """
    exam = Exam.objects.select_for_update().get(pk=exam.pk)
    content = content_of(exam)
    newest = exam.papers.order_by("-version").first()
    if newest is not None and newest.content == content:
        return newest
    paper = Paper.objects.create(exam=exam, version=exam.version + 1, content=content)
    PaperQuestion.objects.bulk_create(
        PaperQuestion(paper=paper, question_id=question["id"]) for question in content["questions"]
    )
    Exam.objects.filter(pk=exam.pk).update(version=paper.version)
    return paper


def _order_key(seed: str, thing: object) -> bytes:
    # A hash and not `random.shuffle`: the same in every Python version, and one item more moves no other.
    return blake2b(f"{seed}:{thing}".encode(), digest_size=8).digest()


def _shuffled_questions(paper: FrozenPaper, seed: str) -> list[int]:
    """Question ids in the student's order. A description stays in its place and heads the questions up to the next."""
    ordered: list[int] = []
    section: list[int] = []
    for question in paper.questions:
        if question.content.type is QuestionType.DESCRIPTION:
            ordered += sorted(section, key=lambda question_id: _order_key(seed, question_id))
            ordered.append(question.id)
            section = []
        else:
            section.append(question.id)
    return ordered + sorted(section, key=lambda question_id: _order_key(seed, question_id))


def student_view(
    paper: FrozenPaper, *, seed: str, shuffle_questions: bool, shuffle_options: bool
) -> list[dict[str, Any]]:
    """
    The paper for one student: a list of {id, type, html, points, choices: [{id, html}], stems: [{id, html}]}.

    *seed* decides the order; the attempt's id makes it stable over reloads and different per student. The right-hand
    sides of a matching question are always shuffled, else their order would be the answer.
    """
    order = _shuffled_questions(paper, seed) if shuffle_questions else [question.id for question in paper.questions]
    view = []
    for question_id in order:
        shown = dict(paper.rendered[question_id])
        if shuffle_options or shown["type"] == QuestionType.MATCHING:
            shown["choices"] = sorted(shown["choices"], key=lambda c: _order_key(f"{seed}/{question_id}", c["id"]))
        view.append(shown)
    return view
