/*
 * The receipt's page: what this device still has, though the exam is over.
 *
 * Contract:
 * - Where no answer of this attempt waits on this device, nothing is shown, and what is left of the exam on it goes.
 * - Where some wait, the server is asked about them by `submit`, which changes nothing any more but tells the teacher what
 *   is missing. What the server has is removed here; what it lacks is listed, with the emergency file. Until staff have
 *   taken the file over it stays, however often the page is opened.
 * - Without an answer of the server nothing is removed; it is asked again when the network is back.
 *
 * Not here: the receipt itself, which needs no script; the file (emergency.js).
 */

import { ServerClock } from "./clock.js";
import { byId, make } from "./dom.js";
import * as emergency from "./emergency.js";
import { forgetCopy } from "./offline.js";
import { AnswerStore } from "./recovery.js";
import { NoAnswer, Server } from "./server.js";
import { setTexts, t } from "./texts.js";

class Undelivered {
    constructor(boot, store) {
        this._boot = boot;
        this._store = store;
        this._server = new Server({ examId: boot.examId, language: boot.language });
        this._serverNow = new ServerClock({ memory: store }).now();
        this._section = byId("undelivered");
        this._isChecking = false;
    }

    async check() {
        if (this._isChecking) {
            return;
        }
        this._isChecking = true;
        try {
            const isKnown = this._store.entries().length === 0 || (await this._ask());
            if (this._store.entries().length > 0) {
                this._show(isKnown);
            } else {
                this._section.hidden = true;
                this._store.forgetAttempt();
                await forgetCopy(this._boot.examId);
            }
        } finally {
            this._isChecking = false;
        }
    }

    /* Whether the server has answered; what it has is removed from the store. */
    async _ask() {
        const asked = this._store.entries();
        const manifest = {};
        for (const entry of asked) {
            manifest[entry.questionId] = entry.revision;
        }
        try {
            const { status, body } = await this._server.submit({ attemptId: this._boot.attemptId, answers: [], manifest });
            if (status !== 200) {
                return false; // no session any more, or no time for us: the answers stay
            }
            const missing = new Set(body.missing);
            for (const entry of asked) {
                if (!missing.has(entry.questionId)) {
                    this._store.remove(entry.questionId, entry.revision);
                }
            }
            this._serverNow = body.serverNow;
            return true;
        } catch (error) {
            if (!(error instanceof NoAnswer)) {
                throw error;
            }
            return false;
        }
    }

    _show(isKnown) {
        const entries = this._store.entries().sort((one, other) => one.revision - other.revision);
        const clock = new Intl.DateTimeFormat(this._boot.language, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
        const times = entries.map((entry) => make("li", {}, clock.format(entry.revision)));
        const isPossible = emergency.isAvailable();
        const text = make("p", { role: "status" }, t(isPossible ? "emergency_offer" : "emergency_impossible"));
        const button = make("button", { id: "emergency-download", class: "button primary", type: "button" });
        button.textContent = t("emergency_download");
        button.addEventListener("click", () => this._download(text));
        this._section.textContent = "";
        this._section.append(
            make("h2", {}, t("undelivered_title")),
            make("p", {}, make("strong", {}, t(isKnown ? "undelivered" : "undelivered_unsure", { n: entries.length }))),
            make("p", {}, t("undelivered_edited", { n: entries.length })),
            make("ul", { class: "missing chips" }, ...times),
            text
        );
        if (isPossible) {
            this._section.append(make("p", {}, button));
        }
        this._section.hidden = false;
    }

    async _download(text) {
        const { emergencyKey: publicKey, ticket, examId, attemptId, title, student } = this._boot;
        const entries = this._store.entries();
        const content = { publicKey, ticket, examId, attemptId, title, student, entries, serverNow: this._serverNow };
        try {
            const file = await emergency.makeFile(content);
            emergency.download(file, emergency.fileName(content));
            text.textContent = t("emergency_done");
        } catch (error) {
            console.error(error);
            text.textContent = t("emergency_failed");
        }
    }
}

async function start() {
    const boot = JSON.parse(byId("boot").textContent);
    setTexts(boot.texts);
    const store = await AnswerStore.open({ examId: boot.examId, attemptId: boot.attemptId });
    const undelivered = new Undelivered(boot, store);
    window.addEventListener("online", () => undelivered.check());
    await undelivered.check();
}

start();
