"""The guarded group commit, on its own: batches, hang-ups, poison, bounds, and the guard after anything at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from exams.autosave.entries import Outcome, Save, SaveResult
from exams.autosave.save_queue import QueueFull, SaveQueue
from exams.autosave.store import DatabaseAway, SaveRefused

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class FakeStore:
    """Stores in a list; `behaviour` may raise, wait or say that a save is locked."""

    def __init__(self) -> None:
        self.batches: list[list[Save]] = []
        self.stored: list[Save] = []
        self.behaviour: Callable[[Sequence[Save]], Coroutine[Any, Any, None]] | None = None
        self.locked: set[int] = set()

    async def __call__(self, saves: Sequence[Save]) -> list[SaveResult | None]:
        self.batches.append(list(saves))
        if self.behaviour is not None:
            await self.behaviour(saves)
        await asyncio.sleep(0)
        self.stored += [save for save in saves if save.attempt not in self.locked]
        return [None if s.attempt in self.locked else SaveResult(Outcome.SAVED, s.revision, NOW) for s in saves]


def make_queue(store: FakeStore, **overrides: Any) -> SaveQueue:
    bounds = {"max_answers": 1000, "max_bytes": 10**6, "batch_max": 256, "wait_seconds": 5.0} | overrides
    return SaveQueue(store, **bounds)


def save_of(attempt: int, revision: int = 1, question: int = 1, value: bytes = b'"a"') -> Save:
    return Save(attempt, question, revision, value)


def run(test: Callable[[FakeStore], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(FakeStore()), timeout=20))


def test_what_arrives_while_a_batch_commits_is_the_next_batch() -> None:
    async def scenario(store: FakeStore) -> None:
        queue = make_queue(store)
        first = queue.put(save_of(1))
        await asyncio.sleep(0)  # the first batch is on its way
        others = [queue.put(save_of(attempt)) for attempt in range(2, 52)]
        results = await asyncio.gather(first, *others)
        assert [len(batch) for batch in store.batches] == [1, 50]
        assert {result.outcome for result in results} == {Outcome.SAVED}
        assert queue.depth == 0

    run(scenario)


def test_a_batch_holds_a_question_once_and_the_second_revision_waits() -> None:
    async def scenario(store: FakeStore) -> None:
        queue = make_queue(store)
        await asyncio.gather(queue.put(save_of(1, 1)), queue.put(save_of(1, 2)), queue.put(save_of(2, 1)))
        assert [[(save.attempt, save.revision) for save in batch] for batch in store.batches] == [
            [(1, 1), (2, 1)],
            [(1, 2)],
        ]

    run(scenario)


def test_the_same_save_sent_again_while_it_waits_shares_its_result() -> None:
    async def scenario(store: FakeStore) -> None:
        queue = make_queue(store)
        results = await asyncio.gather(*(queue.put(save_of(1)) for _ in range(10)))
        assert len(results) == 10
        assert len(store.stored) == 1

    run(scenario)


def test_the_same_revision_with_another_value_waits_for_the_first_and_is_told_what_is_stored() -> None:
    async def scenario(store: FakeStore) -> None:
        queue = make_queue(store)
        first, other = queue.put(save_of(1, value=b'"a"')), queue.put(save_of(1, value=b'"b"'))
        assert (await first).outcome is Outcome.SAVED
        assert (await other).outcome is Outcome.SUPERSEDED
        assert (await other).stored == b'"a"'
        assert len(store.stored) == 1

    run(scenario)


def test_a_waiter_that_hangs_up_hurts_nobody_and_the_queue_goes_on() -> None:
    async def scenario(store: FakeStore) -> None:
        queue = make_queue(store)
        futures = [queue.put(save_of(attempt)) for attempt in range(10)]
        twin = queue.put(save_of(3))
        futures[3].cancel()
        await asyncio.sleep(0)
        futures[4].cancel()
        results = await asyncio.gather(*futures, return_exceptions=True)
        assert sum(isinstance(result, asyncio.CancelledError) for result in results) == 2
        assert sum(isinstance(result, SaveResult) for result in results) == 8
        assert (await twin).outcome is Outcome.SAVED
        assert len(store.stored) == 10, "what was accepted is stored even if nobody waits for it"
        assert (await queue.put(save_of(99))).outcome is Outcome.SAVED

    run(scenario)


@pytest.mark.parametrize("position", [0, 50, 99])
def test_a_poison_save_among_a_hundred_stands_alone_and_99_are_saved(position: int) -> None:
    async def scenario(store: FakeStore) -> None:
        async def refuse(saves: Sequence[Save]) -> None:
            if any(save.attempt == position for save in saves):
                raise SaveRefused

        store.behaviour = refuse
        queue = make_queue(store)
        results = await asyncio.gather(*(queue.put(save_of(attempt)) for attempt in range(100)))
        outcomes = [result.outcome for result in results]
        assert outcomes[position] is Outcome.REFUSED
        assert outcomes.count(Outcome.SAVED) == 99
        assert len(store.stored) == 99

    run(scenario)


@pytest.mark.parametrize("thrown", [RuntimeError("unforeseen"), KeyError("x"), MemoryError(), AssertionError()])
def test_whatever_is_raised_every_waiter_is_answered_and_the_guard_is_free(thrown: BaseException) -> None:
    async def scenario(store: FakeStore) -> None:
        async def burst(_saves: Sequence[Save]) -> None:
            raise thrown

        store.behaviour = burst
        queue = make_queue(store)
        results = await asyncio.gather(*(queue.put(save_of(attempt)) for attempt in range(20)))
        assert {result.outcome for result in results} == {Outcome.UNAVAILABLE}
        store.behaviour = None
        assert (await queue.put(save_of(1))).outcome is Outcome.SAVED
        assert queue.state().pending == queue.state().pending_bytes == 0

    run(scenario)


def test_a_drainer_that_is_cancelled_answers_its_batch_and_is_replaced() -> None:
    async def scenario(store: FakeStore) -> None:
        release = asyncio.Event()

        async def hang(_saves: Sequence[Save]) -> None:
            await release.wait()

        store.behaviour = hang
        queue = make_queue(store)
        stuck = queue.put(save_of(1))
        await asyncio.sleep(0)
        next_one = queue.put(save_of(2))
        assert queue._drainer is not None
        queue._drainer.cancel()
        assert (await stuck).outcome is Outcome.UNAVAILABLE
        release.set()
        assert (await next_one).outcome is Outcome.SAVED

    run(scenario)


def test_a_store_that_forgets_a_result_leaves_nobody_waiting() -> None:
    async def scenario(store: FakeStore) -> None:
        async def forgetful(saves: Sequence[Save]) -> list[SaveResult | None]:
            return []

        queue = SaveQueue(forgetful, max_answers=10, max_bytes=10**6, batch_max=5, wait_seconds=1)
        results = await asyncio.gather(*(queue.put(save_of(attempt)) for attempt in range(3)))
        assert {result.outcome for result in results} == {Outcome.UNAVAILABLE}

    run(scenario)


def test_a_dead_database_answers_the_whole_batch_at_once_without_halving_it() -> None:
    async def scenario(store: FakeStore) -> None:
        async def away(_saves: Sequence[Save]) -> None:
            raise DatabaseAway

        store.behaviour = away
        queue = make_queue(store)
        results = await asyncio.gather(*(queue.put(save_of(attempt)) for attempt in range(100)))
        assert {result.outcome for result in results} == {Outcome.UNAVAILABLE}
        assert len(store.batches) == 1

    run(scenario)


def test_the_queue_is_bounded_in_saves_and_in_bytes_and_gives_the_room_back() -> None:
    async def scenario(store: FakeStore) -> None:
        queue = make_queue(store, max_answers=3, max_bytes=10_000)
        waiting = [queue.put(save_of(attempt)) for attempt in range(3)]
        with pytest.raises(QueueFull):
            queue.put(save_of(4))
        assert queue.put(save_of(2)) is not None, "the same save again needs no room"
        await asyncio.gather(*waiting)
        with pytest.raises(QueueFull):
            queue.put(save_of(5, value=b'"' + b"x" * 10_000 + b'"'))
        await queue.put(save_of(6, value=b'"' + b"x" * 9_000 + b'"'))
        assert queue.state().pending_bytes == 0

    run(scenario)


def test_a_locked_attempt_waits_without_delaying_the_others_and_gives_up_in_time() -> None:
    async def scenario(store: FakeStore) -> None:
        store.locked = {1, 2}
        queue = make_queue(store, wait_seconds=0.3)
        locked, unlocked_later = queue.put(save_of(1)), queue.put(save_of(2))
        for attempt in range(10, 20):
            assert (await queue.put(save_of(attempt))).outcome is Outcome.SAVED
        assert not locked.done()
        store.locked = {1}
        assert (await unlocked_later).outcome is Outcome.SAVED
        assert (await locked).outcome is Outcome.UNAVAILABLE
        assert queue.depth == 0

    run(scenario)


def test_closing_takes_nothing_new_and_finishes_what_was_accepted() -> None:
    async def scenario(store: FakeStore) -> None:
        queue = make_queue(store, batch_max=10)
        accepted = [queue.put(save_of(attempt)) for attempt in range(35)]
        await queue.close()
        assert all(future.result().outcome is Outcome.SAVED for future in accepted)
        with pytest.raises(QueueFull):
            queue.put(save_of(99))

    run(scenario)


def test_a_resend_that_comes_while_its_half_of_a_split_batch_is_done_is_answered() -> None:
    async def scenario(store: FakeStore) -> None:
        resent: list[asyncio.Future[SaveResult]] = []

        async def refuse_the_last(saves: Sequence[Save]) -> None:
            if saves[-1].attempt == 3:
                if len(saves) == 1:
                    resent.append(queue.put(save_of(0)))  # 0 has its answer, its batch has not ended
                raise SaveRefused

        store.behaviour = refuse_the_last
        queue = make_queue(store)
        await asyncio.gather(*(queue.put(save_of(attempt)) for attempt in range(4)))
        assert (await resent[0]).outcome is Outcome.SAVED

    run(scenario)


def test_the_state_names_the_oldest_wait() -> None:
    async def scenario(store: FakeStore) -> None:
        store.locked = {1}
        queue = make_queue(store, wait_seconds=0.5)
        waiting = queue.put(save_of(1))
        await asyncio.sleep(0.2)
        state = queue.state()
        assert state.pending == 1
        assert 0.15 < state.oldest_seconds < 0.5
        await waiting
        assert queue.state().oldest_seconds == 0

    run(scenario)


def test_a_table_that_somebody_has_locked_ends_in_an_answer_for_everyone_in_time() -> None:
    async def scenario(store: FakeStore) -> None:
        async def wait_for_the_lock(_saves: Sequence[Save]) -> None:
            await asyncio.sleep(0.05)  # what lock_timeout is to PostgreSQL
            raise RuntimeError("lock not available")

        store.behaviour = wait_for_the_lock
        queue = make_queue(store, wait_seconds=0.2)
        begun = asyncio.get_running_loop().time()
        results = await asyncio.gather(*(queue.put(save_of(attempt)) for attempt in range(256)))
        assert {result.outcome for result in results} == {Outcome.UNAVAILABLE}
        assert asyncio.get_running_loop().time() - begun < 2, "halving 256 to the end would take 25 s"
        assert queue.depth == 0

    run(scenario)
