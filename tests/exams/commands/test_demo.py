"""manage.py demo: everything on one screen, and all of it kept the next time."""

import csv
import re
from datetime import timedelta

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.test import override_settings

from exams import attempts, cards
from exams.demo.people import invent
from exams.models import Exam, Student
from tests.exams.commands.run import mode, run, run_failing
from tests.exams.factories import make_attempt, make_student

pytestmark = pytest.mark.django_db


@pytest.fixture
def var(tmp_path, monkeypatch):
    monkeypatch.setenv("TAHAN_UJI_VAR", str(tmp_path))
    monkeypatch.delenv("PORT", raising=False)
    return tmp_path


@pytest.fixture
def card_file(var):
    return var / "demo" / "kartu-ujian.csv"


def card_rows(path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def samples(screen: str) -> list[tuple[str, str]]:
    return re.findall(r"(siswa\d+)  (\w{4}-\w{4})", screen)


def lets_in(username: str, pin: str) -> bool:
    return cards.student_with_card(username=username, pin=pin) is not None


def test_the_first_run_prepares_everything(var, card_file):
    screen = run("demo", "--students", "12", "--port", "8123").out
    exam = Exam.objects.get()
    now = attempts.database_now()
    assert (exam.status, exam.version, exam.duration_minutes, exam.entry_token) == ("published", 1, 90, "DEMO1")
    assert exam.opens_at <= now
    assert timedelta(days=29) < exam.closes_at - now <= timedelta(days=30)
    assert exam.questions.count() == 40
    assert exam.questions.values("type").distinct().count() == 8
    assert Student.objects.count() == 12
    assert [lets_in(row["username"], row["pin"]) for row in card_rows(card_file)] == [True] * 12
    assert len(samples(screen)) == 3
    assert all(lets_in(*sample) for sample in samples(screen))
    password = re.search(r"user guru, password (\S+)", screen)
    assert password is not None
    guru = authenticate(username="guru", password=password[1])
    assert guru is not None
    assert guru.is_superuser


def test_secrets_are_the_owners_alone(var, card_file):
    run("demo", "--students", "3")
    assert mode(var / "demo") == "0o700"
    assert mode(card_file) == mode(var / "demo" / "guru.txt") == "0o600"


def test_everything_fits_on_one_screen(var, monkeypatch):
    monkeypatch.chdir(var)
    screen = run("demo", "--students", "300", "--port", "65535").out
    assert len(screen.splitlines()) <= 24
    assert max(map(len, screen.splitlines())) <= 80
    for wanted in ("http://127.0.0.1:65535/admin/", "/docs", "/healthz", "DEMO1", "demo/kartu-ujian.csv", "Ctrl-C"):
        assert wanted in screen


def test_the_second_run_keeps_it_all(var, card_file):
    first = run("demo", "--students", "5").out
    before = card_file.read_bytes()
    attempt = make_attempt(Exam.objects.get(), Student.objects.first())
    second = run("demo", "--students", "5").out
    assert second == first.replace("            5 new cards were made.\n", "")
    assert card_file.read_bytes() == before
    assert Exam.objects.count() == 1
    assert Student.objects.count() == 5
    attempt.refresh_from_db()
    assert attempt.status == "in_progress"


def test_a_lost_card_file_means_new_cards_and_says_so(var, card_file):
    run("demo", "--students", "5")
    card_file.unlink()
    screen = run("demo", "--students", "5").out
    assert "5 new cards were made; 5 older ones are void." in screen
    assert all(lets_in(*sample) for sample in samples(screen))
    assert len(card_rows(card_file)) == 5


def test_cards_of_another_database_or_key_are_made_anew(var, card_file):
    run("demo", "--students", "5")
    with override_settings(SECRET_KEY="another" * 8):
        screen = run("demo", "--students", "5").out
        assert "5 new cards were made" in screen
        assert all(lets_in(row["username"], row["pin"]) for row in card_rows(card_file))


def test_more_students_get_cards_and_the_others_keep_theirs(var, card_file):
    run("demo", "--students", "5")
    before = card_rows(card_file)
    screen = run("demo", "--students", "8").out
    assert "3 new cards were made.\n" in screen
    assert card_rows(card_file)[:5] == before
    run("demo", "--students", "3")
    assert len(card_rows(card_file)) == 8


def test_a_card_from_the_admin_is_not_taken_away(var):
    run("demo", "--students", "5")
    [card] = cards.issue_cards([Student.objects.get(username="siswa001")])
    screen = run("demo", "--students", "5").out
    assert lets_in(card.username, card.pin)
    assert [name for name, _pin in samples(screen)] == ["siswa002", "siswa003", "siswa004"]


def test_a_password_that_was_changed_by_hand_stays(var):
    run("demo", "--students", "3")
    guru = get_user_model().objects.get(username="guru")
    guru.set_password("rahasia sekali 1")
    guru.save()
    assert "password (changed by hand" in run("demo", "--students", "3").out
    assert authenticate(username="guru", password="rahasia sekali 1") is not None


def test_a_lost_password_file_means_a_new_password(var):
    run("demo", "--students", "3")
    (var / "demo" / "guru.txt").unlink()
    screen = run("demo", "--students", "3").out
    password = re.search(r"password (\S+)", screen)
    assert password is not None
    assert authenticate(username="guru", password=password[1]) is not None


def test_an_exam_whose_time_is_over_opens_again(var):
    run("demo", "--students", "3")
    now = attempts.database_now()
    Exam.objects.update(opens_at=now - timedelta(days=40), closes_at=now - timedelta(days=10), status="closed")
    run("demo", "--students", "3")
    exam = Exam.objects.get()
    assert (exam.status, exam.version) == ("published", 1)
    assert exam.closes_at > now + timedelta(days=29)


def test_a_real_school_is_not_touched(var):
    make_student(username="siswa002", nisn="0012345678")
    told = run_failing("demo", "--students", "3")
    assert "run the demo on a database of its own" in str(told.failure)
    assert Student.objects.count() == 1


def test_the_port_comes_from_the_environment(var, monkeypatch):
    monkeypatch.setenv("PORT", "8765")
    assert "http://127.0.0.1:8765/admin/" in run("demo", "--students", "3").out
    monkeypatch.setenv("PORT", "http")
    assert run_failing("demo", "--students", "3").failure == "PORT is 'http': use a number."


@pytest.mark.parametrize("count", [2, 10_001])
def test_a_sensible_number_of_students(var, count):
    assert "3 to 10,000" in str(run_failing("demo", "--students", count).failure)


def test_invented_students_are_right_and_differ():
    people = [invent(number) for number in range(1, 1_681)]
    for student in people[:300]:
        student.clean_fields(exclude={"id", "created_at"})
    assert len({student.name for student in people}) == len({student.nisn for student in people}) == 1_680
    assert {student.class_name for student in people[:9]} == {f"{grade}{letter}" for grade in "789" for letter in "ABC"}
    assert invent(7).name == people[6].name
