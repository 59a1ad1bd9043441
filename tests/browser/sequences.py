"""
Students who do anything in any order: the actors of `test_random_sequences.py`.

Contract:
- `plan(chance)` is a list of steps, the same for the same seed; `Actor.play()` does them in real tabs, with real clicks
  and real typing.
- `Actor.newest` is, per question, the newest edit that anybody made (revision and value): what the table must hold in
  the end. `Actor.edits` are all edits that the page made, by the revision that the page gave them.
- `Actor.settle()` brings the actor back on line and returns when his pages say that all is saved; `Actor.submit()`
  returns when he has his receipt.

Here Playwright's asynchronous interface is used: twenty actors play at a time.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import httpx
from playwright.async_api import BrowserContext, Page
from playwright.async_api import TimeoutError as PlaywrightTimeout

from tests.browser.shown import WATCH, Shown
from tests.browser.student import COPY_IS_KEPT, LOOK_MS, Seat
from tests.browser.wire import Mode, Wire
from tests.exams.autosave.sitting import now_ms
from tests.web import save_path

OPTIONS = ("jkrt", "bndg", "sbya")
WORDS = ("ya", "tidak", "panas", "dingin", "hujan")
#: How long a page may take to bring everything home once nothing is in its way: the longest back-off and a little.
SETTLE_MS = 40_000
_PLACE = """selector => {
    const target = document.querySelector(selector);
    if (!target) return null;
    const seen = target.closest("label") || target;
    seen.scrollIntoView({block: "center"});
    const box = seen.getBoundingClientRect();
    const place = {x: box.x + box.width / 2, y: box.y + box.height / 2};
    return seen.contains(document.elementFromPoint(place.x, place.y)) ? place : null;
}"""
_SHOWS = "question => document.querySelector('#question').dataset.question === String(question)"
_CHECKED = "value => document.querySelector(`#question input[name=answer][value='${value}']`).checked"
_BEFORE = """question => {
    const field = document.querySelector("#question #answer");
    const chosen = document.querySelector("#question input[type=radio]:checked");
    return {
        revision: Number(document.querySelector(`#grid [data-question="${question}"]`).dataset.revision || 0),
        value: chosen ? chosen.value : field ? field.value : null,
    };
}"""
_EDIT = """([question, before]) => {
    const cell = document.querySelector(`#grid [data-question="${question}"]`);
    const revision = Number(cell.dataset.revision || 0);
    if (revision <= before) return null;
    const chosen = document.querySelector("#question input[type=radio]:checked");
    const field = document.querySelector("#question #answer");
    return {revision, value: chosen ? chosen.value : field ? field.value : null};
}"""
_AT_REST = """() => {
    const cells = [...document.querySelectorAll("#grid [data-question]")];
    return document.querySelector("#status").dataset.kind === "saved"
        && cells.length > 0 && cells.every(cell => ["saved", "empty"].includes(cell.dataset.state));
}"""


class Step(StrEnum):
    """What may happen to a student. (The server is killed for all of them at once: test_random_sequences.py.)"""

    ANSWER = "answer"
    OFF_LINE = "off line"
    ON_LINE = "on line"
    CUT = "cut"
    RELOAD = "reload"
    SECOND_TAB = "second tab"  # opened, or one of the two closed
    OTHER_DEVICE = "other device"  # which makes the page's own next save a 429
    BUSY = "503"
    OPEN = "network is fine"
    REST = "wait until it is saved"


_WEIGHTS = {
    Step.ANSWER: 10,
    Step.OFF_LINE: 1.5,
    Step.ON_LINE: 1.5,
    Step.CUT: 1,
    Step.RELOAD: 1,
    Step.SECOND_TAB: 0.8,
    Step.OTHER_DEVICE: 2,
    Step.BUSY: 1.5,
    Step.OPEN: 2,
    Step.REST: 1,
}


@dataclass(frozen=True)
class Planned:
    """A step and the dice that were thrown for it."""

    step: Step
    dice: int


def plan(chance: random.Random) -> list[Planned]:
    """Seven steps or so; the first one is an answer, because without one nothing can be lost."""
    steps = chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=chance.randint(4, 8))
    return [Planned(step, chance.randrange(1 << 30)) for step in [Step.ANSWER, *steps]]


@dataclass
class Actor:
    """One student, his device, his wire, and what he did."""

    seat: Seat
    ticket: str
    wire: Wire
    context: BrowserContext
    shown: Shown = field(default_factory=Shown)
    tabs: list[Page] = field(default_factory=list)
    edits: dict[tuple[int, int], Any] = field(default_factory=dict)
    newest: dict[int, tuple[int, Any]] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _unsure: list[dict[str, Any]] = field(default_factory=list)
    _is_off_line: bool = False

    async def come_in(self) -> None:
        """To the exam, in a profile that may know another one already."""
        if not self.tabs:
            await self.context.expose_binding("__shown", lambda source, told: self.shown.hear(source, told))
            await self.context.add_init_script(WATCH)
        for tab in self.tabs:
            await tab.close()
        self.tabs.clear()
        await self._open_tab()
        # Without a copy a reload off line would wait for the network, and nothing more would happen.
        async with asyncio.timeout(SETTLE_MS / 1000):
            while not await self.tabs[0].evaluate(COPY_IS_KEPT, self.seat.exam.pk):
                await asyncio.sleep(0.1)

    def sit_at(self, seat: Seat, ticket: str) -> None:
        """The next exam of the same student, in the same browser."""
        self.seat, self.ticket = seat, ticket
        self.shown, self.edits, self.newest, self.done = Shown(), {}, {}, []

    async def play(self, steps: list[Planned]) -> None:
        self.done.append("|")
        for planned in steps:
            self.done.append(str(planned.step))
            await self._do(planned)

    async def _do(self, planned: Planned) -> None:
        dice = random.Random(planned.dice)
        match planned.step:
            case Step.ANSWER:
                await self._answer(dice)
            case Step.OFF_LINE | Step.ON_LINE:
                self._is_off_line = planned.step is Step.OFF_LINE
                await self.context.set_offline(self._is_off_line)
            case Step.CUT:
                self.wire.set(Mode.CUT)
            case Step.BUSY:
                self.wire.set(Mode.BUSY)
            case Step.OPEN:
                self.wire.set(Mode.OPEN)
            case Step.RELOAD:
                tab = dice.choice(self.tabs)
                await tab.reload()
                await _ready(tab)
            case Step.SECOND_TAB:
                if len(self.tabs) == 1:
                    await self._open_tab()
                else:
                    await self.tabs.pop(dice.randrange(2)).close()
            case Step.OTHER_DEVICE:
                await self._other_device(dice)
            case Step.REST:
                if not self._is_off_line and self.wire.mode is Mode.OPEN:
                    with suppress(PlaywrightTimeout):  # the server may be down: the next step comes all the same
                        await self.tabs[0].wait_for_function(_AT_REST, timeout=1500, polling=LOOK_MS)

    async def _open_tab(self) -> None:
        page = await self.context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        await page.goto(f"/siswa/ujian/{self.seat.exam.pk}")
        await _ready(page)
        self.tabs.append(page)

    async def _answer(self, dice: random.Random) -> None:
        tab = dice.choice(self.tabs)
        question = dice.choice(self.seat.answerable)
        if await tab.get_attribute("#question", "data-question") != str(question):
            await _tap(tab, f'#grid [data-question="{question}"]', _SHOWS, question)
        before = await tab.evaluate(_BEFORE, question)
        if self.seat.questions[question] == "multiple_choice":
            value = dice.choice([option for option in OPTIONS if option != before["value"]])
            await _tap(tab, f'#question input[name=answer][value="{value}"]', _CHECKED, value)
        else:
            value = dice.choice([word for word in WORDS if word != before["value"]])
            await tab.locator("#question #answer").fill(value)
            if dice.random() < 0.7:
                await tab.locator("#question #answer").blur()
        edit = await (
            await tab.wait_for_function(_EDIT, arg=[question, before["revision"]], polling=LOOK_MS)
        ).json_value()
        assert edit["value"] == value, f"chose {value!r}, the page shows {edit['value']!r}"
        self._made(question, edit["revision"], value)
        self.edits[question, edit["revision"]] = value

    def _made(self, question: int, revision: int, value: Any) -> None:
        if revision > self.newest.get(question, (0, None))[0]:
            self.newest[question] = (revision, value)

    async def _other_device(self, dice: random.Random) -> None:
        """Past the wire; a server that is down leaves it open whether it was stored."""
        question = dice.choice([q for q in self.seat.answerable if self.seat.questions[q] == "multiple_choice"])
        await self._save_directly({"questionId": question, "answer": dice.choice(OPTIONS), "revision": now_ms()})

    async def _save_directly(self, body: dict[str, Any]) -> bool:
        headers = {"Authorization": f"Bearer {self.ticket}"}
        try:
            async with httpx.AsyncClient(base_url=self.wire.server_url, timeout=20) as client:
                reply = await client.post(save_path(self.seat.exam.pk), json=body, headers=headers)
        except httpx.TransportError:
            self._unsure.append(body)
            return False
        if reply.status_code == 200 and reply.json()["status"] != "superseded":
            self._made(body["questionId"], body["revision"], body["answer"])
        return reply.status_code in (200, 429)

    # -- the end of a sequence ---------------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Everything is mended; until all pages say that all is saved."""
        await self._mend()
        for tab in self.tabs:
            await tab.evaluate("document.querySelector('#send-now').click()")  # it may vanish under a real tap
        for tab in self.tabs:
            await tab.wait_for_function(_AT_REST, timeout=SETTLE_MS, polling=LOOK_MS)

    async def submit(self) -> None:
        """Everything is mended, and in the same moment it is handed in, whatever still waits."""
        await self._mend()
        self.done.append("submit")
        tab = self.tabs[-1]
        await tab.locator("#submit").click()
        await tab.locator("#confirm-submit").click()
        await tab.wait_for_selector("#receipt", timeout=SETTLE_MS)

    async def _mend(self) -> None:
        unsure, self._unsure = self._unsure, []
        for body in unsure:
            # It may have been stored or not: now it is one of the two, and 429 means that something newer just was.
            assert await self._save_directly(body), "the server is up again and does not answer"
        self.wire.set(Mode.OPEN)
        self._is_off_line = False
        await self.context.set_offline(False)

    def story(self) -> str:
        """For the message of a failed test."""
        return f"attempt {self.seat.attempt.pk}: {' > '.join(self.done)}"


async def _ready(tab: Page) -> None:
    await tab.wait_for_selector("#question[data-question]", timeout=SETTLE_MS)


async def _tap(tab: Page, selector: str, has_worked: str, argument: Any) -> None:
    """A real click in its middle, once nothing lies over it; another one if the page moved in that moment."""
    for _ in range(5):
        found = await tab.wait_for_function(_PLACE, arg=selector, polling=LOOK_MS)
        place = await found.json_value()
        await tab.mouse.click(place["x"], place["y"])
        with suppress(PlaywrightTimeout):  # the next turn of the loop taps again
            await tab.wait_for_function(has_worked, arg=argument, timeout=3000, polling=LOOK_MS)
            return
    raise AssertionError(f"five taps on {selector} have done nothing")
