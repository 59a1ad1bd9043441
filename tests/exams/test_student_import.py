"""Students from CSV: what is read, what is refused and why, what is stored."""

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from exams import cards
from exams.importers.base import ImportFormatError
from exams.models import Student
from exams.student_import import Plan, plan, read_roster, store
from tests.exams.factories import make_student

GOOD = "nisn,nama,kelas\n0012345678,Budi Santoso,7A\n"


def import_text(text: str) -> Plan:
    roster = read_roster(text)
    assert roster.bad == []
    with transaction.atomic():
        planned = plan(roster.rows)
        if not planned.bad:
            store(planned)
    return planned


def reasons(text: str) -> dict[int, str]:
    """Line -> reason of the rows that cannot be used."""
    return {row.line: row.reason for row in read_roster(text).bad}


# -- reading -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_every_delimiter_that_spreadsheets_write(delimiter):
    [row] = read_roster(GOOD.replace(",", delimiter)).rows
    assert (row.line, row.nisn, row.name, row.class_name, row.username) == (2, "0012345678", "Budi Santoso", "7A", None)


@pytest.mark.parametrize(
    "header",
    [
        "NISN,Nama,Kelas",
        "Kelas;No. NISN;Nama Lengkap",
        "nisn,name,class",
        "\ufeffNomor NISN,NAMA SISWA,Rombel Saat Ini",
        "sep=;\nnisn;nama_peserta_didik;rombongan belajar",
    ],
)
def test_header_names_that_schools_use(header):
    delimiter = ";" if ";" in header else ","
    names = header.split("\n")[-1].lower().lstrip("\ufeff").split(delimiter)
    cells = ["0012345678" if "nisn" in name else "Budi" if "na" in name else "7A" for name in names]
    [row] = read_roster(f"{header}\n{delimiter.join(cells)}\n").rows
    assert (row.nisn, row.name, row.class_name) == ("0012345678", "Budi", "7A")


def test_semicolons_in_names_do_not_decide_the_delimiter():
    [row] = read_roster('nisn,nama,kelas\n0012345678,"Budi; Andi; Citra; Dewi",7A\n').rows
    assert row.name == "Budi; Andi; Citra; Dewi"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "missing: nisn, nama (name), kelas (class)"),
        ("nisn,nama\n0012345678,Budi\n", "missing: kelas (class)"),
        ("nisn,nama,kelas,class\n", "“kelas” and “class” mean the same"),
        ("0012345678,Budi,7A\n", "must name the columns"),
        ('nisn,nama,kelas\n0012345678,"' + "x" * 140_000, "Line 2: this is not CSV"),
    ],
)
def test_what_is_no_list_of_students(text, said):
    with pytest.raises(ImportFormatError, match=said.replace("(", r"\(").replace(")", r"\)")):
        read_roster(text)


def test_every_bad_row_is_named_with_its_line():
    text = "\n".join([
        "nisn;nama;kelas;username;no_hp_orang_tua",
        "0012345678;Budi;7A;;",
        "12345678;Ani;7A;;",
        "12345678901;Ani;7A;;",
        "1,23457E+09;Ani;7A;;",
        ";Ani;7A;;",
        "",
        "0012345679;;7A;;",
        "0012345680;Ani;7A;ani wati;",
        "0012345681;Ani;7A;;12",
        "0012345678;Budi lagi;7A;;",
        "0012345682;Ani;7A;;;;lebih",
        "0012345683;" + "a" * 201 + ";7A;;",
        "0012345684;Ani\0;7A;;",
    ])  # fmt: skip
    found = reasons(text)
    assert list(found) == [3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14]
    assert found[3] == "NISN “12345678” has not ten digits. Spreadsheets drop leading zeros: format the column as text."
    assert found[4] == "NISN “12345678901” has not ten digits."
    assert found[8].startswith("name: ")
    assert found[9].startswith("username: ")
    assert found[10].startswith("parent_phone: '12' ")
    assert found[11] == "NISN 0012345678 is in line 2 already."
    assert found[12] == "It has 7 cells where the first line has 5."
    assert "200" in found[13]
    assert found[14] == "A cell contains a NUL character."


def test_a_quoted_cell_over_two_lines_keeps_the_lines_right():
    text = 'nisn,nama,kelas\n0012345678,"Budi\nSantoso",7A\nx,Ani,7A\n'
    assert read_roster(text).rows[0].name == "Budi Santoso"
    assert list(reasons(text)) == [4]


def test_a_short_row_lacks_its_last_cells_only():
    [row] = read_roster("nisn,nama,kelas,username\n0012345678,Budi\n").rows
    assert (row.class_name, row.username) == ("", None)


def test_values_are_trimmed_and_normalised():
    [row] = read_roster("nisn,nama,kelas,username,hp\n'0012345678,  Budi   S ,7A, BUDI.S ,0812-3456-7890\n").rows
    assert (row.nisn, row.name, row.username, row.parent_phone) == ("0012345678", "Budi S", "budi.s", "6281234567890")


def test_columns_that_nobody_asked_for_are_named():
    roster = read_roster("no,nisn,nama,kelas,alamat,\n1,0012345678,Budi,7A,Jl. Melati,\n")
    assert roster.ignored_columns == ["no", "alamat"]
    assert len(roster.rows) == 1


# -- storing -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_new_students_log_in_with_their_nisn_unless_the_file_says_otherwise():
    import_text("nisn,nama,kelas,username\n0012345678,Budi,7A,\n0012345679,Ani,7A,ani\n")
    assert dict(Student.objects.values_list("nisn", "username")) == {"0012345678": "0012345678", "0012345679": "ani"}
    assert all(Student.objects.values_list("is_active", flat=True))


@pytest.mark.django_db
def test_known_students_are_brought_up_to_date_and_keep_the_rest():
    student = make_student(
        nisn="0012345678", username="budi", name="Budi", parent_phone="6281234567890", is_active=False
    )
    [card] = cards.issue_cards([student])
    planned = import_text("nisn,nama,kelas\n0012345678,Budi Santoso,8B\n")
    assert (len(planned.new), len(planned.changed), planned.void) == (0, 1, [])
    student.refresh_from_db()
    assert (student.name, student.class_name, student.username) == ("Budi Santoso", "8B", "budi")
    assert (student.parent_phone, student.is_active) == ("6281234567890", False)
    Student.objects.update(is_active=True)
    assert cards.student_with_card(username=card.username, pin=card.pin) == student


@pytest.mark.django_db
def test_an_empty_phone_cell_takes_the_number_away_and_an_empty_user_name_does_not():
    student = make_student(nisn="0012345678", username="budi", parent_phone="6281234567890")
    import_text("nisn,nama,kelas,username,hp\n0012345678,Budi,7A,,\n")
    student.refresh_from_db()
    assert (student.username, student.parent_phone) == ("budi", "")


@pytest.mark.django_db
def test_importing_twice_changes_nothing_and_deletes_nobody():
    other = make_student()
    import_text(GOOD)
    planned = import_text(GOOD)
    assert (planned.new, planned.changed, len(planned.unchanged)) == ([], [], 1)
    assert Student.objects.filter(pk=other.pk).exists()


@pytest.mark.django_db
def test_a_new_user_name_voids_the_card_and_the_plan_says_whose():
    student = make_student(nisn="0012345678", username="budi")
    cards.issue_cards([student])
    assert import_text("nisn,nama,kelas,username\n0012345678,Budi,7A,budi.s\n").void == ["0012345678"]
    student.refresh_from_db()
    assert (student.username, student.pin_hmac) == ("budi.s", "")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("0012345678,Budi,7A,sama\n0012345679,Ani,7A,Sama\n", "User name “sama” is in line 2 already."),
        ("0012345678,Budi,7A,0012345679\n0012345679,Ani,7A,\n", "User name “0012345679” is in line 2 already."),
        ("0012345678,Budi,7A,milik\n", "User name “milik” belongs to the student with NISN 0099999999."),
        (
            "0012345678,Budi,7A,milik\n0099999999,Punya,7A,lain\n",
            "User name “milik” belongs to the student with NISN 0099999999.",
        ),
    ],
)
def test_user_names_that_collide_are_named_and_nothing_is_stored(rows, said):
    make_student(nisn="0099999999", username="milik")
    planned = import_text(f"nisn,nama,kelas,username\n{rows}")
    assert [row.reason for row in planned.bad] == [said]
    assert Student.objects.count() == 1


@pytest.mark.django_db
def test_a_school_takes_one_statement_for_500_students():
    text = "nisn,nama,kelas\n" + "".join(f"{number:010d},Siswa {number},7A\n" for number in range(1, 1_201))
    with CaptureQueriesContext(connection) as queries:
        planned = import_text(text)
    assert len(planned.new) == Student.objects.count() == 1_200
    inserts = [query for query in queries if "INSERT" in query["sql"]]
    assert len(inserts) == 3
    assert all("ON CONFLICT" in query["sql"] for query in inserts)
    assert len([query for query in queries if "students" in query["sql"]]) <= 7
