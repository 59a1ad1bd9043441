"""manage.py exam_cards."""

import csv
import re
import sys

import pytest

from exams import cards
from exams.models import Student
from tests.exams.commands.run import mode, run, run_failing
from tests.exams.factories import make_student

pytestmark = pytest.mark.django_db


def read(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def out(tmp_path):
    return tmp_path / "kartu.csv"


def test_cards_of_a_class_are_written_for_the_owner_alone(out):
    wanted = [make_student(class_name="7A", name=name) for name in ("Ani", "Budi")]
    make_student(class_name="7B")
    told = run("exam_cards", "--class", "7A", "--out", out).out
    assert told == f"2 exam card(s) written to {out}. The PINs are nowhere else.\n"
    assert mode(out) == "0o600"
    rows = read(out)
    assert [row["name"] for row in rows] == ["Ani", "Budi"]
    assert [cards.student_with_card(username=row["username"], pin=row["pin"]) for row in rows] == wanted
    assert Student.objects.exclude(pin_hmac="").count() == 2


def test_several_classes_and_single_students_together(out):
    for class_name in ("7A", "7B", "8A"):
        make_student(class_name=class_name, username=f"murid{class_name.lower()}")
    run("exam_cards", "--class", "7A", "7B", "--username", "MURID8A", "--out", out)
    assert [row["username"] for row in read(out)] == ["murid7a", "murid7b", "murid8a"]


def test_who_may_not_log_in_gets_no_card(out):
    make_student(username="aktif")
    make_student(is_active=False)
    run("exam_cards", "--all", "--out", out)
    assert [row["username"] for row in read(out)] == ["aktif"]


def test_old_cards_become_void_only_with_a_yes(out):
    student = make_student()
    make_student()
    [old] = cards.issue_cards([student])
    told = run_failing("exam_cards", "--all", "--out", out)
    assert told.failure == "1 of 2 student(s) have a card, which becomes void. Say --yes if that is meant."
    assert cards.student_with_card(username=old.username, pin=old.pin) == student
    assert not out.exists()
    run("exam_cards", "--all", "--out", out, "--yes")
    assert cards.student_with_card(username=old.username, pin=old.pin) is None


@pytest.mark.parametrize(("typed", "goes_on"), [("y", True), ("Ya", True), ("", False), ("n", False)])
def test_at_a_terminal_it_asks(out, monkeypatch, typed, goes_on):
    cards.issue_cards([make_student()])
    asked = []
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)

    def answer(question: str) -> str:
        asked.append(question)
        return typed

    monkeypatch.setattr("builtins.input", answer)
    if goes_on:
        run("exam_cards", "--all", "--out", out)
    else:
        assert run_failing("exam_cards", "--all", "--out", out).failure == "Nothing was changed."
    assert asked == ["1 of 1 student(s) have a card, which becomes void. Go on? [y/N] "]
    assert out.exists() == goes_on


def test_html_is_one_page_that_needs_nothing_else_and_escapes_names(tmp_path):
    out = tmp_path / "kartu.html"
    student = make_student(name="<script>alert(1)</script>", class_name="7&A")
    run("exam_cards", "--all", "--html", "--out", out)
    page = out.read_text(encoding="utf-8")
    assert mode(out) == "0o600"
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "7&amp;A" in page
    assert "@page { size: A4" in page
    assert not re.search(r"<script|<link|src=|href=|url\(", page)
    [pin] = re.findall(r"<dd>(\w{4}-\w{4})</dd>", page)
    assert cards.student_with_card(username=student.username, pin=pin) == student


def test_names_are_no_formulas_of_a_spreadsheet(out):
    make_student(name="=HYPERLINK(1)", class_name="@7A")
    run("exam_cards", "--all", "--out", out)
    assert [(row["name"], row["class"]) for row in read(out)] == [("'=HYPERLINK(1)", "'@7A")]


def test_a_file_that_exists_is_kept_and_so_are_the_cards(out):
    [card] = cards.issue_cards([make_student()])
    out.write_text("PINs")
    told = run_failing("exam_cards", "--all", "--yes", "--out", out)
    assert "name another with --out" in str(told.failure)
    assert out.read_text() == "PINs"
    assert cards.student_with_card(username=card.username, pin=card.pin) is not None


def test_cards_that_cannot_be_written_are_not_issued(out, monkeypatch):
    [card] = cards.issue_cards([make_student()])

    def full(_file, _cards):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("exams.management.commands.exam_cards.write_csv", full)
    told = run_failing("exam_cards", "--all", "--yes", "--out", out)
    assert "No space left on device" in str(told.failure)
    assert not out.exists()
    assert cards.student_with_card(username=card.username, pin=card.pin) is not None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Whose cards? Give --class, --username or --all."),
        (["--class", "7A", "9Z"], "No student who may log in has this class: 9Z."),
        (["--username", "siapa"], "No student who may log in has this user name: siapa."),
    ],
)
def test_nobody_is_meant(out, arguments, said):
    make_student(class_name="7A")
    assert run_failing("exam_cards", *arguments, "--out", out).failure == said


def test_an_empty_database(out):
    assert "import_students" in str(run_failing("exam_cards", "--all", "--out", out).failure)
