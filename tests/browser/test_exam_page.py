"""The exam page under a student's fingers: every type by touch and by keyboard alone, states in words, weight."""

from __future__ import annotations

import gzip
import re
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Page

from exams.content import Option, Options, QuestionContent, QuestionType, TextFormat
from exams.models import Attempt
from tests.browser.conftest import Devices, keep_screenshot
from tests.browser.student import ALL_KINDS, StudentPage, session_cookie, take_seat
from tests.browser.wire import Mode, Reply, Wire
from tests.exams.factories import RIGHT, question_of

pytestmark = pytest.mark.django_db(transaction=True)

WEIGHT_MAX = 60 * 1024
TAP_MIN = 48
TABLE = "<table><tr>" + "<td>sangat panjang sekali</td>" * 12 + "</tr></table>"


def press_until(page: Page, selector: str, key: str = "Tab", most: int = 60) -> None:
    """Press *key* until *selector* is, or is in, what has the focus."""
    has_focus = "wanted => [...document.querySelectorAll(wanted)].some(e => document.activeElement.contains(e))"
    for _ in range(most):
        if page.evaluate(has_focus, selector) and not page.evaluate("document.activeElement === document.body"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{key} does not reach {selector}")


def answer_by_keyboard(page: Page, kind: QuestionType, answer: Any) -> None:
    """From the question's title on, with no other key than a keyboard user has."""
    if kind in (QuestionType.MULTIPLE_CHOICE, QuestionType.TRUE_FALSE):
        press_until(page, "#question input[type=radio]")
        wanted = str(answer).lower() if isinstance(answer, bool) else answer
        page.keyboard.press("Space")
        press_until(page, f'#question input[value="{wanted}"]', "ArrowDown")
    elif kind is QuestionType.MULTIPLE_RESPONSE:
        for option in page.locator("#question input[name=answer]").evaluate_all("all => all.map(box => box.value)"):
            press_until(page, f'#question input[value="{option}"]')
            if option in answer:
                page.keyboard.press("Space")
    elif kind is QuestionType.MATCHING:
        for stem in page.locator("select[data-stem]").evaluate_all("all => all.map(list => list.dataset.stem)"):
            press_until(page, f'#question select[data-stem="{stem}"]')
            press_until(page, f'select[data-stem="{stem}"] option[value="{answer[stem]}"]:checked', "ArrowDown")
    else:
        press_until(page, "#answer")
        page.keyboard.type(answer)


def test_every_type_is_answered_and_handed_in_by_keyboard_alone(desk: Devices) -> None:
    seat = take_seat(ALL_KINDS)
    student = desk(seat)
    page = student.page
    for place in range(len(seat.questions)):
        kind = seat.questions[student.shown_question()]
        assert page.evaluate("document.activeElement.id") == "question-title", "each question begins at its title"
        if kind is not QuestionType.DESCRIPTION:
            answer_by_keyboard(page, kind, RIGHT[kind])
        if place < len(seat.questions) - 1:
            press_until(page, "#next")
            page.keyboard.press("Enter")
    student.wait_saved()
    assert seat.values() == {question: RIGHT[seat.questions[question]] for question in seat.answerable}
    press_until(page, "#submit")
    page.keyboard.press("Enter")
    page.wait_for_selector("#submit-dialog[open]")
    press_until(page, "#confirm-submit")
    page.keyboard.press("Enter")
    page.wait_for_selector("#receipt")


def test_a_choice_can_be_tapped_anywhere_and_is_large_enough(phone: Devices) -> None:
    seat = take_seat(["multiple_choice", "true_false", "multiple_response"])
    student = phone(seat)
    for question in seat.questions:
        student.go_to(question)
        choices = student.page.locator("#question .choice")
        for number in range(choices.count()):
            box = choices.nth(number).bounding_box()
            assert box is not None
            assert box["height"] >= TAP_MIN
            assert box["width"] > 280, "the whole row"
            student.page.touchscreen.tap(box["x"] + box["width"] - 6, box["y"] + 6)
            assert choices.nth(number).locator("input").is_checked()
    buttons = student.page.locator("#question button:visible, .steps button:visible, #submit, .flag-box")
    heights = [box["height"] for box in (button.bounding_box() for button in buttons.all()) if box]
    assert min(heights) >= 44


def test_a_cleared_answer_is_stored_as_cleared(phone: Devices) -> None:
    seat = take_seat([kind for kind in ALL_KINDS if kind is not QuestionType.DESCRIPTION])
    student = phone(seat)
    for question, kind in seat.questions.items():
        student.answer(question, RIGHT[kind])
        student.clear(question)
        assert student.answer_shown(question) is None
        assert student.page.is_disabled("#clear")
    student.wait_saved()
    assert set(seat.values().values()) == {None}
    assert {student.cell(question).state for question in seat.questions} == {"empty"}


def test_unticking_everything_and_emptying_a_field_clears_too(phone: Devices) -> None:
    seat = take_seat(["multiple_response", "short_answer", "matching"])
    several, short, pairs = seat.questions
    student = phone(seat)
    student.answer(several, ["twoo"])
    student.choose("twoo")
    student.answer(short, "dingin")
    student.page.fill("#answer", "")
    student.leave_field()
    student.answer(pairs, {"bali": "dnps"})
    student.wait_saved()
    assert seat.values()[pairs] == {"bali": "dnps"}, "a part of a matching is an answer"
    student.page.select_option('select[data-stem="bali"]', "")
    student.page.wait_for_selector(f'#grid [data-question="{pairs}"][data-state="waiting"]', state="attached")
    student.wait_saved()
    assert set(seat.values().values()) == {None}


def test_a_number_is_kept_as_typed_and_the_page_says_how_it_is_read(phone: Devices) -> None:
    seat = take_seat(["numerical"])
    [question] = seat.questions
    student = phone(seat)
    page = student.page
    assert page.get_attribute("#answer", "inputmode") == "decimal"
    student.type("1.000.000,5")
    assert "1000000,5" in page.inner_text("#number-hint")
    student.type("tiga")
    assert "bilangan" in page.inner_text("#number-hint") or "number" in page.inner_text("#number-hint")
    assert page.locator("#number-hint.doubt").count() == 1
    student.type("3,14")
    page.click(".sign")
    assert page.input_value("#answer") == "-3,14"
    student.leave_field()
    student.wait_saved()
    assert seat.values() == {question: "-3,14"}


def test_an_essay_grows_counts_and_never_cuts_silently(phone: Devices) -> None:
    seat = take_seat(["essay"])
    [question] = seat.questions
    student = phone(seat)
    page = student.page
    before = page.locator("#answer").bounding_box()
    student.type("Aku 😀\n" * 20)
    assert re.match(r"120\D", page.inner_text("#counter")), "an emoji is one character"
    after = page.locator("#answer").bounding_box()
    assert before is not None
    assert after is not None
    assert after["height"] > before["height"] * 1.5
    page.fill("#answer", "x" * 29_999)
    page.locator("#answer").focus()
    page.keyboard.press("Control+End")
    page.keyboard.type("yz")
    assert page.input_value("#answer") == "x" * 29_999 + "y"
    assert "30.000" in page.inner_text("#question .counter-problem") or "30,000" in page.inner_text(
        "#question .counter-problem"
    )
    student.leave_field()
    student.wait_saved()
    assert seat.values() == {question: "x" * 29_999 + "y"}


def test_a_text_that_came_in_too_long_is_shown_whole_and_called_not_saved(phone: Devices) -> None:
    seat = take_seat(["short_answer"])
    [question] = seat.questions
    student = phone(seat)
    page = student.page
    page.fill("#answer", "x" * 990)
    page.locator("#answer").focus()
    page.keyboard.press("End")
    # As a phone's keyboard does it: while it composes a word it asks nobody before.
    keyboard = student.context.new_cdp_session(page)
    word = {"text": "y" * 12, "selectionStart": 12, "selectionEnd": 12}
    keyboard.send("Input.imeSetComposition", word)
    keyboard.send("Input.insertText", {"text": "y" * 12})
    student.leave_field()
    student.wait_state(question, "failed")
    assert page.locator("#reason").is_visible()
    assert "2" in page.inner_text("#question .counter-problem")
    assert len(page.input_value("#answer")) == 1_002
    assert seat.values() == {}
    page.fill("#answer", "x" * 1_000)
    student.leave_field()
    student.wait_saved()
    assert not page.locator("#reason").is_visible()
    assert seat.values() == {question: "x" * 1_000}


def test_a_reading_heads_the_questions_after_it(phone: Devices) -> None:
    reading = question_of("description", stem="Bacalah: **Burung** hantu.", text_format=TextFormat.MARKDOWN)
    seat = take_seat(["true_false", reading, "multiple_choice", "essay"])
    first, passage, second, third = seat.questions
    student = phone(seat)
    page = student.page
    assert not page.locator("#passage").is_visible()
    student.go_to(passage)
    assert page.locator("#stem strong").inner_text() == "Burung"
    assert page.locator("#question input, #question textarea").locator("visible=true").count() == 0
    assert student.cell(passage).state == "reading"
    for question in (second, third):
        student.go_to(question)
        assert page.locator("#passage").is_visible()
    assert page.inner_text("#question-title").endswith("3"), "readings are not counted"
    page.click("#passage summary")
    assert page.locator("#passage-text strong").is_visible()
    student.go_to(first)
    assert not page.locator("#passage").is_visible()


def test_matching_with_formulas_writes_them_out(phone: Devices) -> None:
    options = Options(
        stems=[Option("air", "Air"), Option("gula", "Gula")],
        choices=[Option("h2oo", "H<sub>2</sub>O"), Option("co2o", "CO<sub>2</sub>")],
    )
    rich = question_of("matching", options=options, text_format=TextFormat.HTML)
    rich = msgspec.structs.replace(rich, key=msgspec.structs.replace(rich.key, pairs={"air": "h2oo", "gula": "co2o"}))
    student = phone(take_seat([rich]))
    assert student.page.locator("#question .written sub").count() == 2
    assert sorted(student.page.locator("select >> nth=0").locator("option").all_inner_texts())[0].startswith("A. ")


def wide_question() -> QuestionContent:
    return question_of(
        "multiple_choice",
        stem=f'<p>Lihat tabel. <a href="https://contoh.sch.id/">Sumber</a></p>{TABLE}<pre>{"x" * 200}</pre>',
        text_format=TextFormat.HTML,
    )


@pytest.mark.parametrize("width", [320, 360, 640])
def test_nothing_but_wide_content_scrolls_sideways(width: int, phone: Devices) -> None:
    seat = take_seat([wide_question(), *ALL_KINDS])
    student = phone(seat, viewport={"width": width, "height": 640})
    page = student.page
    for question in seat.questions:
        student.go_to(question)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, seat.questions[question]
    wide = next(iter(seat.questions))
    student.go_to(wide)
    box = page.locator("#stem .scrolls")
    assert box.get_attribute("tabindex") == "0", "the keyboard gets into what scrolls"
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")
    assert page.get_attribute("#stem a", "target") == "_blank"
    keep_screenshot(page, f"exam-wide-content-{width}", full_page=False)


def test_the_place_in_the_paper_survives_a_reload(phone: Devices) -> None:
    seat = take_seat()
    student = phone(seat)
    *_, last = seat.questions
    student.go_to(last)
    student.mark_doubtful(last)
    student.reload()
    assert student.shown_question() == last
    assert student.page.is_checked("#doubtful")
    assert student.cell(last).is_doubtful


def test_every_state_is_said_in_words_and_shown_by_a_shape(phone: Devices, wire: Wire) -> None:
    seat = take_seat(["multiple_choice"] * 4)
    saved, waiting, failed, empty = seat.questions
    student = phone(seat)
    student.answer(saved, "jkrt")
    student.wait_saved()
    student.mark_doubtful(saved)
    wire.answer_with = lambda request: (
        Reply(422, {"success": False, "code": "save_refused", "message": "Tidak bisa."}) if request.is_save else None
    )
    student.answer(failed, "jkrt")
    student.wait_state(failed, "failed")
    assert student.page.locator("#reason").is_visible()
    wire.answer_with = None
    wire.set(Mode.CUT)
    student.answer(waiting, "jkrt")
    student.wait_status("waiting")
    labels = {question: student.grid_cell(question).get_attribute("aria-label") or "" for question in seat.questions}
    assert len({re.sub(r"\d+", "", label) for label in labels.values()}) == 4
    marks = [student.grid_cell(question).locator(".mark use").get_attribute("href") for question in (saved, waiting)]
    assert marks == ["#icon-saved", "#icon-waiting"]
    assert student.grid_cell(failed).locator(".mark use").get_attribute("href") == "#icon-failed"
    assert student.grid_cell(empty).locator(".mark use").count() == 0
    assert student.grid_cell(waiting).get_attribute("aria-current") == "true"
    assert student.status().waiting == 1
    student.page.click("#open-grid")
    keep_screenshot(student.page, "exam-phone-states", full_page=False)
    student.page.click("#close-grid")
    keep_screenshot(student.page, "exam-phone-waiting", full_page=False)
    wire.set(Mode.OPEN)
    student.send_now()
    student.wait_saved()
    assert seat.values().keys() == {saved, waiting, failed}


def test_a_screen_reader_is_not_told_of_every_save(phone: Devices) -> None:
    seat = take_seat()
    student = phone(seat)
    student.page.evaluate(
        """() => {
            window.spoken = [];
            new MutationObserver(() => window.spoken.push(document.querySelector("#announcer").textContent))
                .observe(document.querySelector("#announcer"), {childList: true});
        }"""
    )
    for question in seat.questions:
        student.answer(question, "jkrt")
        student.wait_saved()
    assert student.page.get_attribute("#status", "aria-live") == "off"
    assert student.page.evaluate("window.spoken") == []


def test_a_page_never_hands_in_for_somebody_else(desk: Devices, wire: Wire) -> None:
    first = take_seat()
    second = take_seat(exam=first.exam)
    student = desk(first)
    question = next(iter(first.questions))
    student.answer(question, "jkrt")
    student.wait_saved()
    student.context.add_cookies([session_cookie(second.student, wire.url)])  # type: ignore[list-item]
    student.open_submit()
    student.page.click("#confirm-submit")
    student.page.wait_for_selector("#login-dialog[open]")
    student.page.fill("#pin", first.card.pin)
    student.page.click("#login-dialog button[type=submit]")
    student.page.wait_for_selector("#receipt")
    first.attempt.refresh_from_db()
    second.attempt.refresh_from_db()
    assert (first.attempt.status, second.attempt.status) == (Attempt.Status.SUBMITTED, Attempt.Status.IN_PROGRESS)
    assert (first.values(), second.values()) == ({question: "jkrt"}, {})


def test_the_page_weighs_little_and_asks_little(phone: Devices, wire: Wire) -> None:
    seat = take_seat(ALL_KINDS)
    context = phone.context(seat.student)
    page = context.new_page()
    student = StudentPage(page, seat).open()
    page.wait_for_load_state("networkidle")
    paths = sorted({path for path in wire.paths() if path.startswith("/static/")})
    assert len(paths) > 10
    weight = sum(len(gzip.compress(context.request.get(path).body(), 9)) for path in paths)
    weight += len(gzip.compress(context.request.get(page.url).body(), 9))
    print(f"{weight} bytes, {len(paths)} files")
    assert weight <= WEIGHT_MAX
    before = len(wire.requests)
    student.reload()
    page.wait_for_load_state("networkidle")
    asked = wire.paths(before)
    assert len(asked) <= 5, asked
    assert not any(path.endswith((".js", ".css")) and "sw.js" not in path for path in asked), asked
