/*
 * When the server may be asked again: what it has said, and what we think of the network.
 *
 * Contract:
 * - timeFor(questionId) is when the next save of that question may go, on the steady clock that came in.
 * - What the server has said (Retry-After, its gap between two saves) is kept to in any case; our own back-off
 *   (1, 2, 4 … 30 s) ends when somebody knows better (forget()).
 * - Every wait is spread, so that a class that was refused together does not come back together.
 */

/* The server's rule is one save per question in 2 s. The rest keeps a rapid clicker at one request in 2.3 s or more. */
export const SAVE_GAP_MS = 2000;
const GAP_MARGIN_MS = 300;
const BACKOFF_FIRST_MS = 1000;
const BACKOFF_MAX_MS = 30000;
const TOLD_JITTER_MAX_MS = 1000;

export class Patience {
    constructor({ steady, random }) {
        this.failures = 0; // in a row, without any answer
        this.isBusy = false; // the server has asked us to wait
        this._steady = steady;
        this._random = random;
        this._backoffUntil = 0;
        this._toldUntil = 0;
        this._notBefore = new Map(); // question id -> when its next save may go
    }

    timeFor(questionId) {
        return Math.max(this._notBefore.get(questionId) || 0, this._backoffUntil, this._toldUntil);
    }

    /* The server answers. True if it did not before. */
    succeeded() {
        const wasInTrouble = this.failures > 0;
        this.failures = 0;
        this.isBusy = false;
        this._backoffUntil = 0;
        return wasInTrouble;
    }

    /* Saved: this question has its gap, and all have the server's wish for patience when its own queue is long. */
    saved(questionIds, nextSaveMs) {
        const gapMs = Number.isFinite(nextSaveMs) ? Math.max(SAVE_GAP_MS, nextSaveMs) : SAVE_GAP_MS;
        this._toldUntil = Math.max(this._toldUntil, this._steady() + gapMs - SAVE_GAP_MS);
        for (const questionId of questionIds) {
            this.questionWaits(questionId, gapMs);
        }
    }

    questionWaits(questionId, ms) {
        const wholeMs = (Number.isFinite(ms) ? ms : SAVE_GAP_MS) + GAP_MARGIN_MS * (1 + this._random());
        this._notBefore.set(questionId, this._steady() + wholeMs);
    }

    /* The server, or a proxy, asks for a pause of retryAfterMs. */
    told(retryAfterMs) {
        const jitterMs = this._random() * Math.min(TOLD_JITTER_MAX_MS, retryAfterMs / 2);
        this._toldUntil = Math.max(this._toldUntil, this._steady() + retryAfterMs + jitterMs);
        this.isBusy = true;
    }

    /* Nobody has answered. retryAfterMs: what a proxy asked for, or null. */
    failed(retryAfterMs = null) {
        this.failures += 1;
        this.isBusy = false;
        const fullMs = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (this.failures - 1));
        const delayMs = Math.max(fullMs * (0.75 + 0.5 * this._random()), retryAfterMs || 0);
        this._backoffUntil = this._steady() + Math.min(delayMs, BACKOFF_MAX_MS);
    }

    /* Ask again at once: the network is back, or the student wants it. */
    forget() {
        this._backoffUntil = 0;
    }
}
