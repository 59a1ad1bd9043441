/*
 * The server's clock, as far as this device can know it.
 *
 * Contract:
 * - now() is the server's time of the last reply plus what a clock that never jumps has counted since. The device's own
 *   clock is not believed while the page lives: set a year back or forth it changes nothing.
 * - isEstimated: this page has had no reply yet (a reload without network), or the device slept or had its clock set
 *   since the last one. Then now() may be wrong, and nothing final may be decided by it.
 * - nextRevision() grows with every call, above every revision that sawRevision() was told.
 *
 * Not here: when to ask the server (page.js), deadlines (the server decides them).
 */

/* What the device's two clocks may drift apart before we take it for sleep, or for a clock that was set. */
const JUMP_MS = 2000;
/* The server refuses revisions that are further ahead of its clock than a minute. */
export const AHEAD_MS = 60000;

export class ServerClock {
    /* memory: {readClock(), writeClock({serverNow, wall})}, the store; steady and wall are there for tests. */
    constructor({ memory = null, steady = () => performance.now(), wall = () => Date.now() } = {}) {
        this._memory = memory;
        this._steady = steady;
        this._wall = wall;
        this._lastRevision = 0;
        this._isBased = false;
        this._set(memory === null ? wall() : this._guess(memory.readClock()));
    }

    /* What it may be after a reload without network. The wall clock may have been set, but time never ran backwards. */
    _guess(remembered) {
        if (remembered === null) {
            return this._wall();
        }
        return remembered.serverNow + Math.max(0, this._wall() - remembered.wall);
    }

    _set(serverNow) {
        this._serverNow = serverNow;
        this._baseSteady = this._steady();
        this._baseWall = this._wall();
    }

    /* A reply said serverNow, roundTripMs after its request left. */
    base(serverNow, roundTripMs = 0) {
        if (!Number.isFinite(serverNow)) {
            return;
        }
        this._set(serverNow + roundTripMs / 2);
        this._isBased = true;
        if (this._lastRevision > this.now() + AHEAD_MS) {
            this._lastRevision = 0; // made by a wrong guess; the server has none from so far ahead
        }
        if (this._memory !== null) {
            this._memory.writeClock({ serverNow: this._serverNow, wall: this._baseWall });
        }
    }

    now() {
        return this._serverNow + (this._steady() - this._baseSteady);
    }

    /* Whether the device slept, or its clock was set, since the last reply: which of the two, nobody can tell. */
    jumped() {
        return Math.abs(this._wall() - this._baseWall - (this._steady() - this._baseSteady)) > JUMP_MS;
    }

    get isEstimated() {
        return !this._isBased || this.jumped();
    }

    sawRevision(revision) {
        this._lastRevision = Math.max(this._lastRevision, revision);
    }

    nextRevision() {
        this._lastRevision = Math.max(Math.floor(this.now()), this._lastRevision + 1);
        return this._lastRevision;
    }
}
