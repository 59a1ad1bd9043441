/*
 * The line that says how things stand, and what is said in passing.
 *
 * Contract:
 * - StatusLine.show(status) says what `Autosave.status()` reports, at once and without making it nicer.
 * - The line itself is silent for screen readers: it changes with every tap. What matters to somebody who cannot see it
 *   (answers wait, they are safe again, the PIN is asked for) is spoken once, when it has lasted.
 * - toast() shows a sentence for some seconds, and it is spoken.
 */

import { byId, icon, make } from "./dom.js";
import { t } from "./texts.js";

const TOAST_MS = 8000;
/* A save on a slow network takes a second or two; nobody needs to be told of that. */
const SPOKEN_AFTER_MS = 4000;

const ICONS = {
    saved: "saved",
    sending: "sending",
    waiting: "waiting",
    busy: "waiting",
    reconnected: "sending",
    login: "locked",
    closed: "locked",
    stopped: "failed",
};

function sentence({ kind, waiting, failed, isDurable }) {
    const n = waiting;
    const where = isDurable ? t("safe_here") : t("safe_while_open");
    switch (kind) {
        case "sending":
            return t("status_sending", { n });
        case "waiting":
            return `${t("status_waiting", { n })}, ${where}`;
        case "busy":
            return `${t("status_busy", { n })}, ${where}`;
        case "reconnected":
            return t("status_reconnected");
        case "login":
            return n > 0 ? `${t("status_login", { n })}, ${where}` : t("status_login_none");
        case "closed":
            return t("status_closed");
        case "stopped":
            return t("status_stopped");
        default:
            return failed > 0 ? t("status_failed", { n: failed }) : t("status_saved");
    }
}

export class StatusLine {
    constructor() {
        this._line = byId("status");
        this._spoken = t("status_saved");
        this._later = null;
        this._age = make("span", { class: "muted" });
    }

    /* For how long the oldest answer has been waiting; nothing in the first minute. */
    showAge(minutes) {
        const words = minutes > 0 ? ` (${t("status_age", { n: minutes })})` : "";
        if (this._age.textContent !== words) {
            this._age.textContent = words;
        }
    }

    show(status) {
        const isBad = status.failed > 0 && (status.kind === "saved" || status.kind === "sending");
        const words = sentence(status);
        this._line.dataset.waiting = status.waiting;
        if (this._line.dataset.kind !== status.kind || this._words !== words) {
            this._words = words;
            this._line.textContent = "";
            this._line.append(icon(isBad ? "failed" : ICONS[status.kind] || "saved"), make("span", {}, words, this._age));
            this._line.dataset.kind = status.kind;
        }
        this._line.classList.toggle("bad", isBad);
        byId("send-now").hidden = !(["waiting", "busy"].includes(status.kind) && status.waiting > 0);
        byId("log-in-again").hidden = status.kind !== "login";
        const note = byId("storage-note");
        note.hidden = status.isDurable;
        note.textContent = status.isDurable ? "" : t("not_durable");
        this._speakLater(status.kind, words);
    }

    _speakLater(kind, words) {
        clearTimeout(this._later);
        if (kind === "sending" || words === this._spoken) {
            return;
        }
        this._later = setTimeout(() => {
            this._spoken = words;
            announce(words);
        }, SPOKEN_AFTER_MS);
    }
}

/* For screen readers only. */
export function announce(words) {
    byId("announcer").textContent = words;
}

export function toast(words) {
    const shown = make("p", { class: "toast" }, words);
    byId("toasts").append(shown); // it lies over the page, and every tap goes through it
    setTimeout(() => shown.remove(), TOAST_MS);
}
