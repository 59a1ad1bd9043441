"""Two clicks, two tabs, admin and API in the same moment: one message each time."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from notifications import api_keys, cancelling
from notifications.models import FailedNotification, Notification
from tests.exams.at_once import at_once
from tests.exams.student_browser import post_json
from tests.notifications.admin.pages import act, page_of
from tests.notifications.rows import client_of, make_failed, make_notification, make_staff

pytestmark = pytest.mark.django_db(transaction=True)

FAILED = "/api/notifications/failed"
MAY_RETRY = ("notifications.view_failednotification", "notifications.change_failednotification")


@pytest.fixture
def program() -> Client:
    _row, key = api_keys.issue(name="rapor", by="admin")
    return Client(headers={"Authorization": f"Api-Key {key}"})


def test_a_double_click_sends_once() -> None:
    failed, user = make_failed(), make_staff(*MAY_RETRY)
    tabs = [client_of(user) for _ in range(6)]
    responses = at_once(6, lambda number: tabs[number].post(page_of(failed, "retry")))
    assert {response.status_code for response in responses} == {302}
    assert Notification.objects.count() == 1
    assert LogEntry.objects.count() == 1


def test_one_row_retried_by_many_programs_gets_one_202(program: Client) -> None:
    failed = make_failed()
    responses = at_once(6, lambda _number: post_json(program, f"{FAILED}/{failed.pk}/retry"))
    assert sorted(response.status_code for response in responses) == [202, 409, 409, 409, 409, 409]
    [first] = [response.json()["notificationId"] for response in responses if response.status_code == 202]
    assert {response.json()["notificationId"] for response in responses} == {first}
    assert Notification.objects.count() == 1


def test_admin_and_api_button_and_bulk_all_at_once_send_each_row_once(program: Client) -> None:
    rows = [make_failed() for _ in range(12)]
    ids = [str(row.pk) for row in rows]
    client = client_of(make_staff(*MAY_RETRY))
    seen_at = act(client, "retry_selected", rows).context["seen_at"]
    deeds: list[Any] = [
        lambda: post_json(program, f"{FAILED}/retry", {"ids": ids}),
        lambda: post_json(program, f"{FAILED}/retry", {"filter": {}}),
        lambda: act(client, "retry_selected", rows, seen_at=seen_at),
        lambda: act(client, "retry_selected", rows[::-1], seen_at=seen_at),
        lambda: [client.post(page_of(row, "retry")) for row in rows],
        lambda: [post_json(program, f"{FAILED}/{row.pk}/retry") for row in reversed(rows)],
    ]
    at_once(len(deeds), lambda number: deeds[number]())
    assert Notification.objects.count() == len(rows)
    assert set(Notification.objects.values_list("retry_of", flat=True)) == {row.pk for row in rows}
    assert FailedNotification.objects.filter(retried=True).count() == len(rows)


def test_one_report_sent_many_times_at_once_is_one_row(program: Client) -> None:
    report = {"receiver": "08123456789", "message": "Halo", "error": "x", "failedAt": "2026-06-01T00:00:00Z"}
    responses = at_once(6, lambda _n: post_json(program, FAILED, report, headers={"Idempotency-Key": "one"}))
    assert {response.status_code for response in responses} == {201}
    assert len({response.json()["data"]["id"] for response in responses}) == 1
    assert sum("Idempotent-Replayed" not in response for response in responses) == 1
    assert FailedNotification.objects.count() == 1


def test_two_who_cancel_the_same_messages_cancel_each_once() -> None:
    rows = [make_notification() for _ in range(10)]
    done = at_once(4, lambda _number: len(cancelling.cancel([row.pk for row in rows])))
    assert sum(done) == len(rows)


def test_a_key_made_twice_in_the_same_moment_is_made_once() -> None:
    user = make_staff("notifications.view_apikey", "notifications.add_apikey")
    tabs = [client_of(user) for _ in range(3)]
    responses = at_once(3, lambda number: tabs[number].post("/admin/notifications/apikey/add/", {"name": "rapor"}))
    assert sum(b"Authorization: Api-Key tu_" in response.content for response in responses) == 1
    assert {response.status_code for response in responses} <= {200, 302}
