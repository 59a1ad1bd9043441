/*
 * The end of an attempt: by the student's will, by the clock, or from elsewhere.
 *
 * Contract:
 * - The student sees what is empty, doubtful and waiting before he confirms; while there is no answer he may go back.
 * - Before each try the server is asked whether the session is still this student's, and whether there is more time
 *   now.
 * - At time-up nothing can be changed any more, and it is handed in without being asked. It goes on trying after the
 *   grace too: the teacher is told what is missing.
 * - "Handed in" is shown only when server and page agree; then this device forgets the attempt and shows the receipt.
 *   Else `#closed` names the questions, and the answers stay on this device.
 *
 * Not here: one try (submission.js), the section (closing.js).
 */

import { Closing } from "./closing.js";
import { SubmitDialog } from "./dialogs.js";
import { byId } from "./dom.js";
import { forgetCopy } from "./offline.js";
import { Pauses } from "./opening.js";
import { announce, toast } from "./status.js";
import { Submission } from "./submission.js";
import { t } from "./texts.js";

const RETRY_MAX_MS = 15000;
/* A whole class is at its end in the same second; the saves go at once, the submits spread over this. */
const TIME_UP_SPREAD_MS = 3000;
/* The copy and the worker are forgotten, but nobody waits for that longer than this. */
const FORGET_MS = 2000;
const TROUBLES = { network: "trouble_network", busy: "trouble_busy", locked: "locked", login: "trouble_login" };

function after(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms));
}

export class HandingIn {
    constructor(given) {
        Object.assign(this, given);
        this._isTimeUp = false;
        this._isCancelled = false;
        this._closedCode = null;
        this._isElsewhere = false; // closed by somebody else, not by a submit of ours whose reply was lost
        this._isDone = false;
        this._trouble = null;
        this._pauses = new Pauses({ mostMs: RETRY_MAX_MS });
        this._submission = new Submission({
            attemptId: this.boot.attemptId,
            server: this.server,
            autosave: this.autosave,
            pauses: this._pauses,
        });
        this._names = new Map(this.steps.map((step) => [step.id, step.name]));
        this._closing = new Closing({
            content: () => this._fileContent(),
            nameOf: (id) => this._names.get(id) || "?",
        });
        this._dialog = new SubmitDialog({
            onConfirm: () => this._confirmed(),
            onCancel: () => this._cancelled(),
            onPick: (step) => this.goTo(step),
        });
        byId("submit").addEventListener("click", () => this._ask());
    }

    /* The student logged in again, or the network is back. */
    hurry() {
        this._pauses.hurry();
    }

    /* Each second. */
    tick(seconds) {
        if (this._isTimeUp || this._isElsewhere) {
            this._showClosing();
        } else if (seconds === 0 && this.clock.isEstimated && this._isLate()) {
            // Without the server nobody can say that it is over; the answers must not be caught here if it is.
            const missing = this._missing();
            if (missing.length > 0) {
                const lines = [["probably_over_text"]];
                this._closing.show({ title: "probably_over", lines, missing, offersFile: true });
            }
        }
    }

    async timeUp() {
        if (this._isDone || this._closedCode !== null || this._isTimeUp) {
            return;
        }
        this._isTimeUp = true;
        this.disable("time", true);
        this._dialog.close();
        this._showClosing();
        this.autosave.sendNow();
        await after(TIME_UP_SPREAD_MS * Math.random());
        this._run();
    }

    /* The server has said that it is over: handed in on another device or tab, or expired. */
    wasClosed(code) {
        if (this._isDone || this._closedCode !== null) {
            return;
        }
        this._closedCode = code;
        this._isElsewhere = !this._isTimeUp && !this._submission.hasSent;
        this.timer.hide();
        this.disable("closed", true);
        if (this._isElsewhere) {
            this._dialog.close();
            this._showClosing();
        }
        this._run();
    }

    /* -- by the student's will ------------------------------------------------------------------------------------ */

    _ask() {
        const lists = { empty: [], doubtful: [], waiting: [], failed: [] };
        const doubtful = this.doubtful();
        const questions = this.steps.filter((step) => !step.isReading);
        for (const step of questions) {
            const { state } = this.autosave.stateOf(step.id);
            if (lists[state] !== undefined) {
                lists[state].push(step);
            }
            if (doubtful.has(step.id)) {
                lists.doubtful.push(step);
            }
        }
        const total = questions.length;
        this._dialog.open({ lists, total, answered: total - lists.empty.length });
    }

    _confirmed() {
        this._isCancelled = false;
        this._trouble = null;
        this._dialog.progress(t("submitting"));
        this._run();
    }

    _cancelled() {
        if (this._submission.isRunning && !this._isTimeUp && this._closedCode === null) {
            this._isCancelled = true;
            this.autosave.release();
            this.hurry();
        } else if (this._closedCode !== null && !this._isDone) {
            this._isElsewhere = true; // it is over, and there is no going back: say how things stand
            this._showClosing();
        }
    }

    /* -- until there is a receipt --------------------------------------------------------------------------------- */

    async _run() {
        if (this._submission.isRunning) {
            this.hurry();
            return;
        }
        const reply = await this._submission.run({
            check: () => this._check(),
            onTrouble: (kind) => this._hasTrouble(kind),
        });
        if (reply !== null) {
            await this._finish(reply);
        }
    }

    /* At time-up the server is asked first: there may be more time now. */
    async _check() {
        if (!this._isTimeUp) {
            return { isWanted: this._closedCode !== null || !this._isCancelled };
        }
        const trouble = await this.watch.ask();
        if (trouble.kind) {
            return trouble;
        }
        if (this._closedCode === null && this.timer.deadlineMs > this.clock.now()) {
            this._hasMoreTime();
            return { isWanted: false };
        }
        return { isWanted: true };
    }

    _hasMoreTime() {
        this._isTimeUp = false;
        this._trouble = null;
        this.disable("time", false);
        this._closing.hide();
        toast(t("more_time"));
    }

    _hasTrouble(kind) {
        const before = this._trouble;
        this._trouble = TROUBLES[kind];
        if (kind === "login" && before !== this._trouble) {
            this.askForPin();
        }
        if (this._isTimeUp || this._isElsewhere) {
            this._showClosing();
        } else if (this._dialog.isOpen && !this._isCancelled) {
            this._dialog.progress(t(this._trouble));
        }
    }

    async _finish(reply) {
        this._isDone = true;
        const missing = [...new Set([...reply.missing, ...reply.rejected.map((answer) => answer.questionId)])];
        this.disable("closed", true);
        this.tabs.post({ type: "closed", code: `attempt_${reply.status}` });
        this.autosave.close();
        this.timer.stop();
        this.watch.stop();
        this._dialog.close();
        if (missing.length === 0) {
            this.store.forgetAttempt();
            await Promise.race([forgetCopy(this.boot.examId), after(FORGET_MS)]);
            if (!this._isElsewhere) {
                announce(t("handed_in"));
                location.replace(this.boot.urls.result);
                return;
            }
        }
        const isComplete = missing.length === 0;
        const complete = reply.status === "expired" ? "closed_expired" : "closed_elsewhere";
        this._closing.show({
            title: isComplete ? complete : "closed_missing",
            lines: [
                isComplete
                    ? ["closed_complete_text", { answered: reply.answered }]
                    : ["closed_missing_text", { n: missing.length }],
            ],
            missing,
            offersFile: !isComplete,
            isOver: true,
            hasReceipt: true,
        });
    }

    /* -- what is shown while there is none ------------------------------------------------------------------------ */

    _missing() {
        return this.autosave.pending().map((entry) => entry.questionId);
    }

    _isLate() {
        return this.clock.now() > this.timer.deadlineMs + this.grace();
    }

    _showClosing() {
        if (this._isDone) {
            return;
        }
        const missing = this._missing();
        const trying = [this._trouble || "submitting"];
        if (this._isElsewhere) {
            const title = this._closedCode === "attempt_expired" ? "closed_expired" : "closed_elsewhere";
            const offersFile = missing.length > 0;
            const lines = [["comparing"]];
            if (this._trouble !== null) {
                lines.push([this._trouble]);
            }
            if (offersFile) {
                lines.push(["comparing_missing"]);
            }
            this._closing.show({ title, lines, missing, offersFile, isOver: true, hasReceipt: true });
        } else if (!this._isLate()) {
            this._closing.show({ title: "time_up", lines: [["time_up_text"], trying] });
        } else if (missing.length > 0) {
            const lines = [["late_text", { n: missing.length }], trying];
            this._closing.show({ title: "late", lines, missing, offersFile: true, isOver: true });
        } else {
            this._closing.show({ title: "time_up", lines: [["late_complete_text"], trying], isOver: true });
        }
    }

    _fileContent() {
        const { emergencyKey, examId, attemptId, title, student } = this.boot;
        return {
            publicKey: emergencyKey,
            ticket: this.ticket(),
            examId,
            attemptId,
            title,
            student,
            entries: this.autosave.pending(),
            serverNow: Math.round(this.clock.now()),
            deviceNow: Date.now(),
        };
    }
}
