/*
 * What the server has acknowledged, as far as this device knows: the newest revision per question.
 *
 * Contract:
 * - learn() keeps the newest and says whether it was news; the store remembers it for a reload without network.
 * - lostBy() finds what the server should have and has not: a database that came back from an older copy.
 */

export class Acknowledged {
    constructor({ store, steady }) {
        this._store = store;
        this._steady = steady;
        this._byQuestion = new Map(); // question id -> {answer, revision, at: when we learnt it}
    }

    /* answers: Map of question id -> {answer, revision, isSaved}, from merge() of recovery.js. */
    load(answers) {
        answers.forEach(({ answer, revision, isSaved }, questionId) => {
            if (isSaved) {
                this._byQuestion.set(questionId, { answer, revision, at: this._steady() });
            }
        });
        this._store.rememberSaved(this._byQuestion);
    }

    get(questionId) {
        return this._byQuestion.get(questionId);
    }

    delete(questionId) {
        this._byQuestion.delete(questionId);
    }

    learn(questionId, answer, revision) {
        const known = this.get(questionId);
        const isNews = known === undefined || known.revision < revision;
        if (isNews || known.revision === revision) {
            this._byQuestion.set(questionId, { answer, revision, at: this._steady() });
        }
        if (isNews) {
            this._store.rememberSaved(this._byQuestion);
        }
        return isNews;
    }

    /* [question id, {answer, revision}] of what we learnt before askedAt and stored, the server's word then, lacks. */
    lostBy(stored, askedAt) {
        return Array.from(this._byQuestion).filter(([questionId, known]) => {
            const there = stored.get(questionId);
            return known.at < askedAt && (there === undefined || there.revision < known.revision);
        });
    }

    /* {question id: newest revision} */
    revisions() {
        const newest = {};
        this._byQuestion.forEach((known, questionId) => {
            newest[questionId] = known.revision;
        });
        return newest;
    }
}
