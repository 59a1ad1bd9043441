/*
 * The save queue: every answer goes into the browser's storage, then to the server, until the server has it.
 *
 * Contract:
 * - addAnswer() first writes the answer to the store, then puts it into the queue. One entry per question: a newer
 *   answer takes the place of one that waits.
 * - An entry leaves the queue only when the server has acknowledged this very revision or holds a newer one. No status
 *   code and no exception throws one away.
 * - isProcessing guards the sending and is released in `finally`: whatever is thrown, the next answer is sent.
 * - stateOf() is the truth: "saved" means that the server has acknowledged the value that is shown.
 *
 * Events: "answer" (detail {questionId, cause}: edit, ack, failed, tab, device), "status", "login" (the session is
 * gone), "closed" (detail {code}), "reopened" (a teacher has unlocked it), "state" (detail: the server's `state`).
 *
 * Not here: what is kept where (recovery.js), which entries go when (waiting.js, patience.js), who sends (tabs.js),
 * HTTP (server.js), what the student sees (page.js).
 */

import { Acknowledged } from "./acknowledged.js";
import { AHEAD_MS } from "./clock.js";
import { isEqual } from "./equal.js";
import { Patience } from "./patience.js";
import { KEEPALIVE_MAX_BYTES, asSave, retryAfterOf } from "./server.js";
import { BATCH_MAX, WaitingAnswers, fitting } from "./waiting.js";

const LOCK_POLL_MS = 10000;
/* A request that is under way for so long is trouble, though the network has not said so yet. */
const SLOW_MS = 5000;
/* What submit waits for a request that is under way; one that comes back later does no harm. */
const HOLD_MS = 3000;
const CLOSED_CODES = ["attempt_submitted", "attempt_expired", "attempt_locked"];

export class Autosave extends EventTarget {
    /* answers and toSend: from merge() of recovery.js. random and steady are there for tests. */
    constructor({ attemptId, ticket, answers, toSend, server, store, clock, tabs, random, steady }) {
        super();
        this.isProcessing = false;
        this._attemptId = attemptId;
        this._ticket = ticket;
        this._server = server;
        this._store = store;
        this._clock = clock;
        this._tabs = tabs;
        this._random = random || Math.random;
        this._steady = steady || (() => performance.now());
        this._patience = new Patience({ steady: this._steady, random: this._random });
        this._waiting = new WaitingAnswers({ steady: this._steady, patience: this._patience });
        this._saved = new Acknowledged({ store, steady: this._steady });
        this._freshTickets = 0; // in a row, without a save between them
        this._trouble = { failures: 0, isBusy: false }; // of the tab that sends
        this._isReconnecting = false;
        this._needsLogin = false;
        this._isHeld = this._isStopped = false;
        this._closedCode = null;
        this._timer = this._lockTimer = null;
        this._saved.load(answers);
        answers.forEach(({ revision }) => clock.sawRevision(revision));
        for (const entry of toSend) {
            this._enqueue(entry, { isOurs: true });
        }
        tabs.onmessage = (message) => this._hear(message);
        tabs.onsender = () => this._process();
        this._process();
    }

    /* -- what the page asks and says ---------------------------------------------------------------------------- */

    /* isTyping: more is to come; it is kept at once and sent after a pause, or when settle() says so. */
    addAnswer(questionId, questionType, answer, { isTyping = false } = {}) {
        const shown = this.stateOf(questionId);
        if (shown.state !== "failed" && isEqual(shown.answer, answer)) {
            return;
        }
        const revision = this._clock.nextRevision();
        const entry = { attemptId: this._attemptId, questionId, questionType, answer, revision };
        try {
            this._store.put(entry);
        } finally {
            this._enqueue(entry, { isOurs: true, isTyping });
            this._changed(questionId, "edit");
            this._process();
            this._tabs.post({ type: "entry", entry, isTyping });
        }
    }

    /* The field was left: what was typed goes now. */
    settle(questionId) {
        if (this._waiting.settle(questionId)) {
            this._tabs.post({ type: "settle", questionId });
            this._process();
        }
    }

    /* {state, answer, revision, code, reason}: what the page shows for a question, and whether that is saved. */
    stateOf(questionId) {
        const waiting = this._waiting.get(questionId);
        if (waiting !== undefined) {
            const { answer, revision } = waiting.entry;
            return { state: waiting.failure === null ? "waiting" : "failed", answer, revision, ...waiting.failure };
        }
        const saved = this._saved.get(questionId);
        if (saved === undefined || saved.answer === null) {
            return { state: "empty", answer: null, revision: saved === undefined ? 0 : saved.revision };
        }
        return { state: "saved", answer: saved.answer, revision: saved.revision };
    }

    status() {
        const waiting = this._waiting.open().length;
        const failed = this._waiting.size - waiting;
        return { kind: this._kind(waiting), waiting, failed, isDurable: this._store.isDurable };
    }

    oldestWaitingMs() {
        return this._waiting.oldestMs();
    }

    _kind(waiting) {
        if (this._isStopped) {
            return "stopped";
        }
        if (this._closedCode !== null) {
            return "closed";
        }
        if (this._needsLogin) {
            return "login";
        }
        if (waiting === 0) {
            return "saved";
        }
        if (this._trouble.failures > 0) {
            return "waiting";
        }
        if (this._trouble.isBusy) {
            return "busy";
        }
        return this._isReconnecting ? "reconnected" : "sending";
    }

    /*
     * The network is back, the page is looked at, "Kirim sekarang": at once, unless the server has said when. With
     * retryFailed also what the server did not take.
     */
    sendNow({ retryFailed = false } = {}) {
        this._patience.forget();
        this._waiting.settleAll();
        for (const waiting of this._waiting.all()) {
            if (retryFailed && waiting.failure !== null) {
                waiting.failure = null;
                this._changed(waiting.entry.questionId, "edit");
            }
        }
        this._tabs.takeOver();
        this._process();
    }

    /* The page is being left: one last request that outlives it. What does not fit stays in the store. */
    flush() {
        this._waiting.settleAll();
        if (this._isStopped || this._closedCode !== null) {
            return;
        }
        const ours = this._waiting.open().filter((waiting) => waiting.isOurs).slice(0, BATCH_MAX);
        const entries = fitting(ours.map(({ entry }) => entry), KEEPALIVE_MAX_BYTES);
        if (entries.length > 0) {
            this._sendLast(entries);
        }
        this._schedule();
    }

    async _sendLast(entries) {
        try {
            const reply = await this._server.saveMany(entries, this._ticket, { keepalive: true });
            if (reply.status === 200) {
                this._takeOutcomes(entries, reply.body.results);
            } // whatever else it is: if the page lives on, so does the queue
        } catch (error) {
            retryAfterOf(error);
        }
    }

    /* Stop sending, and wait a moment for what is under way: submit brings the rest along. */
    async hold() {
        this._isHeld = true;
        if (this.isProcessing) {
            await new Promise((resolve) => {
                this.addEventListener("idle", resolve, { once: true });
                setTimeout(resolve, HOLD_MS);
            });
        }
    }

    release() {
        this._isHeld = false;
        this._process();
    }

    /* For submit: what the server may lack, and the newest revision per question that this device knows. */
    pending() {
        return this._waiting.all().map((waiting) => asSave(waiting.entry));
    }

    manifest() {
        const newest = this._saved.revisions();
        for (const { entry } of this._waiting.all()) {
            newest[entry.questionId] = entry.revision;
        }
        return newest;
    }

    /* The student has logged in again; state: the reply of the server's `state`, asked at askedAt. */
    loggedIn(state, askedAt) {
        this._needsLogin = false;
        this._tabs.post({ type: "loggedIn", state });
        this.takeState(state, askedAt);
        this.sendNow();
    }

    /*
     * What the server has, asked at askedAt (performance.now()): newer answers of another device are taken over, and
     * what the server should have but has not (its database came back from a copy) is sent again.
     */
    takeState(state, askedAt = 0) {
        if (state.attempt.id !== this._attemptId) {
            this._askForLogin(); // another student has logged in on this device: not his ticket, not his answers
            return;
        }
        this._clock.base(state.serverNow, askedAt === 0 ? 0 : this._steady() - askedAt);
        if (state.ticket !== null) {
            this._ticket = state.ticket;
        }
        const stored = new Map(state.answers.map((answer) => [answer.questionId, answer]));
        stored.forEach(({ answer, revision }, questionId) => this._learn(questionId, answer, revision, "device"));
        for (const [questionId, lost] of this._saved.lostBy(stored, askedAt)) {
            this._sendAgain(questionId, lost);
        }
        this._store.reload();
        this._store.entries().forEach((entry) => this._adopt(entry, {}));
        this._renumberWhatIsAhead();
        this._takeAttemptStatus(state.attempt.status);
        this._dispatch("state", state);
        this._process();
    }

    close() {
        this._isStopped = true;
        clearTimeout(this._timer);
        clearTimeout(this._lockTimer);
        this._tabs.close();
    }

    /* -- the queue ---------------------------------------------------------------------------------------------- */

    _enqueue(entry, how) {
        this._waiting.put(entry, { ...how, isDurable: this._store.isDurable });
    }

    /* An entry that another tab made, or left behind. */
    _adopt(entry, { isTyping = false }) {
        const saved = this._saved.get(entry.questionId);
        if (saved !== undefined && saved.revision >= entry.revision) {
            this._store.remove(entry.questionId, saved.revision);
        } else if (this.stateOf(entry.questionId).revision < entry.revision) {
            this._clock.sawRevision(entry.revision);
            this._enqueue(entry, { isTyping });
            this._changed(entry.questionId, "tab");
        }
    }

    _sendAgain(questionId, { answer, revision }) {
        if (this._waiting.get(questionId) === undefined && this._closedCode === null) {
            const entry = { attemptId: this._attemptId, questionId, answer, revision };
            this._saved.delete(questionId);
            this._store.put(entry);
            this._enqueue(entry, { isOurs: true });
            this._changed(questionId, "edit");
        }
    }

    _canSend() {
        const isOver = this._isStopped || this._isHeld || this._closedCode !== null;
        return !isOver && !this._needsLogin && this._tabs.isSender;
    }

    async _process() {
        if (this.isProcessing || !this._canSend()) {
            return;
        }
        this.isProcessing = true;
        try {
            let batch = this._waiting.nextBatch();
            while (batch.length > 0 && this._canSend()) {
                await this._send(batch);
                batch = this._waiting.nextBatch();
            }
        } catch (error) {
            // A mistake of ours, not of the network: it must not stop the saving, and it must be seen.
            console.error(error);
            this._backOff(null);
        } finally {
            this.isProcessing = false;
            this._schedule();
            this._dispatch("idle");
        }
    }

    _schedule() {
        clearTimeout(this._timer);
        const delayMs = this._waiting.nextInMs();
        if (delayMs !== null && !this.isProcessing && this._canSend()) {
            this._timer = setTimeout(() => this._process(), delayMs);
        }
    }

    async _send(batch) {
        this._waiting.sending(batch);
        const askedAt = this._steady();
        const slow = setTimeout(() => this._setTrouble({ failures: 1, isBusy: false }), SLOW_MS);
        let reply;
        try {
            reply =
                batch.length === 1
                    ? await this._server.saveOne(batch[0], this._ticket)
                    : await this._server.saveMany(batch, this._ticket);
        } catch (error) {
            this._backOff(retryAfterOf(error));
            return;
        } finally {
            clearTimeout(slow);
        }
        this._clock.base(reply.body.serverNow, this._steady() - askedAt);
        await this._take(batch, reply);
    }

    /* -- what a reply means --------------------------------------------------------------------------------------- */

    async _take(batch, { status, body }) {
        if (status === 200) {
            this._isThere();
            this._patience.saved(
                batch.map((entry) => entry.questionId),
                body.nextSaveMs
            );
            this._takeOutcomes(batch, body.results || [body]);
        } else if (status === 401 || status === 403) {
            await this._renewTicket();
        } else if (batch.length > 1 && [400, 413, 422].includes(status)) {
            this._waiting.halve(batch);
        } else if (status === 408 || status >= 500 || (batch.length > 1 && !CLOSED_CODES.includes(body.code))) {
            this._refusedForNow(body);
        } else {
            this._isThere();
            this._takeFailure(batch[0], body);
        }
    }

    _takeOutcomes(batch, outcomes) {
        batch.forEach((entry, index) => {
            if (outcomes[index].success) {
                this._acknowledge(entry, outcomes[index]);
            } else {
                this._takeFailure(entry, outcomes[index]);
            }
        });
    }

    _acknowledge(entry, { status, revision, answer }) {
        const stored = status === "superseded" ? answer : entry.answer;
        this._learn(entry.questionId, stored, revision, status === "superseded" ? "device" : "ack");
        this._tabs.post({ type: "saved", questionId: entry.questionId, answer: stored, revision });
    }

    /* The server holds answer under revision: it is saved, and an entry that is not newer has done its work. */
    _learn(questionId, answer, revision, cause) {
        this._clock.sawRevision(revision);
        const isNews = this._saved.learn(questionId, answer, revision);
        const waiting = this._waiting.get(questionId);
        if (waiting === undefined) {
            if (isNews) {
                this._changed(questionId, cause);
            }
        } else if (waiting.entry.revision <= revision) {
            this._store.remove(questionId, revision);
            this._waiting.delete(questionId);
            this._changed(questionId, isEqual(waiting.entry.answer, answer) ? "ack" : cause);
        }
    }

    /* One answer was not taken. Only this one: the others go on. */
    _takeFailure(entry, { code, message, reason, retryAfterMs, serverNow }) {
        if (code === "rate_limited") {
            this._patience.questionWaits(entry.questionId, retryAfterMs);
        } else if (code === "unavailable" || code === "busy") {
            this._refusedForNow({ retryAfterMs });
        } else if (CLOSED_CODES.includes(code)) {
            this._close(code);
        } else if (code === "revision_ahead") {
            this._clock.base(serverNow); // of a batch it came with the reply
            this._renumber(entry);
            this._patience.questionWaits(entry.questionId);
        } else {
            this._fail(entry.questionId, entry.revision, { code, reason: reason || message });
        }
    }

    _fail(questionId, revision, failure) {
        const waiting = this._waiting.get(questionId);
        if (waiting !== undefined && waiting.failure === null && waiting.entry.revision === revision) {
            this._waiting.mark(questionId, failure);
            this._tabs.post({ type: "failed", questionId, revision, failure });
            this._changed(questionId, "failed");
        }
    }

    /* The server answers. */
    _isThere() {
        this._freshTickets = 0;
        this._isReconnecting = this._patience.succeeded() || this._isReconnecting;
        this._setTrouble({ failures: 0, isBusy: false });
    }

    _refusedForNow({ retryAfterMs }) {
        if (Number.isFinite(retryAfterMs)) {
            this._patience.told(retryAfterMs);
            this._setTrouble({ failures: this._patience.failures, isBusy: true });
        } else {
            this._backOff(null);
        }
    }

    _backOff(retryAfterMs) {
        this._patience.failed(retryAfterMs);
        this._setTrouble({ failures: this._patience.failures, isBusy: false });
    }

    async _renewTicket() {
        this._freshTickets += 1;
        if (this._freshTickets <= 2) {
            await this._askState();
        } else {
            this._backOff(null); // fresh tickets are refused: nothing to be mended from here, but it may pass
        }
    }

    async _askState() {
        const askedAt = this._steady();
        let reply;
        try {
            reply = await this._server.state();
        } catch (error) {
            this._backOff(retryAfterOf(error));
            return;
        }
        if (reply.status === 200) {
            this.takeState(reply.body, askedAt);
        } else if (reply.status === 401) {
            this._askForLogin();
        } else {
            this._refusedForNow(reply.body);
        }
    }

    _askForLogin() {
        if (!this._needsLogin) {
            this._needsLogin = true;
            this._tabs.post({ type: "login" });
            this._dispatch("login");
            this._dispatch("status");
        }
    }

    _renumberWhatIsAhead() {
        const latest = this._clock.now() + AHEAD_MS;
        this._waiting
            .all()
            .map(({ entry }) => entry)
            .filter((entry) => entry.revision > latest)
            .sort((one, other) => one.revision - other.revision)
            .forEach((entry) => this._renumber(entry));
    }

    _renumber(entry) {
        const waiting = this._waiting.get(entry.questionId);
        if (waiting !== undefined && waiting.entry.revision === entry.revision) {
            waiting.entry = this._store.renumber(entry, this._clock.nextRevision());
            this._tabs.post({ type: "renumbered", was: entry.revision, entry: waiting.entry });
            this._changed(entry.questionId, "edit");
        }
    }

    /* -- closed, locked ------------------------------------------------------------------------------------------- */

    _close(code) {
        if (this._closedCode === code || (this._isHeld && code !== "attempt_locked")) {
            return; // known already; or it is our own submit that closed it, and that has a reply of its own
        }
        this._closedCode = code;
        this._tabs.post({ type: "closed", code });
        this._dispatch("closed", { code });
        this._dispatch("status");
        if (code === "attempt_locked") {
            this._watchLock();
        }
    }

    _takeAttemptStatus(status) {
        if (status !== "in_progress") {
            this._close(`attempt_${status}`);
        } else if (this._closedCode === "attempt_locked") {
            this._closedCode = null;
            this._tabs.post({ type: "reopened" });
            this._dispatch("reopened");
            this._dispatch("status");
        }
    }

    /* A teacher may unlock it: ask now and then. */
    _watchLock() {
        clearTimeout(this._lockTimer);
        this._lockTimer = setTimeout(
            async () => {
                if (this._closedCode === "attempt_locked" && !this._isStopped) {
                    try {
                        await this._askState();
                    } finally {
                        this._watchLock();
                    }
                }
            },
            LOCK_POLL_MS * (1 + 0.5 * this._random())
        );
    }

    /* -- the other tabs ------------------------------------------------------------------------------------------- */

    _hear(message) {
        switch (message.type) {
            case "entry":
                this._adopt(message.entry, message);
                break;
            case "settle":
                this._waiting.settle(message.questionId);
                break;
            case "saved":
                this._learn(message.questionId, message.answer, message.revision, "tab");
                break;
            case "failed":
                this._fail(message.questionId, message.revision, message.failure);
                break;
            case "renumbered":
                this._hearNumber(message);
                break;
            case "trouble":
                this._trouble = message.trouble;
                this._dispatch("status");
                break;
            case "login":
                this._askForLogin();
                break;
            case "loggedIn":
                this._needsLogin = false;
                this.takeState(message.state);
                break;
            case "closed":
                this._close(message.code);
                break;
            case "reopened":
                this._takeAttemptStatus("in_progress");
                break;
        }
        this._process();
    }

    _hearNumber({ was, entry }) {
        const waiting = this._waiting.get(entry.questionId);
        if (waiting !== undefined && waiting.entry.revision === was) {
            waiting.entry = entry;
            this._changed(entry.questionId, "edit");
        }
    }

    _setTrouble(trouble) {
        const { failures, isBusy } = this._trouble;
        this._trouble = trouble;
        if (failures !== trouble.failures || isBusy !== trouble.isBusy) {
            this._tabs.post({ type: "trouble", trouble });
            this._dispatch("status");
        }
    }

    _changed(questionId, cause) {
        this._isReconnecting = this._isReconnecting && this._waiting.open().length > 0;
        this._dispatch("answer", { questionId, cause });
        this._dispatch("status");
    }

    _dispatch(name, detail) {
        this.dispatchEvent(new CustomEvent(name, { detail }));
    }
}
