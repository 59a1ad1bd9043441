"""Kills: of PostgreSQL, of a web process, and a polite SIGTERM; nothing acknowledged is ever missing afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from config.embedded_postgres import EmbeddedPostgres
from tests.web import PROJECT, WebProcess, wait_until


@dataclass
class School:
    """A PostgreSQL of its own that may be killed, and a load of students who sit an exam on it."""

    server: EmbeddedPostgres
    load: dict[str, Any]

    @property
    def url(self) -> str:
        return self.server.url("school")

    def stored(self) -> dict[tuple[int, int], int]:
        with psycopg.connect(self.url) as connection:
            rows = connection.execute("SELECT attempt_id, question_id, revision FROM answers").fetchall()
        return {(attempt, question): revision for attempt, question, revision in rows}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Not pytest's own: every run of pytest shuts that to others again, and as root PostgreSQL runs as another user."""
    with tempfile.TemporaryDirectory(prefix="tahan-uji-school-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def school(folder: Path) -> Iterator[School]:
    server = EmbeddedPostgres(folder / "postgres")
    server.start()
    server.create_database("school")
    environment = {**os.environ, "DATABASE_URL": server.url("school"), "DJANGO_SETTINGS_MODULE": "config.settings"}
    out = folder / "load.json"
    for command in (["migrate", "-v0"], ["make_load", "--students=200", "--questions=40", f"--out={out}"]):
        subprocess.run([sys.executable, "manage.py", *command], cwd=PROJECT, env=environment, check=True)
    yield School(server, json.loads(out.read_text()))
    server.stop()


@dataclass
class Ledger:
    """What was sent and what was acknowledged: (attempt, question) -> highest acknowledged revision."""

    acknowledged: dict[tuple[int, int], int] = field(default_factory=dict)
    statuses: dict[int, int] = field(default_factory=dict)
    without_retry_after: int = 0
    broken: int = 0

    def lost(self, school: School) -> list[tuple[int, int]]:
        stored = school.stored()
        return [key for key, revision in self.acknowledged.items() if stored.get(key, 0) < revision]


async def students_save(
    url: str, load: dict[str, Any], ledger: Ledger, *, question: int, clients: int = 40, is_over: Callable[[], bool]
) -> None:
    """*clients* connections save every student's question *question*, one save after the other, until *is_over*."""
    queue = iter(load["attempts"] * 1000)
    path = f"/api/siswa/ujian/{load['exam']}/save-answer"
    asked = load["questions"][question]

    async def one(client: httpx.AsyncClient) -> None:
        for attempt in queue:
            if is_over():
                return
            revision = int(time.time() * 1000)
            body = {"questionId": asked["id"], "answer": asked["answers"][0], "revision": revision}
            try:
                response = await client.post(path, json=body, headers={"Authorization": f"Bearer {attempt['ticket']}"})
            except httpx.TransportError:
                ledger.broken += 1
                await asyncio.sleep(0.05)
                continue
            ledger.statuses[response.status_code] = ledger.statuses.get(response.status_code, 0) + 1
            if response.status_code == 200:
                reply = response.json()
                key = (attempt["id"], asked["id"])
                ledger.acknowledged[key] = max(ledger.acknowledged.get(key, 0), reply["revision"])
            elif response.status_code == 503:
                ledger.without_retry_after += "retry-after" not in response.headers
                await asyncio.sleep(0.02)

    async with httpx.AsyncClient(base_url=url, timeout=20, limits=httpx.Limits(max_connections=clients)) as client:
        await asyncio.gather(*(one(client) for _ in range(clients)))


def run_with_load(url: str, school: School, *, question: int, story: Callable[[Ledger], Awaitable[None]]) -> Ledger:
    """Load on *url* while *story* happens; ends when the story does."""
    ledger = Ledger()

    async def both() -> None:
        ended = False
        saving = asyncio.create_task(students_save(url, school.load, ledger, question=question, is_over=lambda: ended))
        try:
            await story(ledger)
        finally:
            ended = True
            await asyncio.wait_for(saving, 30)

    asyncio.run(both())
    return ledger


async def until(is_true: Callable[[], object], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "not reached in time"
        await asyncio.sleep(0.02)


def test_a_killed_database_loses_nothing_and_saving_goes_on_without_a_restart(school: School) -> None:
    with WebProcess(school.url, EXAMS_SAVE_QUEUE_MAX_ANSWERS="500") as web:
        sizes: list[int] = []

        async def story(ledger: Ledger) -> None:
            await until(lambda: len(ledger.acknowledged) > 50)
            school.server.kill()
            await until(lambda: ledger.statuses.get(503, 0) > 50)
            sizes.append(web.ready()["saveQueue"]["pending"])
            assert web.client.get("/readyz").status_code == 503
            assert web.is_alive(), "a dead database does not make the process dead"
            before = ledger.statuses[200]
            await asyncio.to_thread(school.server.start)
            await until(lambda: ledger.statuses[200] > before + 50)

        ledger = run_with_load(web.url, school, question=0, story=story)
        assert ledger.lost(school) == []
        assert ledger.without_retry_after == 0
        assert set(ledger.statuses) <= {200, 429, 503}
        assert max(sizes) <= 500
        wait_until(lambda: web.ready()["ready"], 10, "readiness")
        assert web.ready()["saveQueue"]["pending"] == 0


def test_a_frozen_database_is_noticed_and_answered_with_503(school: School) -> None:
    with WebProcess(school.url) as web:
        postmaster = school.server.postmaster_pid()
        assert postmaster is not None

        def freeze_or_thaw(number: signal.Signals) -> None:
            children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
            for process in [postmaster, *map(int, children)]:
                with suppress(ProcessLookupError):  # a short-lived one has ended meanwhile
                    os.kill(process, number)

        async def story(ledger: Ledger) -> None:
            await until(lambda: len(ledger.acknowledged) > 50)
            try:
                freeze_or_thaw(signal.SIGSTOP)
                await until(lambda: ledger.statuses.get(503, 0) > 0, 20)
            finally:
                freeze_or_thaw(signal.SIGCONT)
            before = ledger.statuses[200]
            await until(lambda: ledger.statuses[200] > before + 50, 20)

        ledger = run_with_load(web.url, school, question=1, story=story)
        assert ledger.lost(school) == []


def test_a_killed_web_process_loses_nothing_that_it_acknowledged(school: School) -> None:
    with WebProcess(school.url) as web:

        async def story(ledger: Ledger) -> None:
            await until(lambda: len(ledger.acknowledged) > 100)
            web.signal_all(signal.SIGKILL)
            await until(lambda: ledger.broken > 0)

        ledger = run_with_load(web.url, school, question=2, story=story)
    assert len(ledger.acknowledged) > 100
    assert ledger.lost(school) == []


def test_sigterm_under_load_commits_what_was_accepted_and_ends_in_time(school: School) -> None:
    with WebProcess(school.url) as web:
        ended: list[float] = []

        async def story(ledger: Ledger) -> None:
            await until(lambda: len(ledger.acknowledged) > 100)
            started = time.monotonic()
            code = await asyncio.to_thread(web.terminate)
            ended.append(time.monotonic() - started)
            assert code == 0

        ledger = run_with_load(web.url, school, question=3, story=story)
    assert ended[0] < 10
    assert ledger.lost(school) == []
    assert set(ledger.statuses) <= {200, 429, 503}


def test_one_of_two_workers_is_killed_and_replaced_while_the_other_saves_on(school: School) -> None:
    with WebProcess(school.url, workers=2) as web:
        children = Path(f"/proc/{web.process.pid}/task/{web.process.pid}/children")

        def workers() -> list[int]:
            found = [int(pid) for pid in children.read_text().split()]
            return [pid for pid in found if "resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_text()]

        async def story(ledger: Ledger) -> None:
            await until(lambda: len(ledger.acknowledged) > 50)
            victim = workers()[-1]
            os.kill(victim, signal.SIGKILL)
            before = ledger.statuses[200]
            await until(lambda: ledger.statuses[200] > before + 50)
            await until(lambda: len(workers()) == 2 and victim not in workers())

        ledger = run_with_load(web.url, school, question=4, story=story)
    assert ledger.lost(school) == []
