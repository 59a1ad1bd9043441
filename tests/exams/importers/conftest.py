"""What the importers' tests share."""

import pytest

from exams.content import QuestionContent
from exams.importers import gift
from exams.importers.result import ImportedQuestion


@pytest.fixture
def read_one():
    """Read a GIFT text that holds one good question, and give what it consists of."""

    def read(text: str) -> QuestionContent:
        result = gift.parse(text)
        assert result.bad == []
        (question,) = result.questions
        assert isinstance(question, ImportedQuestion)
        return question.content

    return read


@pytest.fixture
def refusal():
    """Read a GIFT text that holds one bad question, and give the reason."""

    def read(text: str) -> str:
        result = gift.parse(text)
        assert result.questions == []
        (bad,) = result.bad
        return bad.reason

    return read
