"""A process whose clock is wrong refuses nobody because of it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from exams.autosave import ticket as tickets
from exams.autosave.endpoint import AutosaveEndpoint
from exams.autosave.save_queue import SaveQueue
from exams.autosave.server_clock import ServerClock
from exams.conf import conf
from ratelimit.limiter import MinimumGap
from tests.exams.autosave.test_save_queue import FakeStore, make_queue
from tests.exams.factories import question_of

NOW = datetime(2031, 5, 17, 8, 0, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
EXAM, QUESTION = 3, 7


class OnePaper:
    """Papers with one question, as `PaperRules` gives them."""

    def cached(self, _exam: int, _version: int) -> Any:
        return {QUESTION: question_of("multiple_choice")}


def save_on_a_process(*, clock_shows: datetime, revision: int, ticket_ends: datetime) -> tuple[int, dict[str, Any]]:
    """One save where the process believes that it is *clock_shows* and the database knows that it is NOW."""

    async def database_now() -> datetime:
        return NOW

    async def scenario() -> tuple[int, dict[str, Any]]:
        clock = ServerClock(database_now)
        clock.set(clock_shows)
        queue: SaveQueue = make_queue(FakeStore())
        endpoint = AutosaveEndpoint(queue, OnePaper(), clock, MinimumGap(2), conf())  # type: ignore[arg-type]
        token = tickets.issue(
            attempt=1, student=2, exam=EXAM, version=4, expires_at=int(ticket_ends.timestamp())
        ).encode()
        scope = {
            "method": "POST",
            "headers": [(b"authorization", b"Bearer " + token), (b"content-type", b"Application/JSON; charset=utf-8")],
        }
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            body = {"questionId": QUESTION, "answer": "jkrt", "revision": revision}
            return {"type": "http.request", "body": json.dumps(body).encode()}

        async def send(message: Any) -> None:
            sent.append(message)

        await endpoint.save_answer(EXAM, scope, receive, send)
        return sent[0]["status"], json.loads(sent[1]["body"])

    return asyncio.run(scenario())


SOON = NOW + timedelta(hours=1)


def test_a_clock_that_is_behind_asks_the_database_before_it_calls_a_revision_ahead() -> None:
    behind = NOW - timedelta(minutes=10)
    status, body = save_on_a_process(clock_shows=behind, revision=NOW_MS, ticket_ends=SOON)
    assert (status, body["status"]) == (200, "saved")


def test_a_clock_that_is_ahead_asks_the_database_before_it_calls_a_ticket_expired() -> None:
    ahead = NOW + timedelta(hours=5)
    status, body = save_on_a_process(clock_shows=ahead, revision=NOW_MS, ticket_ends=SOON)
    assert (status, body["status"]) == (200, "saved")


@pytest.mark.parametrize("minutes", [-10, 0, 300])
def test_what_is_wrong_by_the_databases_clock_is_refused_whatever_ours_shows(minutes: int) -> None:
    ours = NOW + timedelta(minutes=minutes)
    ended = save_on_a_process(clock_shows=ours, revision=NOW_MS, ticket_ends=NOW - timedelta(seconds=1))
    if minutes >= 0:  # a clock that is behind lets an old ticket live a little longer; the attempt's own state decides
        assert ended[0] == 401
    if minutes <= 0:  # a clock that is ahead lets such a revision pass; the next stored save sets it right
        ahead = save_on_a_process(clock_shows=ours, revision=NOW_MS + 120_000, ticket_ends=SOON)
        assert (ahead[0], ahead[1]["code"]) == (422, "revision_ahead")
        assert abs(ahead[1]["serverNow"] - NOW_MS) < 5_000
