"""The OpenAPI description of the notifications' API is complete and tells the truth about every answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import caches
from django.db import OperationalError
from django.test import Client

from notifications import api_keys, retries
from notifications.models import FailedNotification
from tests.exams.described import Description
from tests.exams.student_browser import post_json
from tests.notifications.rows import client_of, make_failed, make_staff

pytestmark = pytest.mark.django_db

FAILED = "/api/notifications/failed"
REPORT = {"receiver": "08123456789", "message": "Halo", "error": "x", "failedAt": "2026-06-01T00:00:00Z"}
OURS = {
    "failedNotifications", "reportFailedNotification", "retryFailedNotification", "retryFailedNotifications",
}  # fmt: skip


@pytest.fixture(scope="module")
def description() -> Description:
    return Description(under=FAILED)


@pytest.fixture(autouse=True)
def _nothing_counted() -> Iterator[None]:
    caches["ratelimit"].clear()
    yield
    caches["ratelimit"].clear()


@pytest.fixture
def program() -> Client:
    _row, key = api_keys.issue(name="rapor", by="admin")
    return Client(headers={"Authorization": f"Api-Key {key}"})


def requests_to(client: Client, failed_id: object) -> Iterator[tuple[str, Callable[[], Any]]]:
    """One request to each operation."""
    yield "failedNotifications", lambda: client.get(FAILED)
    yield "reportFailedNotification", lambda: post_json(client, FAILED, REPORT)
    yield "retryFailedNotification", lambda: post_json(client, f"{FAILED}/{failed_id}/retry")
    yield "retryFailedNotifications", lambda: post_json(client, f"{FAILED}/retry", {"filter": {}})


def test_every_endpoint_is_described_with_both_ways_in(description: Description) -> None:
    assert set(description.paths) == {FAILED, f"{FAILED}/retry", f"{FAILED}/{{failed_id}}/retry"}
    schemes = description.document["components"]["securitySchemes"]
    assert schemes["notificationsApiKey"]["in"] == "header"
    assert schemes["staffSession"]["in"] == "cookie"
    for name in OURS:
        assert description.operation(name)["security"] == [{"notificationsApiKey": []}, {"staffSession": []}]


def test_the_lists_parameters_and_the_idempotency_key_are_described(description: Description) -> None:
    listed = {entry["name"]: entry for entry in description.operation("failedNotifications")["parameters"]}
    assert set(listed) == {"retried", "limit", "offset", "cursor", "receiver", "from", "to", "gateway"}
    assert (listed["limit"]["schema"]["minimum"], listed["limit"]["schema"]["maximum"]) == (1, 500)
    assert not any(entry.get("required") for entry in listed.values())
    [key] = description.operation("reportFailedNotification")["parameters"]
    assert (key["name"], key["in"]) == ("Idempotency-Key", "header")


def test_every_answer_is_described_and_every_described_answer_is_given(
    description: Description, program: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[tuple[str, str]] = set()

    def check(name: str, response: Any, status: int) -> Any:
        seen.add((name, str(status)))
        return description.check(name, response, status)

    # what they are for
    failed = make_failed(receiver="bukan nomor", gateway="console")
    check("failedNotifications", program.get(FAILED), 200)
    check("reportFailedNotification", post_json(program, FAILED, REPORT), 201)
    check("retryFailedNotification", post_json(program, f"{FAILED}/{make_failed().pk}/retry"), 202)
    check("retryFailedNotifications", post_json(program, f"{FAILED}/retry", {"filter": {}, "dryRun": True}), 200)
    check("retryFailedNotifications", post_json(program, f"{FAILED}/retry", {"filter": {}}), 202)
    # what they refuse
    check("failedNotifications", program.get(f"{FAILED}?limit=0"), 400)
    check("retryFailedNotification", post_json(program, f"{FAILED}/{uuid4()}/retry"), 404)
    done = FailedNotification.objects.filter(retried=True).first()
    assert done is not None
    check("retryFailedNotification", post_json(program, f"{FAILED}/{done.pk}/retry"), 409)
    check("retryFailedNotification", post_json(program, f"{FAILED}/{failed.pk}/retry"), 422)
    post_json(program, FAILED, REPORT, headers={"Idempotency-Key": "a"})
    other = post_json(program, FAILED, {**REPORT, "error": "y"}, headers={"Idempotency-Key": "a"})
    check("reportFailedNotification", other, 422)
    for name, path in (("reportFailedNotification", FAILED), ("retryFailedNotifications", f"{FAILED}/retry")):
        for body, content_type, status in (
            (b"{", "application/json", 400), (b"[]", "application/json", 400), (b"{}", "text/plain", 415),
            (b"1" * 2**21, "application/json", 413),
        ):  # fmt: skip
            check(name, program.post(path, data=body, content_type=content_type), status)
    # whom they refuse
    wrong_key = Client(headers={"Authorization": "Api-Key wrong"})
    for client, status in ((Client(), 401), (wrong_key, 401), (client_of(make_staff()), 403)):
        for name, ask in requests_to(client, failed.pk):
            check(name, ask(), status)
    strict = client_of(make_staff(), enforce_csrf_checks=True)
    for name, ask in requests_to(strict, failed.pk):
        check(name, ask(), 403)
    # when they cannot
    settings.RATE_LIMITS = {"general": "1/1d"}
    caches["ratelimit"].clear()
    program.get(FAILED)
    for name, ask in requests_to(program, failed.pk):
        check(name, ask(), 429)
    settings.RATE_LIMITS = {}

    def away(*_args: Any, **_kwargs: Any) -> None:
        raise OperationalError("the connection is closed")

    monkeypatch.setattr(retries, "retry_failed", away)
    monkeypatch.setattr(retries, "retry_many", away)
    monkeypatch.setattr(FailedNotification.objects, "create", away)
    monkeypatch.setattr("notifications.api.matching", away)
    for name, ask in requests_to(program, failed.pk):
        check(name, ask(), 503)
    assert description.answers - seen == set()
