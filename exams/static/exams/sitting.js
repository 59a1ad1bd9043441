/*
 * The exam while it runs: brings the question, the grid, the status, the clock and the save queue together.
 *
 * Contract:
 * - Every change of the student's goes to autosave.js before anything else happens with it, and what is shown of an
 *   answer's state comes from there alone.
 * - The question that is shown survives a reload (sessionStorage, by attempt).
 * - Inputs are disabled while there is a reason (locked, time is up); looking at the questions is always possible.
 *
 * Not here: each part's own work; handing in (handing_in.js).
 */

import { Autosave } from "./autosave.js";
import { LoginDialog } from "./dialogs.js";
import { byId } from "./dom.js";
import { isEqual } from "./equal.js";
import { StateWatch } from "./following.js";
import { Grid } from "./grid.js";
import { HandingIn } from "./handing_in.js";
import { keepCopy, registerWorker } from "./offline.js";
import { QuestionView, steps } from "./questions.js";
import { StatusLine, toast } from "./status.js";
import { Tabs } from "./tabs.js";
import { t } from "./texts.js";
import { Timer } from "./timer.js";

/* Answers that another device changed come in one reply; more of them than this are one toast. */
const TOASTS_MAX = 3;

export class Sitting {
    /* data: the reply of `start` or its copy; answers and toSend: from merge(). */
    constructor({ boot, server, store, clock, data, answers, toSend }) {
        this._boot = boot;
        this._store = store;
        this._data = data;
        this._disabledBy = new Set();
        this._fromDevice = new Set();
        this._steps = steps(data.paper.questions);
        this._byId = new Map(this._steps.map((step) => [step.id, step]));
        this._total = this._steps.filter((step) => !step.isReading).length;
        this._doubtful = store.doubtful();
        this._shown = new Map();
        this._tabs = new Tabs({ attemptId: boot.attemptId });
        this.autosave = new Autosave({
            attemptId: boot.attemptId,
            ticket: data.ticket,
            answers,
            toSend,
            server,
            store,
            clock,
            tabs: this._tabs,
        });
        this._status = new StatusLine();
        this._grid = new Grid({ steps: this._steps, onPick: (step) => this.goTo(step) });
        this._view = new QuestionView({
            onAnswer: (question, answer, how) => this.autosave.addAnswer(question.id, question.type, answer, how),
            onLeave: (question) => this.autosave.settle(question.id),
            onDoubtful: (id, isDoubtful) => this._flag(id, isDoubtful),
        });
        this._login = new LoginDialog({
            server,
            username: boot.student.username,
            onLoggedIn: (state, askedAt) => this._loggedIn(state, askedAt),
        });
        this._watch = new StateWatch({
            attemptId: boot.attemptId,
            server,
            clock,
            onState: (state, askedAt) => this.takeState(state, askedAt),
            onLogin: () => this.askForPin(),
        });
        this._timer = new Timer({
            clock,
            onTick: (seconds) => this._tick(seconds),
            onTimeUp: () => this._handingIn.timeUp(),
        });
        this._handingIn = new HandingIn({
            boot,
            server,
            store,
            clock,
            autosave: this.autosave,
            tabs: this._tabs,
            watch: this._watch,
            timer: this._timer,
            steps: this._steps,
            doubtful: () => this._doubtful,
            ticket: () => this._data.ticket,
            grace: () => this._data.graceSeconds * 1000,
            goTo: (step) => this.goTo(step),
            disable: (reason, isOn) => this.disable(reason, isOn),
            askForPin: () => this.askForPin({ isUrgent: true }),
        });
        this._listen();
        for (const { id } of this._steps) {
            this._refresh(id);
        }
        this._reveal();
        this._tabs.start();
        this._timer.setDeadline(Date.parse(data.deadlineAt));
    }

    /* The server has given the paper: from now on this device can do without it for a while. */
    async arrived(data) {
        const { examId, attemptId, version, language, assets, student, urls } = this._boot;
        this._data = data;
        // In this order: a page that finds no copy lets the worker go.
        await keepCopy({ examId, student: student.id, attemptId, version, language, assets, data });
        await registerWorker(urls.serviceWorker);
    }

    showCopyNote() {
        const note = byId("offline-note");
        note.textContent = t("from_copy");
        note.hidden = false;
    }

    takeState(state, askedAt) {
        this.autosave.takeState(state, askedAt);
        this._timer.look();
    }

    /* isUrgent: he has just asked for what needs it. Else only once: the button is there, and he is not interrupted. */
    askForPin({ isUrgent = false } = {}) {
        this._wantsPin = true;
        this._showStatus();
        if (isUrgent || !this._hasAskedForPin) {
            this._hasAskedForPin = true;
            this._login.open();
        }
    }

    wasClosed(code) {
        this._handingIn.wasClosed(code);
    }

    goTo(step) {
        if (this._view.step !== null) {
            this.autosave.settle(this._view.step.id);
        }
        const index = this._steps.indexOf(step);
        this._view.show(step, {
            answer: this.autosave.stateOf(step.id).answer,
            isDoubtful: this._doubtful.has(step.id),
            total: this._total,
        });
        this._view.setDisabled(this._disabledBy.size > 0);
        this._grid.setCurrent(step.id);
        this._refresh(step.id);
        byId("previous").disabled = index === 0;
        byId("next").disabled = index === this._steps.length - 1;
        byId("position").textContent = step.isReading ? step.name : `${step.name} / ${this._total}`;
        byId("question-title").focus({ preventScroll: true });
        window.scrollTo(0, 0);
        this._rememberPlace(step);
    }

    disable(reason, isOn) {
        if (isOn) {
            this._disabledBy.add(reason);
        } else {
            this._disabledBy.delete(reason);
        }
        this._view.setDisabled(this._disabledBy.size > 0);
    }

    /* -- what happens ------------------------------------------------------------------------------------------- */

    _listen() {
        const { autosave } = this;
        autosave.addEventListener("answer", ({ detail }) => this._answerChanged(detail));
        autosave.addEventListener("status", () => this._showStatus());
        autosave.addEventListener("login", () => this.askForPin());
        autosave.addEventListener("closed", ({ detail }) => this._closed(detail.code));
        autosave.addEventListener("reopened", () => this._locked(false));
        autosave.addEventListener("state", ({ detail }) => this._heardState(detail));
        byId("send-now").addEventListener("click", () => autosave.sendNow({ retryFailed: true }));
        byId("log-in-again").addEventListener("click", () => this._login.open());
        byId("previous").addEventListener("click", () => this._step(-1));
        byId("next").addEventListener("click", () => this._step(1));
        window.addEventListener("online", () => autosave.sendNow());
        window.addEventListener("pagehide", () => autosave.flush());
        document.addEventListener("visibilitychange", () => (document.hidden ? autosave.flush() : autosave.sendNow()));
        window.addEventListener("pageshow", (event) => {
            if (event.persisted) {
                this._watch.ask(); // this page was put away and taken out again; what it shows may be old
            }
        });
        window.addEventListener("beforeunload", (event) => {
            const { waiting, failed, isDurable } = autosave.status();
            if (!isDurable && waiting + failed > 0) {
                event.preventDefault();
                event.returnValue = "";
            }
        });
    }

    _reveal() {
        byId("opening").hidden = true;
        byId("sitting").hidden = false;
        byId("status").parentElement.hidden = false;
        this._showStatus();
        this.goTo(this._rememberedPlace() || this._steps[0]);
    }

    _step(by) {
        const next = this._steps[this._steps.indexOf(this._view.step) + by];
        if (next !== undefined) {
            this.goTo(next);
        }
    }

    _answerChanged({ questionId, cause }) {
        const before = this._shown.get(questionId);
        const { answer } = this._refresh(questionId);
        const isNews = !isEqual(before === undefined ? null : before, answer);
        if (isNews && (cause === "tab" || cause === "device") && this._view.step.id === questionId) {
            this._view.follow(answer);
        }
        if (isNews && cause === "device") {
            this._sayFromDevice(questionId);
        }
    }

    _sayFromDevice(questionId) {
        if (this._fromDevice.size === 0) {
            setTimeout(() => {
                const ids = Array.from(this._fromDevice);
                this._fromDevice.clear();
                if (ids.length > TOASTS_MAX) {
                    toast(t("from_device_many", { n: ids.length }));
                } else {
                    ids.forEach((id) => toast(t("from_device", { name: this._nameOf(id) })));
                }
            });
        }
        this._fromDevice.add(questionId);
    }

    _nameOf(id) {
        const step = this._byId.get(id);
        return step === undefined ? "?" : step.name;
    }

    /* Show the state of one answer, as it is. */
    _refresh(id) {
        const found = this.autosave.stateOf(id);
        this._shown.set(id, found.answer);
        const step = this._byId.get(id);
        if (step === undefined) {
            return found; // not in this paper; the server will say so
        }
        const state = step.isReading ? "reading" : found.state;
        this._grid.update(id, { state, revision: found.revision, isDoubtful: this._doubtful.has(id) });
        if (this._view.step === step) {
            this._view.showReason(found.state === "failed" ? reasonOf(found) : null);
        }
        return found;
    }

    _showStatus() {
        this._status.show(this.autosave.status());
        if (this._wantsPin) {
            byId("log-in-again").hidden = false;
            byId("send-now").hidden = true;
        }
    }

    _flag(id, isDoubtful) {
        this._store.setDoubtful(id, isDoubtful);
        this._doubtful = this._store.doubtful();
        this._refresh(id);
    }

    _heardState(state) {
        if (state.attempt.id !== this._boot.attemptId) {
            return; // somebody else's, who has logged in here meanwhile
        }
        const hasMoved = state.deadlineAt !== this._data.deadlineAt;
        this._data = { ...this._data, ...state, ticket: state.ticket || this._data.ticket };
        byId("offline-note").hidden = true;
        this._wantsPin = false;
        this._timer.setDeadline(Date.parse(state.deadlineAt));
        if (hasMoved) {
            this.arrived(this._data); // the copy should know it too
        }
    }

    _loggedIn(state, askedAt) {
        this._wantsPin = false;
        this._hasAskedForPin = false;
        this.autosave.loggedIn(state, askedAt);
        this._showStatus();
        this._handingIn.hurry();
        this.arrived(this._data); // the login page has forgotten the copy
    }

    _closed(code) {
        if (code === "attempt_locked") {
            this._locked(true);
        } else {
            this.wasClosed(code);
        }
    }

    _locked(isLocked) {
        this.disable("locked", isLocked);
        const note = byId("locked");
        note.hidden = !isLocked;
        note.textContent = isLocked ? t("locked") : "";
        if (!isLocked) {
            toast(t("unlocked"));
        }
    }

    _tick(seconds) {
        this._watch.tick(seconds);
        this._handingIn.tick(seconds);
        this._status.showAge(Math.floor(this.autosave.oldestWaitingMs() / 60000));
    }

    /* -- the place in the paper ----------------------------------------------------------------------------------- */

    _rememberPlace(step) {
        try {
            sessionStorage.setItem(`place_${this._boot.attemptId}`, step.id);
        } catch {
            // Blocked storage: a reload begins at the first question.
        }
    }

    _rememberedPlace() {
        try {
            return this._byId.get(Number(sessionStorage.getItem(`place_${this._boot.attemptId}`)));
        } catch {
            return undefined;
        }
    }
}

function reasonOf({ code, reason }) {
    const known = {
        wrong_answer: "reason_wrong_answer",
        unknown_question: "reason_unknown_question",
        too_large: "reason_too_large",
        save_refused: "reason_save_refused",
    };
    return known[code] === undefined ? t("reason_other", { code, reason }) : t(known[code]);
}
