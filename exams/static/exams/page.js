/*
 * The exam page: from its address to a paper that can be answered.
 *
 * Contract:
 * - The page is never blank: until there is a paper it says what it waits for.
 * - It begins with the server's word, or with the copy on this device where the server is away or slow; whatever was
 *   left on this device is brought together with what the server has, and what the server lacks is sent.
 *
 * Not here: the exam itself (sitting.js), handing in (handing_in.js).
 */

import { ServerClock } from "./clock.js";
import { byId } from "./dom.js";
import { Pauses, openExam } from "./opening.js";
import { AnswerStore, merge } from "./recovery.js";
import { Server } from "./server.js";
import { Sitting } from "./sitting.js";
import { toast } from "./status.js";
import { setTexts, t } from "./texts.js";

const RETRY_MAX_MS = 30000;

function say(key) {
    byId("opening-text").textContent = t(key);
    byId("try-again").hidden = false;
}

/* What the server had when the copy was made, and what it has acknowledged since. */
function answersOf(copy, store) {
    const newest = new Map(copy.answers.map((answer) => [answer.questionId, answer]));
    for (const [questionId, { answer, revision }] of store.saved()) {
        const known = newest.get(questionId);
        if (known === undefined || known.revision < revision) {
            newest.set(questionId, { questionId, answer, revision });
        }
    }
    return Array.from(newest.values());
}

function sitDown({ boot, server, store, clock, data, isCopy }) {
    const { answers, toSend, obsolete } = merge({
        server: isCopy ? answersOf(data, store) : data.answers,
        entries: store.entries(),
    });
    for (const { questionId, revision } of obsolete) {
        store.remove(questionId, revision);
    }
    const sitting = new Sitting({ boot, server, store, clock, data, answers, toSend });
    if (toSend.length > 0) {
        toast(t("recovered", { n: toSend.length }));
    }
    if (store.wasDamaged) {
        toast(t("was_damaged"));
    }
    return sitting;
}

async function main() {
    const boot = JSON.parse(byId("boot").textContent);
    setTexts(boot.texts);
    byId("plain-http").hidden = window.isSecureContext;
    const server = new Server({ examId: boot.examId, language: boot.language });
    const store = await AnswerStore.open({ examId: boot.examId, attemptId: boot.attemptId });
    const clock = new ServerClock({ memory: store });
    const pauses = new Pauses({ mostMs: RETRY_MAX_MS });
    byId("try-again").addEventListener("click", () => pauses.hurry());

    const { copy, decided, later } = await openExam({ boot, server, pauses, say });
    if (decided !== null && decided.kind === "closed") {
        location.replace(boot.urls.result); // which also tells the teacher what is left here
    } else if (decided !== null && decided.kind === "gone") {
        location.replace(boot.urls.exams);
    } else if (decided !== null && decided.kind === "paper") {
        if (decided.body.attempt.id !== boot.attemptId) {
            location.replace(boot.urls.exams); // somebody else has logged in here meanwhile
            return;
        }
        clock.base(decided.body.serverNow, decided.roundTripMs);
        sitDown({ boot, server, store, clock, data: decided.body, isCopy: false }).arrived(decided.body);
    } else if (copy === null) {
        location.replace(boot.urls.login);
    } else {
        const sitting = sitDown({ boot, server, store, clock, data: copy, isCopy: true });
        sitting.showCopyNote();
        const word = decided || (await later);
        if (word.kind === "paper" && word.body.attempt.id === boot.attemptId) {
            sitting.takeState(word.body, word.askedAt);
            sitting.arrived(word.body);
        } else if (word.kind === "closed") {
            sitting.wasClosed("attempt_submitted");
        } else if (word.kind === "gone") {
            location.replace(boot.urls.exams);
        } else {
            sitting.askForPin();
        }
    }
}

main().catch((error) => {
    console.error(error);
    say("opening_broken");
});
