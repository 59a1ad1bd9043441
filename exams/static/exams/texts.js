/*
 * The words that the scripts show.
 *
 * Contract: setTexts() takes the table that the page brings along (exams/page_texts.py), in the student's language.
 * t(key, {n: 3}) fills in `{n}`; with n = 1 the text of `key_one` is taken where there is one. A key that nobody wrote
 * is shown as it is: an odd word on the page is better than no page.
 *
 * Not here: the words of the template, which Django translates.
 */

let texts = {};

export function setTexts(table) {
    texts = table;
}

export function t(key, values = {}) {
    const one = values.n === 1 ? texts[`${key}_one`] : undefined;
    const text = one ?? texts[key] ?? key;
    return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}
