/*
 * The emergency file ("berkas darurat"): answers that could not be delivered, encrypted for the school.
 *
 * Contract:
 * - isAvailable(): whether this browser can make one. It cannot on plain HTTP, where there is no WebCrypto.
 * - makeFile(content) resolves to a Blob; fileName(content) is what to call it; download(blob, name) gives it to the
 *   student. content: {publicKey (base64 of the 65 bytes), ticket, examId, attemptId, title, student: {username, name},
 *   entries: [{questionId, questionType, answer, revision}], serverNow (ms, as far as the page knows), deviceNow (ms,
 *   the device's own clock; now if left out)}. makeFile() rejects where WebCrypto fails.
 * - Only the school can read the file, and it can tell that a holder of the ticket has made it: an expired ticket will
 *   do. Nothing is removed from this device; the server may still get the answers by itself.
 *
 * How: JSON with the format's name, version and a note in plain sight. A fresh P-256 key and the school's make a secret
 * (ECDH), HKDF-SHA-256 makes a key of it, AES-256-GCM encrypts "ticket LF signature LF payload" with everything in plain
 * sight as additional data. The signature is HMAC-SHA-256 over the payload, keyed by the ticket. exams/emergency.py is
 * the other end; both know the format by its description, and tests/browser/test_emergency.py lets them meet.
 *
 * Not here: what the student is told (closing.js on the exam page, result.js on the receipt's).
 */

import { asSave } from "./server.js";

const FORMAT = "tahan-uji-emergency-file";
const VERSION = 1;
/* For who opens the file to see what it is; in both languages, because nobody knows who that will be. */
const NOTE =
    "Berkas darurat Tahan Uji: serahkan berkas ini apa adanya kepada pengawas atau guru. " +
    "Tahan Uji emergency file: hand it to the supervisor or a teacher as it is.";
const LABEL = "tahan-uji.emergency-file.v1";
const CURVE = { name: "ECDH", namedCurve: "P-256" };
const CHUNK = 0x8000; // more arguments than this are too many for some browsers
const REVOKE_AFTER_MS = 60000; // a slow phone is still reading the file while the student looks for it

const encoder = new TextEncoder();

export function isAvailable() {
    return Boolean(window.crypto && window.crypto.subtle);
}

export async function makeFile(content) {
    const school = fromBase64(content.publicKey);
    const { key, ephemeral } = await agree(school);
    const iv = window.crypto.getRandomValues(new Uint8Array(12));
    const shown = {
        format: FORMAT,
        version: VERSION,
        note: NOTE,
        keyId: hex(await window.crypto.subtle.digest("SHA-256", school)).slice(0, 16),
        ephemeralKey: toBase64(ephemeral),
        iv: toBase64(iv),
    };
    const additionalData = encoder.encode(
        [shown.format, shown.version, shown.keyId, shown.ephemeralKey, shown.iv, shown.note].join("\n")
    );
    const algorithm = { name: "AES-GCM", iv, additionalData };
    const data = await window.crypto.subtle.encrypt(algorithm, key, await signed(content));
    const file = { ...shown, data: toBase64(new Uint8Array(data)) };
    // No type that a browser knows: it would put its own ending behind the name.
    return new Blob([JSON.stringify(file, null, 1)], { type: "application/octet-stream" });
}

/* darurat-<exam>-<user name>-<time>.tahanuji, without anything that a file system or a chat program minds. */
export function fileName({ title = "", examId, student, serverNow = Date.now() }) {
    const exam = plain(title).slice(0, 40) || String(examId);
    const moment = new Date(serverNow);
    const two = (number) => String(number).padStart(2, "0");
    const day = `${moment.getFullYear()}${two(moment.getMonth() + 1)}${two(moment.getDate())}`;
    const time = `${two(moment.getHours())}${two(moment.getMinutes())}${two(moment.getSeconds())}`;
    return `darurat-${exam}-${plain(student.username)}-${day}-${time}.tahanuji`;
}

export function download(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.hidden = true;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), REVOKE_AFTER_MS);
}

/* The AES key that the school can make as well, and the point that it needs for that. */
async function agree(school) {
    const subtle = window.crypto.subtle;
    const schoolKey = await subtle.importKey("raw", school, CURVE, false, []);
    const pair = await subtle.generateKey(CURVE, false, ["deriveBits"]);
    const ephemeral = new Uint8Array(await subtle.exportKey("raw", pair.publicKey));
    const shared = await subtle.deriveBits({ name: "ECDH", public: schoolKey }, pair.privateKey, 256);
    const base = await subtle.importKey("raw", shared, "HKDF", false, ["deriveKey"]);
    const info = joined(encoder.encode(LABEL), ephemeral, school);
    const derivation = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info };
    const key = await subtle.deriveKey(derivation, base, { name: "AES-GCM", length: 256 }, false, ["encrypt"]);
    return { key, ephemeral };
}

/* ticket LF signature LF payload */
async function signed({ ticket, examId, attemptId, student, entries, serverNow, deviceNow = Date.now() }) {
    const payload = encoder.encode(
        JSON.stringify({
            examId,
            attemptId,
            student: { username: student.username, name: student.name },
            entries: entries.map(asSave),
            serverNow: Math.round(serverNow),
            deviceNow: Math.round(deviceNow),
        })
    );
    const subtle = window.crypto.subtle;
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const key = await subtle.importKey("raw", encoder.encode(ticket), algorithm, false, ["sign"]);
    const signature = new Uint8Array(await subtle.sign("HMAC", key, payload));
    return joined(encoder.encode(`${ticket}\n${toBase64(signature)}\n`), payload);
}

/* -- bytes and names ------------------------------------------------------------------------------------------- */

function plain(text) {
    const letters = text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "");
    return letters
        .toLowerCase()
        .replace(/[^a-z0-9._]+/g, "-")
        .replace(/^[-.]+|[-.]+$/g, "");
}

function joined(...parts) {
    const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
    let place = 0;
    for (const part of parts) {
        whole.set(part, place);
        place += part.length;
    }
    return whole;
}

function hex(buffer) {
    return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function toBase64(bytes) {
    let text = "";
    for (let start = 0; start < bytes.length; start += CHUNK) {
        text += String.fromCharCode(...bytes.subarray(start, start + CHUNK));
    }
    return btoa(text);
}

function fromBase64(text) {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
