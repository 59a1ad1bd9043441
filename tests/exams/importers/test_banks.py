from collections import Counter
from pathlib import Path

import pytest

from exams.content import QuestionContent, QuestionType
from exams.importers.base import parse, read_bank
from exams.richtext import render
from tests.exams.importers.reading import choices

DEMO = Path(__file__).parents[3] / "exams" / "demo" / "soal_demo.gift"


def one_spaced(content: QuestionContent) -> tuple[str, list[tuple[str, float]]]:
    """Give stem and options with single spaces: the GIFT file has two here and there, the Aiken file has not."""
    return " ".join(content.stem.split()), [(" ".join(text.split()), w) for text, w in choices(content).items()]


@pytest.fixture(scope="module")
def questions():
    result = parse(read_bank(DEMO))
    assert result.bad == []
    return result.questions


class TestTheDemoExam:
    def test_it_has_forty_questions_with_a_name_of_their_own(self, questions):
        assert len(questions) == 40
        assert len({question.content.name for question in questions}) == 40

    def test_every_type_is_there_twice_at_least(self, questions):
        counts = Counter(question.content.type for question in questions)
        assert set(counts) == set(QuestionType)
        assert min(counts.values()) >= 2

    def test_four_subjects_share_it(self, questions):
        counts = Counter(question.category for question in questions)
        assert counts == {"Matematika": 12, "IPA": 10, "Bahasa Indonesia": 9, "IPS": 9}

    def test_every_text_can_be_shown(self, questions):
        for question in questions:
            content = question.content
            for text in (content.stem, *(o.text for o in (*content.options.choices, *content.options.stems))):
                assert render(text, content.text_format)


class TestRealBanks:
    def test_the_fourteen_course_quizzes_have_253_questions(self, banks):
        results = {path.name: parse(read_bank(path)) for path in sorted((banks / "tsugi").glob("*-*.txt"))}
        assert len(results) == 14
        assert {name: result.bad for name, result in results.items() if result.bad} == {}
        assert sum(len(result.questions) for result in results.values()) == 253

    def test_code_with_blank_lines_stays_in_one_essay(self, banks):
        result = parse(read_bank(banks / "tsugi" / "00-Mini-Django-Essay.txt"))
        assert {question.content.type for question in result.questions} == {QuestionType.ESSAY}
        assert "view_fail(request" in result.questions[2].content.stem

    def test_unescaped_template_braces_are_options(self, banks):
        result = parse(read_bank(banks / "tsugi" / "06-Views-Templates.txt"))
        by_name = {question.content.name: question.content for question in result.questions}
        assert "{{ variable }}" in by_name["VT_Q12"].stem
        assert choices(by_name["VT_Q13"]) == {"Correct Answer% %}": 100, "{{ }}": 0, "<% %>": 0, "[[ ]]": 0}

    @pytest.mark.parametrize(
        ("name", "count"), [("matching", 2), ("multiple_choice", 5), ("numerical", 5), ("true_false", 4)]
    )
    def test_the_examples_are_read(self, banks, name, count):
        result = parse(read_bank(banks / "tsugi" / f"example_{name}.gift"))
        assert result.bad == []
        assert [question.content.type for question in result.questions] == [QuestionType(name)] * count

    def test_gift_and_aiken_give_the_same_600_questions(self, banks):
        gift = parse(read_bank(banks / "xcopa-id" / "xcopa_id.gift"))
        aiken = parse(read_bank(banks / "xcopa-id" / "xcopa_id.aiken.txt"))
        assert gift.bad == aiken.bad == []
        assert len(gift.questions) == 600
        assert [one_spaced(question.content) for question in gift.questions] == [
            one_spaced(question.content) for question in aiken.questions
        ]
        assert {question.category for question in gift.questions} == {"XCOPA-id"}
