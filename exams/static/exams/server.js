/*
 * The API as the exam page uses it.
 *
 * Contract:
 * - Every call resolves to {status, body} for an answer that is our JSON, whatever its status, and throws NoAnswer for
 *   everything else: no network, a time-out, a proxy's error page, the login page of a captive Wi-Fi.
 * - Nothing is sent twice in here but a request that was refused for its CSRF token.
 *
 * Not here: what a status means (autosave.js, page.js).
 */

const TIMEOUT_MS = 15000; // a save waits 8 s in the server at most, and a bad network needs its time too
/* Browsers give up keepalive requests above 64 KiB. */
export const KEEPALIVE_MAX_BYTES = 60000;

/* Nobody who speaks for the server has answered. retryAfterMs: what a proxy asked for, else null. */
export class NoAnswer extends Error {
    constructor(reason, retryAfterMs = null) {
        super(reason);
        this.retryAfterMs = retryAfterMs;
    }
}

/* Network trouble is no mistake of ours; anything else is, and is thrown on. */
export function retryAfterOf(error) {
    if (error instanceof NoAnswer) {
        return error.retryAfterMs;
    }
    throw error;
}

function cookie(name) {
    const found = document.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`));
    return found === undefined ? null : decodeURIComponent(found.slice(name.length + 1));
}

/* An entry as the API takes it: no more than the server asks for. */
export function asSave(entry) {
    return {
        questionId: entry.questionId,
        questionType: entry.questionType,
        answer: entry.answer,
        revision: entry.revision,
    };
}

export class Server {
    constructor({ examId, language = "id", timeoutMs = TIMEOUT_MS, fetch = (...given) => window.fetch(...given) }) {
        this._exam = `/api/siswa/ujian/${examId}`;
        this._language = language;
        this._timeoutMs = timeoutMs;
        this._fetch = fetch;
    }

    start() {
        return this._post(`${this._exam}/start`, {});
    }

    state() {
        return this._call("GET", `${this._exam}/state`);
    }

    submit(body) {
        return this._post(`${this._exam}/submit`, body);
    }

    login(username, pin) {
        return this._post("/api/auth/login", { username, pin });
    }

    saveOne(entry, ticket) {
        return this._save("save-answer", asSave(entry), ticket, false);
    }

    /* keepalive: the request outlives the page, and has KEEPALIVE_MAX_BYTES at most. */
    saveMany(entries, ticket, { keepalive = false } = {}) {
        return this._save("save-answers", { answers: entries.map(asSave) }, ticket, keepalive);
    }

    _save(action, body, ticket, keepalive) {
        // Without cookies: the ticket says who it is, and the session's end must not end the saves.
        const headers = { Authorization: `Bearer ${ticket}` };
        return this._call("POST", `${this._exam}/${action}`, { body, headers, keepalive, credentials: "omit" });
    }

    async _post(path, body) {
        const first = await this._postWithToken(path, body);
        if (first.status !== 403 || first.body.code !== "csrf_failed") {
            return first;
        }
        await this._call("GET", "/api/auth/session"); // sets the cookie anew
        return this._postWithToken(path, body);
    }

    async _postWithToken(path, body) {
        if (cookie("csrftoken") === null) {
            await this._call("GET", "/api/auth/session");
        }
        return this._call("POST", path, { body, headers: { "X-CSRFToken": cookie("csrftoken") || "" } });
    }

    async _call(method, path, { body, headers = {}, keepalive = false, credentials = "same-origin" } = {}) {
        const request = {
            method,
            credentials,
            keepalive,
            cache: "no-store",
            redirect: "error", // nothing of ours redirects; a captive portal does
            headers: { Accept: "application/json", "Accept-Language": this._language, ...headers },
        };
        if (body !== undefined) {
            request.headers["Content-Type"] = "application/json";
            request.body = JSON.stringify(body);
        }
        const abort = new AbortController();
        const timer = setTimeout(() => abort.abort(), this._timeoutMs);
        try {
            const response = await this._fetch(path, { ...request, signal: abort.signal });
            return await this._read(response);
        } catch (error) {
            if (error instanceof NoAnswer) {
                throw error;
            }
            // fetch knows only TypeError for all that a network can do, and AbortError for our time-out.
            throw new NoAnswer(String(error));
        } finally {
            clearTimeout(timer);
        }
    }

    async _read(response) {
        const text = await response.text();
        const seconds = Number.parseInt(response.headers.get("Retry-After") || "", 10);
        const retryAfterMs = Number.isFinite(seconds) ? seconds * 1000 : null;
        let body = null;
        try {
            body = JSON.parse(text);
        } catch {
            throw new NoAnswer(`${response.status} without JSON`, retryAfterMs);
        }
        if (body === null || typeof body !== "object" || typeof body.success !== "boolean") {
            throw new NoAnswer(`${response.status} with somebody else's JSON`, retryAfterMs);
        }
        if (retryAfterMs !== null && !Number.isFinite(body.retryAfterMs)) {
            body.retryAfterMs = retryAfterMs;
        }
        return { status: response.status, body };
    }
}
