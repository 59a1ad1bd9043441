/*
 * How the page gets its paper: from the server, or from the copy on this device.
 *
 * Contract:
 * - openExam() resolves to {copy, decided, later}. `decided` is the server's word ({kind: paper, login, closed,
 *   gone}), or null where the network is away or slow and there is a copy of this student's to begin with; then
 *   `later` resolves to the server's word once there is one. Without a copy it waits, and say(key) tells the student
 *   why.
 * - Nothing here gives up: 1, 2, 4 … 30 s between tries, at once when the network or the student comes back.
 *
 * Not here: what the copy is made of (offline.js), what is done with the paper (page.js).
 */

import { readCopy } from "./offline.js";
import { NoAnswer } from "./server.js";

/* So long the server may take before the copy is shown. */
const COPY_AFTER_MS = 3000;
const NO_ATTEMPT = ["wrong_entry_token", "not_open_yet", "exam_closed"];

/* Waits between tries, longer each time; spread, so that a class does not come back as one. */
export class Pauses {
    constructor({ firstMs = 1000, mostMs }) {
        this._firstMs = firstMs;
        this._mostMs = mostMs;
        this._tries = 0;
        this._wake = () => {};
        window.addEventListener("online", () => this.hurry());
        document.addEventListener("visibilitychange", () => {
            if (!document.hidden) {
                this.hurry();
            }
        });
    }

    /* toldMs: what the server asked for; being hurried does not shorten that. */
    async wait(toldMs = null) {
        const ownMs = Math.min(this._mostMs, this._firstMs * 2 ** this._tries) * (0.75 + 0.5 * Math.random());
        this._tries += 1;
        if (Number.isFinite(toldMs)) {
            await new Promise((resolve) => setTimeout(resolve, toldMs + 500 * Math.random()));
            return;
        }
        await new Promise((resolve) => {
            this._wake = resolve;
            setTimeout(resolve, ownMs);
        });
    }

    /* Something has changed for the better: try now. */
    hurry() {
        this._tries = 0;
        this._wake();
    }
}

/* What the reply to `start` means; null: try again. */
function meaning({ status, body }, askedAt) {
    if (status === 200) {
        return { kind: "paper", body, askedAt, roundTripMs: performance.now() - askedAt };
    }
    if (status === 401) {
        return { kind: "login" };
    }
    if (["attempt_submitted", "attempt_expired"].includes(body.code)) {
        return { kind: "closed" };
    }
    if (status === 404 || NO_ATTEMPT.includes(body.code)) {
        return { kind: "gone" }; // the attempt is no more: the list of exams says what there is
    }
    return null;
}

async function askUntilAnswered({ server, pauses, onTrouble }) {
    for (;;) {
        const askedAt = performance.now();
        let toldMs = null;
        try {
            const reply = await server.start();
            const found = meaning(reply, askedAt);
            if (found !== null) {
                return found;
            }
            toldMs = reply.body.retryAfterMs;
            onTrouble(reply.body.code === "attempt_locked" ? "opening_locked" : "opening_busy");
        } catch (error) {
            if (!(error instanceof NoAnswer)) {
                throw error;
            }
            toldMs = error.retryAfterMs;
            onTrouble("opening_no_network");
        }
        await pauses.wait(toldMs);
    }
}

export async function openExam({ boot, server, pauses, say }) {
    let onFirstTrouble;
    const firstTrouble = new Promise((resolve) => {
        onFirstTrouble = resolve;
    });
    const answer = askUntilAnswered({
        server,
        pauses,
        onTrouble: (key) => {
            say(key);
            onFirstTrouble();
        },
    });
    const copy = await readCopy({ examId: boot.examId, student: boot.student.id });
    if (copy === null || copy.attempt.id !== boot.attemptId) {
        return { copy: null, decided: await answer, later: null };
    }
    const slow = new Promise((resolve) => setTimeout(resolve, COPY_AFTER_MS));
    const decided = (await Promise.race([answer, firstTrouble, slow])) || null;
    return { copy, decided, later: decided === null ? answer : null };
}
