/*
 * How long until an exam opens, by the server's clock; when it opens, the page is fetched anew.
 *
 * Contract:
 * - The time comes from the server (`data-server-now`, then /api/auth/session) and goes on by performance.now(). The
 *   device's own clock is never asked.
 * - performance.now() stands still while a phone sleeps, so a page that is looked at again asks the server again.
 * - At the opening the page reloads within SPREAD_MS, at a random moment: a class must not come in the same second. It
 *   reloads only once the server has answered, so that a lost network does not replace the page by an error.
 *
 * Not here: the opening time itself, which stands on the page with or without this script.
 */

const SPREAD_MS = 10000;
const ASK_TIMEOUT_MS = 8000;
const AGAIN_MS = 5000;
const DAY_SECONDS = 86400;
const SHORTEST_DAYS = 2;

const lines = Array.from(document.querySelectorAll(".countdown"), (element) => ({
    element,
    opensAt: Date.parse(element.dataset.opensAt),
}));

let base = Number(lines[0].element.dataset.serverNow) - performance.now();
let isReloading = false;

function now() {
    return base + performance.now();
}

/** Set the clock by the server; false where it gave no answer. */
async function askServer() {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), ASK_TIMEOUT_MS);
    const begun = performance.now();
    try {
        const response = await fetch("/api/auth/session", { cache: "no-store", signal: abort.signal });
        const { serverNow } = await response.json();
        if (!response.ok || typeof serverNow !== "number") {
            return false;
        }
        base = serverNow - (begun + performance.now()) / 2;
        return true;
    } catch (error) {
        return false; // no network, or a captive portal: the clock goes on as it was
    } finally {
        clearTimeout(timer);
    }
}

function shown(seconds) {
    const two = (number) => String(number).padStart(2, "0");
    return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

function show({ element, opensAt }) {
    const seconds = Math.max(0, Math.ceil((opensAt - now()) / 1000));
    const { text, days, opening } = element.dataset;
    const time = seconds >= SHORTEST_DAYS * DAY_SECONDS ? days.replace("{n}", Math.floor(seconds / DAY_SECONDS)) : shown(seconds);
    element.textContent = seconds ? text.replace("{time}", time) : opening;
    element.hidden = false;
    return seconds === 0;
}

async function reloadOnce() {
    if (isReloading) {
        return;
    }
    isReloading = true;
    await new Promise((resolve) => setTimeout(resolve, Math.random() * SPREAD_MS));
    while (!(await askServer())) {
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS * (0.5 + Math.random())));
    }
    isReloading = false;
    // The clock may have been ahead of the server's; then the countdown simply goes on.
    if (lines.some(({ opensAt }) => opensAt <= now())) {
        // Not reload(): that would send a form again where this page is the answer to one.
        location.replace(location.pathname);
    }
}

function tick() {
    if (lines.map(show).some(Boolean)) {
        reloadOnce();
    }
}

tick();
setInterval(tick, 1000);
document.addEventListener("visibilitychange", () => {
    if (!document.hidden) {
        askServer().then(tick);
    }
});
