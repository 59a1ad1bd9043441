"""The students' pages from the list to the receipt: who sees what, and where everyone is sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import caches
from django.test import Client

from exams import attempts
from exams.content import QuestionType
from exams.models import Attempt, Exam
from tests.exams.factories import make_answer, make_attempt, make_exam, make_student
from tests.exams.pages import PageText
from tests.exams.student_browser import logged_in, post_json

pytestmark = pytest.mark.django_db

ENGLISH = {"Accept-Language": "en"}
SUBMITTED, EXPIRED, LOCKED = Attempt.Status.SUBMITTED, Attempt.Status.EXPIRED, Attempt.Status.LOCKED


@pytest.fixture(autouse=True)
def _nothing_counted() -> Iterator[None]:
    caches["ratelimit"].clear()
    yield
    caches["ratelimit"].clear()


@pytest.fixture
def student() -> Any:
    return make_student(name="Siti <b>", class_name="9C")


@pytest.fixture
def client(student: Any) -> Client:
    """Logged in, in English: the source's sentences are easier to find."""
    client = logged_in(student)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


def shown(response: Any, status: int = 200) -> PageText:
    """The page, which has this status and nothing that no page may have."""
    assert response.status_code == status, response.content
    page = PageText(response)
    assert page.problems() == []
    return page


def sent_to(response: Any) -> str:
    assert response.status_code in (302, 303), response.status_code
    return str(response["Location"])


def far_past(hours: int = 3) -> datetime:
    return attempts.database_now() - timedelta(hours=hours)


def opens_in(**delta: int) -> dict[str, Any]:
    opens_at = attempts.database_now() + timedelta(**delta)
    return {"opens_at": opens_at, "closes_at": opens_at + timedelta(hours=3)}


# -- the doors ---------------------------------------------------------------------------------------------------


def test_the_front_door_sends_everyone_where_he_belongs(client: Client) -> None:
    assert sent_to(Client().get("/")) == "/masuk"
    assert sent_to(client.get("/")) == "/ujian"
    staff = Client()
    staff.force_login(User.objects.create_user("guru", is_staff=True))
    assert sent_to(staff.get("/")) == "/admin/"
    nobody = Client()
    nobody.force_login(User.objects.create_user("tamu"))
    assert sent_to(nobody.get("/")) == "/masuk"


@pytest.mark.parametrize("path", ["/ujian", "/ujian/5", "/ujian/5/hasil", "/siswa/ujian/5"])
def test_without_a_session_the_card_is_asked_for_and_the_way_kept(path: str) -> None:
    assert sent_to(Client().get(path)) == f"/masuk?next={path}"
    if path == "/ujian/5":
        assert sent_to(Client().post(path)) == f"/masuk?next={path}"


@pytest.mark.parametrize(
    "path", ["/", "/masuk", "/ujian", "/ujian/{}", "/ujian/{}/hasil", "/siswa/ujian/{}", "/keluar"]
)
@pytest.mark.parametrize("is_in", [True, False])
def test_nothing_is_kept_by_a_cache_or_framed(student: Any, path: str, is_in: bool) -> None:
    exam = make_exam(published=True)
    client = logged_in(student) if is_in else Client()
    for status in (None, Attempt.Status.IN_PROGRESS, SUBMITTED):
        Attempt.objects.all().delete()
        if status:
            make_attempt(exam, student, status=status)
        address = path.format(exam.pk)
        response = client.post(address) if path == "/keluar" else client.get(address)
        assert "no-store" in response["Cache-Control"]
        assert response["X-Frame-Options"] == "DENY"
        assert "unsafe" not in response["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/ujian/{}", "/ujian/{}/hasil", "/siswa/ujian/{}"])
def test_a_draft_or_no_exam_is_not_found(client: Client, path: str) -> None:
    draft = make_exam()
    for exam_id in (draft.pk, draft.pk + 1000, 2**70):
        assert client.get(path.format(exam_id)).status_code == 404
    if path == "/ujian/{}":
        assert client.post(path.format(draft.pk)).status_code == 404


def test_each_page_says_whose_it_is(client: Client, student: Any) -> None:
    exam = make_exam(published=True)
    other = make_exam(published=True)
    make_attempt(other, student, status=SUBMITTED)
    for path in ("/ujian", f"/ujian/{exam.pk}", f"/ujian/{other.pk}/hasil"):
        page = shown(client.get(path))
        assert page.all("body")[0]["data-student"] == str(student.pk)
        assert "Siti &lt;b&gt;, 9C" in page.html
        assert any("/exams/site.js" in str(script.get("src")) for script in page.all("script"))
    assert shown(Client().get("/masuk")).all("body")[0]["data-student"] == ""


# -- my exams ----------------------------------------------------------------------------------------------------


def sections(page: PageText) -> dict[str, str]:
    """What stands below each heading of the list."""
    parts = re.split(r'<h2 id="(\w+)">', page.html)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_list_has_what_is_open_upcoming_and_done(client: Client, student: Any) -> None:
    fresh = make_exam(published=True, title="Segar")
    running = make_attempt(make_exam(published=True, title="Berjalan"), student).exam
    locked = make_attempt(make_exam(published=True, title="Terkunci"), student, status=LOCKED).exam
    later = make_exam(published=True, title="Nanti", **opens_in(hours=2))
    done = make_attempt(make_exam(published=True, title="Selesai"), student, status=SUBMITTED).exam
    missed = make_exam(published=True, title="Terlewat", opens_at=far_past(9), closes_at=far_past(5))
    make_exam(title="Rancangan")
    make_attempt(make_exam(published=True, title="Orang lain"), status=SUBMITTED)

    page = shown(client.get("/ujian"))
    parts = sections(page)
    assert {name for name in ("Segar", "Berjalan", "Terkunci", "Orang lain") if name in parts["open"]} == {
        "Segar",
        "Berjalan",
        "Terkunci",
        "Orang lain",
    }, "what another student has handed in is still open to me"
    assert parts["open"].count("Go to the start") == 2
    assert parts["open"].count("Continue") == 1
    assert parts["open"].count("A teacher has locked") == 1
    assert "Nanti" in parts["upcoming"]
    assert ("Selesai" in parts["done"], "Terlewat" in parts["done"]) == (True, True)
    assert "You did not take part." in parts["done"]
    assert "Rancangan" not in page.html
    assert {f"/ujian/{exam.pk}" for exam in (fresh, running, later)} | {f"/ujian/{done.pk}/hasil"} <= page.links
    assert {f"/ujian/{locked.pk}", f"/ujian/{missed.pk}/hasil"} & page.links == set()


def test_an_empty_list_says_so(client: Client) -> None:
    page = shown(client.get("/ujian"))
    assert "No exam is open for you now." in page.html
    assert list(sections(page)) == ["open"]
    assert "countdown.js" not in page.html


def test_an_upcoming_exam_counts_down_by_the_servers_clock_and_shows_the_schools_time(
    client: Client, settings: Any
) -> None:
    opens_at = attempts.database_now() + timedelta(hours=2)
    make_exam(published=True, **opens_in(hours=2))
    for zone, name, hours in (("Asia/Jakarta", "WIB", 7), ("Asia/Jayapura", "WIT", 9)):
        settings.TIME_ZONE = zone
        page = shown(client.get("/ujian"))
        [line] = [a for _tag, a in page.elements if "data-opens-at" in a]
        assert abs(int(line["data-server-now"] or "") / 1000 - attempts.database_now().timestamp()) < 5
        assert abs(datetime.fromisoformat(line["data-opens-at"] or "") - opens_at) < timedelta(seconds=5)
        assert "{time}" in (line["data-text"] or "")
        local = datetime.fromtimestamp(opens_at.timestamp() + hours * 3600, tz=opens_at.tzinfo)
        assert f"{local.hour:02}:{local.minute:02} {name}" in page.html
        assert "/exams/countdown.js" in page.html


@pytest.mark.parametrize(
    ("shows", "ungraded", "is_shown"), [(True, 0, True), (True, 1, False), (False, 0, False), (False, 1, False)]
)
def test_a_score_is_shown_once_it_is_final_and_where_the_exam_shows_it(
    client: Client, student: Any, shows: bool, ungraded: int, is_shown: bool
) -> None:
    exam = make_exam(published=True, show_result=shows)
    make_attempt(exam, student, status=SUBMITTED, score="7.50", max_score="10", ungraded_essays=ungraded)
    assert ("7.5" in shown(client.get("/ujian")).html) is is_shown
    page = shown(client.get(f"/ujian/{exam.pk}/hasil"))
    assert page.text("score") == ("7.50 of 10" if is_shown else "")
    assert ("Still being graded" in page.html) is (shows and not is_shown)
    client.cookies["django_language"] = "id"
    assert ("7,5" in shown(client.get("/ujian")).html) is is_shown, "a comma in Indonesian"


def test_the_list_takes_few_statements(client: Client, student: Any, django_assert_max_num_queries: Any) -> None:
    for _ in range(3):
        make_attempt(make_exam(published=True), student)
        make_attempt(make_exam(published=True, show_result=True), student, status=SUBMITTED)
        make_exam(published=True, **opens_in(hours=1))
    with django_assert_max_num_queries(5):
        shown(client.get("/ujian"))


def test_a_page_that_lists_an_attempt_whose_time_is_over_closes_it(client: Client, student: Any) -> None:
    attempt = make_attempt(None, student, started_at=far_past(), deadline_at=far_past(1))
    assert f"/ujian/{attempt.exam_id}/hasil" in shown(client.get("/ujian")).links
    attempt.refresh_from_db()
    assert attempt.status == EXPIRED


# -- the rules and the start -------------------------------------------------------------------------------------


def test_the_rules_are_told_before_the_start(client: Client) -> None:
    kinds = [QuestionType.MULTIPLE_CHOICE, QuestionType.ESSAY, QuestionType.DESCRIPTION]
    exam = make_exam(published=True, questions=kinds, duration_minutes=45, title="<i>Ujian</i>")
    page = shown(client.get(f"/ujian/{exam.pk}"))
    for words in (
        "2 questions",
        "45 minutes",
        "closes for everybody",
        "handed in by themselves",
        "kept on this device",
    ):
        assert words in page.html
    assert "&lt;i&gt;Ujian&lt;/i&gt;" in page.html
    assert page.by_id("entry_token") is None
    assert page.by_id("start") is not None


def test_starting_leads_to_the_exam_and_twice_to_the_same(client: Client, student: Any) -> None:
    exam = make_exam(published=True)
    for _ in range(2):
        response = client.post(f"/ujian/{exam.pk}")
        assert (response.status_code, response["Location"]) == (303, f"/siswa/ujian/{exam.pk}")
    attempt = Attempt.objects.get()
    assert (attempt.student, attempt.status) == (student, Attempt.Status.IN_PROGRESS)
    page = shown(client.get(f"/ujian/{exam.pk}"))
    assert f"/siswa/ujian/{exam.pk}" in page.links
    assert not [form for form in page.all("form") if form.get("action") == f"/ujian/{exam.pk}"]


def test_a_wrong_entry_token_is_said_at_its_field(client: Client) -> None:
    exam = make_exam(published=True, entry_token="MERAH7")
    assert (shown(client.get(f"/ujian/{exam.pk}")).by_id("entry_token") or {})["autocomplete"] == "off"
    for token in ("BIRU", "", "\0", "é" * 1000):
        page = shown(client.post(f"/ujian/{exam.pk}", {"entry_token": token}), 403)
        field = page.by_id("entry_token") or {}
        assert "The entry token is wrong" in page.text("entry_token-error")
        assert "entry_token-error" in str(field["aria-describedby"]).split()
        assert field["aria-invalid"] == "true"
        assert "autofocus" in field
    assert not Attempt.objects.exists()
    assert sent_to(client.post(f"/ujian/{exam.pk}", {"entry_token": " merah7 "})) == f"/siswa/ujian/{exam.pk}"


def test_guesses_of_the_token_are_limited_together_with_the_api(client: Client, settings: Any) -> None:
    settings.RATE_LIMITS = {"general": "2/1d"}
    exam = make_exam(published=True, entry_token="MERAH7")
    assert client.post(f"/ujian/{exam.pk}", {"entry_token": "BIRU"}).status_code == 403
    assert post_json(client, f"/api/siswa/ujian/{exam.pk}/start", {"entryToken": "BIRU"}).status_code == 403
    refused = client.post(f"/ujian/{exam.pk}", {"entry_token": "MERAH7"})
    page = shown(refused, 429)
    assert int(refused["Retry-After"]) >= 1
    assert "Too many requests. Wait" in page.text("problem")
    assert not Attempt.objects.exists()
    assert client.get(f"/ujian/{exam.pk}").status_code == 200, "looking is not guessing"


def test_too_early_and_too_late_are_told_on_the_page(client: Client) -> None:
    early = make_exam(published=True, **opens_in(hours=1))
    page = shown(client.get(f"/ujian/{early.pk}"))
    assert page.by_id("start") is None
    assert "data-opens-at" in page.html
    page = shown(client.post(f"/ujian/{early.pk}"), 409)
    assert page.text("problem") == "The exam has not opened yet."

    over = make_exam(published=True, opens_at=far_past(9), closes_at=far_past(5))
    closed = make_exam(published=True)
    Exam.objects.filter(pk=closed.pk).update(status=Exam.Status.CLOSED)
    for exam in (over, closed):
        page = shown(client.get(f"/ujian/{exam.pk}"))
        assert page.by_id("start") is None
        assert "The exam is closed." in page.html
        page = shown(client.post(f"/ujian/{exam.pk}"), 409)
        assert page.text("problem") == "The exam is closed."
        assert page.html.count("The exam is closed.") == 1
    assert not Attempt.objects.exists()


def test_extra_time_is_told(client: Client, student: Any) -> None:
    attempt = make_attempt(None, student, extra_minutes=15)
    assert "(and 15 more for you)" in shown(client.get(f"/ujian/{attempt.exam_id}")).html


def test_a_locked_student_is_told_to_ask(client: Client, student: Any) -> None:
    attempt = make_attempt(None, student, status=LOCKED)
    info = f"/ujian/{attempt.exam_id}"
    page = shown(client.get(info))
    assert "A teacher has locked your exam." in page.html
    assert page.by_id("start") is None
    assert sent_to(client.get(f"/siswa{info}")) == info
    assert sent_to(client.get(f"{info}/hasil")) == info
    assert sent_to(client.post(info)) == f"/siswa{info}"


# -- where an attempt's state sends its student ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "info", "exam", "result"),
    [
        (None, "shown", "info", "info"),
        (Attempt.Status.IN_PROGRESS, "shown", "shown", "exam"),
        (SUBMITTED, "result", "result", "shown"),
        (EXPIRED, "result", "result", "shown"),
    ],
)
def test_each_state_has_its_page(
    client: Client, student: Any, status: Attempt.Status | None, info: str, exam: str, result: str
) -> None:
    exam_id = make_exam(published=True).pk
    if status is not None:
        make_attempt(Exam.objects.get(pk=exam_id), student, status=status)
    addresses = {"info": f"/ujian/{exam_id}", "exam": f"/siswa/ujian/{exam_id}", "result": f"/ujian/{exam_id}/hasil"}
    for page, target in (("info", info), ("exam", exam), ("result", result)):
        response = client.get(addresses[page])
        if target == "shown":
            assert response.status_code == 200
        else:
            assert sent_to(response) == addresses[target]


def test_a_student_sees_nothing_of_anothers_attempt(client: Client) -> None:
    other = make_attempt(None, make_student(name="Joko"), status=SUBMITTED, receipt="XXXXX-YYYYY")
    running = make_attempt(None, make_student(name="Joko"))
    for attempt in (other, running):
        assert sent_to(client.get(f"/ujian/{attempt.exam_id}/hasil")) == f"/ujian/{attempt.exam_id}"
        assert sent_to(client.get(f"/siswa/ujian/{attempt.exam_id}")) == f"/ujian/{attempt.exam_id}"
        page = shown(client.get(f"/ujian/{attempt.exam_id}"))
        assert "Start the exam" in page.html
        assert not [words for words in ("Joko", "XXXXX", "YYYYY") if words in page.html]


# -- the receipt -------------------------------------------------------------------------------------------------


def test_the_receipt_says_what_was_handed_in(client: Client, student: Any, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Makassar"
    exam = make_exam(published=True, questions=["multiple_choice", "short_answer", "essay", "description"])
    submitted_at = datetime.fromisoformat("2026-06-01T02:03:04+00:00")
    times = {"started_at": submitted_at - timedelta(hours=1), "submitted_at": submitted_at}
    attempt = make_attempt(exam, student, status=SUBMITTED, **times)
    choice, short, _essay, _text = exam.questions.order_by("position")
    make_answer(attempt, choice)
    make_answer(attempt, short, value=None)
    page = shown(client.get(f"/ujian/{exam.pk}/hasil"))
    assert page.text("receipt") == "ABCDE-FGHJK"
    assert page.text("submitted") == "1 June 2026, 10:03 WITA"
    assert page.text("answered") == "1 of 3 questions"
    assert "Your exam is handed in." in page.html
    assert page.by_id("missing") is None
    assert "hidden" in (page.by_id("undelivered") or {})


def test_what_is_missing_is_said_plainly_with_what_to_do(client: Client, student: Any) -> None:
    one = make_attempt(None, student, status=SUBMITTED, missing_answers=1)
    many = make_attempt(None, student, status=EXPIRED, missing_answers=3)
    assert "1 answer of yours did not reach" in shown(client.get(f"/ujian/{one.exam_id}/hasil")).text("missing")
    page = shown(client.get(f"/ujian/{many.exam_id}/hasil"))
    assert "3 answers of yours did not reach" in page.text("missing")
    assert "Show this page to the supervisor" in page.text("missing")
    assert "The time ran out." in page.html
    assert "Your exam is handed in." not in page.html
    assert shown(client.get("/ujian")).html.count("Answers are missing.") == 2
