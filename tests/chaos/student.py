"""
A student's page: keeps each answer until it is acknowledged, and sends it again for as long as that takes.

Contract, as DESIGN.md asks of the real page:
- An answer that is not acknowledged stays, with its revision. A newer answer to the same question takes its place.
- 503, a broken connection and a time-out mean "again later", with a back-off, and not before `retryAfterMs`; 429
  means "again after `retryAfterMs`".
- Every other refusal is a surprise in the ledger: nothing that this page sends deserves one.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tests.chaos.connection import BrokenError, Connection, Reply
from tests.chaos.ledger import Ledger
from tests.chaos.traffic import next_question, pause_seconds

_TIMEOUT_SECONDS = 8.0
_BACKOFF_MAX_SECONDS = 2.0
#: Of all sends: hang up in the middle of the request, or right behind it.
_HANG_UP = 0.03
#: Of all edits: save at once although the last save of the question is younger than `nextSaveMs`.
_IMPATIENT = 0.3


@dataclass(frozen=True)
class Exam:
    """What all students share: where to save, and the options of each question."""

    path: str
    options: dict[int, list[str]]


@dataclass
class Pending:
    """The newest answer to one question that nobody has acknowledged."""

    revision: int
    value: str
    edited_at: float
    since: float  # when the oldest unacknowledged answer to this question was given
    not_before: float = 0.0
    tries: int = 0


class Student:
    """One attempt, one page, one connection at a time, to either server."""

    def __init__(
        self, attempt: int, ticket: str, exam: Exam, ports: Sequence[int], ledger: Ledger, chance: random.Random
    ) -> None:
        self._attempt = attempt
        self._ticket = ticket
        self._exam = exam
        self._ports = ports
        self._ledger = ledger
        self._chance = chance
        self._pending: dict[int, Pending] = {}
        self._next_save_at: dict[int, float] = {}
        self._revision = 0
        self._changed = asyncio.Event()
        self._connection = Connection(chance.choice(ports))

    @property
    def unacknowledged(self) -> int:
        return len(self._pending)

    async def sit(self, *, until: float, give_up_at: float) -> None:
        """Answer questions *until* then, and go on sending until all is acknowledged or *give_up_at* has come."""
        editing = asyncio.create_task(self._edit(until))
        try:
            while not editing.done() or self._pending:
                now = time.monotonic()
                if now >= give_up_at:
                    break
                due = self._due(now)
                if due is not None:
                    await self._send(due)
                else:
                    await self._wait_for_work(now)
            await editing
        finally:
            editing.cancel()
            self._connection.hang_up()
            for pending in self._pending.values():
                self._ledger.note_wait(time.monotonic() - pending.since)

    async def _edit(self, until: float) -> None:
        questions = list(self._exam.options)
        question = None
        await asyncio.sleep(self._chance.random() * 2)  # a class does not start in the same millisecond
        while (now := time.monotonic()) < until:
            question = next_question(self._chance, question, questions)
            # Milliseconds that only grow, as the page makes them.
            self._revision = max(self._revision + 1, int(time.time() * 1000))
            old = self._pending.get(question)
            ready_at = 0.0 if self._chance.random() < _IMPATIENT else self._next_save_at.get(question, 0.0)
            self._pending[question] = Pending(
                revision=self._revision,
                value=self._chance.choice(self._exam.options[question]),
                edited_at=now,
                since=old.since if old else now,
                not_before=max(ready_at, old.not_before if old else 0.0),
                tries=old.tries if old else 0,
            )
            self._changed.set()
            await asyncio.sleep(pause_seconds(self._chance))
        self._changed.set()

    def _due(self, now: float) -> int | None:
        due = [question for question, pending in self._pending.items() if pending.not_before <= now]
        return min(due, key=lambda question: self._pending[question].since, default=None)

    async def _wait_for_work(self, now: float) -> None:
        next_at = min((pending.not_before for pending in self._pending.values()), default=now + 1.0)
        self._changed.clear()
        try:
            async with asyncio.timeout(max(0.01, min(1.0, next_at - now))):
                await self._changed.wait()
        except TimeoutError:
            return  # the next one is due

    async def _send(self, question: int) -> None:
        pending = self._pending[question]
        key = (self._attempt, question)
        body = json.dumps({"questionId": question, "answer": pending.value, "revision": pending.revision}).encode()
        revision, value = pending.revision, pending.value
        self._ledger.note_sent(key, revision, value)
        try:
            if self._chance.random() < _HANG_UP:
                self._ledger.hang_ups += 1
                share = 1.0 if self._chance.random() < 0.5 else self._chance.random()
                await self._connection.post_and_hang_up(self._exam.path, self._ticket, body, share=share)
                self._again(question, 0.0)
                return
            reply = await self._connection.post(self._exam.path, self._ticket, body, timeout_seconds=_TIMEOUT_SECONDS)
        except BrokenError as exc:
            self._ledger.statuses[f"none ({exc})"] += 1
            # The proxy in front would take the other server.
            self._connection = Connection(self._chance.choice(self._ports))
            self._again(question, self._backoff(pending))
            return
        self._ledger.statuses[str(reply.status)] += 1
        try:
            self._read(question, revision, value, reply)
        except (KeyError, TypeError, ValueError) as exc:
            self._ledger.surprise(f"{key}: a {reply.status} that the page cannot read ({exc!r})")
            self._again(question, self._backoff(pending))

    def _read(self, question: int, revision: int, value: str, reply: Reply) -> None:
        now = time.monotonic()
        pending = self._pending[question]
        if reply.status == 200:
            body = reply.body
            self._ledger.note_acknowledged(
                (self._attempt, question),
                revision,
                value,
                outcome=body["status"],
                stored_revision=body["revision"],
                saved_at=datetime.fromisoformat(body["savedAt"]),
            )
            self._ledger.note_wait(now - pending.since)
            self._next_save_at[question] = now + body["nextSaveMs"] / 1000
            if pending.revision == revision:
                del self._pending[question]
            else:  # changed while it was on its way
                pending.since, pending.tries = pending.edited_at, 0
        elif reply.status in (429, 503):
            wait = reply.body["retryAfterMs"] / 1000
            self._again(question, wait if reply.status == 429 else max(wait, self._backoff(pending)))
        else:
            self._ledger.surprise(f"{(self._attempt, question)}: {reply.status} {reply.body.get('code')}")
            self._again(question, self._backoff(pending))

    def _backoff(self, pending: Pending) -> float:
        pending.tries += 1
        return float(min(_BACKOFF_MAX_SECONDS, 0.1 * 2 ** min(pending.tries, 6)) * self._chance.uniform(0.5, 1.0))

    def _again(self, question: int, wait_seconds: float) -> None:
        self._pending[question].not_before = time.monotonic() + wait_seconds
