/*
 * For tests of the modules alone: an Autosave whose server, store, clock and tabs are written down in the test.
 *
 * harness.autosave(options) gives {autosave, server, store, requests, events}. server.script holds the coming replies,
 * oldest first; a function is called with the entries, an Error is thrown; when it is empty everything is saved.
 */
window.harness = (() => {
    const BASE = "/static/exams/";
    const module = (name) => import(`${BASE}${name}.js`);

    function saved(entry, over = {}) {
        return { success: true, status: "saved", revision: entry.revision, nextSaveMs: 2000, serverNow: Date.now(), ...over };
    }

    class ScriptedServer {
        constructor() {
            this.script = [];
            this.stateScript = [];
            this.requests = [];
        }

        async saveOne(entry, ticket) {
            return this._answer([entry], ticket, {}, () => ({ status: 200, body: saved(entry) }));
        }

        async saveMany(entries, ticket, { keepalive = false } = {}) {
            return this._answer(entries, ticket, { keepalive }, () => ({
                status: 200,
                body: {
                    success: true,
                    results: entries.map((entry) => ({ questionId: entry.questionId, ...saved(entry) })),
                    serverNow: Date.now(),
                    nextSaveMs: 2000,
                },
            }));
        }

        async state() {
            const next = this.stateScript.shift();
            this.requests.push({ state: true });
            if (next instanceof Error) {
                throw next;
            }
            return next || { status: 200, body: stateReply() };
        }

        _answer(entries, ticket, how, usual) {
            this.requests.push({ entries: entries.map((entry) => ({ ...entry })), ticket, ...how });
            const next = this.script.shift();
            if (next instanceof Error) {
                throw next;
            }
            return typeof next === "function" ? next(entries) : next || usual();
        }
    }

    function stateReply(over = {}) {
        return {
            success: true,
            serverNow: Date.now(),
            ticket: "fresh",
            answers: [],
            ...over,
            attempt: { id: window.attempts, status: "in_progress", ...over.attempt },
        };
    }

    async function make({ answers = new Map(), toSend = [], examId = 1, attemptId = 1, steady, random = () => 0 } = {}) {
        const [{ Autosave }, { AnswerStore }, { ServerClock }, { NoAnswer }] = await Promise.all(
            ["autosave", "recovery", "clock", "server"].map(module)
        );
        const server = new ScriptedServer();
        const store = await AnswerStore.open({ examId, attemptId });
        const clock = new ServerClock();
        clock.base(Date.now());
        const tabs = { isSender: true, posted: [], post: (message) => tabs.posted.push(message), takeOver() {}, close() {} };
        const parts = { attemptId, ticket: "first", answers, toSend, server, store, clock, tabs, steady, random };
        const autosave = new Autosave(parts);
        const events = [];
        for (const name of ["answer", "login", "closed", "reopened"]) {
            autosave.addEventListener(name, (event) => events.push({ name, ...event.detail }));
        }
        return { autosave, server, store, clock, tabs, events, NoAnswer };
    }

    /* Resolves when look() is true; rejects after ms. */
    async function until(look, ms = 8000) {
        const end = performance.now() + ms;
        while (!look()) {
            if (performance.now() > end) {
                throw new Error(`not reached within ${ms} ms: ${look}`);
            }
            await new Promise((resolve) => setTimeout(resolve, 10));
        }
    }

    const refusal = (status, code, more = {}) => ({ status, body: { success: false, code, message: code, ...more } });

    return { module, make, until, saved, stateReply, refusal };
})();
