"""The whole application under pressure: held pages, hang-ups, and saves that go on meanwhile; the health checks."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from django.db import connection, transaction

from exams import cards
from exams.models import Student
from tests.exams.autosave.sitting import Sitting, now_ms, sit_down
from tests.exams.factories import make_student
from tests.web import WebProcess, url_of_test_database, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def logged_in_cookies(web: WebProcess, students: list[Student]) -> list[dict[str, str]]:
    """The cookies of a session for each of *students*."""
    jars = []
    for card in cards.issue_cards(students):
        with httpx.Client(base_url=web.url) as client:
            token = client.get("/api/auth/session").json()["csrfToken"]
            login = {"username": card.username, "pin": card.pin}
            client.post("/api/auth/login", json=login, headers={"X-CSRFToken": token}).raise_for_status()
            jars.append(dict(client.cookies))
    return jars


@contextmanager
def exams_are_blocked() -> Iterator[None]:
    """Whoever reads the table `exams` waits; saves never do."""
    is_blocked, may_go = threading.Event(), threading.Event()

    def block() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("LOCK TABLE exams IN ACCESS EXCLUSIVE MODE")
                is_blocked.set()
                may_go.wait(60)
        finally:
            connection.close()

    holder = threading.Thread(target=block)
    holder.start()
    try:
        assert is_blocked.wait(10)
        yield
    finally:
        may_go.set()
        holder.join()


@pytest.fixture
def busy_web(second_web: WebProcess) -> WebProcess:
    return second_web


async def open_pages(web: WebProcess, jars: list[dict[str, str]], how_many: int, timeout: float) -> Counter[Any]:
    """*how_many* page requests at once; statuses, or the name of the transport's error."""
    seen: Counter[Any] = Counter()

    async def one(number: int) -> None:
        # A connection each: 300 phones, not one browser.
        async with httpx.AsyncClient(base_url=web.url, timeout=timeout, cookies=jars[number % len(jars)]) as client:
            try:
                response = await client.get("/api/siswa/ujian")
            except httpx.TransportError as exc:
                seen[type(exc).__name__] += 1
                return
            seen[response.status_code] += 1
            if response.status_code == 503:
                seen["with Retry-After"] += int(response.headers["Retry-After"]) >= 1

    await asyncio.gather(*(one(number) for number in range(how_many)))
    return seen


def save_times(web: WebProcess, sitting: Sitting, seconds: float) -> list[float]:
    """Save different questions for *seconds* and return how long each took; every one must be saved."""
    times = []
    deadline = time.monotonic() + seconds
    for question in sitting.questions:
        if time.monotonic() > deadline:
            break
        started = time.monotonic()
        response = sitting.save(web, question=question, revision=now_ms())
        times.append(time.monotonic() - started)
        assert response.status_code == 200, response.text
    return times


def test_saves_are_answered_while_300_pages_are_held_open_and_the_line_is_bounded(busy_web: WebProcess) -> None:
    jars = logged_in_cookies(busy_web, [make_student() for _ in range(4)])
    sitting = sit_down(["multiple_choice"] * 60)
    sitting.save(busy_web)
    seen: list[Counter[Any]] = []
    with exams_are_blocked():
        pages = threading.Thread(target=lambda: seen.append(asyncio.run(open_pages(busy_web, jars, 300, 30))))
        pages.start()
        wait_until(lambda: busy_web.ready()["pages"]["refused_total"] >= 90, 10, "the refusals beyond the line")
        state = busy_web.ready()["pages"]
        assert state["inside"] == 4
        assert state["waiting"] <= 200
        times = save_times(busy_web, Sitting(sitting.attempt, sitting.ticket, sitting.questions[1:]), 2)
        assert len(times) >= 20, "a save waits for no page"
    pages.join(timeout=40)
    assert seen[0][503] >= 90
    assert seen[0]["with Retry-After"] == seen[0][503]
    assert seen[0][200] >= 190
    wait_until(lambda: busy_web.ready()["pages"]["waiting"] == 0, 10, "an empty line")


def test_clients_that_hang_up_leave_nothing_waiting(busy_web: WebProcess) -> None:
    jars = logged_in_cookies(busy_web, [make_student() for _ in range(4)])
    with exams_are_blocked():
        asyncio.run(open_pages(busy_web, jars, 150, 1.0))  # all time out and hang up
        wait_until(lambda: busy_web.ready()["pages"]["waiting"] == 0, 10, "an empty line")
    wait_until(lambda: busy_web.ready()["pages"]["inside"] == 0, 10, "free places")
    assert busy_web.client.get("/api/auth/session").status_code == 200


def test_healthz_is_alive_and_readyz_says_why(web: WebProcess) -> None:
    assert web.client.get("/healthz").json() == {"status": "alive"}
    ready = web.ready()
    assert ready["ready"] is True
    assert ready["database"] == "ok"
    assert ready["migrations"] == "applied"
    assert ready["saveQueue"] == {"status": "ok", "pending": 0, "pendingBytes": 0, "oldestPendingSeconds": 0.0}
    assert ready["rateLimits"]["status"] == "ok"


def test_readyz_is_503_while_a_migration_is_missing(web: WebProcess) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM django_migrations WHERE app = 'exams' AND name LIKE '0002%' RETURNING app, name, applied"
        )
        row = cursor.fetchone()
        try:
            response = web.client.get("/readyz")
            assert (response.status_code, response.json()["migrations"]) == (503, "1 missing")
        finally:
            cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, %s)", row)
    assert web.client.get("/readyz").status_code == 200


def test_a_dead_redis_is_visible_and_refuses_nobody() -> None:
    with WebProcess(url_of_test_database(), REDIS_URL="redis://127.0.0.1:1/0") as web:
        token = web.client.get("/api/auth/session").json()["csrfToken"]
        wrong = web.client.post(
            "/api/auth/login", json={"username": "nobody", "pin": "x"}, headers={"X-CSRFToken": token}
        )
        assert wrong.status_code == 401, "the limit was checked, and the card was wrong"
        ready = web.ready()
        assert ready["ready"] is True
        assert (ready["rateLimits"]["backend"], ready["rateLimits"]["status"]) == ("redis", "failing")


@pytest.mark.parametrize(("profile", "connections"), [("server", 2), ("serverless", 1)])
def test_a_process_saves_with_as_many_connections_as_its_profile_grants(profile: str, connections: int) -> None:
    def counted() -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tahan-uji saves' "
                "AND datname = current_database()"
            )
            return int(cursor.fetchone()[0])

    sitting = sit_down(["multiple_choice"] * 20)
    before = counted()  # of the other tests' processes
    with WebProcess(url_of_test_database(), DATABASE_PROFILE=profile) as web:
        assert len(save_times(web, sitting, 5)) == 20
        assert web.ready()["ready"] is True
        assert counted() - before == connections


def test_several_processes_without_a_shared_cache_are_warned_about() -> None:
    with WebProcess(url_of_test_database(), workers=2) as web:
        assert "ratelimit.W001" in "".join(web.output)
