/*
 * The tabs of one attempt on one device: they tell each other what happens, and one of them sends.
 *
 * Contract:
 * - post() reaches the other tabs' onmessage, where the browser can do that; nothing depends on it for safety.
 * - isSender is true in one tab, as a rule. Two that send at once are harmless (revisions decide), none is not: so the
 *   tab that the student looks at takes over (takeOver()), and a tab that dies gives up its place by itself.
 * - Web Locks where there are any. Over plain HTTP there are none: there a lease in localStorage is renewed every two
 *   seconds, and void after six.
 *
 * Not here: what the messages mean (autosave.js).
 */

const RENEW_MS = 2000;
const LEASE_MS = 6000;

export class Tabs {
    constructor({ attemptId, locks = navigator.locks, wall = () => Date.now() }) {
        this.isSender = false;
        this.onmessage = () => {};
        this.onsender = () => {};
        this._name = `tahan-uji-${attemptId}`;
        this._locks = locks;
        this._wall = wall;
        this._isClosed = false;
        this._isInLine = false;
        this._place = null; // the lock that we hold, of several that we may have asked for
        this._release = () => {};
        this._channel = typeof BroadcastChannel === "function" ? new BroadcastChannel(this._name) : null;
        if (this._channel !== null) {
            this._channel.onmessage = (event) => this.onmessage(event.data);
        }
    }

    start() {
        if (!this._locks) {
            this._lease = new Lease(this._name, this._wall);
            this._lease.onchange = (isMine) => this._becomes(isMine);
            this._lease.start();
        }
        if (!document.hidden) {
            this.takeOver();
        } else if (this._locks) {
            this._queueForLock();
        }
    }

    /* The student looks at this tab: it sends from now on. */
    takeOver() {
        if (this.isSender || this._isClosed) {
            return;
        }
        if (this._lease) {
            this._lease.take();
        } else if (this._locks) {
            this._hold({ steal: true });
        }
    }

    post(message) {
        if (this._channel !== null && !this._isClosed) {
            this._channel.postMessage(message);
        }
    }

    close() {
        this._isClosed = true;
        this._release();
        if (this._lease) {
            this._lease.close();
        }
        if (this._channel !== null) {
            this._channel.close();
        }
        this.isSender = false;
    }

    _queueForLock() {
        if (!this._isInLine) {
            this._isInLine = true;
            this._hold({});
        }
    }

    async _hold(options) {
        const place = {};
        try {
            await this._locks.request(this._name, options, () => {
                if (!options.steal) {
                    this._isInLine = false;
                }
                if (this._isClosed) {
                    return undefined;
                }
                this._place = place;
                this._becomes(true);
                return new Promise((resolve) => {
                    this._release = resolve;
                });
            });
        } catch (error) {
            if (error.name !== "AbortError") {
                // The browser has locks and refuses them (a damaged profile): sending twice is better than never.
                this._becomes(true);
                return;
            }
            // Another tab has stolen it; in the line again, for the time when that tab is closed.
            if (this._place === place) {
                this._becomes(false);
            }
            if (!this._isClosed) {
                this._queueForLock();
            }
        }
    }

    _becomes(isSender) {
        if (this.isSender !== isSender) {
            this.isSender = isSender;
            if (isSender) {
                this.onsender();
            }
        }
    }
}

/* The place of the sender where there are no locks. Its clock may be set: a lease of more than its time is void. */
class Lease {
    constructor(name, wall) {
        this._key = `${name}-sender`;
        this._wall = wall;
        this._tab = `${Math.random()}`;
        this.onchange = () => {};
        this._look = this._look.bind(this);
        this._onstorage = (event) => {
            if (event.key === this._key) {
                this._look();
            }
        };
    }

    start() {
        this._look();
        this._timer = setInterval(this._look, RENEW_MS);
        window.addEventListener("storage", this._onstorage);
    }

    take() {
        try {
            localStorage.setItem(this._key, JSON.stringify({ tab: this._tab, until: this._wall() + LEASE_MS }));
        } catch {
            // Storage is blocked: every tab sends for itself.
        }
        this.onchange(true);
    }

    close() {
        clearInterval(this._timer);
        window.removeEventListener("storage", this._onstorage);
        const held = this._read();
        if (held !== null && held.tab === this._tab) {
            localStorage.removeItem(this._key);
        }
    }

    _read() {
        try {
            return JSON.parse(localStorage.getItem(this._key));
        } catch {
            return null;
        }
    }

    _look() {
        const held = this._read();
        const left = held === null ? 0 : held.until - this._wall();
        const isOthers = held !== null && held.tab !== this._tab && left > 0 && left <= LEASE_MS;
        if (isOthers) {
            this.onchange(false);
        } else {
            this.take();
        }
    }
}
