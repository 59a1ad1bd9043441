/*
 * Handing in: a reconciliation, tried until the server has said what it has.
 *
 * Contract:
 * - run() resolves to the reply of `submit`, or to null where check() said before a try that it is no longer wanted:
 *   check() resolves to {isWanted}, or to {kind, toldMs} of a trouble. Every try carries all answers that wait and the
 *   manifest; sending it again does no harm.
 * - Between two tries the save queue goes on by its own, faster way; during one it holds still.
 * - onTrouble(kind) before each pause: network, busy, locked, login.
 *
 * Not here: what the student sees (dialogs.js, closing.js), what a missing answer means (page.js).
 */

import { NoAnswer } from "./server.js";

const BODY_MAX_BYTES = 900000; // the server takes 1 MiB
const QUEUE_MS = 1500;

const encoder = new TextEncoder();

function bytesOf(answers) {
    return encoder.encode(JSON.stringify(answers)).length;
}

export class Submission {
    constructor({ attemptId, server, autosave, pauses }) {
        this._attemptId = attemptId;
        this._server = server;
        this._autosave = autosave;
        this._pauses = pauses;
        this.isRunning = false;
        this.hasSent = false; // it may have arrived, whatever we have heard
    }

    async run({ check, onTrouble }) {
        this.isRunning = true;
        try {
            for (;;) {
                const { isWanted, ...trouble } = await check();
                if (isWanted === false) {
                    return null;
                }
                const { done, kind, toldMs } = trouble.kind ? trouble : await this._try();
                if (done) {
                    return done;
                }
                onTrouble(kind);
                await this._pauses.wait(toldMs);
            }
        } finally {
            this.isRunning = false;
        }
    }

    async _try() {
        await this._autosave.hold();
        let isDone = false;
        try {
            const answers = await this._whatFits();
            const manifest = this._autosave.manifest();
            this.hasSent = true;
            const { status, body } = await this._server.submit({ attemptId: this._attemptId, answers, manifest });
            isDone = status === 200;
            return isDone ? { done: body } : { kind: kindOf(status, body), toldMs: body.retryAfterMs };
        } catch (error) {
            if (!(error instanceof NoAnswer)) {
                throw error;
            }
            return { kind: "network", toldMs: error.retryAfterMs };
        } finally {
            if (!isDone) {
                this._autosave.release();
            }
        }
    }

    /* More than one request can hold: through the queue first, as far as that goes. */
    async _whatFits() {
        let answers = this._autosave.pending();
        while (bytesOf(answers) > BODY_MAX_BYTES) {
            this._autosave.release();
            this._autosave.sendNow();
            await new Promise((resolve) => setTimeout(resolve, QUEUE_MS));
            await this._autosave.hold();
            const left = this._autosave.pending();
            if (left.length === answers.length && !navigator.onLine) {
                throw new NoAnswer("too much for one request, and no network");
            }
            answers = left;
        }
        return answers;
    }
}

function kindOf(status, body) {
    if (status === 401 || body.code === "other_attempt") {
        return "login";
    }
    return body.code === "attempt_locked" ? "locked" : "busy";
}
