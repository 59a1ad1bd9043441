"""manage.py import_students."""

import csv
import stat

import pytest
from django.db import IntegrityError

from exams import cards, student_import
from exams.models import Student
from tests.exams.commands.run import mode, run, run_failing
from tests.exams.factories import make_student

pytestmark = pytest.mark.django_db

ROSTER = "NISN;Nama;Kelas;No. HP Orang Tua\n0012345678;Budi;7A;0812-3456-7890\n0012345679;Ani;7B;\n"


@pytest.fixture
def roster(tmp_path):
    def write(text: str = ROSTER, encoding: str = "utf-8"):
        path = tmp_path / "siswa.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_students_come_in_whatever_editor_saved_the_file(roster, encoding):
    told = run("import_students", roster(ROSTER.replace("Ani", "Añi"), encoding))
    assert told.out == "2 new, 0 changed, 0 unchanged.\n"
    assert list(Student.objects.order_by("nisn").values_list("name", "class_name", "parent_phone")) == [
        ("Budi", "7A", "6281234567890"),
        ("Añi", "7B", ""),
    ]


def test_windows_line_ends_do_not_change_the_line_numbers(roster):
    told = run_failing("import_students", roster("nisn,nama,kelas\r\n0012345678,Budi,7A\r\nx,Ani,7A\r\n"))
    assert "siswa.csv:3: NISN “x” has not ten digits." in told.err


def test_all_errors_are_named_by_line_and_then_nothing_is_imported(roster):
    make_student(username="milik")
    rows = "x,Budi,7A,\n0012345678,Ani,7A,milik\n0012345679,,7A,\n0012345680,Citra,7A,\n"
    path = roster(f"nisn,nama,kelas,username\n{rows}")
    told = run_failing("import_students", path)
    assert [line.partition(": ")[0] for line in told.err.splitlines()] == [f"{path}:{line}" for line in (2, 3, 4)]
    assert told.failure == "3 row(s) cannot be used, so nothing was imported."
    assert Student.objects.count() == 1


def test_reasons_are_in_one_language(roster):
    told = run_failing("import_students", roster("nisn,nama,kelas\n0012345679,,7A\n"))
    assert "name: This field cannot be blank." in told.err


def test_dry_run_stores_nothing_and_makes_no_cards(roster, tmp_path):
    told = run("import_students", roster(), "--dry-run", "--cards", tmp_path / "kartu.csv")
    assert told.out == "2 new, 0 changed, 0 unchanged: nothing stored.\n"
    assert not Student.objects.exists()
    assert not (tmp_path / "kartu.csv").exists()


def test_cards_go_to_those_in_the_file_who_have_none(roster, tmp_path):
    known = make_student(nisn="0012345678")
    [card] = cards.issue_cards([known])
    make_student(username="tidak-di-berkas")
    out = tmp_path / "kartu.csv"
    told = run("import_students", roster(), "--cards", out)
    assert f"1 exam card(s) written to {out}. The PINs are nowhere else." in told.out
    assert mode(out) == "0o600"
    with out.open(encoding="utf-8-sig", newline="") as file:
        [row] = csv.DictReader(file)
    assert (row["username"], row["name"], row["class"]) == ("0012345679", "Ani", "7B")
    assert cards.student_with_card(username=row["username"], pin=row["pin"]) is not None
    assert cards.student_with_card(username=card.username, pin=card.pin) == known
    assert Student.objects.get(username="tidak-di-berkas").pin_hmac == ""


def test_an_older_card_file_is_never_overwritten(roster, tmp_path):
    out = tmp_path / "kartu.csv"
    out.write_text("PINs")
    told = run_failing("import_students", roster(), "--cards", out)
    assert "It may hold the only copy of PINs" in str(told.failure)
    assert out.read_text() == "PINs"
    assert not Student.objects.exists()


def test_no_card_file_is_left_where_the_import_fails(roster, tmp_path):
    out = tmp_path / "kartu.csv"
    run_failing("import_students", roster("nisn,nama,kelas\nx,Budi,7A\n"), "--cards", out)
    assert not out.exists()


def test_students_without_a_file_to_write_their_cards_to_get_none(roster, tmp_path):
    told = run_failing("import_students", roster(), "--cards", tmp_path / "tidak" / "ada.csv")
    assert "No such file or directory" in str(told.failure)
    assert not Student.objects.exists()


def test_a_changed_user_name_is_told_and_gets_a_new_card(roster, tmp_path):
    student = make_student(nisn="0012345678", username="budi")
    cards.issue_cards([student])
    path = roster("nisn,nama,kelas,username\n0012345678,Budi,7A,budi.s\n")
    told = run("import_students", path, "--cards", tmp_path / "kartu.csv").out
    assert "0 new, 1 changed, 0 unchanged." in told
    assert "The user name of 1 student(s) changes, so their exam cards become void: 0012345678" in told
    assert "1 exam card(s) written" in told


def test_columns_that_are_not_used_are_named(roster):
    assert "not used: Alamat" in run("import_students", roster("nisn,nama,kelas,Alamat\n1234567890,B,7A,x\n")).err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nisn,nama,kelas\n", "there is no student in it"),
        ("a,b\n", "missing: nisn"),
        ("PK\x03\x04\x00", "not a text file"),
    ],
)
def test_a_file_that_is_no_list_of_students(roster, text, said):
    assert said in str(run_failing("import_students", roster(text)).failure)


def test_a_file_that_is_not_there(tmp_path):
    assert "No such file" in str(run_failing("import_students", tmp_path / "x.csv").failure)


def test_somebody_who_takes_a_user_name_meanwhile_is_an_error_and_no_traceback(roster, monkeypatch):
    def collide(_planned):
        raise IntegrityError

    monkeypatch.setattr(student_import, "store", collide)
    assert "at the same moment" in str(run_failing("import_students", roster()).failure)


def test_the_card_file_is_the_owners_alone_whatever_the_umask(roster, tmp_path):
    out = tmp_path / "kartu.csv"
    run("import_students", roster(), "--cards", out)
    assert stat.S_IMODE(out.stat().st_mode) & 0o077 == 0
