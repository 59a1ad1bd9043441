import pytest

from exams.content import QuestionType, TextFormat
from exams.importers import aiken
from tests.exams.importers.reading import choices


def test_a_question_with_its_options_and_answer():
    result = aiken.parse("What is <b>?\nA. bold\nB) blue\nC. big\nANSWER: B\n")
    assert result.bad == []
    (question,) = result.questions
    assert (question.line, question.content.type) == (1, QuestionType.MULTIPLE_CHOICE)
    assert (question.content.stem, question.content.text_format) == ("What is <b>?", TextFormat.PLAIN)
    assert choices(question.content) == {"bold": 0, "blue": 100, "big": 0}


@pytest.mark.parametrize(
    "text",
    [
        "Q\na. x\nb. y\nanswer: b",
        "Q\n A . x\n\tB )y\n ANSWER :  B. ",
        "Q\nA.x\nB.y\nJawaban: B",
        "\n\nQ\n\nA. x\n\nB. y\n\nANSWER:b)\n\n",
    ],
)
def test_small_letters_spaces_and_blank_lines_do_no_harm(text):
    (question,) = aiken.parse(text).questions
    assert choices(question.content) == {"x": 0, "y": 100}


def test_stem_and_options_may_run_over_several_lines():
    (question,) = aiken.parse("Consider:\nI. one\nII. two\nA. a\nand more\nB. b\nANSWER: A").questions
    assert question.content.stem == "Consider:\nI. one\nII. two"
    assert choices(question.content) == {"a\nand more": 100, "b": 0}


def test_a_stem_may_begin_like_an_option():
    (question,) = aiken.parse("A. H. Nasution adalah ...\nA. jenderal\nB. dokter\nANSWER: A").questions
    assert question.content.stem == "A. H. Nasution adalah ..."


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("Q\nA. x\nB. y", "no line “ANSWER"),
        ("Q\nA. x\nB. y\nANSWER: C", "“C”, but the options are A to B"),
        ("Q\nA. x\nB. y\nANSWER:", "“”, but"),
        ("Q\nA. x\nB. y\nANSWER: AB", "“AB”, but"),
        ("Q\nANSWER: A", "options are none"),
        ("Q\nA. x\nANSWER: A", "fewer than two options"),
        ("Q\nA. x\nB.\nANSWER: A", "number 2 is empty"),
        ("Q\nA. x\nC. y\nANSWER: A", "Option C in line 3 is out of order, expected B"),
        ("Q\nA. x\nA. y\nANSWER: A", "out of order"),
        ("ANSWER: A", "without a question"),
        ("Q\x00\nA. x\nB. y\nANSWER: A", "NUL"),
    ],
)
def test_a_question_that_cannot_be_used_is_refused_with_the_reason(text, part):
    result = aiken.parse(text)
    assert result.questions == []
    (bad,) = result.bad
    assert part in bad.reason


GOOD = "Good\nA. x\nB. y\nANSWER: A"


@pytest.mark.parametrize("gap", ["\n\n", "\n"])
def test_a_missing_answer_line_costs_one_question(gap):
    result = aiken.parse(f"Bad\nA. x\nB. y{gap}{GOOD}")
    assert [(bad.line, bad.name) for bad in result.bad] == [(1, "Bad")]
    (question,) = result.questions
    assert question.line == (5 if gap == "\n\n" else 4)
    assert question.content.stem == "Good"
    assert choices(question.content) == {"x": 100, "y": 0}


def test_a_text_without_options_is_refused_and_does_not_join_the_next_question():
    result = aiken.parse(f"Chapter one\n\n{GOOD}")
    assert [(bad.line, bad.name) for bad in result.bad] == [(1, "Chapter one")]
    assert [question.content.stem for question in result.questions] == ["Good"]


def test_more_options_than_letters_are_refused():
    options = "\n".join(f"{letter}. x" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZA")
    (bad,) = aiken.parse(f"Q\n{options}\nANSWER: A").bad
    assert "expected no more" in bad.reason
