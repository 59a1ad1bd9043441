/*
 * Keeping up with the server: deadline, answers of other devices, locks.
 *
 * Contract:
 * - ask() gets the state, hands it on (onState) and resolves to {}; or to {kind: network, busy or login, toldMs}. Two
 *   calls at once are one request.
 * - A state of another attempt is never handed on: on a shared computer somebody else may have logged in meanwhile.
 * - By itself it asks about every four minutes, when the page is looked at again, after sleep or a clock that was set,
 *   and shortly before the end; spread over some seconds, because a whole class does the same.
 *
 * Not here: saving (autosave.js); the watch for an unlocking, which autosave.js keeps itself.
 */

import { NoAnswer } from "./server.js";

const EVERY_MS = 4 * 60 * 1000;
const AT_MOST_EVERY_MS = 20 * 1000;
/* Extra time is often given in the last minute. */
const BEFORE_END_S = 60;
/* No session, or one of a student who has another attempt or none. */
const NOT_OURS = [200, 401, 404, 409];

export class StateWatch {
    constructor({ attemptId, server, clock, onState, onLogin }) {
        this._attemptId = attemptId;
        this._server = server;
        this._clock = clock;
        this._onState = onState;
        this._onLogin = onLogin;
        this._lastAskedAt = performance.now();
        this._asking = null;
        this._isStopped = false;
        this._beforeEndS = BEFORE_END_S - 15 * Math.random();
        document.addEventListener("visibilitychange", () => {
            if (!document.hidden) {
                this._askIfNotJustNow();
            }
        });
        this._plan();
    }

    stop() {
        this._isStopped = true;
        clearTimeout(this._timer);
    }

    /* Each second, with what is left. */
    tick(secondsLeft) {
        const sinceMs = performance.now() - this._lastAskedAt;
        const isNearEnd = secondsLeft <= this._beforeEndS && sinceMs > this._beforeEndS * 1000;
        if (isNearEnd || this._clock.jumped()) {
            this._askIfNotJustNow();
        }
    }

    ask() {
        if (this._asking === null) {
            this._asking = this._ask().finally(() => {
                this._asking = null;
            });
        }
        return this._asking;
    }

    async _ask() {
        const askedAt = performance.now();
        this._lastAskedAt = askedAt;
        this._plan();
        try {
            const { status, body } = await this._server.state();
            if (status === 200 && body.attempt.id === this._attemptId) {
                this._onState(body, askedAt);
                return {};
            }
            if (NOT_OURS.includes(status)) {
                this._onLogin();
                return { kind: "login" };
            }
            return { kind: "busy", toldMs: body.retryAfterMs };
        } catch (error) {
            if (!(error instanceof NoAnswer)) {
                throw error;
            }
            return { kind: "network", toldMs: error.retryAfterMs };
        }
    }

    _askIfNotJustNow() {
        if (!this._isStopped && performance.now() - this._lastAskedAt >= AT_MOST_EVERY_MS) {
            this.ask();
        }
    }

    _plan() {
        clearTimeout(this._timer);
        if (!this._isStopped) {
            this._timer = setTimeout(() => this.ask(), EVERY_MS * (0.85 + 0.3 * Math.random()));
        }
    }
}
