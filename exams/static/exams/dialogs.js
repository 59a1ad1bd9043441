/*
 * The two questions that the page asks: the PIN again, and "hand in?".
 *
 * Contract:
 * - LoginDialog.open() may be called at any time, also while it is open; onLoggedIn(state, askedAt) once the server
 *   knows the student again. It can be put off: the page goes on behind it.
 * - SubmitDialog.open(lists) shows the steps that are empty, doubtful, waiting, failed, each of which can be tapped.
 *   progress(words) shows what is going on instead of the lists.
 *
 * Not here: handing in (submission.js).
 */

import { byId, make } from "./dom.js";
import { NoAnswer } from "./server.js";
import { t } from "./texts.js";

export class LoginDialog {
    constructor({ server, username, onLoggedIn }) {
        this._server = server;
        this._username = username;
        this._onLoggedIn = onLoggedIn;
        this._dialog = byId("login-dialog");
        this._pin = byId("pin");
        this._error = byId("pin-error");
        this._isAsking = false;
        byId("login-later").addEventListener("click", () => this._dialog.close());
        byId("login-form").addEventListener("submit", (event) => {
            event.preventDefault(); // never as a form: the page stays
            this._logIn();
        });
    }

    open() {
        if (!this._dialog.open) {
            this._pin.value = "";
            this._error.textContent = "";
            this._dialog.showModal();
            this._pin.focus();
        }
    }

    close() {
        if (this._dialog.open) {
            this._dialog.close();
        }
    }

    async _logIn() {
        if (this._isAsking) {
            return;
        }
        this._isAsking = true;
        this._error.textContent = "";
        try {
            this._error.textContent = await this._ask();
        } finally {
            this._isAsking = false;
        }
    }

    /* What is wrong, or "" if nothing is. */
    async _ask() {
        const pin = this._pin.value.trim();
        if (pin === "") {
            return t("pin_empty");
        }
        try {
            const { status, body } = await this._server.login(this._username, pin);
            if (status === 429) {
                return t("pin_wait", { n: Math.ceil((body.retryAfterMs || 60000) / 1000) });
            }
            if (status === 401) {
                this._pin.select();
                return t("pin_wrong");
            }
            if (status !== 200) {
                return t("login_busy");
            }
            const askedAt = performance.now();
            const state = await this._server.state();
            if (state.status !== 200) {
                return t("login_busy");
            }
            this.close();
            this._onLoggedIn(state.body, askedAt);
            return "";
        } catch (error) {
            if (!(error instanceof NoAnswer)) {
                throw error;
            }
            return t("login_no_network");
        }
    }
}

const LISTS = { empty: "list_empty", doubtful: "list_doubtful", waiting: "list_waiting", failed: "list_failed" };

export class SubmitDialog {
    constructor({ onConfirm, onCancel, onPick }) {
        this._onPick = onPick;
        this._dialog = byId("submit-dialog");
        byId("confirm-submit").addEventListener("click", onConfirm);
        byId("cancel-submit").addEventListener("click", () => this.close());
        // Also by the Escape key and Android's back gesture.
        this._dialog.addEventListener("close", onCancel);
    }

    get isOpen() {
        return this._dialog.open;
    }

    /* lists: {empty, doubtful, waiting, failed}, each of steps; total and answered for the summary. */
    open({ lists, total, answered }) {
        byId("submit-lists").hidden = false;
        byId("submit-progress").hidden = true;
        byId("confirm-submit").hidden = false;
        byId("submit-summary").textContent = t("submit_summary", { answered, total });
        for (const [name, key] of Object.entries(LISTS)) {
            const section = this._dialog.querySelector(`.list.${name}`);
            section.hidden = lists[name].length === 0;
            section.querySelector("h3").textContent = t(key, { n: lists[name].length });
            const chips = section.querySelector(".chips");
            chips.textContent = "";
            for (const step of lists[name]) {
                const label = t("go_to_question", { name: step.name });
                const chip = make("button", { type: "button", class: "chip", "aria-label": label }, step.name);
                chip.addEventListener("click", () => {
                    this.close();
                    this._onPick(step);
                });
                chips.append(chip);
            }
        }
        if (!this._dialog.open) {
            this._dialog.showModal();
        }
        byId("submit-title").focus();
    }

    progress(words) {
        byId("submit-lists").hidden = true;
        byId("confirm-submit").hidden = true;
        const place = byId("submit-progress");
        place.hidden = false;
        if (place.textContent !== words) {
            place.textContent = words;
        }
    }

    close() {
        if (this._dialog.open) {
            this._dialog.close();
        }
    }
}
