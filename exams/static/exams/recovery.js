/*
 * What this device keeps: the answers that the server has not acknowledged yet, and how they come back.
 *
 * Contract:
 * - put() is the write-ahead: when it returns, the answer is in localStorage under `failedAnswers_<exam id>`, which a
 *   reload and a crash of the page survive, and on its way into IndexedDB, which a dead battery survives a few
 *   milliseconds later. (A browser writes localStorage to the disk only seconds afterwards; we have measured it.)
 * - remove() takes an answer away only if what is kept is not newer than what was acknowledged.
 * - Entries carry their attempt: those of another attempt (the student before on this computer) are neither shown nor
 *   sent nor removed.
 * - Nothing in here throws. Storage that is full, blocked or damaged is said (isDurable, wasDamaged) and survived; what
 *   was damaged is set aside under another name.
 *
 * An entry: {attemptId, questionId, questionType, answer, revision}.
 *
 * Not here: sending (autosave.js), the copy of the page itself (offline.js).
 */

const DATABASE = "tahan-uji";
const TABLE = "answers";
const OPEN_TIMEOUT_MS = 2000; // a browser that is busy with its own upgrade may never answer

/* localStorage; null where the browser forbids even to look at it. */
function browserStorage() {
    try {
        return window.localStorage;
    } catch {
        return null;
    }
}

function isEntry(thing) {
    return (
        thing !== null &&
        typeof thing === "object" &&
        Number.isInteger(thing.attemptId) &&
        Number.isInteger(thing.questionId) &&
        Number.isInteger(thing.revision) &&
        thing.answer !== undefined
    );
}

/* -- IndexedDB ------------------------------------------------------------------------------------------------- */

function settled(request) {
    return new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
}

function openDatabase(factory) {
    const request = factory.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(TABLE, { keyPath: ["attemptId", "questionId"] });
    const timeout = new Promise((_, reject) => {
        setTimeout(() => reject(new Error("IndexedDB does not answer")), OPEN_TIMEOUT_MS);
    });
    return Promise.race([settled(request), timeout]);
}

/* The entries of one attempt in IndexedDB. One transaction at a time; what comes meanwhile goes into the next one. */
class DurableEntries {
    constructor(database, attemptId) {
        this._database = database;
        this._attemptId = attemptId;
        this._changes = new Map(); // question id -> {put: entry, over: revision} or {remove: revision}
        this._isWriting = false;
        this.isWorking = true;
    }

    async all() {
        const range = IDBKeyRange.bound([this._attemptId], [this._attemptId, []]);
        return settled(this._database.transaction(TABLE).objectStore(TABLE).getAll(range));
    }

    change(questionId, what) {
        const waiting = this._changes.get(questionId);
        if (what.remove !== undefined && waiting !== undefined && waiting.put && waiting.put.revision > what.remove) {
            return; // an older answer was acknowledged; the newer one is about to take its place
        }
        this._changes.set(questionId, what);
        if (!this._isWriting) {
            this._isWriting = true;
            this._write();
        }
    }

    async _write() {
        try {
            while (this._changes.size > 0) {
                const changes = this._changes;
                this._changes = new Map();
                await this._commit(changes);
                this.isWorking = true;
            }
        } catch (error) {
            this.isWorking = false; // localStorage has it; the next change tries again
            console.warn("IndexedDB does not take answers:", error);
        } finally {
            this._isWriting = false;
        }
    }

    _commit(changes) {
        return new Promise((resolve, reject) => {
            // strict: "complete" means that it is on the disk. Browsers that do not know the word ignore it.
            const transaction = this._database.transaction(TABLE, "readwrite", { durability: "strict" });
            transaction.oncomplete = resolve;
            transaction.onabort = transaction.onerror = () => reject(transaction.error);
            const table = transaction.objectStore(TABLE);
            for (const [questionId, { put, over, remove }] of changes) {
                const request = table.get([this._attemptId, questionId]);
                request.onsuccess = () => {
                    const kept = request.result;
                    // Another tab writes here too: the newest edit stays, whoever comes last.
                    if (put !== undefined) {
                        if (kept === undefined || kept.revision < put.revision || kept.revision === over) {
                            table.put(put);
                        }
                    } else if (kept !== undefined && kept.revision <= remove) {
                        table.delete([this._attemptId, questionId]);
                    }
                };
            }
        });
    }
}

/* -- the store ------------------------------------------------------------------------------------------------- */

export class AnswerStore {
    /* Opens both storages; resolves to a store in any case. storage and factory are there for tests. */
    static async open({ examId, attemptId, storage = browserStorage(), factory = window.indexedDB }) {
        const store = new AnswerStore(examId, attemptId, storage);
        try {
            store._durable = new DurableEntries(await openDatabase(factory), attemptId);
            for (const entry of (await store._durable.all()).filter(isEntry)) {
                if (store._isNewer(entry)) {
                    store.put(entry); // localStorage never got it to the disk
                }
            }
        } catch (error) {
            store._durable = null;
            console.warn("IndexedDB cannot be used:", error);
        }
        for (const entry of store._entries.values()) {
            store._changeDurable(entry.questionId, { put: entry });
        }
        return store;
    }

    constructor(examId, attemptId, storage) {
        this.examId = examId;
        this.attemptId = attemptId;
        this.wasDamaged = false;
        this._storage = storage;
        this._durable = null;
        this._key = `failedAnswers_${examId}`;
        this._savedKey = `savedAnswers_${examId}`;
        this._clockKey = `serverClock_${examId}`;
        this._doubtfulKey = `doubtful_${examId}`;
        this._isStorageWorking = this._canWrite();
        this._entries = new Map(); // of this attempt, by question id: true even where nothing can be written
        this.reload();
        this._saved = this._readSaved();
        this._doubtful = this._readDoubtful();
    }

    /* Whether what was put survives this page. */
    get isDurable() {
        return this._isStorageWorking || (this._durable !== null && this._durable.isWorking);
    }

    /* -- waiting answers -- */

    entries() {
        return Array.from(this._entries.values());
    }

    put(entry) {
        this._entries.set(entry.questionId, entry);
        this._change((kept) => this._with(kept, entry));
        this._changeDurable(entry.questionId, { put: entry });
    }

    /* The same answer under another number: its first one was ahead of the server's clock. */
    renumber(entry, revision) {
        const renumbered = { ...entry, revision };
        this._entries.set(entry.questionId, renumbered);
        const isIt = (other) => this._isSame(other, entry.questionId) && other.revision === entry.revision;
        this._change((kept) => this._with(kept.filter((other) => !isIt(other)), renumbered));
        this._changeDurable(entry.questionId, { put: renumbered, over: entry.revision });
        return renumbered;
    }

    /* The entries with one more; a newer answer to the same question, of another tab, keeps its place. */
    _with(kept, entry) {
        const isOther = (other) => !this._isSame(other, entry.questionId);
        const isOvertaken = kept.some((other) => !isOther(other) && other.revision > entry.revision);
        return isOvertaken ? kept : [...kept.filter(isOther), entry];
    }

    remove(questionId, revision) {
        const held = this._entries.get(questionId);
        if (held !== undefined && held.revision <= revision) {
            this._entries.delete(questionId);
        }
        this._change((kept) =>
            kept.filter((other) => !this._isSame(other, questionId) || other.revision > revision)
        );
        this._changeDurable(questionId, { remove: revision });
    }

    /* Take over what another tab has written meanwhile. */
    reload() {
        for (const entry of this._read()) {
            if (entry.attemptId === this.attemptId && this._isNewer(entry)) {
                this._entries.set(entry.questionId, entry);
            }
        }
    }

    _isNewer(entry) {
        const held = this._entries.get(entry.questionId);
        return held === undefined || held.revision < entry.revision;
    }

    _isSame(entry, questionId) {
        return entry.attemptId === this.attemptId && entry.questionId === questionId;
    }

    _changeDurable(questionId, what) {
        if (this._durable !== null) {
            this._durable.change(questionId, what);
        }
    }

    /* All entries of this exam in localStorage, of every attempt. Damage is set aside under another name, once. */
    _read() {
        const text = this._get(this._key);
        if (text === null) {
            return [];
        }
        const entries = parsed(text);
        if (Array.isArray(entries) && entries.every(isEntry)) {
            return entries;
        }
        this.wasDamaged = true;
        if (this._set(`${this._key}_damaged_${Date.now()}`, text)) {
            const good = Array.isArray(entries) ? entries.filter(isEntry) : [];
            this._set(this._key, JSON.stringify(good));
            return good;
        }
        return [];
    }

    _change(change) {
        const before = this._read();
        const after = change(before);
        if (after.length === 0 && before.length === 0) {
            return;
        }
        const text = JSON.stringify(after);
        if (after.length === 0) {
            this._isStorageWorking = this._delete(this._key);
        } else if (this._set(this._key, text)) {
            this._isStorageWorking = true;
        } else {
            // Full: what is only there for comfort makes room for what is not on the server yet.
            this._delete(this._savedKey);
            this._isStorageWorking = this._set(this._key, text);
        }
    }

    /* -- acknowledged answers: what a reload without network shows -- */

    saved() {
        return new Map(this._saved);
    }

    /* saved: Map of question id -> {answer, revision}, all that is acknowledged. */
    rememberSaved(saved) {
        this._saved = new Map(saved);
        const answers = Array.from(saved, ([questionId, { answer, revision }]) => [questionId, revision, answer]);
        this._set(this._savedKey, JSON.stringify({ attemptId: this.attemptId, answers }));
    }

    _readSaved() {
        const remembered = parsed(this._get(this._savedKey));
        const saved = new Map();
        if (remembered !== null && remembered.attemptId === this.attemptId && Array.isArray(remembered.answers)) {
            for (const [questionId, revision, answer] of remembered.answers) {
                saved.set(questionId, { answer, revision });
            }
        }
        return saved;
    }

    /* -- the doubtful flags: the student's own, never sent -- */

    doubtful() {
        return new Set(this._doubtful);
    }

    setDoubtful(questionId, isDoubtful) {
        if (isDoubtful) {
            this._doubtful.add(questionId);
        } else {
            this._doubtful.delete(questionId);
        }
        const questions = Array.from(this._doubtful);
        this._set(this._doubtfulKey, JSON.stringify({ attemptId: this.attemptId, questions }));
    }

    _readDoubtful() {
        const kept = parsed(this._get(this._doubtfulKey));
        const isOurs = kept !== null && kept.attemptId === this.attemptId && Array.isArray(kept.questions);
        return new Set(isOurs ? kept.questions : []);
    }

    /* -- the clock's memory (clock.js) -- */

    readClock() {
        const kept = parsed(this._get(this._clockKey));
        return kept !== null && Number.isFinite(kept.serverNow) && Number.isFinite(kept.wall) ? kept : null;
    }

    writeClock(clock) {
        this._set(this._clockKey, JSON.stringify(clock));
    }

    /* The attempt is over and the server has everything: nothing of it stays here. */
    forgetAttempt() {
        for (const entry of this.entries()) {
            this.remove(entry.questionId, entry.revision);
        }
        this._saved.clear();
        this._doubtful.clear();
        for (const key of [this._savedKey, this._clockKey, this._doubtfulKey]) {
            this._delete(key);
        }
    }

    /* -- localStorage, which may refuse anything at any time -- */

    _get(key) {
        try {
            return this._storage.getItem(key);
        } catch {
            return null;
        }
    }

    _set(key, text) {
        try {
            this._storage.setItem(key, text);
            return true;
        } catch {
            return false;
        }
    }

    _delete(key) {
        try {
            this._storage.removeItem(key);
            return true;
        } catch {
            return false;
        }
    }

    _canWrite() {
        return this._set("tahanUjiProbe", "1") && this._delete("tahanUjiProbe");
    }
}

/* Parsed JSON, or null. */
function parsed(text) {
    try {
        return JSON.parse(text);
    } catch {
        return null;
    }
}

/*
 * At logout: the acknowledged answers and flags of every exam go, so that the next student on this computer finds none.
 * What the server does not have yet stays, for the one who wrote it.
 */
export function forgetAcknowledged(storage = browserStorage()) {
    try {
        for (const key of Object.keys(storage)) {
            if (/^(savedAnswers|doubtful|serverClock)_/.test(key)) {
                storage.removeItem(key);
            }
        }
    } catch {
        // Blocked storage holds nothing that could be found.
    }
}

/*
 * Bring together what the server has and what this device has: per question the newest revision counts.
 *
 * server: [{questionId, answer, revision}], as it said now or when it was last heard, several of a question allowed;
 * entries: of this attempt. Returns answers (Map of question id ->
 * {answer, revision, isSaved}), toSend (entries that the server lacks) and obsolete (entries that it does not need).
 */
export function merge({ server, entries }) {
    const answers = new Map();
    for (const { questionId, answer, revision } of server) {
        const known = answers.get(questionId);
        if (known === undefined || known.revision < revision) {
            answers.set(questionId, { answer, revision, isSaved: true });
        }
    }
    const toSend = [];
    const obsolete = [];
    for (const entry of entries) {
        const known = answers.get(entry.questionId);
        if (known !== undefined && known.revision >= entry.revision) {
            obsolete.push(entry);
        } else {
            answers.set(entry.questionId, { answer: entry.answer, revision: entry.revision, isSaved: false });
            toSend.push(entry);
        }
    }
    return { answers, toSend, obsolete };
}
