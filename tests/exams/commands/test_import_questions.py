"""manage.py import_questions."""

import pytest

from tests.exams.commands.run import run, run_failing
from tests.exams.factories import make_exam

pytestmark = pytest.mark.django_db

GIFT = "// Bank\n::Satu::2 + 2 {=4 ~5}\n\n::Dua::Air basah. {T}\n\n::Tiga::Ceritakan. {}\n"
BAD_GIFT = "::Baik::2 + 2 {=4 ~5}\n\n::Rusak::3 + 3 {~7 ~8}\n"
AIKEN = "Ibu kota?\nA. Jakarta\nB. Medan\nANSWER: A\n"


@pytest.fixture
def exam():
    return make_exam(questions=["essay"])


@pytest.fixture
def bank(tmp_path):
    def write(text: str, name: str = "bank.gift"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_questions_are_appended_in_order_and_counted_by_type(exam, bank):
    told = run("import_questions", bank(GIFT), bank(AIKEN, "b.txt"), "--exam", exam.pk).out
    assert list(exam.questions.order_by("position").values_list("type", flat=True)) == [
        "essay", "multiple_choice", "true_false", "essay", "multiple_choice",
    ]  # fmt: skip
    assert "     2 multiple choice\n" in told
    assert f"     4 question(s) imported into exam {exam.pk} ({exam.title}).\n" in told


def test_a_bad_question_is_named_and_then_nothing_is_imported(exam, bank):
    bad = bank(BAD_GIFT, "rusak.gift")
    told = run_failing("import_questions", bank(GIFT), bad, "--exam", exam.pk)
    assert f"{bad}:3: " in told.err
    assert "(Rusak)" in told.err
    assert told.failure is not None
    assert "nothing was imported" in told.failure
    assert exam.questions.count() == 1


def test_skip_bad_imports_the_rest_and_lists_what_was_left_out(exam, bank):
    bad = bank(BAD_GIFT)
    told = run("import_questions", bad, "--exam", exam.pk, "--skip-bad")
    assert f"{bad}:3: " in told.err
    assert "1 question(s) imported" in told.out
    assert ", 1 left out." in told.out
    assert exam.questions.filter(name="Baik").exists()
    assert not exam.questions.filter(name="Rusak").exists()


def test_dry_run_reports_and_stores_nothing(exam, bank):
    told = run("import_questions", bank(GIFT), "--exam", exam.pk, "--dry-run")
    assert "3 question(s) would be imported" in told.out
    assert exam.questions.count() == 1


def test_an_unknown_exam_is_named_with_those_that_exist(exam, bank):
    told = run_failing("import_questions", bank(GIFT), "--exam", exam.pk + 1)
    assert told.failure == f"There is no exam {exam.pk + 1}. The newest ones are: {exam.pk} ({exam.title})."


def test_no_exam_at_all(bank):
    assert "Make one in the admin first." in str(run_failing("import_questions", bank(GIFT), "--exam", 1).failure)


@pytest.mark.parametrize(
    ("text", "fmt", "said"),
    [
        ("Hanya teks biasa.\n", "auto", "neither GIFT"),
        ("", "gift", "There is no question to import."),
        ("PK\x03\x04\x00\x00", "auto", "not a text file"),
    ],
)
def test_a_file_that_is_no_bank(exam, bank, text, fmt, said):
    told = run_failing("import_questions", bank(text), "--exam", exam.pk, "--format", fmt)
    assert said in str(told.failure)


def test_a_file_that_is_not_there(exam, tmp_path):
    told = run_failing("import_questions", tmp_path / "nichts.gift", "--exam", exam.pk)
    assert "nichts.gift: No such file" in str(told.failure)


def test_a_published_exam_needs_to_be_published_again_and_is_told_so(bank):
    exam = make_exam(published=True)
    told = run("import_questions", bank(GIFT), "--exam", exam.pk)
    assert f"manage.py publish_exam {exam.pk}" in told.out
    assert len(exam.papers.get().content["questions"]) == 1
    told = run("publish_exam", exam.pk)
    assert f"Exam {exam.pk} is published: version 2 with 4 question(s)." in told.out


@pytest.mark.parametrize(
    ("pattern", "count"), [("xcopa-id/*.gift", 600), ("xcopa-id/*.aiken.txt", 600), ("tsugi/*.txt", 253)]
)
def test_real_banks_are_imported_whole(exam, banks, pattern, count):
    run("import_questions", *sorted(banks.glob(pattern)), "--exam", exam.pk)
    assert exam.questions.count() == count + 1
    assert run("publish_exam", exam.pk).out.endswith(f"with {count + 1} question(s).\n")
