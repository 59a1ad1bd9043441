"""What the device keeps, in a real Chromium: two storages, damage, full ones, shared computers, the merge on load."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.browser.conftest import Window
from tests.browser.modules import run_js

OPEN = """
const {AnswerStore, merge, forgetAcknowledged} = await harness.module("recovery");
const entry = (questionId, revision, answer = "x", attemptId = 1) =>
    ({attemptId, questionId, questionType: "essay", answer, revision});
const open = (attemptId = 1) => AnswerStore.open({examId: 1, attemptId});
const raw = () => JSON.parse(localStorage.getItem("failedAnswers_1") || "[]");
const table = async () => {
    const database = await new Promise((resolve) => {
        const request = indexedDB.open("tahan-uji", 1);
        request.onsuccess = () => resolve(request.result);
    });
    return new Promise((resolve) => {
        const request = database.transaction("answers").objectStore("answers").getAll();
        request.onsuccess = () => { database.close(); resolve(request.result); };
    });
};
const inTable = async (look) => {
    const end = performance.now() + 5000;
    while (!look(await table())) {
        if (performance.now() > end) throw new Error(`IndexedDB is ${JSON.stringify(await table())}`);
    }
};
"""


@pytest.fixture
def js(window: Window) -> Any:
    return lambda body, **values: run_js(window.page, OPEN + body, **values)


def test_an_answer_is_in_both_storages(js: Any) -> None:
    kept = js("""
        const store = await open();
        store.put(entry(7, 100, "halo"));
        const atOnce = raw();
        await inTable((rows) => rows.length === 1);
        return {atOnce, table: await table(), isDurable: store.isDurable};
    """)
    expected = {"attemptId": 1, "questionId": 7, "questionType": "essay", "answer": "halo", "revision": 100}
    assert kept == {"atOnce": [expected], "table": [expected], "isDurable": True}


@pytest.mark.parametrize("lost", ["localStorage", "indexedDB"])
def test_either_storage_alone_brings_the_answers_back(js: Any, lost: str) -> None:
    answers = js(
        """
        const store = await open();
        for (const id of [1, 2, 3]) store.put(entry(id, 100 + id, `answer ${id}`));
        await inTable((rows) => rows.length === 3);
        if (lost === "localStorage") {
            localStorage.clear();
        } else {
            store._durable._database.close();
            await new Promise((resolve) => { indexedDB.deleteDatabase("tahan-uji").onsuccess = resolve; });
        }
        const again = await open();
        await inTable((rows) => rows.length === 3);
        return {entries: again.entries().map((entry) => entry.answer).sort(), healed: raw().length};
        """,
        lost=lost,
    )
    assert answers == {"entries": ["answer 1", "answer 2", "answer 3"], "healed": 3}


def test_the_newer_of_the_two_storages_counts(js: Any) -> None:
    answers = js("""
        const store = await open();
        store.put(entry(1, 100, "old"));
        await inTable((rows) => rows.length === 1);
        localStorage.setItem("failedAnswers_1", JSON.stringify([entry(1, 200, "new")]));
        const again = await open();
        await inTable((rows) => rows[0].revision === 200);
        return again.entries().map((entry) => entry.answer);
    """)
    assert answers == ["new"]


def test_only_what_is_not_newer_is_removed(js: Any) -> None:
    result = js("""
        const store = await open();
        store.put(entry(1, 100));
        store.put(entry(1, 200));
        store.remove(1, 100);
        const kept = [store.entries().length, raw().length];
        await inTable((rows) => rows.length === 1 && rows[0].revision === 200);
        store.remove(1, 200);
        await inTable((rows) => rows.length === 0);
        return {kept, left: [store.entries().length, raw().length]};
    """)
    assert result == {"kept": [1, 1], "left": [0, 0]}


def test_an_acknowledgement_of_an_older_answer_never_takes_a_newer_one_that_is_being_written(js: Any) -> None:
    rows = js("""
        const store = await open();
        for (let revision = 1; revision <= 200; revision++) {
            store.put(entry(1, revision, `r${revision}`));
            if (revision % 7 === 0) store.remove(1, revision - 3);
        }
        await inTable((rows) => rows.length === 1 && rows[0].revision === 200);
        return raw().map((entry) => entry.revision);
    """)
    assert rows == [200]


def test_a_renumbered_answer_takes_the_place_of_its_future_self(js: Any) -> None:
    result = js("""
        const store = await open();
        const future = entry(1, 9000, "x");
        store.put(future);
        await inTable((rows) => rows.length === 1);
        store.renumber(future, 50);
        await inTable((rows) => rows.length === 1 && rows[0].revision === 50);
        return {memory: store.entries().map((e) => e.revision), raw: raw().map((e) => e.revision)};
    """)
    assert result == {"memory": [50], "raw": [50]}


def test_the_next_student_on_this_computer_neither_sees_nor_harms_the_first_ones_answers(js: Any) -> None:
    result = js("""
        const first = await open(1);
        first.put(entry(1, 100, "first", 1));
        first.setDoubtful(1, true);
        first.rememberSaved(new Map([[2, {answer: "saved", revision: 90}]]));
        await inTable((rows) => rows.length === 1);
        forgetAcknowledged();
        const second = await open(2);
        const seen = {entries: second.entries(), doubtful: [...second.doubtful()], saved: [...second.saved()]};
        second.put(entry(1, 200, "second", 2));
        second.forgetAttempt();
        await inTable((rows) => rows.length === 1);
        const back = await open(1);
        return {seen, back: back.entries().map((entry) => entry.answer), saved: [...back.saved()]};
    """)
    assert result["seen"] == {"entries": [], "doubtful": [], "saved": []}
    assert result["back"] == ["first"]
    assert result["saved"] == []


@pytest.mark.parametrize("damage", ["{", '"text"', "null", '[{"attemptId": 1}]', '[null, 3, "x"]', "\u0000\u0001"])
def test_damaged_storage_is_set_aside_and_the_sound_part_kept(js: Any, damage: str) -> None:
    result = js(
        """
        const before = await open();
        before.put(entry(5, 100, "in the other storage"));
        await inTable((rows) => rows.length === 1);
        localStorage.setItem("failedAnswers_1", damage);
        const store = await open();
        store.put(entry(1, 200));
        const aside = Object.keys(localStorage).filter((key) => key.startsWith("failedAnswers_1_damaged_"));
        return {wasDamaged: store.wasDamaged, aside: aside.map((key) => localStorage.getItem(key)),
                kept: raw().map((entry) => entry.questionId).sort()};
        """,
        damage=damage,
    )
    assert result == {"wasDamaged": True, "aside": [damage], "kept": [1, 5]}


def test_a_sound_entry_beside_a_damaged_one_is_kept(js: Any) -> None:
    kept = js("""
        localStorage.setItem("failedAnswers_1", JSON.stringify([{nonsense: 1}, entry(1, 100, "sound")]));
        return (await open()).entries().map((entry) => entry.answer);
    """)
    assert kept == ["sound"]


def test_full_storage_drops_what_is_only_there_for_comfort(js: Any) -> None:
    result = js("""
        const store = await open();
        store.rememberSaved(new Map([[1, {answer: "x".repeat(3000000), revision: 1}]]));
        const before = localStorage.getItem("savedAnswers_1") !== null;
        store.put(entry(2, 100, "y".repeat(3000000)));
        return {before, after: localStorage.getItem("savedAnswers_1"), kept: raw().length, isDurable: store.isDurable};
    """)
    assert result == {"before": True, "after": None, "kept": 1, "isDurable": True}


def test_full_storage_leaves_indexeddb_and_blocked_both_leave_the_memory(js: Any) -> None:
    result = js("""
        localStorage.setItem("filler", "z".repeat(5200000));
        const full = await open();
        full.put(entry(1, 100, "y".repeat(200000)));
        await inTable((rows) => rows.length === 1);
        const one = {isDurable: full.isDurable, inStorage: raw().length};
        const factory = {open() { throw new Error("blocked"); }};
        const blocked = await AnswerStore.open({examId: 2, attemptId: 9, storage: null, factory});
        blocked.put(entry(1, 100, "only here", 9));
        return {one, two: {isDurable: blocked.isDurable, entries: blocked.entries().length}};
    """)
    assert result["one"] == {"isDurable": True, "inStorage": 0}
    assert result["two"] == {"isDurable": False, "entries": 1}


def test_a_storage_that_hangs_does_not_hold_up_the_exam(js: Any) -> None:
    result = js("""
        const from = performance.now();
        const store = await AnswerStore.open({examId: 3, attemptId: 9, factory: {open: () => ({})}});
        return {ms: performance.now() - from, isDurable: store.isDurable};
    """)
    assert result["ms"] < 4000
    assert result["isDurable"] is True, "localStorage still works"


def test_two_tabs_that_write_at_once_lose_nothing(window: Window, js: Any) -> None:
    run_js(window.page, "return 0;")
    other = window.page.context.new_page()
    put_many = (
        OPEN
        + """
        const store = await open();
        for (let i = 0; i < 40; i++) {
            store.put(entry(from + i, 100 + i));
            await new Promise((resolve) => setTimeout(resolve, 1));
        }
    """
    )
    run_js(other, "return 0;")
    # Both run at the same time: the first is started without waiting for it.
    window.page.evaluate(
        "body => { window.done = new Function('from', `return (async () => { ${body} })()`)(1); }", put_many
    )
    run_js(other, put_many, **{"from": 100})
    window.page.evaluate("() => window.done")
    assert js("await inTable((rows) => rows.length === 80); return (await open()).entries().length;") == 80


# -- the merge -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_the_newest_revision_of_each_question_wins_whoever_has_it(js: Any, seed: int) -> None:
    dice = random.Random(seed)
    server: list[dict[str, Any]] = [
        {"questionId": q, "answer": f"s{q}r{r}", "revision": r}
        for q in range(1, 30)
        if dice.random() < 0.7
        for r in {dice.randrange(1, 50), dice.randrange(1, 50)}
    ]
    entries: list[dict[str, Any]] = [
        {"attemptId": 1, "questionId": q, "answer": f"d{q}", "revision": dice.randrange(1, 50)}
        for q in range(1, 30)
        if dice.random() < 0.7
    ]
    merged = js(
        "const m = merge({server, entries}); return {...m, answers: [...m.answers]};", server=server, entries=entries
    )
    newest = {row["questionId"]: row for row in sorted(server, key=lambda row: row["revision"])}
    expected: dict[int, Any] = {}
    for question, row in newest.items():
        expected[question] = {"answer": row["answer"], "revision": row["revision"], "isSaved": True}
    to_send = []
    for entry in entries:
        question = entry["questionId"]
        if question not in newest or newest[question]["revision"] < entry["revision"]:
            expected[question] = {"answer": entry["answer"], "revision": entry["revision"], "isSaved": False}
            to_send.append(entry)
    assert dict(merged["answers"]) == expected
    assert merged["toSend"] == to_send
    assert len(merged["toSend"]) + len(merged["obsolete"]) == len(entries)


# -- the clock -----------------------------------------------------------------------------------------------------

CLOCK = """
const {ServerClock} = await harness.module("clock");
let steadyNow = 0, wallNow = 1000000;
let memory = null;
const make = () => new ServerClock({steady: () => steadyNow, wall: () => wallNow,
    memory: {readClock: () => memory, writeClock: (kept) => { memory = kept; }}});
const YEAR = 365 * 86400000;
"""


@pytest.fixture
def clock_js(window: Window) -> Any:
    return lambda body: run_js(window.page, CLOCK + body)


def test_a_device_clock_set_a_year_back_or_forth_changes_nothing(clock_js: Any) -> None:
    times = clock_js("""
        const clock = make();
        clock.base(5000000, 200);
        const times = [clock.now(), clock.isEstimated];
        for (const jump of [YEAR, -2 * YEAR]) {
            steadyNow += 1000;
            wallNow += 1000 + jump;
            times.push(clock.now(), clock.isEstimated);
        }
        clock.base(5002500);
        return [...times, clock.now(), clock.isEstimated];
    """)
    assert times == [5000100, False, 5001100, True, 5002100, True, 5002500, False]


def test_sleep_is_noticed_and_mended_by_the_next_reply(clock_js: Any) -> None:
    result = clock_js("""
        const clock = make();
        clock.base(5000000);
        wallNow += 600000;
        steadyNow += 10;
        const asleep = clock.jumped();
        clock.base(5600000);
        return [asleep, clock.jumped(), clock.now()];
    """)
    assert result == [True, False, 5600000]


def test_revisions_only_grow_whatever_the_clocks_do(clock_js: Any) -> None:
    revisions = clock_js("""
        const clock = make();
        const revisions = [];
        const take = () => revisions.push(clock.nextRevision());
        clock.base(5000000); take(); take();
        wallNow -= YEAR; take();
        clock.base(4999000); take();
        clock.sawRevision(5030000); take();
        clock.base(5001000); take();
        return revisions;
    """)
    assert revisions == sorted(set(revisions))
    assert revisions[0] == 5000000
    assert revisions[-2:] == [5030001, 5030002]


def test_a_number_from_a_wrong_guess_is_not_kept_for_ever(clock_js: Any) -> None:
    revisions = clock_js("""
        memory = {serverNow: 5000000, wall: wallNow};
        wallNow += YEAR;
        const clock = make();
        const wrong = clock.nextRevision();
        clock.base(5010000);
        return [wrong > 5000000 + YEAR / 2, clock.nextRevision()];
    """)
    assert revisions == [True, 5010000]


def test_a_reload_without_network_goes_on_where_the_clock_was_and_never_before(clock_js: Any) -> None:
    times = clock_js("""
        const first = make();
        first.base(5000000);
        wallNow += 90000;
        const later = make();
        const went = later.now();
        wallNow -= YEAR;
        const back = make();
        return [went, later.isEstimated, back.now()];
    """)
    assert times == [5090000, True, 5000000]
