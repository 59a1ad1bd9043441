"""
Two hundred times students do anything in any order, with a fixed seed: nothing is lost and nothing false is shown.

What must hold whatever happened: in the end the table equals the newest edit of each question, and whenever a page
showed a question as saved, the database had committed that very value before.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.async_api import Browser, async_playwright

from exams.content import QuestionType
from tests.browser.conftest import FLAGS, chromium_path
from tests.browser.house import House
from tests.browser.loop_thread import LoopThread
from tests.browser.sequences import Actor, plan
from tests.browser.student import session_cookie, take_seat
from tests.browser.wire import Wire
from tests.exams.autosave.sitting import ticket_for
from tests.exams.factories import make_exam

#: Each student plays some sequences, one after the other, on pages that stay open, and hands in at the end; then once
#: more at a second exam in the same browser.
EXAMS, STUDENTS, SEED = 2, 20, 2026
SEQUENCES = int(os.environ.get("SEQUENCES", "200"))
ROUNDS = max(1, SEQUENCES // (EXAMS * STUDENTS))
OPENING = 5  # pages that open at once: more of them would only wait for each other
QUESTIONS = [QuestionType.MULTIPLE_CHOICE, QuestionType.MULTIPLE_CHOICE, QuestionType.SHORT_ANSWER]
SCREEN = {"width": 1000, "height": 500}  # the grid beside the question, and little to paint
#: The page's clock and PostgreSQL's are the same; the page's has whole milliseconds.
CLOCK_MS = 2


class Crowd:
    """A Chromium on an event loop of its own, and groups of actors in it."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._loop = LoopThread()

    def __enter__(self) -> Crowd:
        self._loop.start()
        self._loop.run(self._open())
        return self

    def __exit__(self, *_exc: object) -> None:
        self._loop.run(self._close())
        self._loop.stop()

    async def _open(self) -> None:
        self._playwright = await async_playwright().start()
        self._browser: Browser = await self._playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)

    async def _close(self) -> None:
        await self._browser.close()
        await self._playwright.stop()

    def gather(self, wires: list[Wire]) -> list[Actor]:
        """A student with a browser of his own for each wire, at the first exam."""
        exam = make_exam(published=True, questions=QUESTIONS)
        seats = [take_seat(exam=exam) for _ in wires]
        cookies = [session_cookie(seat.student, wire.url) for seat, wire in zip(seats, wires, strict=True)]

        async def come_in() -> list[Actor]:
            actors = []
            for seat, wire, cookie in zip(seats, wires, cookies, strict=True):
                context = await self._browser.new_context(base_url=wire.url, locale="id-ID", viewport=SCREEN)  # type: ignore[arg-type]
                context.set_default_timeout(30_000)
                await context.add_cookies([cookie])  # type: ignore[list-item]
                actors.append(Actor(seat, tickets[seat.attempt.pk], wire, context))
            await _all(actors, Actor.come_in, at_once=OPENING)
            return actors

        tickets = {seat.attempt.pk: ticket_for(seat.attempt) for seat in seats}
        return self._loop.run(come_in())

    def go_on(self, actors: list[Actor]) -> None:
        """To the next exam."""
        exam = make_exam(published=True, questions=QUESTIONS)
        for actor in actors:
            seat = take_seat(exam=exam, student=actor.seat.student, card=actor.seat.card)
            actor.sit_at(seat, ticket_for(seat.attempt))
        self._loop.run(_all(actors, Actor.come_in, at_once=OPENING))

    def play(self, actors: list[Actor], chance: random.Random, *, is_last: bool) -> None:
        """A sequence for each of them at once, every other time with a kill of the server in its middle."""
        kills = chance.random() < 0.5
        plans = {id(actor): plan(chance) for actor in actors}
        steps_before_kill = chance.randint(1, 4) * len(actors)
        done_before = sum(len(actor.done) for actor in actors)

        async def kill_server() -> None:
            while sum(len(actor.done) for actor in actors) < done_before + steps_before_kill:
                await asyncio.sleep(0.05)
            await asyncio.to_thread(self._house.kill_server)
            await asyncio.to_thread(self._house.start_server)

        async def play() -> None:
            kill = asyncio.create_task(kill_server()) if kills else None
            await _all(actors, lambda actor: actor.play(plans[id(actor)]))
            if kill:
                await kill
            await _all(actors, Actor.submit if is_last else Actor.settle)

        self._loop.run(play())

    def leave(self, actors: list[Actor]) -> None:
        async def leave() -> None:
            await asyncio.gather(*(actor.context.close() for actor in actors))

        self._loop.run(leave())


async def _all(
    actors: list[Actor], act: Callable[[Actor], Coroutine[Any, Any, None]], *, at_once: int = STUDENTS
) -> None:
    """Every one to his end; the first failure is told with its story."""
    turns = asyncio.Semaphore(at_once)

    async def in_turn(actor: Actor) -> None:
        async with turns:
            await act(actor)

    results = await asyncio.gather(*(in_turn(actor) for actor in actors), return_exceptions=True)
    for actor, result in zip(actors, results, strict=True):
        if isinstance(result, BaseException):
            raise AssertionError(actor.story()) from result


@pytest.fixture
def crowd(own_house: House) -> Iterator[Crowd]:
    with Crowd(own_house) as crowd:
        yield crowd


def _assert_table_is_the_newest(actors: list[Actor]) -> None:
    for actor in actors:
        assert actor.seat.values() == {question: value for question, (_, value) in actor.newest.items()}, actor.story()


def _assert_saved_was_true(actors: list[Actor], house: House) -> None:
    history = house.history([actor.seat.attempt.pk for actor in actors])
    for actor in actors:
        for (question, revision), at in actor.shown.saved().items():
            stored = history.get((actor.seat.attempt.pk, question, revision))
            assert stored is not None, f"shown as saved, never stored: {question}/{revision}; {actor.story()}"
            assert stored.committed_at <= at + CLOCK_MS, f"shown as saved before it was; {actor.story()}"
            chosen = actor.edits.get((question, revision), stored.value)
            assert stored.value == chosen, f"shown as saved, another value is stored; {actor.story()}"


@pytest.mark.timeout(600)
def test_whatever_students_do_the_newest_edit_is_stored_and_saved_was_never_a_lie(crowd: Crowd, own_house: House):
    kinds_seen: set[str] = set()
    with ExitStack() as stack:
        actors = crowd.gather([stack.enter_context(Wire(own_house.url)) for _ in range(STUDENTS)])
        stack.callback(crowd.leave, actors)
        for exam in range(EXAMS):
            if exam:
                crowd.go_on(actors)
            for number in range(ROUNDS):
                chance = random.Random(f"{SEED} {exam} {number}")
                crowd.play(actors, chance, is_last=number == ROUNDS - 1)
                _assert_table_is_the_newest(actors)
            _assert_saved_was_true(actors, own_house)
            for actor in actors:
                assert actor.complaints == [], actor.story()
                kinds_seen.update(actor.shown.kinds())
    # The instrument itself: had it seen nothing, it would have found nothing.
    assert {"saved", "waiting", "busy"} <= kinds_seen
