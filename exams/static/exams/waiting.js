/*
 * The answers that wait for the server, in memory: one per question, and which of them go next.
 *
 * Contract:
 * - put() replaces an older answer to the same question; delete() is only called for what the server has.
 * - What is typed is due after a pause of 1.5 s, and every 10 s when there is none; a choice at once.
 * - nextBatch() is one entry, or all that are due when they are more than a few, within what one request takes.
 *
 * Not here: the browser's storage (recovery.js), when the server may be asked (patience.js).
 */

import { asSave } from "./server.js";

/* More entries than this go as one request. */
const SINGLE_MAX = 3;
export const BATCH_MAX = 100;
const BATCH_MAX_BYTES = 900000; // the server takes 1 MiB
const TYPING = { pauseMs: 1500, longestMs: 10000 };
/* Where the device can keep nothing, sooner. */
const TYPING_UNSAFE = { pauseMs: 500, longestMs: 3000 };
const encoder = new TextEncoder();

function bytesOf(entry) {
    return encoder.encode(JSON.stringify(asSave(entry))).length + 1;
}

/* As many of the entries as maxBytes take, small ones in place of one that is too large. */
export function fitting(entries, maxBytes) {
    let bytes = 20;
    return entries.filter((entry) => {
        const withIt = bytes + bytesOf(entry);
        if (withIt > maxBytes) {
            return false;
        }
        bytes = withIt;
        return true;
    });
}

export class WaitingAnswers {
    constructor({ steady, patience }) {
        this._steady = steady;
        this._patience = patience;
        this._byQuestion = new Map(); // question id -> {entry, since, dueAt, typedSince, isOurs, failure}
        this._batchMax = BATCH_MAX;
    }

    get(questionId) {
        return this._byQuestion.get(questionId);
    }

    get size() {
        return this._byQuestion.size;
    }

    all() {
        return Array.from(this._byQuestion.values());
    }

    /* Those that are still on their way: not refused by the server. */
    open() {
        return this.all().filter((waiting) => waiting.failure === null);
    }

    oldestMs() {
        const now = this._steady();
        return this.open().reduce((oldest, { since }) => Math.max(oldest, now - since), 0);
    }

    put(entry, { isOurs = false, isTyping = false, isDurable = true }) {
        const now = this._steady();
        const before = this.get(entry.questionId);
        const wasTyping = before !== undefined && before.typedSince !== null;
        const typing = isDurable ? TYPING : TYPING_UNSAFE;
        const typedSince = isTyping ? (wasTyping ? before.typedSince : now) : null;
        this._byQuestion.set(entry.questionId, {
            entry,
            since: before === undefined ? now : before.since,
            dueAt: isTyping ? Math.min(now + typing.pauseMs, typedSince + typing.longestMs) : 0,
            typedSince,
            isOurs,
            failure: null,
        });
    }

    delete(questionId) {
        this._byQuestion.delete(questionId);
    }

    /* The field was left. Returns whether anything was typed that had not gone yet. */
    settle(questionId) {
        const waiting = this.get(questionId);
        if (waiting === undefined || waiting.typedSince === null) {
            return false;
        }
        waiting.typedSince = null;
        waiting.dueAt = 0;
        return true;
    }

    settleAll() {
        this._byQuestion.forEach((_, questionId) => this.settle(questionId));
    }

    /* It is being sent: what is typed from now on waits anew. */
    sending(entries) {
        for (const { questionId } of entries) {
            const waiting = this.get(questionId);
            waiting.typedSince = waiting.typedSince === null ? null : this._steady();
        }
    }

    _timeOf(waiting) {
        return Math.max(waiting.dueAt, this._patience.timeFor(waiting.entry.questionId));
    }

    /* In how many milliseconds something may be sent; null when nothing waits. */
    nextInMs() {
        const times = this.open().map((waiting) => this._timeOf(waiting));
        return times.length === 0 ? null : Math.max(0, Math.ceil(Math.min(...times) - this._steady()));
    }

    /* The entries of the next request, oldest edit first; none when it is too early. */
    nextBatch() {
        const now = this._steady();
        const due = this.open()
            .filter((waiting) => this._timeOf(waiting) <= now)
            .map((waiting) => waiting.entry)
            .sort((one, other) => one.revision - other.revision);
        if (due.length <= SINGLE_MAX || this._batchMax === 1) {
            return due.slice(0, 1);
        }
        const batch = fitting(due.slice(0, this._batchMax), BATCH_MAX_BYTES);
        return batch.length === 0 ? due.slice(0, 1) : batch;
    }

    /* A batch was refused as a whole: one of them spoils it. Halves from now on, down to single ones. */
    halve(batch) {
        this._batchMax = Math.ceil(batch.length / 2);
    }

    /* The one that spoiled a batch is found. */
    mark(questionId, failure) {
        this.get(questionId).failure = failure;
        this._batchMax = BATCH_MAX;
    }
}
