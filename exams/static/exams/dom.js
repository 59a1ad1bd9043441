/*
 * Making and finding elements in few words.
 *
 * Contract: make("p", {class: "muted"}, "text", node) builds an element; an attribute that is null or false is left
 * out, true is empty. Children that are strings become text, never markup. putHtml() is for the HTML of questions
 * alone, which the server has cleaned (exams/richtext.py).
 */

const SVG = "http://www.w3.org/2000/svg";

export function byId(id) {
    return document.getElementById(id);
}

export function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (value !== null && value !== false && value !== undefined) {
            element.setAttribute(name, value === true ? "" : value);
        }
    }
    element.append(...children);
    return element;
}

/* An icon of the page's sprite. It only ever stands beside words, or in a button that has a label. */
export function icon(name) {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("class", "icon");
    svg.setAttribute("aria-hidden", "true");
    const use = document.createElementNS(SVG, "use");
    use.setAttribute("href", `#icon-${name}`);
    svg.append(use);
    return svg;
}

/* Put a question's HTML into *element*. Links open in another tab: a tap on one must not take the exam away. */
export function putHtml(element, html) {
    element.innerHTML = html;
    for (const link of element.querySelectorAll("a[href]")) {
        link.target = "_blank";
    }
    for (const table of element.querySelectorAll("table")) {
        const box = make("div", { class: "scrolls" });
        table.replaceWith(box);
        box.append(table);
    }
}

/* What is wider than the screen scrolls in its own box; the keyboard must get into it, but only where it scrolls. */
export function letKeyboardScroll(root, label) {
    for (const box of root.querySelectorAll(".scrolls, pre")) {
        const scrolls = box.scrollWidth > box.clientWidth;
        for (const [name, value] of [["tabindex", "0"], ["role", "group"], ["aria-label", label]]) {
            if (scrolls) {
                box.setAttribute(name, value);
            } else {
                box.removeAttribute(name);
            }
        }
    }
}
