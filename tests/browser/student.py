"""
A student in front of the exam page: everything by real taps and real typing.

Contract:
- `take_seat()` makes an exam, a student and a running attempt; `Seat.stored()` is what the table holds.
- `StudentPage` knows the page by its ids and data attributes alone, never by its scripts: nothing is answered through
  JavaScript. Every method returns when the page shows what it was asked for.
- `cell(question)` and `status()` are read from the page as the student sees it.
- `complaints` are exceptions that nobody caught; `console` also has what the browser says about a bad network.

Not here: what the page showed over time (`shown.py`), the network (`wire.py`), browsers (`conftest.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest
from playwright.sync_api import BrowserContext, Locator, Page

from exams.authentication import log_in
from exams.cards import Card
from exams.content import QuestionContent, QuestionType
from exams.models import Attempt, Exam, Student
from tests.exams.autosave.sitting import Sitting, ticket_for
from tests.exams.factories import make_attempt, make_exam, make_student
from tests.exams.student_browser import card_of
from tests.web import wait_until

#: Questions of one class work on one exam: this is one of each kind that takes an answer.
ALL_KINDS = tuple(QuestionType)
#: Looking at each frame, as Playwright does by default, would keep a page painting all the time.
LOOK_MS = 50
_SAVED = """questions => {
    const cells = questions.map(id => document.querySelector(`#grid [data-question="${id}"]`));
    const kind = document.querySelector("#status").dataset.kind;
    return kind === "saved" && cells.every(cell => cell && ["saved", "empty"].includes(cell.dataset.state));
}"""
COPY_IS_KEPT = """async exam => {
    const worker = await navigator.serviceWorker.getRegistration("/siswa/ujian/");
    for (const cacheName of await caches.keys()) {
        const owner = await caches.match(`/siswa/ujian/${exam}?copy=owner`, {cacheName});
        if (owner && (await owner.json()).isComplete) return Boolean(worker && worker.active);
    }
    return false;
}"""


@dataclass(frozen=True)
class Cell:
    """One question in the grid, as it is shown."""

    state: str
    revision: int | None
    is_doubtful: bool


@dataclass(frozen=True)
class Status:
    """The line that says how things stand."""

    kind: str
    waiting: int
    text: str


@dataclass
class Seat:
    """A student with his card, his exam, his attempt, and the questions in the order in which they were made."""

    exam: Exam
    student: Student
    card: Card
    attempt: Attempt
    questions: dict[int, QuestionType]

    @property
    def answerable(self) -> list[int]:
        return [question for question, kind in self.questions.items() if kind is not QuestionType.DESCRIPTION]

    def of(self, kind: QuestionType | str) -> int:
        """The first question of *kind*."""
        return next(question for question, found in self.questions.items() if found == kind)

    def stored(self) -> dict[int, tuple[Any, int]]:
        """The table: question -> (value, revision)."""
        rows = self.attempt.answers.values_list("question_id", "value", "revision")
        return {question: (value, revision) for question, value, revision in rows}

    def values(self) -> dict[int, Any]:
        """The table without revisions."""
        return {question: value for question, (value, _) in self.stored().items()}

    def other_device(self) -> Sitting:
        """The same attempt over plain HTTP, with a ticket of its own."""
        return Sitting(self.attempt, ticket_for(self.attempt), list(self.questions))


def take_seat(
    questions: Iterable[QuestionContent | QuestionType | str] = (QuestionType.MULTIPLE_CHOICE,) * 3,
    *,
    exam: Exam | None = None,
    student: Student | None = None,
    card: Card | None = None,
    **attempt: Any,
) -> Seat:
    """
    A student who has started: *attempt* are the attempt's columns, *exam* and *student* may be there already.

    Without his *card* a student gets a new one, which ends the sessions of the old one.
    """
    exam = exam or make_exam(published=True, questions=questions)
    student = student or make_student()
    card = card or card_of(student)
    running = make_attempt(exam, student, **attempt)
    return Seat(exam, student, card, running, questions_of(exam))


def questions_of(exam: Exam) -> dict[int, QuestionType]:
    rows = exam.questions.order_by("position").values_list("pk", "type")
    return {question: QuestionType(kind) for question, kind in rows}


def session_cookie(student: Student, url: str) -> dict[str, Any]:
    """A session as the login opens it: for tests that are not about the card."""
    request = HttpRequest()
    request.session = SessionStore()
    log_in(request, student)
    request.session.save()
    key = request.session.session_key
    return {"name": "sessionid", "value": key, "url": url, "httpOnly": True, "sameSite": "Lax"}


class StudentPage:
    """One tab. *seat* may come later, for tests that begin with the card."""

    def __init__(self, page: Page, seat: Seat | None = None) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.console: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.console.append(said.text) if said.type == "error" else None)
        self._seat = seat

    @property
    def context(self) -> BrowserContext:
        return self.page.context

    @property
    def seat(self) -> Seat:
        assert self._seat is not None
        return self._seat

    # -- the way in ------------------------------------------------------------------------------------------------

    def log_in(self, card: Card) -> None:
        """By the card, from whatever page asks for it or from the first one."""
        if "/masuk" not in self.page.url:
            self.page.goto("/masuk")
        self.page.fill("#username", card.username)
        self.page.fill("#pin", card.printed_pin)
        self.page.click("main button[type=submit]")
        self.page.wait_for_url(lambda url: "/masuk" not in url)

    def start(self, exam_id: int, token: str = "") -> None:
        """From the list over the exam's own page into the exam."""
        self.page.click(f'a[href="/ujian/{exam_id}"]')
        if token:
            self.page.fill("#entry_token", token)
        self.page.click("#start")
        self.wait_ready()

    def sit_at(self, seat: Seat) -> None:
        """For a test that came in by the card: which attempt this is."""
        self._seat = seat

    def open(self) -> StudentPage:
        """The exam page of a running attempt, at its address."""
        self.page.goto(f"/siswa/ujian/{self.seat.exam.pk}")
        self.wait_ready()
        return self

    def reload(self) -> None:
        self.page.reload()
        self.wait_ready()

    def wait_ready(self) -> None:
        self.page.wait_for_selector("#question[data-question]")
        self.page.wait_for_selector("#grid [data-question]", state="attached")

    def wait_copy(self) -> None:
        """Until the page can be opened without the network; it works on that in the background."""
        wait_until(lambda: self.page.evaluate(COPY_IS_KEPT, self.seat.exam.pk), 15, "the copy of the page")

    def another_tab(self) -> StudentPage:
        """A second tab of the same browser, at the same exam."""
        return StudentPage(self.context.new_page(), self._seat).open()

    # -- what is shown ---------------------------------------------------------------------------------------------

    def grid_cell(self, question: int) -> Locator:
        return self.page.locator(f'#grid [data-question="{question}"]')

    def cell(self, question: int) -> Cell:
        found = self.grid_cell(question).evaluate("cell => ({...cell.dataset})")
        revision = found.get("revision") or ""
        return Cell(found["state"], int(revision) if revision else None, found.get("doubtful") == "true")

    def cells(self) -> dict[int, Cell]:
        return {question: self.cell(question) for question in self.seat.questions}

    def status(self) -> Status:
        found = self.page.locator("#status").evaluate(
            "line => ({kind: line.dataset.kind, waiting: line.dataset.waiting, text: line.innerText})"
        )
        return Status(found["kind"], int(found["waiting"] or 0), found["text"])

    def toasts(self) -> str:
        """All that is said in passing at this moment."""
        return self.page.locator("#toasts").inner_text()

    def shown_question(self) -> int:
        return int(self.page.get_attribute("#question", "data-question") or 0)

    def seconds_left(self) -> float:
        return float(self.page.get_attribute("#timer", "data-seconds") or "nan")

    def answer_shown(self, question: int) -> Any:
        """What stands in the fields of *question*, as the table would hold it; None for nothing."""
        self.go_to(question)
        box = self.page.locator("#question")
        kind = self.seat.questions[question]
        if kind in (QuestionType.MULTIPLE_CHOICE, QuestionType.TRUE_FALSE):
            chosen = box.locator("input[type=radio]:checked")
            value = chosen.get_attribute("value") if chosen.count() else None
            return {"true": True, "false": False}.get(str(value), value)
        if kind is QuestionType.MULTIPLE_RESPONSE:
            ticked = box.locator("input[type=checkbox][name=answer]:checked").all()
            return sorted(str(box.get_attribute("value")) for box in ticked) or None
        if kind is QuestionType.MATCHING:
            pairs = box.locator("select[data-stem]").evaluate_all("all => all.map(s => [s.dataset.stem, s.value])")
            return {stem: value for stem, value in sorted(pairs) if value} or None
        return box.locator("#answer").input_value() or None

    def wait_saved(self, *, timeout: float = 15_000) -> None:
        """Until the line says that all is saved and no cell says otherwise."""
        self.page.wait_for_function(_SAVED, arg=self.seat.answerable, timeout=timeout, polling=LOOK_MS)

    def wait_state(self, question: int, state: str, *, timeout: float = 15_000) -> None:
        self.page.wait_for_selector(
            f'#grid [data-question="{question}"][data-state="{state}"]', state="attached", timeout=timeout
        )

    def wait_status(self, *kinds: str, timeout: float = 15_000) -> None:
        wanted = ", ".join(f'#status[data-kind="{kind}"]' for kind in kinds)
        self.page.wait_for_selector(wanted, state="attached", timeout=timeout)

    def wait_toast(self, pattern: str, *, timeout: float = 15_000) -> None:
        self.page.locator("#toasts .toast").filter(has_text=re.compile(pattern)).first.wait_for(timeout=timeout)

    # -- what a student does -----------------------------------------------------------------------------------------

    def go_to(self, question: int) -> None:
        """By the grid, which narrow screens open first; in the tab that is looked at."""
        self.page.bring_to_front()
        if self.shown_question() == question:
            return
        cell = self.grid_cell(question)
        if not cell.is_visible():
            self.page.click("#open-grid")
        cell.click()
        self.page.wait_for_selector(f'#question[data-question="{question}"]')

    def answer(self, question: int, value: Any) -> int:
        """Answer as a thumb would; returns the revision that the page then shows."""
        self.go_to(question)
        before = self.cell(question).revision
        kind = self.seat.questions[question]
        box = self.page.locator("#question")
        if kind in (QuestionType.MULTIPLE_CHOICE, QuestionType.TRUE_FALSE):
            self.choose(str(value).lower() if isinstance(value, bool) else value)
        elif kind is QuestionType.MULTIPLE_RESPONSE:
            for option in box.locator("input[type=checkbox][name=answer]").all():
                if (option.get_attribute("value") in value) is not option.is_checked():
                    self.choose(str(option.get_attribute("value")))
        elif kind is QuestionType.MATCHING:
            for stem, choice in value.items():
                box.locator(f'select[data-stem="{stem}"]').select_option(choice)
        else:
            self.type(value)
            self.leave_field()
        return self.wait_newer(question, before)

    def choose(self, option: str) -> None:
        """Tap a radio button or a box of the question that is shown, by its label if it has one."""
        self.page.locator(f'#question input[name=answer][value="{option}"]').click(force=True)

    def type(self, text: str, *, delay_ms: float = 0) -> None:
        """Replace what stands in the text field, key by key; the field keeps the focus."""
        self.page.click("#question #answer")
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text, delay=delay_ms)

    def leave_field(self) -> None:
        self.page.locator("#question #answer").blur()

    def clear(self, question: int) -> int:
        self.go_to(question)
        before = self.cell(question).revision
        self.page.click("#clear")
        return self.wait_newer(question, before)

    def wait_newer(self, question: int, before: int | None) -> int:
        """The revision of the edit that was just made."""
        self.page.wait_for_function(
            """([id, before]) => {
                const cell = document.querySelector(`#grid [data-question="${id}"]`);
                return Number(cell.dataset.revision || 0) > before;
            }""",
            arg=[question, before or 0],
            polling=LOOK_MS,
        )
        revision = self.cell(question).revision
        assert revision is not None
        return revision

    def mark_doubtful(self, question: int) -> None:
        self.go_to(question)
        self.page.click("#doubtful")

    def send_now(self) -> None:
        self.page.click("#send-now")

    def open_submit(self) -> None:
        self.page.click("#submit")
        self.page.wait_for_selector("#submit-dialog[open]")

    def submit(self) -> None:
        """To the receipt."""
        self.open_submit()
        self.page.click("#confirm-submit")
        self.page.wait_for_selector("#receipt")

    def go_off_line(self) -> None:
        self.context.set_offline(True)

    def go_on_line(self) -> None:
        self.context.set_offline(False)
