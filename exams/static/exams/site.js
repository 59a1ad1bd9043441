/*
 * What every page but the exam does, if scripts run at all.
 *
 * Contract:
 * - Copies of exam pages that belong to anybody else than the student of this page are forgotten, and all of them before
 *   a logout. Where nobody is logged in, what the server has acknowledged is forgotten as well.
 * - A form is sent once: its button rests until the page is shown again, or until the answer is so late that the student
 *   should be able to press once more.
 *
 * Not here: the answers that wait on this device. They stay, whoever logs in; `recovery.js` keeps them apart.
 */

import { forgetBeforeLeaving, forgetOthers } from "./offline.js";
import { forgetAcknowledged } from "./recovery.js";

const REST_MS = 15000;

const sent = new Map();

function wake(form) {
    clearTimeout(sent.get(form));
    sent.delete(form);
    for (const button of form.querySelectorAll("button")) {
        button.disabled = false;
    }
}

document.addEventListener("submit", (event) => {
    const form = event.target;
    if (sent.has(form)) {
        event.preventDefault();
        return;
    }
    sent.set(form, setTimeout(wake, REST_MS, form));
    // Not yet: the browser collects the form after this event, and a disabled button would not send its value.
    setTimeout(() => {
        if (sent.has(form)) {
            form.querySelectorAll("button").forEach((button) => { button.disabled = true; });
        }
    });
});

window.addEventListener("pageshow", () => Array.from(sent.keys()).forEach(wake));

const logout = document.getElementById("logout");
if (logout) {
    forgetBeforeLeaving(logout);
}
const student = document.body.dataset.student || null;
forgetOthers(student);
if (student === null) {
    forgetAcknowledged();
}
