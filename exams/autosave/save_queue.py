"""
The guarded group commit: many saves, one statement, one fsync.

Contract:
- `put()` returns the save's result once the database has committed it, or UNAVAILABLE / REFUSED. Every waiter gets an
  answer, whatever is raised; a waiter that is cancelled never hurts another.
- One batch at a time. Whatever arrives while a batch commits is the next batch, so the batch grows with the load and
  nobody waits for a timer.
- A batch holds each (attempt, question) once; the same revision sent again while it waits shares its result, so a
  student who resends in a loop fills no queue.
- A batch that is refused is halved until the poison save stands alone; its neighbours are saved. Halving ends when
  the oldest save has waited `wait_seconds`: the rest is then UNAVAILABLE, which is safe to send again.
- Bounded in saves and bytes: `put()` raises `QueueFull`, which is a 503 and not a wait.
- The guard (`_drainer`) is released in `finally`; if saves are left it is taken again at once.

Not here: SQL (`store.py`), rate limits and HTTP (`endpoint.py`). One event loop, no threads.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from exams.autosave.entries import REFUSED, UNAVAILABLE, Outcome, Save, SaveResult
from exams.autosave.store import DatabaseAway, SaveRefused

logger = logging.getLogger(__name__)

#: Between two looks at an attempt that somebody has locked, when nothing else is to do.
_LOCKED_PAUSE_SECONDS = 0.02

_Identity = tuple[int, int, int]
Store = Callable[[Sequence[Save]], Awaitable[list[SaveResult | None]]]


class QueueFull(Exception):
    """The queue is at its bound, or closing."""


class _Entry:
    """A save and everyone who waits for it."""

    __slots__ = ("enqueued_at", "is_locked", "others", "save", "waiters")

    def __init__(self, save: Save, enqueued_at: float) -> None:
        self.save = save
        self.enqueued_at = enqueued_at
        self.is_locked = False
        self.waiters: list[asyncio.Future[SaveResult]] = []
        #: Who sent the same revision with another value: this entry came first, so its value stays.
        self.others: list[asyncio.Future[SaveResult]] = []

    def answer(self, result: SaveResult) -> None:
        _resolve(self.waiters, result)
        if self.others:
            if result.outcome in (Outcome.SAVED, Outcome.ALREADY_SAVED):
                result = replace(result, outcome=Outcome.SUPERSEDED, stored=self.save.value)
            _resolve(self.others, result)


def _resolve(waiters: list[asyncio.Future[SaveResult]], result: SaveResult) -> None:
    for waiter in waiters:
        if not waiter.done():  # it may have been cancelled
            waiter.set_result(result)


def _report(save: Save, exc: BaseException) -> None:
    """Log where and for which save it failed, but no exception's text: PostgreSQL quotes the row, and so the answer."""
    places = "".join(traceback.format_tb(exc.__traceback__))
    kinds = " from ".join(type(part).__name__ for part in (exc, exc.__cause__) if part is not None)
    logger.error(
        "Save of attempt %s, question %s not stored: %s\n%s",
        *(save.attempt, save.question, kinds, places),
        extra={"action": "save_not_stored", "save": save.key},
    )


@dataclass(frozen=True, kw_only=True)
class QueueState:
    """The queue as `/readyz` shows it."""

    pending: int
    pending_bytes: int
    oldest_seconds: float
    is_full: bool


class SaveQueue:
    """See the module's contract. Make and use it inside one running event loop."""

    def __init__(self, store: Store, *, max_answers: int, max_bytes: int, batch_max: int, wait_seconds: float) -> None:
        self._store = store
        self._max_answers = max_answers
        self._max_bytes = max_bytes
        self._batch_max = batch_max
        self._wait_seconds = wait_seconds
        self._loop = asyncio.get_running_loop()
        self._pending: dict[_Identity, _Entry] = {}  # in order of arrival
        self._in_flight: dict[_Identity, _Entry] = {}
        self._bytes = 0
        self._drainer: asyncio.Task[None] | None = None
        self._is_closing = False

    @property
    def depth(self) -> int:
        """Saves that have no result yet."""
        return len(self._pending) + len(self._in_flight)

    def state(self) -> QueueState:
        entries = [next(iter(entries.values())) for entries in (self._in_flight, self._pending) if entries]
        oldest = min((entry.enqueued_at for entry in entries), default=None)
        return QueueState(
            pending=self.depth,
            pending_bytes=self._bytes,
            oldest_seconds=0.0 if oldest is None else self._loop.time() - oldest,
            is_full=self._is_full(0),
        )

    def _is_full(self, size: int) -> bool:
        return self.depth >= self._max_answers or self._bytes + size > self._max_bytes

    def put(self, save: Save) -> asyncio.Future[SaveResult]:
        """Enqueue *save*; await the future for its result. Raises `QueueFull`."""
        identity = save.identity
        entry = self._pending.get(identity) or self._in_flight.get(identity)
        if entry is None:
            if self._is_closing or self._is_full(save.size):
                raise QueueFull
            entry = self._pending[identity] = _Entry(save, self._loop.time())
            self._bytes += save.size
            if self._drainer is None:
                self._drainer = self._loop.create_task(self._drain())
        waiter: asyncio.Future[SaveResult] = self._loop.create_future()
        (entry.waiters if entry.save.value == save.value else entry.others).append(waiter)
        return waiter

    async def _drain(self) -> None:
        try:
            while self._pending:
                batch = self._take_batch()
                try:
                    await self._save(batch)
                finally:
                    locked = self._settle()
                if locked and len(self._pending) == locked:
                    await asyncio.sleep(_LOCKED_PAUSE_SECONDS)
        finally:
            self._drainer = None
            if self._pending and not self._loop.is_closed():
                self._drainer = self._loop.create_task(self._drain())

    def _take_batch(self) -> list[_Entry]:
        """Move the oldest saves into the batch, each (attempt, question) once; a second one waits for the next."""
        keys: set[tuple[int, int]] = set()
        for identity, entry in self._pending.items():
            if entry.save.key not in keys:
                keys.add(entry.save.key)
                self._in_flight[identity] = entry
                if len(keys) == self._batch_max:
                    break
        for identity in self._in_flight:
            del self._pending[identity]
        return list(self._in_flight.values())

    async def _save(self, entries: list[_Entry]) -> None:
        """Store *entries* and answer their waiters; those whose attempt is locked are only marked."""
        try:
            results = await self._store([entry.save for entry in entries])
            if len(results) != len(entries):
                raise RuntimeError(f"{len(results)} results for {len(entries)} saves")
        except DatabaseAway:
            results = [UNAVAILABLE] * len(entries)
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is logged and everyone is answered
            waited = self._loop.time() - entries[0].enqueued_at
            if len(entries) > 1 and waited < self._wait_seconds:
                middle = len(entries) // 2
                await self._save(entries[:middle])
                await self._save(entries[middle:])
                return
            # One save, or a table that somebody has locked: then each half would only wait as long again.
            _report(entries[0].save, exc)
            is_refused = len(entries) == 1 and isinstance(exc, SaveRefused)
            results = [REFUSED if is_refused else UNAVAILABLE] * len(entries)
        for entry, result in zip(entries, results, strict=True):
            if result is None:
                entry.is_locked = True
            else:
                self._answer(entry, result)

    def _answer(self, entry: _Entry, result: SaveResult) -> None:
        del self._in_flight[entry.save.identity]
        self._bytes -= entry.save.size
        entry.answer(result)

    def _settle(self) -> int:
        """End the batch: locked saves wait on, unless they have waited long enough; nobody stays without an answer."""
        locked = 0
        for identity, entry in list(self._in_flight.items()):
            if entry.is_locked and self._loop.time() - entry.enqueued_at < self._wait_seconds:
                entry.is_locked = False
                self._pending[identity] = self._in_flight.pop(identity)
                locked += 1
            else:
                self._answer(entry, UNAVAILABLE)
        return locked

    async def close(self) -> None:
        """Take nothing new, and return when everything accepted has its answer."""
        self._is_closing = True
        while self._drainer is not None:
            await asyncio.wait([self._drainer])
