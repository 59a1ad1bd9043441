"""The page that the load imitates, against a server that answers what a test tells it to."""

from __future__ import annotations

import asyncio
import json
import random
import time
from typing import Any

from tests.chaos.ledger import Ledger
from tests.chaos.student import Exam, Student

SAVED_AT = "2026-01-05T12:00:00Z"


def acknowledge(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return 200, {"status": "saved", "revision": body["revision"], "savedAt": SAVED_AT, "nextSaveMs": 0}


def sit(*replies: Any) -> tuple[Ledger, Student, list[dict[str, Any]]]:
    """Let one student answer one question for a moment; *replies* come first, then acknowledgements. None hangs up."""
    received: list[dict[str, Any]] = []
    waiting = list(replies)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                body = json.loads(await reader.readexactly(length))
                received.append(body)
                reply = waiting.pop(0) if waiting else acknowledge(body)
                if reply is None:
                    return
                status, content = reply
                data = json.dumps(content)
                headers = f"content-type: application/json\r\ncontent-length: {len(data)}"
                writer.write(f"HTTP/1.1 {status} X\r\n{headers}\r\n\r\n{data}".encode())
        except asyncio.IncompleteReadError:
            return  # the student hung up
        finally:
            writer.close()

    async def run() -> tuple[Ledger, Student]:
        ledger = Ledger()
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            exam = Exam(path="/save", options={5: ["a", "b"]})
            student = Student(1, "ticket", exam, [port], ledger, random.Random(4))
            now = time.monotonic()
            await student.sit(until=now + 1.5, give_up_at=now + 6)
        return ledger, student

    ledger, student = asyncio.run(run())
    return ledger, student, received


def test_every_answer_is_acknowledged_in_the_end():
    ledger, student, received = sit()
    assert ledger.acknowledged > 0
    assert student.unacknowledged == 0
    assert max(ledger.story((1, 5)).sent) == received[-1]["revision"]


def test_the_same_revision_is_sent_again_after_a_503_a_429_and_a_broken_connection(monkeypatch):
    monkeypatch.setattr("tests.chaos.student.pause_seconds", lambda _chance: 1.6)  # one answer, no second one
    away = (503, {"retryAfterMs": 1}), (429, {"retryAfterMs": 1}), None
    ledger, student, received = sit(*away)
    assert [body["revision"] for body in received[:4]] == [received[0]["revision"]] * 4
    assert student.unacknowledged == 0
    assert ledger.statuses["503"] == ledger.statuses["429"] == 1
    assert not ledger.surprises


def test_a_500_is_a_surprise_and_the_answer_is_kept():
    ledger, student, received = sit((500, {"code": "server_error"}))
    assert ledger.surprises == ["(1, 5): 500 server_error"]
    assert received[1]["revision"] >= received[0]["revision"]
    assert student.unacknowledged == 0


def test_a_reply_that_cannot_be_read_is_a_surprise():
    ledger, student, _ = sit((200, {"status": "saved"}))
    assert len(ledger.surprises) == 1
    assert student.unacknowledged == 0
