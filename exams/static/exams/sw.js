/*
 * The service worker of the exam page: it opens a running exam where the network or the server does not.
 *
 * Contract:
 * - The network comes first. What the server answers is passed on as it is, a redirect to the login page and a refusal
 *   too. Only where it cannot be reached, needs longer than 5 s, or a 502, 503 or 504 (or a tunnel's 52x) says that
 *   nobody is there, the copy that the page has kept of this very exam is opened.
 * - Without a copy, what the network says counts; where it says nothing, a page that tries again by itself.
 * - The exam page's own files come from a copy first: their addresses carry the version, so they cannot be old.
 * - Everything else, and every request that is no GET, passes untouched.
 *
 * It keeps nothing, neither here nor in the copies. So a new worker may take over in the middle of an exam, and an exam
 * that was opened with one version of the page goes on with it.
 *
 * Not here: making, owning and forgetting copies (`offline.js`), answers (`recovery.js`). Who looks at the page cannot
 * be known here: the copies of others are gone before, see `offline.js`. The names of caches and entries are the same
 * there; a worker meets copies of older pages, so they never change their meaning.
 */
"use strict";

const NETWORK_MS = 5000;
const RETRY_SECONDS = 10;
const EXAM_PAGE = /^\/siswa\/ujian\/(\d+)$/;
const STATIC_FILE = /^\/static\/v-[0-9a-f]+\/exams\//;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
    const { request } = event;
    const url = new URL(request.url);
    if (request.method !== "GET" || url.origin !== self.location.origin) {
        return;
    }
    const exam = EXAM_PAGE.exec(url.pathname);
    if (exam && request.mode === "navigate") {
        event.respondWith(openExam(request, exam[1]));
    } else if (STATIC_FILE.test(url.pathname)) {
        event.respondWith(openFile(request));
    }
});

async function openExam(request, examId) {
    const answer = fetch(request).then(whole).catch(() => null); // null: nobody there
    const first = await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, NETWORK_MS))]);
    if (first && !isAway(first.status)) {
        return first;
    }
    return (await shellOf(examId)) || (await answer) || noNetwork();
}

/** The response with its whole body: a network that stops in the middle of a page has not answered. */
async function whole(response) {
    if (response.type === "opaqueredirect") {
        return response;
    }
    const { status, statusText, headers } = response;
    return new Response(await response.blob(), { status, statusText, headers });
}

/** Whether it is a proxy's or the server's own word that the server cannot answer now. */
function isAway(status) {
    return (status >= 502 && status <= 504) || (status >= 520 && status <= 530);
}

/** The page of the newest whole copy of this exam, or null. */
async function shellOf(examId) {
    try {
        const prefix = `ujian-${examId}-`;
        const names = (await caches.keys()).filter((name) => name.startsWith(prefix)).sort().reverse();
        for (const cacheName of names) {
            const owner = await caches.match(`/siswa/ujian/${examId}?copy=owner`, { cacheName });
            if (owner && (await owner.json()).isComplete) {
                return await caches.match(`/siswa/ujian/${examId}?copy=shell`, { cacheName, ignoreVary: true });
            }
        }
    } catch (error) {
        // Storage that cannot be read is no copy; what the network says still reaches the student.
        console.warn("The offline copy cannot be read:", error);
    }
    return null;
}

async function openFile(request) {
    const kept = await caches.match(request, { ignoreVary: true }).catch(() => null);
    return kept || fetch(request);
}

function noNetwork() {
    const page = `<!DOCTYPE html>
<html lang="id">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="${RETRY_SECONDS}">
<title>Tidak ada jaringan</title>
</head>
<body>
<main>
<h1>Tidak ada jaringan</h1>
<p>Halaman ujian belum dapat dibuka. Jawaban yang disimpan di perangkat ini tidak hilang. Halaman ini mencoba lagi
setiap ${RETRY_SECONDS} detik.</p>
<p lang="en">No network: the exam page cannot be opened yet. Answers that are kept on this device stay there. This page
tries again every ${RETRY_SECONDS} seconds.</p>
</main>
</body>
</html>`;
    return new Response(page, {
        status: 503,
        headers: {
            "Content-Type": "text/html; charset=utf-8",
            "Cache-Control": "no-store",
            "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
        },
    });
}
