"""Telling parents about an exam: who gets what, once, and how far it is."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone
from django.utils.translation import override

from config import notify_class
from config.notify_class import TEXTS, Kind, Plan
from exams import attempts
from exams.models import Exam, Student
from notifications import cancelling, retries
from notifications.models import Notification
from tests.exams.at_once import at_once
from tests.exams.factories import make_attempt, make_exam, make_student
from tests.notifications.admin.pages import messages_of
from tests.notifications.rows import client_of, make_failed, make_staff

pytestmark = pytest.mark.django_db

MAY_NOTIFY = ("exams.view_exam", "notifications.add_notification", "notifications.view_notification")


@pytest.fixture(autouse=True)
def _english(settings: Any) -> None:
    settings.LANGUAGE_CODE = "en"


@pytest.fixture
def client() -> Client:
    return client_of(make_staff(*MAY_NOTIFY))


_phones = iter(range(10_000, 99_999))


def student(**overrides: Any) -> Student:
    """A student whose parents can be reached."""
    return make_student(**{"parent_phone": f"6281234{next(_phones):05d}", **overrides})


def result(exam: Exam, who: Student | None = None, **overrides: Any) -> Student:
    """A student who handed in, with a final score."""
    defaults: dict[str, Any] = {"status": "submitted", "score": Decimal("7.50"), "max_score": Decimal(10)}
    return make_attempt(exam, who or student(), **defaults | overrides).student


def plan(exam: Exam, kind: Kind = Kind.RESULTS, *, text: str = "", classes: tuple[str, ...] = ("7A",)) -> Plan:
    return notify_class.plan(exam=exam, kind=kind, text=text or TEXTS[kind], classes=classes)


def told(found: Plan) -> set[Student]:
    return {letter.student for letter in found.letters}


def over(exam: Exam) -> Exam:
    """*exam* as it is when its time is over."""
    now = attempts.database_now()
    Exam.objects.filter(pk=exam.pk).update(opens_at=now - timedelta(hours=3), closes_at=now - timedelta(hours=1))
    exam.refresh_from_db()
    return exam


# -- who -----------------------------------------------------------------------------------------------------------


def test_results_go_to_whom_a_final_score_is_for() -> None:
    exam = make_exam(published=True)
    done = result(exam)
    expired = result(exam, status="expired", score=Decimal(0))
    result(exam, ungraded_essays=1)
    make_attempt(exam, student())
    make_attempt(exam, student(), status="locked")
    student()
    result(make_exam(published=True))
    found = plan(exam)
    assert told(found) == {done, expired}
    assert found.not_final == 3


def test_reminders_and_absences_go_to_whom_has_not_started() -> None:
    exam = make_exam(published=True)
    result(exam)
    make_attempt(exam, student())
    idle = student()
    student(is_active=False)
    assert told(plan(exam, Kind.REMIND)) == {idle}
    assert told(plan(over(exam), Kind.ABSENT)) == {idle}


def test_only_the_classes_that_were_chosen() -> None:
    exam = make_exam(published=True)
    here, there, nowhere = (result(exam, student(class_name=name)) for name in ("7A", "7B", ""))
    assert told(plan(exam)) == {here}
    assert told(plan(exam, classes=("7B", ""))) == {there, nowhere}
    assert told(plan(exam, classes=())) == set()
    assert notify_class.classes_of(exam) == [("", True), ("7A", True), ("7B", True)]
    student(class_name="8C")
    assert notify_class.classes_of(exam)[-1] == ("8C", False)


def test_what_makes_no_sense_now_is_said_and_has_no_letters() -> None:
    draft, running, done = make_exam(), make_exam(published=True), over(make_exam(published=True))
    student()
    for exam, kind, word in (
        (draft, Kind.REMIND, "draft"),
        (draft, Kind.RESULTS, "draft"),
        (running, Kind.ABSENT, "still open"),
        (done, Kind.REMIND, "over"),
    ):
        found = plan(exam, kind)
        assert word in found.obstacle
        assert found.letters == []
    Exam.objects.filter(pk=running.pk).update(status="closed")
    running.refresh_from_db()
    assert plan(running, Kind.ABSENT).obstacle == "", "nobody can start any more"


def test_who_cannot_be_reached_is_named_with_the_reason() -> None:
    exam = make_exam(published=True)
    reached = result(exam)
    for phone in ("", "62211234567", "620000000000"):
        result(exam, student(parent_phone=phone))
    found = plan(exam)
    assert told(found) == {reached}
    reasons = {missed.student.parent_phone: str(missed.reason) for missed in found.unreachable}
    assert set(reasons) == {"", "62211234567", "620000000000"}
    assert "missing" in reasons[""]
    assert "landline" in reasons["62211234567"]


# -- texts ---------------------------------------------------------------------------------------------------------


def test_the_letter_is_in_indonesian_whatever_the_teachers_language_is() -> None:
    exam = make_exam(published=True, title="Ujian IPA")
    Exam.objects.filter(pk=exam.pk).update(
        opens_at=datetime(2026, 8, 3, 1, tzinfo=UTC), closes_at=datetime(2026, 8, 3, 3, 30, tzinfo=UTC)
    )
    exam.refresh_from_db()
    result(exam, student(name="Budi", class_name="7A"))
    text = "{nama}|{kelas}|{ujian}|{waktu}|{tutup}|{durasi}|{nilai}|{nilai_maksimum}"
    with override("en"):
        [letter] = plan(exam, text=text).letters
    assert letter.text == (
        "Budi|7A|Ujian IPA|Senin, 3 Agustus 2026 pukul 08.00 WIB|Senin, 3 Agustus 2026 pukul 10.30 WIB|90|7,5|10"
    )


@pytest.mark.parametrize(
    ("points", "written"), [("0", "0"), ("0.00", "0"), ("10.00", "10"), ("100", "100"), ("7.25", "7,25")]
)
def test_points_are_written_as_in_indonesia(points: str, written: str) -> None:
    exam = make_exam(published=True)
    result(exam, score=Decimal(points), max_score=Decimal(100))
    [letter] = plan(exam, text="{nilai}").letters
    assert letter.text == written


def test_a_name_with_braces_is_only_a_name() -> None:
    exam = make_exam(published=True)
    result(exam, student(name="{nilai} {x}"))
    assert plan(exam, text="{nama}").letters[0].text == "{nilai} {x}"


@pytest.mark.parametrize("kind", list(Kind))
def test_the_texts_that_are_offered_are_without_problems(kind: Kind) -> None:
    assert notify_class.problems_of(TEXTS[kind], kind) == []


@pytest.mark.parametrize("text", ["{nma}", "{nama", "nama}", "{}", "{{nama}}", "{nama.pin_hmac}", "{0}", "{nama!r}"])
def test_a_slip_in_a_placeholder_is_found(text: str) -> None:
    assert notify_class.problems_of(text, Kind.RESULTS)


def test_scores_are_for_results_only() -> None:
    assert notify_class.problems_of("{nilai}", Kind.RESULTS) == []
    assert notify_class.problems_of("{nilai}", Kind.ABSENT)


# -- sending -------------------------------------------------------------------------------------------------------


def test_pressing_twice_sends_once() -> None:
    exam = make_exam(published=True)
    for _ in range(3):
        result(exam)
    first = plan(exam)
    assert notify_class.send(exam=exam, kind=Kind.RESULTS, plan=first) == 3
    assert notify_class.send(exam=exam, kind=Kind.RESULTS, plan=first) == 0
    late = result(exam)
    again = plan(exam, text="Lain: {nilai}")
    assert (told(again), again.sent_before) == ({late}, 3)
    assert Notification.objects.count() == 3
    message = Notification.objects.first()
    assert message is not None
    assert (message.topic, message.expires_at) == (f"exam:{exam.pk}:results", None)


def test_each_kind_and_each_exam_is_told_by_itself() -> None:
    exam = make_exam(published=True)
    student()
    assert notify_class.send(exam=exam, kind=Kind.REMIND, plan=plan(exam, Kind.REMIND)) == 1
    assert Notification.objects.get().expires_at == exam.closes_at
    over(exam)
    assert notify_class.send(exam=exam, kind=Kind.ABSENT, plan=plan(exam, Kind.ABSENT)) == 1
    other = over(make_exam(published=True))
    assert notify_class.send(exam=other, kind=Kind.ABSENT, plan=plan(other, Kind.ABSENT)) == 1


def test_brothers_and_sisters_each_have_their_letter() -> None:
    exam = make_exam(published=True)
    for _ in range(2):
        result(exam, student(parent_phone="6281234567890"))
    assert notify_class.send(exam=exam, kind=Kind.RESULTS, plan=plan(exam)) == 2


def test_what_was_cancelled_can_be_sent_with_the_right_text() -> None:
    exam = make_exam(published=True)
    result(exam)
    notify_class.send(exam=exam, kind=Kind.RESULTS, plan=plan(exam, text="Salah"))
    cancelling.cancel(list(Notification.objects.values_list("pk", flat=True)))
    found = plan(exam)
    assert (len(found.letters), found.sent_before) == (1, 0)
    assert notify_class.send(exam=exam, kind=Kind.RESULTS, plan=found) == 1


def test_a_school_is_queued_in_few_statements(django_assert_max_num_queries: Any) -> None:
    exam = make_exam(published=True)
    Student.objects.bulk_create(
        Student(username=f"u{n}", nisn=f"{n:010d}", name=f"S{n}", class_name="7A", parent_phone=f"62812345{n:05d}")
        for n in range(5_000, 6_200)
    )
    with django_assert_max_num_queries(60):
        found = plan(exam, Kind.REMIND)
        assert notify_class.send(exam=exam, kind=Kind.REMIND, plan=found) == 1_200


@pytest.mark.django_db(transaction=True)
def test_two_teachers_in_the_same_moment_send_once() -> None:
    exam = make_exam(published=True)
    for _ in range(20):
        result(exam)
    found = plan(exam)
    queued = at_once(4, lambda _number: notify_class.send(exam=exam, kind=Kind.RESULTS, plan=found))
    assert sum(queued) == 20
    assert Notification.objects.count() == 20


# -- progress ------------------------------------------------------------------------------------------------------


def test_the_progress_counts_each_student_once() -> None:
    exam = make_exam(published=True)
    for _ in range(8):
        result(exam)
    notify_class.send(exam=exam, kind=Kind.RESULTS, plan=plan(exam))
    rows = list(Notification.objects.order_by("pk"))
    for row, state in zip(
        rows, ("sent", "delivered", "read", "failed", "failed", "cancelled", "expired"), strict=False
    ):
        sent_at = timezone.now() if state in ("sent", "delivered", "read") else None
        Notification.objects.filter(pk=row.pk).update(state=state, sent_at=sent_at)
    retried, _open = (make_failed(notification=row) for row in rows[3:5])
    [before] = notify_class.progress_of(exam)
    assert (before.waiting, before.sent, before.delivered, before.failed, before.dropped) == (1, 1, 2, 2, 2)
    retries.retry_failed(failed_id=retried.pk, by="guru")
    [after] = notify_class.progress_of(exam)
    assert (after.waiting, after.sent, after.delivered, after.failed, after.dropped) == (2, 1, 2, 1, 2)
    assert before.total == after.total == 8
    assert notify_class.progress_of(make_exam()) == []


# -- the pages -----------------------------------------------------------------------------------------------------


def address(exam: Exam, kind: str = "results") -> str:
    return f"/admin/exams/exam/{exam.pk}/notify/{kind}/"


def shown_by(response: Any) -> dict[str, Any]:
    """What the button would send: the form as the page has it."""
    assert response.status_code == 200
    form = response.context["form"]
    return {"text": form["text"].value(), "classes": form["classes"].value(), "shown": response.context["shown"]}


def test_the_action_leads_to_the_page_of_one_exam(client: Client) -> None:
    exams = [make_exam(published=True), make_exam(published=True)]
    chosen = {"action": "notify_parents", "_selected_action": [exams[0].pk]}
    assert client.post("/admin/exams/exam/", chosen)["Location"] == address(exams[0])
    response = client.post("/admin/exams/exam/", {**chosen, "_selected_action": [exam.pk for exam in exams]})
    assert "Choose one exam" in messages_of(response)


def test_the_page_shows_the_first_three_and_the_count_and_sends_what_it_showed(client: Client) -> None:
    exam = make_exam(published=True, title="Ujian IPA")
    for number in range(5):
        result(exam, student(name=f"Siswa ke-{number}"))
    result(exam, student(name="Tanpa Nomor", parent_phone=""))
    page = client.get(address(exam))
    body = page.content.decode()
    assert body.count('class="form-row preview"') == 3
    assert "orang tua/wali Siswa ke-0 (kelas 7A)" in body
    assert "nilai Ujian IPA: 7,5 dari 10." in body
    assert "5 messages would be sent." in body
    assert re.search(r"Tanpa Nomor</a> \(7A\): The phone number is missing", body)
    assert not re.search(r"6281234\d{5}", body), "masked"
    assert Notification.objects.count() == 0
    done = client.post(address(exam), {**shown_by(page), "_send": "1"})
    assert done["Location"] == f"/admin/exams/exam/{exam.pk}/change/"
    assert "5 messages are queued." in messages_of(done)
    assert Notification.objects.count() == 5
    assert LogEntry.objects.get().object_id == str(exam.pk)
    again = client.post(address(exam), {**shown_by(page), "_send": "1"})
    assert "something has changed" in " ".join(map(str, again.context["messages"]))
    assert "5 were queued before" in again.content.decode()
    assert Notification.objects.count() == 5
    exam_page = client.get(done["Location"]).content.decode()
    assert 'data-kind="results"' in exam_page


def test_nothing_is_sent_that_was_not_shown(client: Client) -> None:
    exam = make_exam(published=True)
    result(exam)
    page = client.get(address(exam))
    shown = shown_by(page)
    changes: list[dict[str, Any]] = [{"text": "Lain {nama}"}, {"classes": []}, {"shown": ""}]
    for change in changes:
        response = client.post(address(exam), {**shown, **change, "_send": "1"})
        assert response.status_code == 200
        assert Notification.objects.count() == 0
    result(exam)  # one more since
    response = client.post(address(exam), {**shown, "_send": "1"})
    assert "2 messages would be sent." in response.content.decode()
    assert Notification.objects.count() == 0
    client.post(address(exam), {**shown_by(response), "_send": "1"})
    assert Notification.objects.count() == 2


def test_a_wrong_text_is_said_and_neither_shown_nor_sent(client: Client) -> None:
    exam = make_exam(published=True)
    result(exam)
    for text in ("Halo {nma}", "", "x" * 2_001):
        response = client.post(address(exam), {"text": text, "classes": ["7A"], "_send": "1"})
        assert response.context["form"].errors["text"]
        assert response.context["plan"] is None
    assert "{nma} is not known here" in client.post(address(exam), {"text": "{nma}"}).content.decode()
    assert Notification.objects.count() == 0


def test_an_obstacle_is_said(client: Client) -> None:
    exam = make_exam(published=True)
    body = client.get(address(exam, "absent")).content.decode()
    assert "still open" in body
    assert "_send" not in body


def test_failures_and_what_waits_are_linked_from_the_exams_page() -> None:
    user = make_staff(*MAY_NOTIFY, "notifications.view_failednotification")
    client = client_of(user)
    exam = make_exam(published=True)
    for _ in range(2):
        result(exam)
    notify_class.send(exam=exam, kind=Kind.RESULTS, plan=plan(exam))
    failed_message = Notification.objects.order_by("pk")[0]
    Notification.objects.filter(pk=failed_message.pk).update(state="failed")
    failed = make_failed(notification=failed_message)
    make_failed()
    body = client.get(f"/admin/exams/exam/{exam.pk}/change/").content.decode()
    links = [link.replace("&amp;", "&") for link in re.findall(r'href="(/admin/notifications/[^"]+\?[^"]+)"', body)]
    assert len(links) == 3
    listed = {link: list(client.get(link).context["cl"].queryset) for link in links}
    assert [failed] in listed.values()
    assert sorted(map(len, listed.values())) == [1, 1, 2]


def test_the_permission_is_needed_for_button_action_and_page(client: Client) -> None:
    exam = make_exam(published=True)
    result(exam)
    looker = client_of(make_staff("exams.view_exam"))
    stranger = client_of(make_staff("notifications.add_notification"))
    assert "Notify parents" in client.get(f"/admin/exams/exam/{exam.pk}/change/").content.decode()
    assert "Notify parents" not in looker.get(f"/admin/exams/exam/{exam.pk}/change/").content.decode()
    assert "Notify parents" not in looker.get("/admin/exams/exam/").content.decode()
    for who in (looker, stranger):
        assert who.get(address(exam)).status_code == 403
        assert who.post(address(exam), {"text": "x", "classes": ["7A"], "_send": "1"}).status_code == 403
    assert client.get(address(exam, "other")).status_code == 404
    assert client.get("/admin/exams/exam/999999/notify/results/").status_code == 404
    assert Client().get(address(exam)).status_code == 302


def test_markup_in_a_name_stays_text(client: Client) -> None:
    exam = make_exam(published=True, title="<b>IPA</b>")
    result(exam, student(name="<script>alert(1)</script>"))
    result(exam, student(name="<script>alert(2)</script>", parent_phone=""))
    body = client.get(address(exam)).content.decode()
    assert "<script>alert" not in body
    assert "<b>IPA" not in body
