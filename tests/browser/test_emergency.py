"""
The emergency file in real browsers: made by the student's page, opened by the server, taken over by staff.

The page's texts are not looked at, but for what it says where it can make no file.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from exams import attempts, emergency, page_assets
from exams.emergency_difference import milliseconds
from exams.models import Attempt
from tests.browser.conftest import Devices, Window, keep_screenshot
from tests.browser.student import Seat, take_seat
from tests.browser.test_staff import log_in
from tests.web import WebProcess, url_of_test_database

pytestmark = pytest.mark.django_db(transaction=True)

MAKE = """async ([module, content]) => {
    const emergency = await import(module);
    const file = await emergency.makeFile(content);
    return [emergency.isAvailable(), await file.text(), emergency.fileName(content), file.type];
}"""
WAITING = "([key, entries]) => localStorage.setItem(key, JSON.stringify(entries))"
KEPT = """([key, attemptId]) => new Promise((resolve, reject) => {
    const open = indexedDB.open("tahan-uji");
    open.onerror = () => reject(open.error);
    open.onsuccess = () => {
        const all = open.result.transaction("answers").objectStore("answers").getAll();
        all.onsuccess = () => {
            open.result.close();
            const durable = all.result.filter((entry) => entry.attemptId === attemptId);
            resolve([JSON.parse(localStorage.getItem(key) || "[]").length, durable.length]);
        };
    };
})"""


def edited(attempt: Attempt, seconds: int = 20) -> int:
    return milliseconds(attempt.started_at + timedelta(seconds=seconds))


def entries_of(attempt: Attempt, answers: dict[int, tuple[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"attemptId": attempt.pk, "questionId": question, "questionType": kind, "answer": answer,
         "revision": edited(attempt) + number}
        for number, (question, (kind, answer)) in enumerate(answers.items())
    ]  # fmt: skip


def closed(seat: Seat) -> str:
    attempts.submit_attempt(student=seat.student, exam_id=seat.exam.pk, pending=[], manifest={})
    seat.attempt.refresh_from_db()
    return seat.attempt.receipt


def kept(page: Page, seat: Seat) -> tuple[int, int]:
    """How many of the attempt's answers wait in localStorage and in IndexedDB."""
    found = page.evaluate(KEPT, [f"failedAnswers_{seat.exam.pk}", seat.attempt.pk])
    return found[0], found[1]


def open_receipt(context: BrowserContext, seat: Seat, entries: list[dict[str, Any]]) -> Page:
    """The receipt's page on a device that still has *entries*."""
    page = context.new_page()
    page.goto("/ujian")
    page.evaluate(WAITING, [f"failedAnswers_{seat.exam.pk}", entries])
    page.goto(f"/ujian/{seat.exam.pk}/hasil")
    return page


def save_file(page: Page, folder: Path) -> Path:
    with page.expect_download() as started:
        page.click("#emergency-download")
    path = folder / started.value.suggested_filename
    started.value.save_as(path)
    return path


def test_the_server_opens_what_the_page_encrypts(window: Window) -> None:
    seat = take_seat(["essay", "matching", "true_false"])
    essay, matching, truth = seat.questions
    long = "Panjang sekali “é” 🙂\n" * 1_300
    content = {
        "publicKey": emergency.public_key_text(),
        "ticket": seat.other_device().ticket,
        "examId": seat.exam.pk,
        "attemptId": seat.attempt.pk,
        "title": "Ujian Akhir: Bahasa & Sastra (7é)/A",
        "student": {"username": seat.student.username, "name": "Siti “Ayu” 🙂"},
        "entries": entries_of(
            seat.attempt,
            {essay: ("essay", long), matching: ("matching", {"bali": "dnps"}), truth: ("true_false", None)},
        ),
        "serverNow": 1_780_000_000_123.7,
        "deviceNow": 1_500_000_000_000,
    }
    window.page.goto("/masuk")
    is_available, text, name, kind = window.page.evaluate(MAKE, [page_assets.url("emergency.js"), content])
    assert is_available
    assert kind == "application/octet-stream"
    assert name.startswith(f"darurat-ujian-akhir-bahasa-sastra-7e-a-{seat.student.username}-2026")
    assert name.endswith(".tahanuji")
    assert "serahkan berkas ini" in json.loads(text)["note"]
    file = emergency.open_file(text.encode())
    assert emergency.attempt_of(file) == seat.attempt
    assert [(e.question_id, e.question_type, e.answer, e.revision) for e in file.entries] == [
        (essay, "essay", long, edited(seat.attempt)),
        (matching, "matching", {"bali": "dnps"}, edited(seat.attempt) + 1),
        (truth, "true_false", None, edited(seat.attempt) + 2),
    ]
    assert file.name == "Siti “Ayu” 🙂"
    assert milliseconds(file.server_now) == 1_780_000_000_124
    assert milliseconds(file.device_now) == 1_500_000_000_000
    assert window.complaints == []


def test_a_file_as_large_as_one_gets_is_taken(window: Window) -> None:
    seat = take_seat(["essay"])
    content = {
        "publicKey": emergency.public_key_text(), "ticket": seat.other_device().ticket, "title": "",
        "examId": seat.exam.pk, "attemptId": seat.attempt.pk, "serverNow": 1, "deviceNow": 1,
        "student": {"username": seat.student.username, "name": "x"},
        "entries": entries_of(seat.attempt, dict.fromkeys(range(1, 41), ("essay", "a b c " * 5_000))),
    }  # fmt: skip
    window.page.goto("/masuk")
    _, text, name, _ = window.page.evaluate(MAKE, [page_assets.url("emergency.js"), content])
    assert name.startswith(f"darurat-{seat.exam.pk}-")
    assert len(text) > 1024 * 1024, "more than other pages take"
    assert len(emergency.open_file(text.encode()).entries) == 40
    log_in(window)
    window.page.goto("/admin/exams/emergencyupload/add/")
    file = {"name": name, "mimeType": "application/octet-stream", "buffer": text.encode()}
    window.page.set_input_files("input[name=file]", file)  # type: ignore[arg-type]
    window.page.click("#content input[type=submit]")
    window.page.wait_for_selector("#differences")
    assert window.page.locator("#differences tbody tr").count() == 40


def test_from_the_students_phone_to_the_new_receipt(
    window: Window, web: WebProcess, phone: Devices, tmp_path: Path
) -> None:
    seat = take_seat(["multiple_choice", "essay", "matching", "true_false"])
    choice, essay, matching, truth = seat.questions
    for question, answer, revision in ((choice, "bndg", 5), (truth, True, edited(seat.attempt))):
        assert seat.other_device().save(web, answer, question=question, revision=revision).status_code == 200
    first_receipt = closed(seat)
    waiting = entries_of(
        seat.attempt,
        {
            choice: ("multiple_choice", "jkrt"),
            essay: ("essay", "Saya pergi ke pantai.\nOmbaknya tinggi."),
            matching: ("matching", {"bali": "dnps", "aceh": "band"}),
            truth: ("true_false", True),
        },
    )
    waiting[3]["revision"] = edited(seat.attempt)  # this one the server has
    waiting[2]["revision"] = milliseconds(seat.attempt.submitted_at) + 125_000  # type: ignore[arg-type]
    context = phone.context(seat.student)
    page = open_receipt(context, seat, waiting)
    page.wait_for_selector("#undelivered:visible")
    assert page.locator("#undelivered li").count() == 3
    keep_screenshot(page, "receipt-undelivered")
    seat.attempt.refresh_from_db()
    assert seat.attempt.missing_answers == 3, "the teacher sees it as well"
    path = save_file(page, tmp_path)
    assert path.suffix == ".tahanuji"
    assert kept(page, seat)[0] == 3, "they stay until the server has them"

    log_in(window)
    staff = window.page
    staff.goto(f"/admin/exams/attempt/{seat.attempt.pk}/change/")
    staff.click(".object-tools a[href*=emergencyupload]")
    window.screenshot("admin-emergency-upload")
    staff.set_input_files("input[name=file]", path)
    staff.click("#content input[type=submit]")
    staff.wait_for_selector("#differences")
    window.screenshot("admin-emergency-difference")
    rows = staff.locator("#differences tbody tr")
    assert [rows.nth(n).get_attribute("data-verdict") for n in range(3)] == ["newer", "missing", "after_end"]
    assert [rows.nth(n).locator("input").is_checked() for n in range(3)] == [True, True, False]
    rows.nth(2).locator("label").click()
    staff.fill("input[name=reason]", "HP mati saat bel, dilihat Bu Rina")
    staff.click("#content input[type=submit]")
    staff.wait_for_selector(".messagelist .success")
    window.screenshot("admin-emergency-applied")
    seat.attempt.refresh_from_db()
    assert seat.values() == {
        choice: "jkrt", essay: "Saya pergi ke pantai.\nOmbaknya tinggi.", truth: True,
        matching: {"bali": "dnps", "aceh": "band"},
    }  # fmt: skip
    assert seat.attempt.missing_answers == 0
    assert seat.attempt.receipt != first_receipt

    staff.goto("/admin/exams/attempt/receipt/")
    staff.fill("input[name=code]", first_receipt.lower().replace("-", " "))
    staff.keyboard.press("Enter")
    staff.wait_for_selector("#finding")
    assert seat.attempt.receipt in staff.inner_text("#finding")
    window.screenshot("admin-receipt-replaced")
    staff.fill("input[name=code]", seat.attempt.receipt)
    staff.keyboard.press("Enter")
    staff.wait_for_selector("#finding[data-genuine=true]")
    window.screenshot("admin-receipt-genuine")
    staff.goto("/admin/")
    window.screenshot("admin-index-tools")
    staff.goto("/admin/exams/attempt/")
    window.screenshot("admin-attempts-tools")

    page.reload()
    page.wait_for_function("key => localStorage.getItem(key) === null", arg=f"failedAnswers_{seat.exam.pk}")
    assert page.locator("#undelivered").is_hidden()
    page.reload()
    assert kept(page, seat) == (0, 0)
    assert page.inner_text("#receipt") == seat.attempt.receipt
    assert window.complaints == []


def test_a_device_that_has_nothing_shows_nothing_and_forgets_the_exam(phone: Devices) -> None:
    seat = take_seat()
    closed(seat)
    page = open_receipt(phone.context(seat.student), seat, [])
    page.wait_for_selector("#receipt")
    page.evaluate("key => localStorage.setItem(key, '{}')", f"savedAnswers_{seat.exam.pk}")
    page.reload()
    page.wait_for_function("key => localStorage.getItem(key) === null", arg=f"savedAnswers_{seat.exam.pk}")
    assert page.locator("#undelivered").is_hidden()


def test_another_students_answers_are_not_spoken_of(phone: Devices) -> None:
    seat = take_seat()
    closed(seat)
    other = take_seat(exam=seat.exam)
    entries = entries_of(other.attempt, {next(iter(seat.questions)): ("multiple_choice", "jkrt")})
    page = open_receipt(phone.context(seat.student), seat, entries)
    page.evaluate("key => localStorage.setItem(key, '{}')", f"savedAnswers_{seat.exam.pk}")
    page.reload()
    page.wait_for_function("key => localStorage.getItem(key) === null", arg=f"savedAnswers_{seat.exam.pk}")
    assert page.locator("#undelivered").is_hidden()
    assert len(page.evaluate("key => JSON.parse(localStorage.getItem(key))", f"failedAnswers_{seat.exam.pk}")) == 1


def test_without_an_answer_of_the_server_nothing_is_removed(phone: Devices, tmp_path: Path) -> None:
    seat = take_seat()
    question = next(iter(seat.questions))
    closed(seat)
    context = phone.context(seat.student)
    context.route("**/submit", lambda route: route.abort())
    entries = entries_of(seat.attempt, {question: ("multiple_choice", "jkrt")})
    page = open_receipt(context, seat, entries)
    page.wait_for_selector("#undelivered:visible")
    assert kept(page, seat)[0] == 1
    file = emergency.open_file(save_file(page, tmp_path).read_bytes())
    assert [entry.answer for entry in file.entries] == ["jkrt"]
    assert abs(milliseconds(file.server_now) - milliseconds(attempts.database_now())) < 60_000
    context.unroute("**/submit")
    page.evaluate("window.dispatchEvent(new Event('online'))")
    page.wait_for_function("document.querySelectorAll('#undelivered li').length === 1")
    seat.attempt.refresh_from_db()
    assert kept(page, seat)[0] == 1


def test_on_plain_http_the_page_says_that_there_can_be_none(phone: Devices, web: WebProcess) -> None:
    seat = take_seat()
    closed(seat)
    entries = entries_of(seat.attempt, {next(iter(seat.questions)): ("multiple_choice", "jkrt")})
    with WebProcess(url_of_test_database(), ALLOWED_HOSTS="sekolah.test,127.0.0.1") as server:
        url = server.url.replace("127.0.0.1", "sekolah.test")
        page = open_receipt(phone.context(seat.student, url=url), seat, entries)
        page.wait_for_selector("#undelivered:visible")
        assert page.evaluate("window.isSecureContext") is False
        assert page.locator("#emergency-download").count() == 0
        keep_screenshot(page, "receipt-undelivered-plain-http")
