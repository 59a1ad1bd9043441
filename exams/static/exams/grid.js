/*
 * All questions at a glance.
 *
 * Contract:
 * - One button per step with data-question, data-number, data-state, data-revision and data-doubtful; what it shows, it
 *   also says in words. No state is told by colour alone.
 * - On wide screens the overview stands beside the question, on narrow ones it opens as a sheet (`#open-grid`).
 * - update() changes only what is different, so that nothing flickers and nothing is read out twice.
 *
 * Not here: what an answer's state is (autosave.js), which question is shown (page.js).
 */

import { byId, icon, make } from "./dom.js";
import { t } from "./texts.js";

const WIDE = "(min-width: 60rem)";
const ICONS = { saved: "saved", waiting: "waiting", failed: "failed", reading: "reading" };

export class Grid {
    /* steps: of questions.js; onPick(step): the student wants to see that one. */
    constructor({ steps, onPick }) {
        this._steps = steps;
        this._onPick = onPick;
        this._cells = new Map();
        this._current = null;
        this._dialog = byId("grid-dialog");
        this._overview = byId("overview");
        const root = byId("grid");
        root.textContent = "";
        for (const step of steps) {
            root.append(this._cell(step));
        }
        byId("open-grid").addEventListener("click", () => this._open());
        byId("close-grid").addEventListener("click", () => this._dialog.close());
        this._dialog.addEventListener("click", (event) => {
            if (event.target === this._dialog) {
                this._dialog.close(); // a tap beside the sheet
            }
        });
        this._wide = window.matchMedia(WIDE);
        this._wide.addEventListener("change", () => this._place());
        this._place();
    }

    /* {state, revision, isDoubtful} of one step. */
    update(id, { state, revision, isDoubtful }) {
        const cell = this._cells.get(id);
        if (cell === undefined) {
            return;
        }
        const shown = `${state}/${revision}/${isDoubtful}`;
        if (cell.shown === shown) {
            return;
        }
        cell.shown = shown;
        const { button, mark, step } = cell;
        button.dataset.state = state;
        button.dataset.revision = revision || "";
        button.dataset.doubtful = String(isDoubtful);
        button.setAttribute("aria-label", this._label(step, state, isDoubtful));
        mark.textContent = "";
        if (ICONS[state] !== undefined) {
            mark.append(icon(ICONS[state]));
        }
        cell.flag.hidden = !isDoubtful;
        this._count();
    }

    setCurrent(id) {
        if (this._current !== null) {
            this._cells.get(this._current).button.removeAttribute("aria-current");
        }
        this._current = id;
        this._cells.get(id).button.setAttribute("aria-current", "true");
    }

    _cell(step) {
        const mark = make("span", { class: "mark" });
        const flag = make("span", { class: "flag", hidden: true }, icon("flag"));
        const button = make(
            "button",
            { type: "button", class: "cell", "data-question": step.id, "data-number": step.name },
            make("span", { class: "cell-number" }, step.name),
            mark,
            flag
        );
        button.addEventListener("click", () => {
            if (this._dialog.open) {
                this._dialog.close();
            }
            this._onPick(step);
        });
        this._cells.set(step.id, { button, mark, flag, step, shown: null });
        this.update(step.id, { state: step.isReading ? "reading" : "empty", revision: 0, isDoubtful: false });
        return button;
    }

    _label(step, state, isDoubtful) {
        if (step.isReading) {
            return t("reading_title", { name: step.name });
        }
        const words = { empty: t("empty"), saved: t("saved"), waiting: t("waiting"), failed: t("failed") }[state];
        const key = isDoubtful ? "cell_doubtful" : "cell";
        return t(key, { name: step.name, state: words });
    }

    _count() {
        let answered = 0;
        let all = 0;
        for (const { button, step } of this._cells.values()) {
            all += step.isReading ? 0 : 1;
            answered += ["saved", "waiting", "failed"].includes(button.dataset.state) ? 1 : 0;
        }
        byId("progress").textContent = t("progress", { answered, all });
    }

    _open() {
        this._dialog.showModal();
        this._cells.get(this._current).button.focus();
    }

    /* One overview, in the place that fits the screen. */
    _place() {
        if (this._wide.matches) {
            if (this._dialog.open) {
                this._dialog.close();
            }
            byId("aside").prepend(this._overview);
        } else {
            this._dialog.append(this._overview);
        }
    }
}
