/*
 * The question that is shown, and its answer as the student gives it.
 *
 * Contract:
 * - show() puts one question with its answer on the page; every change of the student's is told by onAnswer(question,
 *   answer, {isTyping}), an answer that was cleared as null, and onLeave(question) when a text field was left.
 * - follow() shows an answer that came from elsewhere; it takes no focus, moves no caret, tells nobody.
 * - Answers are shaped as in docs/reference/api.md.
 *
 * Not here: text fields (writing.js), which question comes next (page.js), whether an answer is saved (autosave.js).
 */

import { byId, letKeyboardScroll, make, putHtml } from "./dom.js";
import { t } from "./texts.js";
import { essay, number, shortAnswer } from "./writing.js";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const MARKUP = /<(?!br\b|\/?p\b)/i;

export function isEmpty(answer) {
    if (answer === null || answer === undefined || answer === "") {
        return true;
    }
    return typeof answer === "object" && Object.keys(answer).length === 0;
}

/* Rows that are tapped as a whole: radio buttons or boxes. options: [{value, letter, html | text}] */
function choices(type, legend, options, onChange) {
    const inputs = options.map((option) =>
        make("input", { type, name: "answer", value: option.value, autocomplete: "off" })
    );
    const rows = options.map((option, index) => {
        const words = make("span", { class: "choice-text rich" });
        if (option.html === undefined) {
            words.textContent = option.text;
        } else {
            putHtml(words, option.html);
        }
        const letter = make("span", { class: "choice-letter", "aria-hidden": "true" }, option.letter || "");
        return make("label", { class: "choice" }, inputs[index], letter, words);
    });
    const element = make("fieldset", { class: "choices" }, make("legend", {}, legend), ...rows);
    const mark = () => rows.forEach((row, index) => row.classList.toggle("chosen", inputs[index].checked));
    element.addEventListener("change", () => {
        mark();
        onChange();
    });
    return { element, inputs, mark };
}

function lettered(question) {
    return question.choices.map((choice, index) => ({
        value: choice.id,
        letter: LETTERS[index] || "",
        html: choice.html,
    }));
}

function oneOf(legend, options, valueOf, onChange) {
    const { element, inputs, mark } = choices("radio", legend, options, () => {
        const chosen = inputs.find((input) => input.checked);
        onChange(chosen === undefined ? null : valueOf(chosen.value));
    });
    return {
        element,
        show(answer) {
            for (const input of inputs) {
                input.checked = !isEmpty(answer) && input.value === String(answer);
            }
            mark();
        },
    };
}

function multipleChoice(question, onChange) {
    return oneOf(t("choose_one"), lettered(question), (value) => value, onChange);
}

function trueFalse(question, onChange) {
    const options = [{ value: "true", text: t("true") }, { value: "false", text: t("false") }];
    return oneOf(t("true_or_false"), options, (value) => value === "true", onChange);
}

function multipleResponse(question, onChange) {
    const { element, inputs, mark } = choices("checkbox", t("choose_several"), lettered(question), () => {
        // Sorted as the server stores it, so that the same choice is the same answer.
        const chosen = inputs.filter((input) => input.checked).map((input) => input.value).sort();
        onChange(chosen.length === 0 ? null : chosen);
    });
    return {
        element,
        show(answer) {
            for (const input of inputs) {
                input.checked = Array.isArray(answer) && answer.includes(input.value);
            }
            mark();
        },
    };
}

function plainText(html) {
    return new DOMParser().parseFromString(html, "text/html").body.textContent.trim();
}

/*
 * One list to choose from per left-hand side: no dragging. A list can only hold plain text, so where the right-hand
 * sides hold more (a formula, a picture) they are written out above under letters.
 */
function matching(question, onChange) {
    const isRich = question.choices.some((choice) => MARKUP.test(choice.html));
    const names = question.choices.map((choice, index) => {
        const text = plainText(choice.html);
        return isRich ? `${LETTERS[index] || index + 1}. ${text}` : text;
    });
    const rows = question.stems.map((stem, index) => {
        const words = make("div", { class: "rich", id: `stem-${index}` });
        putHtml(words, stem.html);
        const list = make(
            "select",
            { "data-stem": stem.id, "aria-labelledby": `stem-${index}`, autocomplete: "off" },
            make("option", { value: "" }, t("choose")),
            ...question.choices.map((choice, place) => make("option", { value: choice.id }, names[place]))
        );
        return { list, element: make("div", { class: "pair" }, words, list) };
    });
    const element = make("fieldset", { class: "pairs" }, make("legend", {}, t("match")));
    if (isRich) {
        const written = make("ol", { class: "written" });
        for (const choice of question.choices) {
            const item = make("li", { class: "rich" });
            putHtml(item, choice.html);
            written.append(item);
        }
        element.append(written);
    }
    element.append(...rows.map((row) => row.element));
    element.addEventListener("change", () => {
        const pairs = {};
        for (const { list } of rows) {
            if (list.value !== "") {
                pairs[list.dataset.stem] = list.value;
            }
        }
        onChange(isEmpty(pairs) ? null : pairs);
    });
    return {
        element,
        show(answer) {
            for (const { list } of rows) {
                list.value = (answer || {})[list.dataset.stem] || "";
            }
        },
    };
}

const FIELDS = {
    multiple_choice: multipleChoice,
    multiple_response: multipleResponse,
    true_false: trueFalse,
    matching,
    short_answer: shortAnswer,
    numerical: number,
    essay,
};

/* How one question stands on the page: *step* is of steps(), below. */
export class QuestionView {
    constructor({ onAnswer, onLeave, onDoubtful }) {
        this._onAnswer = onAnswer;
        this._onLeave = onLeave;
        this._step = null;
        this._field = null;
        this._root = byId("question");
        this._area = byId("answer-area");
        byId("clear").addEventListener("click", () => this._clear());
        byId("doubtful").addEventListener("change", (event) => onDoubtful(this._step.id, event.target.checked));
        window.addEventListener("resize", () => letKeyboardScroll(this._root, t("wide_part")));
    }

    get step() {
        return this._step;
    }

    show(step, { answer, isDoubtful, total }) {
        const { question } = step;
        const isReading = question.type === "description";
        this._step = step;
        this._root.dataset.type = question.type;
        this._root.dataset.number = step.name;
        byId("question-title").textContent = isReading
            ? t("reading_title", { name: step.name })
            : t("question_title", { name: step.name, total });
        byId("points").textContent = question.points > 0 ? t("points", { n: question.points }) : "";
        putHtml(byId("stem"), question.html);
        this._showPassage(step.passage);
        this._area.textContent = "";
        this._field = null;
        if (FIELDS[question.type] !== undefined) {
            const tell = (given, { isTyping = false } = {}) => {
                this._onAnswer(question, given, { isTyping });
                this._showClear(given);
            };
            this._field = FIELDS[question.type](question, tell, () => this._onLeave(question));
            this._area.append(this._field.element);
        }
        byId("question-tools").hidden = isReading;
        byId("doubtful").checked = isDoubtful;
        this.follow(answer);
        // Last: whoever waits for this question finds it whole.
        this._root.dataset.question = question.id;
        letKeyboardScroll(this._root, t("wide_part"));
        if (this._field !== null && this._field.fit) {
            this._field.fit();
        }
    }

    follow(answer) {
        if (this._field !== null) {
            this._field.show(isEmpty(answer) ? null : answer);
        }
        this._showClear(answer);
    }

    /* Why the answer of this question could not be saved; null where it could. */
    showReason(reason) {
        const place = byId("reason");
        place.hidden = reason === null;
        if (place.textContent !== (reason || "")) {
            place.textContent = reason || "";
        }
    }

    setDisabled(isDisabled) {
        this._area.disabled = isDisabled;
        byId("clear").disabled = isDisabled || this._isCleared;
    }

    _showClear(answer) {
        this._isCleared = isEmpty(answer);
        byId("clear").disabled = this._area.disabled || this._isCleared;
    }

    _clear() {
        this._field.show(null);
        this._onAnswer(this._step.question, null, { isTyping: false });
        // The button is disabled in a moment; the focus must not fall off the page.
        byId("question-title").focus();
        this._showClear(null);
    }

    /* The text that heads this question and its neighbours, folded away until it is wanted. */
    _showPassage(passage) {
        const place = byId("passage");
        place.hidden = passage === null;
        if (passage !== null && this._passageId !== passage.id) {
            place.open = false;
            putHtml(byId("passage-text"), passage.html);
        }
        this._passageId = passage === null ? null : passage.id;
    }
}

/*
 * The paper as steps, in the student's order: questions are counted, readings have names of their own ("B1") and head
 * the questions up to the next one.
 */
export function steps(questions) {
    let counted = 0;
    let readings = 0;
    let passage = null;
    return questions.map((question) => {
        if (question.type === "description") {
            readings += 1;
            passage = question;
            const name = t("reading_name", { i: readings });
            return { id: question.id, question, passage: null, isReading: true, name };
        }
        counted += 1;
        return { id: question.id, question, passage, isReading: false, name: String(counted) };
    });
}
