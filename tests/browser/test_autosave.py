"""The save queue of the page, in a real Chromium: what each reply does, and that nothing that is thrown stops it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.modules import run_js
from tests.web import PROJECT, WebProcess

AUTOSAVE = PROJECT / "exams" / "static" / "exams" / "autosave.js"

ONE = """
window.attempts = (window.attempts || 0) + 1;
const attempt = {examId: window.attempts, attemptId: window.attempts};
const {autosave, server, store, clock, tabs, events, NoAnswer} = await harness.make(attempt);
const {until, refusal, saved, stateReply} = harness;
const isSaved = (id) => autosave.stateOf(id).state === "saved";
"""


@pytest.fixture(scope="module")
def bench(chromium: Browser, web: WebProcess) -> Iterator[Page]:
    """One page for all of them: each test has an attempt of its own."""
    context = chromium.new_context(base_url=web.url)
    yield context.new_page()
    context.close()


@pytest.fixture
def js(bench: Page) -> Any:
    """`js(body)` with the parts of an Autosave in scope."""
    return lambda body, **values: run_js(bench, ONE + body, **values)


# -- the guard -----------------------------------------------------------------------------------------------------

#: Where the queue waits for somebody, or calls somebody: `target.method` throws once; `before` makes the call come.
THROWERS = {
    "send one": ("server.saveOne", ""),
    "send many": ("server.saveMany", "for (const id of [11, 12, 13, 14]) autosave.addAnswer(id, 'essay', 'x');"),
    "ask for the state": ("server.state", "server.script.push(refusal(401, 'bad_ticket'));"),
    "take the state": ("store.reload", "server.script.push(refusal(401, 'bad_ticket'));"),
    "take a reply": ("clock.base", ""),
    "tell the other tabs": ("tabs.post", ""),
    "remember what is saved": ("store.rememberSaved", ""),
    "forget what waits": ("store.remove", ""),
    "give another number": ("store.renumber", "server.script.push(refusal(422, 'revision_ahead', {serverNow: 1}));"),
}


@pytest.mark.parametrize("case", THROWERS)
def test_whatever_is_thrown_the_next_answer_is_sent(js: Any, case: str) -> None:
    target, before = THROWERS[case]
    result = js(
        f"""
        const parts = {{server, store, clock, tabs}};
        const [part, method] = {target!r}.split(".");
        const real = parts[part][method].bind(parts[part]);
        let thrown = 0;
        {before}
        parts[part][method] = (...given) => {{
            if (thrown++ === 0) throw new Error("thrown by the test");
            return real(...given);
        }};
        try {{
            autosave.addAnswer(1, "essay", "one");
        }} catch (error) {{
            if (error.message !== "thrown by the test") throw error;
        }}
        await until(() => thrown > 0);
        await until(() => !autosave.isProcessing);
        autosave.addAnswer(2, "essay", "two");
        await until(() => isSaved(1) && isSaved(2));
        return {{thrown, isProcessing: autosave.isProcessing, left: store.entries().length}};
        """
    )
    assert result["thrown"] > 0
    assert result["isProcessing"] is False
    assert result["left"] == 0


def test_every_await_of_the_queue_has_a_case_above() -> None:
    """A new await needs a new thought: what if it throws?"""
    awaited = re.findall(r"await (?:new )?([\w.]+)", AUTOSAVE.read_text())
    assert sorted(awaited) == sorted(
        [
            "this._server.saveMany",  # _sendLast: see the flush tests
            "this._server.saveOne",
            "this._server.saveMany",
            "this._server.state",
            "this._send",  # these four only pass on what the ones above throw
            "this._take",
            "this._renewTicket",
            "this._askState",
            "this._askState",
            "Promise",  # hold: resolved by an event or a timer, never rejected
        ]
    )


# -- one answer ----------------------------------------------------------------------------------------------------


def test_an_answer_is_stored_on_the_device_before_it_is_sent(js: Any) -> None:
    order = js("""
        const order = [];
        const put = store.put.bind(store);
        store.put = (entry) => { order.push("store"); put(entry); };
        server.saveOne = async (entry) => {
            order.push(localStorage.getItem(`failedAnswers_${attempt.examId}`));
            return {status: 200, body: saved(entry)};
        };
        autosave.addAnswer(1, "essay", "halo");
        await until(() => isSaved(1));
        return order;
    """)
    assert order[0] == "store"
    assert '"halo"' in order[1]


def test_an_acknowledgement_never_removes_a_newer_edit(js: Any) -> None:
    result = js("""
        let reply;
        server.saveOne = (entry) => new Promise((resolve) => {
            reply = () => resolve({status: 200, body: saved(entry)});
        });
        autosave.addAnswer(1, "essay", "old");
        await until(() => reply);
        const first = reply;
        reply = null;
        autosave.addAnswer(1, "essay", "new");
        first();
        await until(() => !autosave.isProcessing);
        const between = {...autosave.stateOf(1), stored: store.entries().map((entry) => entry.answer)};
        await until(() => reply);
        reply();
        await until(() => isSaved(1));
        return {between, after: autosave.stateOf(1).answer};
    """)
    assert result["between"]["state"] == "waiting"
    assert result["between"]["stored"] == ["new"]
    assert result["after"] == "new"


def test_the_newest_of_many_changes_is_what_is_sent(js: Any) -> None:
    sent = js("""
        for (let i = 0; i < 50; i++) autosave.addAnswer(1, "multiple_choice", `option${i}`);
        await until(() => isSaved(1));
        return server.requests.map((request) => request.entries[0].answer);
    """)
    assert sent == ["option0", "option49"], "the first at once, the last when the server's gap is over"


def test_more_than_three_answers_go_as_one_request(js: Any) -> None:
    sizes = js("""
        server.script.push(new NoAnswer("off line"));
        for (let id = 1; id <= 30; id++) autosave.addAnswer(id, "essay", `answer ${id}`);
        await until(() => [...Array(30).keys()].every((i) => isSaved(i + 1)));
        return server.requests.map((request) => request.entries.length);
    """)
    assert sizes == [1, 30]


def test_three_answers_go_one_by_one(js: Any) -> None:
    sizes = js("""
        tabs.isSender = false;
        for (const id of [1, 2, 3]) autosave.addAnswer(id, "essay", "x");
        tabs.isSender = true;
        tabs.isSender && autosave.sendNow();
        await until(() => isSaved(1) && isSaved(2) && isSaved(3));
        return server.requests.map((request) => request.entries.length);
    """)
    assert sizes == [1, 1, 1]


def test_the_same_answer_again_is_no_edit(js: Any) -> None:
    count = js("""
        autosave.addAnswer(1, "matching", {a: "x", b: "y"});
        await until(() => isSaved(1));
        autosave.addAnswer(1, "matching", {b: "y", a: "x"});
        await until(() => !autosave.isProcessing);
        return server.requests.length;
    """)
    assert count == 1


# -- replies -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code"),
    [(429, "rate_limited"), (503, "unavailable"), (503, "busy"), (500, "error"), (502, "bad_gateway"), (408, "slow")],
)
def test_a_refusal_that_passes_is_waited_for_and_sent_again(js: Any, status: int, code: str) -> None:
    result = js(
        """
        server.script.push(refusal(status, code, status < 500 || status === 503 ? {retryAfterMs: 700} : {}));
        const from = performance.now();
        autosave.addAnswer(1, "essay", "x");
        await until(() => server.requests.length === 1 && !autosave.isProcessing);
        const waiting = autosave.stateOf(1).state;
        await until(() => isSaved(1));
        return {waiting, ms: performance.now() - from, requests: server.requests.length};
        """,
        status=status,
        code=code,
    )
    assert result["waiting"] == "waiting"
    assert result["requests"] == 2
    assert result["ms"] >= 690


def test_what_the_server_has_told_is_kept_to_even_on_a_tap(js: Any) -> None:
    result = js("""
        server.script.push(refusal(503, "unavailable", {retryAfterMs: 800}));
        const from = performance.now();
        autosave.addAnswer(1, "essay", "x");
        await until(() => server.requests.length === 1 && !autosave.isProcessing);
        autosave.sendNow();
        const kind = autosave.status().kind;
        await until(() => isSaved(1));
        return {ms: performance.now() - from, kind};
    """)
    assert result["ms"] >= 790
    assert result["kind"] == "busy"


def test_a_tap_ends_our_own_patience_with_the_network(js: Any) -> None:
    result = js("""
        for (let i = 0; i < 3; i++) server.script.push(new NoAnswer("off line"));
        autosave.addAnswer(1, "essay", "x");
        for (let i = 1; i <= 3; i++) {
            await until(() => server.requests.length === i && !autosave.isProcessing);
            if (i < 3) autosave.sendNow();
        }
        const from = performance.now();
        const before = autosave.status().kind;
        autosave.sendNow();
        await until(() => isSaved(1));
        return {before, ms: performance.now() - from, after: autosave.status().kind};
    """)
    assert result["before"] == "waiting"
    assert result["ms"] < 1000
    assert result["after"] == "saved"


def test_an_expired_ticket_is_renewed_and_the_answer_sent_with_the_new_one(js: Any) -> None:
    tickets = js("""
        server.script.push(refusal(401, "bad_ticket"));
        autosave.addAnswer(1, "essay", "x");
        await until(() => isSaved(1));
        return server.requests.map((request) => request.ticket || "state");
    """)
    assert tickets == ["first", "state", "fresh"]


def test_without_a_session_it_asks_for_the_pin_and_goes_on_afterwards(js: Any) -> None:
    result = js("""
        server.script.push(refusal(401, "bad_ticket"));
        server.stateScript.push(refusal(401, "not_logged_in"));
        autosave.addAnswer(1, "essay", "x");
        await until(() => events.some((event) => event.name === "login"));
        autosave.addAnswer(2, "essay", "y");
        await until(() => !autosave.isProcessing);
        const between = {kind: autosave.status().kind, requests: server.requests.length, kept: store.entries().length};
        autosave.loggedIn(stateReply({ticket: "after"}), performance.now());
        await until(() => isSaved(1) && isSaved(2));
        return {between, tickets: server.requests.map((request) => request.ticket || "state")};
    """)
    assert result["between"] == {"kind": "login", "requests": 2, "kept": 2}
    assert result["tickets"] == ["first", "state", "after", "after"]


def test_another_students_session_gives_neither_its_ticket_nor_takes_our_answers(js: Any) -> None:
    result = js("""
        server.script.push(refusal(401, "bad_ticket"));
        const answers = [{questionId: 2, answer: "theirs", revision: Date.now()}];
        server.stateScript.push({status: 200, body: stateReply({ticket: "theirs", answers, attempt: {id: 0}})});
        autosave.addAnswer(1, "essay", "ours");
        await until(() => events.some((event) => event.name === "login"));
        await until(() => !autosave.isProcessing);
        const kept = store.entries().length;
        const between = {requests: server.requests.length, theirs: autosave.stateOf(2).state, kept};
        autosave.loggedIn(stateReply({ticket: "ours"}), performance.now());
        await until(() => isSaved(1));
        return {between, tickets: server.requests.map((request) => request.ticket || "state")};
    """)
    assert result["between"] == {"requests": 2, "theirs": "empty", "kept": 1}
    assert result["tickets"] == ["first", "state", "ours"]


def test_tickets_that_are_refused_for_ever_do_not_make_a_storm(js: Any) -> None:
    count = js("""
        for (let i = 0; i < 20; i++) server.script.push(refusal(401, "bad_ticket"));
        autosave.addAnswer(1, "essay", "x");
        await until(() => autosave.status().kind === "waiting");
        return server.requests.length;
    """)
    assert count == 5, "three saves and two states, then patience"


@pytest.mark.parametrize("code", ["attempt_submitted", "attempt_expired", "attempt_locked"])
def test_a_closed_attempt_stops_the_sending_and_keeps_the_answers(js: Any, code: str) -> None:
    result = js(
        """
        server.script.push(refusal(409, code));
        autosave.addAnswer(1, "essay", "x");
        autosave.addAnswer(2, "essay", "y");
        await until(() => events.some((event) => event.name === "closed"));
        await until(() => !autosave.isProcessing);
        return {codes: events.filter((event) => event.name === "closed").map((event) => event.code),
                requests: server.requests.length, kept: store.entries().length, kind: autosave.status().kind};
        """,
        code=code,
    )
    assert result == {"codes": [code], "requests": 1, "kept": 2, "kind": "closed"}


def test_an_unlocked_attempt_goes_on(js: Any) -> None:
    result = js("""
        server.script.push(refusal(409, "attempt_locked"));
        autosave.addAnswer(1, "essay", "x");
        await until(() => events.some((event) => event.name === "closed"));
        autosave.takeState(stateReply(), performance.now());
        await until(() => isSaved(1));
        return events.map((event) => event.name).filter((name) => name !== "answer");
    """)
    assert result == ["closed", "reopened"]


@pytest.mark.parametrize(("status", "code"), [(404, "unknown_question"), (422, "wrong_answer"), (422, "save_refused")])
def test_one_answer_that_is_refused_does_not_hold_up_the_others(js: Any, status: int, code: str) -> None:
    result = js(
        """
        server.script.push(refusal(status, code, {reason: "why"}));
        autosave.addAnswer(1, "essay", "bad");
        autosave.addAnswer(2, "essay", "good");
        await until(() => isSaved(2));
        const failed = autosave.stateOf(1);
        const kept = store.entries().map((entry) => entry.answer);
        autosave.sendNow();
        await until(() => !autosave.isProcessing);
        const quiet = server.requests.length;
        autosave.sendNow({retryFailed: true});
        await until(() => isSaved(1));
        return {failed, kept, quiet};
        """,
        status=status,
        code=code,
    )
    assert result["failed"]["state"] == "failed"
    assert (result["failed"]["code"], result["failed"]["reason"]) == (code, "why")
    assert result["kept"] == ["bad"], "nothing is thrown away because of a status code"
    assert result["quiet"] == 2, "and it is not sent again and again by itself"


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_batch_that_is_refused_whole_is_halved_down_to_the_one_that_spoils_it(js: Any, status: int) -> None:
    result = js(
        """
        const poison = (entries) => entries.some((entry) => entry.questionId === 5);
        const many = server.saveMany.bind(server), one = server.saveOne.bind(server);
        server.saveMany = async (entries, ...rest) => {
            const reply = await many(entries, ...rest);
            return poison(entries) ? refusal(status, "too_large") : reply;
        };
        server.saveOne = async (entry, ...rest) => {
            const reply = await one(entry, ...rest);
            return poison([entry]) ? refusal(status, "too_large") : reply;
        };
        tabs.isSender = false;
        for (let id = 1; id <= 8; id++) autosave.addAnswer(id, "essay", "x");
        tabs.isSender = true;
        autosave.sendNow();
        await until(() => autosave.status().waiting === 0);
        return {failed: autosave.stateOf(5).state, others: [1, 2, 3, 4, 6, 7, 8].every(isSaved)};
        """,
        status=status,
    )
    assert result == {"failed": "failed", "others": True}


def test_a_newer_answer_of_another_device_is_taken_over_and_said(js: Any) -> None:
    result = js("""
        server.script.push((entries) => ({status: 200, body: saved(entries[0],
            {status: "superseded", revision: entries[0].revision + 500, answer: "theirs"})}));
        autosave.addAnswer(1, "essay", "ours");
        await until(() => isSaved(1));
        autosave.addAnswer(1, "essay", "ours again");
        await until(() => isSaved(1) && autosave.stateOf(1).answer === "ours again");
        const device = events.filter((event) => event.cause === "device").map((event) => event.questionId);
        const revisions = server.requests.map((request) => request.entries[0].revision);
        return {device, ahead: revisions[1] > revisions[0] + 500};
    """)
    assert result == {"device": [1], "ahead": True}


def test_a_revision_ahead_of_the_server_gets_another_number_and_is_sent(js: Any) -> None:
    result = js("""
        const serverNow = Date.now();
        clock.base(serverNow + 86400000 * 365);
        server.script.push((entries) => refusal(422, "revision_ahead", {serverNow}));
        autosave.addAnswer(1, "essay", "x");
        await until(() => isSaved(1));
        const revision = autosave.stateOf(1).revision;
        return {isNow: Math.abs(revision - serverNow) < 60000, left: store.entries().length};
    """)
    assert result == {"isNow": True, "left": 0}


def test_what_a_restored_database_has_lost_is_sent_again(js: Any) -> None:
    result = js("""
        autosave.addAnswer(1, "essay", "x");
        autosave.addAnswer(2, "essay", "y");
        await until(() => isSaved(1) && isSaved(2));
        const kept = {questionId: 2, answer: "y", revision: autosave.stateOf(2).revision};
        const askedEarly = -1;
        autosave.takeState(stateReply({answers: [kept]}), askedEarly);
        const early = autosave.stateOf(1).state;
        autosave.takeState(stateReply({answers: [kept]}), performance.now() + 1);
        const late = autosave.stateOf(1).state;
        await until(() => isSaved(1));
        return {early, late, second: autosave.stateOf(2).state, sent: server.requests.map((r) => r.entries[0].answer)};
    """)
    assert result == {"early": "saved", "late": "waiting", "second": "saved", "sent": ["x", "y", "x"]}


# -- typing, leaving, submit -----------------------------------------------------------------------------------------


def test_typing_is_kept_at_once_and_sent_after_a_pause(js: Any) -> None:
    result = js("""
        autosave.addAnswer(1, "essay", "h", {isTyping: true});
        autosave.addAnswer(1, "essay", "ha", {isTyping: true});
        const kept = store.entries()[0].answer;
        const early = server.requests.length;
        const from = performance.now();
        await until(() => isSaved(1));
        return {kept, early, ms: performance.now() - from, sent: server.requests.map((r) => r.entries[0].answer)};
    """)
    assert (result["kept"], result["early"], result["sent"]) == ("ha", 0, ["ha"])
    assert 1400 < result["ms"] < 4000


def test_leaving_the_field_sends_what_was_typed(js: Any) -> None:
    ms = js("""
        autosave.addAnswer(1, "essay", "ha", {isTyping: true});
        const from = performance.now();
        autosave.settle(1);
        await until(() => isSaved(1));
        return performance.now() - from;
    """)
    assert ms < 1000


def test_who_types_without_a_pause_is_saved_every_ten_seconds(js: Any) -> None:
    times = js("""
        const {WaitingAnswers} = await harness.module("waiting");
        const {Patience} = await harness.module("patience");
        let now = 0;
        const steady = () => now;
        const waiting = new WaitingAnswers({steady, patience: new Patience({steady, random: () => 0})});
        const times = [];
        for (; now < 31000; now += 100) {
            waiting.put({questionId: 1, answer: String(now), revision: now + 1}, {isTyping: true});
            const batch = waiting.nextBatch();
            if (batch.length > 0) {
                times.push(now);
                waiting.sending(batch);
            }
        }
        return times;
    """)
    assert times == [10000, 20000, 30000]


def test_leaving_the_page_sends_what_waits_in_one_request_that_outlives_it(js: Any) -> None:
    result = js("""
        server.script.push(new NoAnswer("off line"));
        for (let id = 1; id <= 5; id++) autosave.addAnswer(id, "essay", "x".repeat(id === 3 ? 70000 : 10));
        autosave.addAnswer(6, "essay", "typed", {isTyping: true});
        await until(() => server.requests.length === 1 && !autosave.isProcessing);
        autosave.flush();
        const last = server.requests[1];
        await until(() => isSaved(6));
        return {keepalive: last.keepalive, ids: last.entries.map((entry) => entry.questionId),
                left: store.entries().map((entry) => entry.questionId)};
    """)
    assert result == {"keepalive": True, "ids": [1, 2, 4, 5, 6], "left": [3]}


def test_leaving_the_page_off_line_loses_nothing_and_throws_nothing(bench: Page, js: Any) -> None:
    thrown: list[object] = []
    bench.on("pageerror", lambda error: thrown.append(error))
    left = js("""
        server.script.push(new NoAnswer("off line"), new NoAnswer("off line"));
        autosave.addAnswer(1, "essay", "x");
        await until(() => !autosave.isProcessing);
        autosave.flush();
        await until(() => server.requests.length === 2);
        return store.entries().length;
    """)
    assert left == 1
    assert thrown == []


def test_submit_gets_what_waits_and_the_newest_revisions(js: Any) -> None:
    result = js("""
        autosave.addAnswer(1, "essay", "saved");
        await until(() => isSaved(1));
        server.script.push(refusal(422, "wrong_answer"));
        autosave.addAnswer(2, "essay", "failed");
        await until(() => autosave.stateOf(2).state === "failed");
        await autosave.hold();
        autosave.addAnswer(3, "essay", "typed", {isTyping: true});
        autosave.addAnswer(1, "essay", "changed");
        const requests = server.requests.length;
        const pending = autosave.pending().map((entry) => [entry.questionId, entry.answer]);
        const manifest = autosave.manifest();
        const isNewest = Object.keys(manifest).every((id) => manifest[id] === autosave.stateOf(+id).revision);
        autosave.release();
        await until(() => isSaved(1) && isSaved(3));
        return {pending, questions: Object.keys(manifest), isNewest, requests};
    """)
    assert result["pending"] == [[2, "failed"], [3, "typed"], [1, "changed"]]
    assert result["questions"] == ["1", "2", "3"]
    assert result["isNewest"]
    assert result["requests"] == 2, "nothing is sent while submit holds the queue"


# -- the line that says how things stand ------------------------------------------------------------------------------


def test_the_status_goes_from_waiting_over_reconnected_to_saved(js: Any) -> None:
    kinds = js("""
        const kinds = [];
        autosave.addEventListener("status", () => {
            const {kind} = autosave.status();
            if (kinds[kinds.length - 1] !== kind) kinds.push(kind);
        });
        server.script.push(new NoAnswer("off line"));
        for (let id = 1; id <= 3; id++) autosave.addAnswer(id, "essay", "x");
        await until(() => autosave.status().kind === "saved");
        return kinds;
    """)
    assert kinds == ["sending", "waiting", "reconnected", "saved"]


def test_a_healthy_network_never_looks_like_trouble(js: Any) -> None:
    kinds = js("""
        const kinds = new Set();
        autosave.addEventListener("status", () => kinds.add(autosave.status().kind));
        for (let round = 0; round < 2; round++) {
            for (let id = 1; id <= 6; id++) autosave.addAnswer(id, "essay", `x${round}`);
            await until(() => autosave.status().kind === "saved");
        }
        return [...kinds].sort();
    """)
    assert kinds == ["saved", "sending"]


def test_patience_grows_to_half_a_minute_and_is_spread(js: Any) -> None:
    waits = js("""
        const {Patience} = await harness.module("patience");
        const wait = (random) => {
            const patience = new Patience({steady: () => 0, random: () => random});
            return [...Array(8)].map(() => { patience.failed(); return patience.timeFor(1); });
        };
        return {low: wait(0), middle: wait(0.5)};
    """)
    assert waits["middle"] == [1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]
    assert waits["low"] == [750, 1500, 3000, 6000, 12000, 22500, 22500, 22500]


def test_a_server_with_a_long_queue_slows_every_question_down(js: Any) -> None:
    times = js("""
        const {Patience} = await harness.module("patience");
        const patience = new Patience({steady: () => 0, random: () => 0});
        patience.saved([1], 5000);
        return [patience.timeFor(1), patience.timeFor(2)];
    """)
    assert times == [5300, 3000]
