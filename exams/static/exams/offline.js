/*
 * Copies of the exam page on this device, so that it opens again without the network (`sw.js` serves them).
 *
 * Contract:
 * - Nothing here throws or rejects. Where a browser gives no such storage (plain HTTP, some private windows) or it is
 *   full, the functions resolve with null or false and the exam goes on without a copy. `isAvailable()` says whether
 *   there is any.
 * - A copy is whole or not there: page, files and paper of one version and of one student's one attempt. A new one is
 *   built beside the old one and takes its place only when complete, also where the browser is killed in between.
 * - A copy is given out to its own student only, and forgotten before anybody else gets to a page: at logout
 *   (`forgetBeforeLeaving` and, as no script runs where a browser is killed, `forgetOthers` on every page outside the
 *   exam) and at submit (`forgetCopy`). With the last copy the worker goes too.
 *
 * How: one cache per copy, `ujian-<exam>-<number>-<random>`, the higher number being the newer copy. In it, beside the
 * files, `/siswa/ujian/<exam>?copy=claim`, `=data`, `=shell` and `=owner`. The claim is written first, so that a
 * clean-up in another tab does not take a copy that is being built for an orphan, and the owner last: it makes the copy
 * whole. No entry but the data is ever written over, as meanwhile a browser has neither the old nor the new one.
 *
 * Not here: answers (`recovery.js` keeps those), serving copies (`sw.js`).
 */

const SCOPE = "/siswa/ujian/";
const PREFIX = "ujian-";
const REQUEST_MS = 20000;
// The start of an exam is when a server has the least time for a second look at the page: it may say "later" (503).
const TRY_AGAIN_MS = [3000, 10000, 30000, 60000];
const LOGOUT_MS = 3000;

// Raised when this page's copy is no longer wanted: one that is still being built then gives itself up.
let _generation = 0;
// One after the other, so that newer data is not passed by older.
let _keeping = Promise.resolve();

/** Whether this browser can keep a copy at all. */
export function isAvailable() {
    try {
        return Boolean(window.isSecureContext && window.caches && navigator.serviceWorker);
    } catch (error) {
        return false; // some browsers throw at the mere look where cookies are blocked
    }
}

/**
 * Keep what the exam page needs without network; resolves true once it is kept. Wait for nothing: it may take minutes.
 *
 * `data` is whatever `readCopy` shall give back. `assets` are the addresses of all the page's files. Called again for
 * the same student, attempt, version and language it only replaces `data` and sends no request.
 */
export function keepCopy(copy) {
    const generation = _generation;
    _keeping = _keeping.then(() => _quietly(false, () => _keep(copy, generation)));
    return _keeping;
}

/** The `data` of this student's newest copy, or null. */
export function readCopy({ examId, student }) {
    return _quietly(null, async () => {
        const copy = await _newest(examId);
        if (!copy || copy.owner.student !== String(student)) {
            return null;
        }
        return (await _json(copy.name, _address(examId, "data"))) || _json(copy.name, _address(examId, "data-new"));
    });
}

/** Forget every copy of this exam: it is over. */
export function forgetCopy(examId) {
    _generation += 1;
    return _forget((name) => name.startsWith(_prefix(examId)));
}

/** Forget the copies of everybody but this student; with null (or the "" of a page that knows nobody) of everybody. */
export function forgetOthers(student) {
    const isNobody = student === null || student === "";
    if (isNobody) {
        _generation += 1;
    }
    return _forget((name) => isNobody || _isOfAnother(student, name));
}

/** Let this logout form forget all copies before it is sent: afterwards a script may not get the chance. */
export function forgetBeforeLeaving(form) {
    if (!isAvailable()) {
        return;
    }
    let isLeaving = false;
    form.addEventListener("submit", async (event) => {
        event.preventDefault();
        if (isLeaving) {
            return;
        }
        isLeaving = true;
        // Without the server nobody can be logged out, and the one who stays needs his copy.
        if (await _isServerThere()) {
            await Promise.race([forgetOthers(null), _after(LOGOUT_MS)]);
        }
        isLeaving = false;
        form.submit();
    });
}

/** Let the worker serve copies; resolves whether it is there. Call it on the page of a running attempt only. */
export function registerWorker(url) {
    return _quietly(false, async () => {
        await navigator.serviceWorker.register(url, { scope: SCOPE, updateViaCache: "none" });
        return true;
    });
}

async function _quietly(otherwise, work) {
    if (!isAvailable()) {
        return otherwise;
    }
    try {
        return await work();
    } catch (error) {
        // A copy is an extra: full or broken storage must not touch the exam itself. Answers have their own storage.
        console.warn("Offline copy:", error);
        return otherwise;
    }
}

async function _keep({ examId, student, attemptId, version, language, assets, data }, generation) {
    const owner = { student: String(student), attemptId, version, language };
    await _delete((name) => _isOfAnother(student, name)); // who comes by a link has passed no other page
    const current = await _newest(examId);
    if (current && _isSame(current.owner, owner)) {
        return _replaceData(current.name, examId, data);
    }
    _askToPersist();
    for (const pause of [...TRY_AGAIN_MS, null]) {
        const result = generation === _generation ? await _build({ examId, owner, assets, data, generation }) : "never";
        if (result !== "later" || pause === null) {
            return result === "kept";
        }
        await _after(pause * (0.75 + Math.random() / 2));
    }
    return false;
}

/** At every moment, and wherever it is interrupted, either the old data is there or the new. */
async function _replaceData(name, examId, data) {
    const cache = await caches.open(name);
    await _putJson(cache, _address(examId, "data-new"), data);
    await _putJson(cache, _address(examId, "data"), data);
    await cache.delete(_address(examId, "data-new"));
    if (await _owner(name)) {
        return true;
    }
    await caches.delete(name); // it was forgotten in between, and made again by `open`
    return false;
}

/** "kept", "later" (the server was busy or away) or "never" (it is not this student's page of this version). */
async function _build({ examId, owner, assets, data, generation }) {
    const names = await _names(_prefix(examId));
    const last = names.length ? _number(names[names.length - 1]) : 0;
    const name = _prefix(examId) + String(last + 1).padStart(8, "0") + "-" + Math.random().toString(36).slice(2, 10);
    const cache = await caches.open(name);
    let result = "never";
    try {
        await _putJson(cache, _address(examId, "claim"), { student: owner.student });
        await _putJson(cache, _address(examId, "data"), data);
        await Promise.all(assets.map(async (url) => cache.put(url, await _fetchFile(url))));
        // Last, so that a logout in another tab in the meantime makes this fail.
        await cache.put(_address(examId, "shell"), await _fetchShell(examId, owner));
        if (generation === _generation) {
            await _putJson(cache, _address(examId, "owner"), { ...owner, isComplete: true });
            // Somebody may have deleted it under our hands; what is written then goes nowhere.
            result = (await caches.has(name)) ? "kept" : "never";
        }
    } catch (error) {
        if (!(error instanceof NotNow)) {
            throw error;
        }
        result = generation === _generation ? "later" : "never";
    } finally {
        if (result !== "kept") {
            await caches.delete(name);
        }
    }
    if (result === "kept") {
        // Not the newer ones: another tab may be building one from a newer page.
        const older = (await _names(_prefix(examId))).filter((other) => other < name);
        await Promise.all(older.map((other) => caches.delete(other)));
    }
    return result;
}

class NotNow extends Error {}

async function _fetchFile(url) {
    const response = await _fetch(url, {});
    // The address of another version is answered with the current file, and without this word: no mixing.
    if (response.status !== 200 || !(response.headers.get("Cache-Control") || "").includes("immutable")) {
        throw new Error(`${url} is not of this version`);
    }
    return response;
}

async function _fetchShell(examId, owner) {
    const response = await _fetch(SCOPE + examId, { cache: "no-store", redirect: "manual" });
    if (response.status !== 200) {
        throw new Error(`the page of exam ${examId} is answered with ${response.status || "a redirect"}`);
    }
    const page = new DOMParser().parseFromString(await response.clone().text(), "text/html");
    const boot = JSON.parse(page.getElementById("boot").textContent);
    if (page.body.dataset.student !== owner.student || !_isSame({ ...boot, student: owner.student }, owner)) {
        throw new Error(`the page of exam ${examId} is of another student, attempt, version or language`);
    }
    return response;
}

async function _fetch(url, options) {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), REQUEST_MS);
    let response;
    try {
        response = await fetch(url, { ...options, signal: abort.signal });
        // The whole body within the time, then a response that needs no network any more.
        const { status, statusText, headers } = response;
        if (response.type !== "opaqueredirect") {
            response = new Response(await response.blob(), { status, statusText, headers });
        }
    } catch (error) {
        throw new NotNow(`no answer for ${url}`);
    } finally {
        clearTimeout(timer);
    }
    if (response.status === 429 || response.status >= 500) {
        throw new NotNow(`${response.status} for ${url}`);
    }
    return response;
}

async function _forget(isUnwanted) {
    return _quietly(false, async () => {
        await _delete(isUnwanted);
        if (!(await _names(PREFIX)).length) {
            const registration = await navigator.serviceWorker.getRegistration(SCOPE);
            if (registration) {
                await registration.unregister();
            }
        }
        return true;
    });
}

async function _delete(isUnwanted) {
    for (const name of await _names(PREFIX)) {
        if (await isUnwanted(name)) {
            await caches.delete(name);
        }
    }
}

async function _isOfAnother(student, name) {
    const claim = await _json(name, _address(name.split("-")[1], "claim")).catch(() => null);
    return !claim || claim.student !== String(student); // what nobody can claim goes too
}

/** The newest whole copy of an exam as {name, owner}, or null. */
async function _newest(examId) {
    for (const name of (await _names(_prefix(examId))).reverse()) {
        const owner = await _owner(name);
        if (owner && owner.isComplete) {
            return { name, owner };
        }
    }
    return null;
}

/** Oldest first. */
async function _names(prefix) {
    return (await caches.keys()).filter((name) => name.startsWith(prefix)).sort();
}

/** Whose copy this is, and of which page; null while it is being built. */
function _owner(name) {
    return _json(name, _address(name.split("-")[1], "owner")).catch(() => null);
}

/** Not by `caches.open`, which would make a cache that has just been deleted again. */
async function _json(cacheName, address) {
    const kept = await caches.match(address, { cacheName, ignoreVary: true });
    return kept ? kept.json() : null;
}

function _putJson(cache, address, value) {
    return cache.put(address, new Response(JSON.stringify(value), { headers: { "Content-Type": "application/json" } }));
}

function _isSame(one, other) {
    return ["student", "attemptId", "version", "language"].every((key) => one[key] === other[key]);
}

function _prefix(examId) {
    return `${PREFIX}${examId}-`;
}

function _number(name) {
    return Number(name.split("-")[2]) || 0;
}

function _address(examId, part) {
    return `${SCOPE}${examId}?copy=${part}`;
}

/** Browsers clear what is not persistent when space runs short. Chromium decides without asking the student. */
function _askToPersist() {
    if (navigator.storage && navigator.storage.persist) {
        navigator.storage.persist().catch(() => false); // a wish: it changes nothing here
    }
}

async function _isServerThere() {
    const answer = fetch("/healthz", { cache: "no-store" }).then((response) => response.status < 502);
    return Promise.race([answer.catch(() => false), _after(LOGOUT_MS)]);
}

function _after(ms) {
    return new Promise((resolve) => setTimeout(() => resolve(false), ms));
}
