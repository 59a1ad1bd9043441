/*
 * What became of the attempt, where that cannot be said in one word.
 *
 * Contract:
 * - show(state) puts the section `#closed` over the questions: time is up and it is being handed in, it is over and
 *   answers did not arrive, it was handed in elsewhere. It names the questions, and never says "handed in" of what was
 *   not.
 * - Where answers did not arrive the emergency file is offered, or said why there can be none here.
 * - hide() takes it away again: more time was given.
 *
 * Not here: what is tried meanwhile (page.js), what is in the file (emergency.js).
 */

import { byId, make } from "./dom.js";
import * as emergency from "./emergency.js";
import { t } from "./texts.js";

export class Closing {
    /* content(): what emergency.makeFile() takes; nameOf(question id): what the student calls it. */
    constructor({ content, nameOf }) {
        this._content = content;
        this._nameOf = nameOf;
        this._root = byId("closed");
        this._shown = null;
        byId("emergency-download").addEventListener("click", () => this._download());
    }

    get isShown() {
        return !this._root.hidden;
    }

    /*
     * title, lines: keys and values for t(); missing: question ids; isOver: nothing can be answered any more and the
     * questions are hidden; hasReceipt: there is something to see.
     */
    show({ title, lines, missing = [], offersFile = false, isOver = false, hasReceipt = false }) {
        const wasShown = this.isShown;
        const text = JSON.stringify([title, lines, missing, offersFile]);
        byId("to-result").hidden = !hasReceipt;
        byId("sitting").hidden = isOver;
        this._root.hidden = false;
        if (text === this._shown) {
            return;
        }
        const isNewTitle = byId("closed-title").textContent !== t(title);
        this._shown = text;
        byId("closed-title").textContent = t(title);
        const place = byId("closed-text");
        place.textContent = "";
        for (const [key, values] of lines) {
            place.append(make("p", {}, t(key, values)));
        }
        if (missing.length > 0) {
            const names = missing.map((id) => make("li", {}, this._nameOf(id)));
            place.append(make("ul", { class: "missing chips" }, ...names));
        }
        this._offer(offersFile);
        if (!wasShown || isNewTitle) {
            byId("closed-title").focus();
            this._root.scrollIntoView();
        }
    }

    hide() {
        this._root.hidden = true;
        this._shown = null;
        byId("sitting").hidden = false;
    }

    _offer(offersFile) {
        byId("emergency").hidden = !offersFile;
        const isPossible = emergency.isAvailable();
        byId("emergency-text").textContent = t(isPossible ? "emergency_offer" : "emergency_impossible");
        byId("emergency-download").hidden = !isPossible;
    }

    async _download() {
        const content = this._content();
        try {
            const file = await emergency.makeFile(content);
            emergency.download(file, emergency.fileName(content));
            byId("emergency-text").textContent = t("emergency_done");
        } catch (error) {
            console.error(error);
            byId("emergency-text").textContent = t("emergency_failed");
        }
    }
}
