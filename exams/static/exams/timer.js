/*
 * Time left, and the warnings.
 *
 * Contract:
 * - Counts on the server's clock (clock.js) to the deadline; a tab that slept shows the right time when it wakes.
 * - Each of the warnings at 10, 5 and 1 minutes is shown and spoken once, when it is passed while the page is open;
 *   with more time given it comes again. A reload does not repeat it.
 * - onTimeUp() once per deadline, and only by a clock that is not estimated; onTick(secondsLeft) each second.
 *
 * Not here: what happens when time is up (page.js).
 */

import { byId, icon, make } from "./dom.js";
import { t } from "./texts.js";

const WARN_MINUTES = [10, 5, 1];

export class Timer {
    constructor({ clock, onTick, onTimeUp }) {
        this._clock = clock;
        this._onTick = onTick;
        this._onTimeUp = onTimeUp;
        this._deadlineMs = null;
        this._warned = null; // minutes; null until the first look, which warns of nothing
        this._isUp = false;
        this._isStopped = false;
        this._isHidden = false;
        this._handle = null;
        this._root = byId("timer");
        this._about = make("span", { class: "timer-about" });
        this._digits = make("span", { class: "timer-digits" });
        const name = make("span", { class: "only-spoken" }, t("time_left"));
        this._root.append(name, icon("clock"), this._digits, this._about);
        document.addEventListener("visibilitychange", () => this.look());
    }

    get deadlineMs() {
        return this._deadlineMs;
    }

    setDeadline(deadlineMs) {
        if (deadlineMs !== this._deadlineMs) {
            this._deadlineMs = deadlineMs;
            this._isUp = false;
        }
        this.look();
    }

    /* It ticks on, but there is no time left to show. */
    hide() {
        this._isHidden = true;
        this._root.hidden = true;
        byId("warning").textContent = "";
    }

    stop() {
        this._isStopped = true;
        clearTimeout(this._handle);
        this.hide();
    }

    look() {
        clearTimeout(this._handle);
        if (this._deadlineMs === null || this._isStopped) {
            return;
        }
        const leftMs = this._deadlineMs - this._clock.now();
        const seconds = Math.max(0, Math.ceil(leftMs / 1000));
        this._show(seconds);
        this._warn(seconds);
        // To the next full second, so that late timers do not add up.
        const untilNext = leftMs > 0 ? (leftMs % 1000) + 5 : 1000;
        this._handle = setTimeout(() => this.look(), untilNext);
        this._onTick(seconds);
        if (leftMs <= 0 && !this._isUp && !this._clock.isEstimated) {
            this._isUp = true;
            this._onTimeUp();
        }
    }

    _show(seconds) {
        const hours = Math.floor(seconds / 3600);
        const minutes = Math.floor((seconds % 3600) / 60);
        const two = (number) => String(number).padStart(2, "0");
        const tail = `${two(minutes)}:${two(seconds % 60)}`;
        this._root.hidden = this._isHidden;
        this._root.dataset.seconds = seconds;
        this._root.dataset.low = String(seconds <= WARN_MINUTES[0] * 60);
        this._digits.textContent = hours > 0 ? `${hours}:${tail}` : tail;
        this._about.textContent = this._clock.isEstimated ? t("estimated") : "";
    }

    _warn(seconds) {
        const passed = WARN_MINUTES.filter((minutes) => seconds <= minutes * 60);
        const fresh = this._warned === null ? [] : passed.filter((minutes) => !this._warned.has(minutes));
        this._warned = new Set(passed);
        const place = byId("warning");
        if (this._isHidden || seconds === 0 || passed.length === 0) {
            place.textContent = "";
        } else if (fresh.length > 0) {
            // A tab that slept may have passed two at once: the last one counts.
            place.textContent = "";
            place.append(icon("clock"), t("minutes_left", { n: Math.min(...fresh) }));
            clearTimeout(this._fading);
            this._fading = setTimeout(() => {
                place.textContent = "";
            }, 30000);
        }
    }
}
