/*
 * Answers that are typed: short texts, numbers, essays.
 *
 * Contract:
 * - Every change is told at once (isTyping: true), also while a keyboard is still composing a word; onLeave when the
 *   field is left.
 * - What would be too long is never cut. Pasted or typed beyond the limit it is refused before it stands there, and
 *   that is said; a phone's keyboard that cannot be refused gets the letters in, and the field says that they are too
 *   many.
 * - show() leaves a field alone while a word is being composed in it, and keeps the caret.
 */

import { make } from "./dom.js";
import { t } from "./texts.js";

/* As in exams/answers.py. */
export const SHORT_ANSWER_MAX = 1000;
export const NUMBER_MAX = 64;
export const ESSAY_MAX = 30000;

/* In characters as the server counts them: an emoji is one, for JavaScript it is two. */
export function lengthOf(text) {
    let length = text.length;
    for (let place = 0; place < text.length - 1; place += 1) {
        const isPair = text.charCodeAt(place) >>> 10 === 0x36 && text.charCodeAt(place + 1) >>> 10 === 0x37;
        if (isPair) {
            length -= 1;
            place += 1;
        }
    }
    return length;
}

const NUMBER = /^[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})(e[+-]?\d{1,3})?$/i;
const GROUPED = /^[+-]?\d{1,3}(?:(?:\.\d{3}){2,}|(?:,\d{3}){2,})$/;

/* How the server will read a number (exams/scoring.py, read_number), with a decimal point; null for no number. */
export function readNumber(text) {
    let compact = text.replace(/\s+/g, "").replace(/\u2212/g, "-");
    if (GROUPED.test(compact)) {
        compact = compact.replace(/[.,]/g, "");
    } else if (compact.includes(",") && compact.includes(".")) {
        const thousands = compact.lastIndexOf(",") > compact.lastIndexOf(".") ? /\./g : /,/g;
        compact = compact.replace(thousands, "");
    }
    compact = compact.replace(/,/g, ".");
    return NUMBER.test(compact) ? compact : null;
}

/* What a text field of any kind does; *limit* in characters, *onLength* to say how many there are. */
function textField(input, { limit, onChange, onLeave, onLength }) {
    let isComposing = false;
    let waiting; // an answer from elsewhere that came while a word was being composed

    const changed = () => {
        waiting = undefined;
        onLength(lengthOf(input.value), false);
        onChange(input.value === "" ? null : input.value, { isTyping: true });
    };
    input.addEventListener("input", changed);
    input.addEventListener("compositionstart", () => {
        isComposing = true;
    });
    input.addEventListener("compositionend", () => {
        isComposing = false;
        if (waiting !== undefined) {
            put(waiting);
        }
    });
    input.addEventListener("blur", () => {
        isComposing = false;
        onLeave();
    });
    input.addEventListener("beforeinput", (event) => {
        const added = event.inputType === "insertLineBreak" ? "\n" : event.data;
        if (added === null || added === undefined || event.isComposing || !event.cancelable) {
            return;
        }
        const chosen = input.value.slice(input.selectionStart, input.selectionEnd);
        const length = lengthOf(input.value) - lengthOf(chosen) + lengthOf(added);
        if (length > limit && lengthOf(added) > lengthOf(chosen)) {
            event.preventDefault();
            onLength(lengthOf(input.value), true);
        }
    });

    function put(answer) {
        const text = answer === null ? "" : String(answer);
        waiting = undefined;
        if (input.value !== text) {
            const { selectionStart, selectionEnd } = input;
            const hadFocus = document.activeElement === input;
            input.value = text;
            if (hadFocus) {
                input.setSelectionRange(Math.min(selectionStart, text.length), Math.min(selectionEnd, text.length));
            }
        }
        onLength(lengthOf(text), false);
    }

    return {
        show(answer) {
            if (isComposing) {
                waiting = answer;
            } else {
                put(answer);
            }
        },
    };
}

/* The line under a field that says how long the text is, or what is wrong with it. */
function lengthLine(attributes, limit, { isAlwaysShown }) {
    const line = make("p", { class: "counter", ...attributes });
    const spoken = make("p", { class: "counter-problem", role: "alert" });
    const grouped = new Intl.NumberFormat(document.documentElement.lang);
    const most = grouped.format(limit);
    const show = (length, wasRefused) => {
        const tooMany = length - limit;
        line.textContent = t("characters", { count: grouped.format(length), limit: most });
        line.hidden = !isAlwaysShown && length < limit * 0.9;
        let problem = "";
        if (tooMany > 0) {
            problem = t("too_long", { n: tooMany, limit: most });
        } else if (wasRefused) {
            problem = t("refused", { limit: most });
        }
        if (spoken.textContent !== problem) {
            spoken.textContent = problem;
        }
    };
    return { line, spoken, show };
}

const FIELD = { id: "answer", autocomplete: "off", autocorrect: "off" };

export function shortAnswer(question, onChange, onLeave) {
    const input = make("input", { ...FIELD, type: "text", autocapitalize: "off", spellcheck: "false" });
    const length = lengthLine({ id: "counter" }, SHORT_ANSWER_MAX, { isAlwaysShown: false });
    const { show } = textField(input, { limit: SHORT_ANSWER_MAX, onChange, onLeave, onLength: length.show });
    const element = make(
        "div",
        { class: "field" },
        make("label", { for: "answer" }, t("your_answer")),
        input,
        length.line,
        length.spoken
    );
    return { element, show };
}

export function number(question, onChange, onLeave) {
    const input = make("input", {
        ...FIELD, type: "text", inputmode: "decimal", spellcheck: "false", "aria-describedby": "number-hint",
    });
    const hint = make("p", { id: "number-hint", class: "hint" });
    const length = lengthLine({ id: "counter" }, NUMBER_MAX, { isAlwaysShown: false });
    const sign = make("button", { type: "button", class: "button sign", "aria-label": t("change_sign") }, "+/\u2212");
    const sayHow = () => {
        const read = readNumber(input.value);
        let words = t("number_hint");
        if (input.value.trim() !== "" && read === null) {
            words = t("no_number");
        } else if (read !== null && input.value.includes(".")) {
            words = t("read_as", { number: read.replace(".", ",") });
        }
        hint.textContent = words;
        hint.classList.toggle("doubt", input.value.trim() !== "" && read === null);
    };
    const onLength = (count, wasRefused) => {
        length.show(count, wasRefused);
        sayHow();
    };
    const { show } = textField(input, { limit: NUMBER_MAX, onChange, onLeave, onLength });
    // The decimal keyboard of some phones has no minus.
    sign.addEventListener("click", () => {
        const text = input.value.trim();
        input.value = /^[-\u2212]/.test(text) ? text.slice(1) : `-${text.replace(/^\+/, "")}`;
        input.dispatchEvent(new Event("input", { bubbles: true }));
        input.focus();
    });
    const element = make(
        "div",
        { class: "field" },
        make("label", { for: "answer" }, t("your_number")),
        make("div", { class: "number-row" }, input, sign),
        hint,
        length.line,
        length.spoken
    );
    return { element, show };
}

export function essay(question, onChange, onLeave) {
    const area = make("textarea", { ...FIELD, rows: "8", "aria-describedby": "counter" });
    const length = lengthLine({ id: "counter" }, ESSAY_MAX, { isAlwaysShown: true });
    let isFitting = false;
    const fit = () => {
        if (isFitting) {
            return;
        }
        isFitting = true;
        requestAnimationFrame(() => {
            isFitting = false;
            const top = window.pageYOffset;
            area.style.height = "auto";
            area.style.height = `${area.scrollHeight + 4}px`;
            window.scrollTo(0, top); // "auto" has made the page short for a moment
        });
    };
    const onLength = (count, wasRefused) => {
        length.show(count, wasRefused);
        fit();
    };
    const { show } = textField(area, { limit: ESSAY_MAX, onChange, onLeave, onLength });
    const element = make(
        "div",
        { class: "field" },
        make("label", { for: "answer" }, t("your_essay")),
        area,
        length.line,
        length.spoken
    );
    return { element, show, fit };
}
