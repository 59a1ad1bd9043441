"""The notifications' API: who may come in, what is listed, what is reported, what is sent again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import caches
from django.test import Client
from django.utils import timezone

from notifications import api_keys
from notifications.models import ApiKey, FailedNotification, Notification
from tests.exams.factories import make_student
from tests.exams.student_browser import logged_in, post_json
from tests.notifications.rows import MASKED, RECEIVER, client_of, make_failed, make_staff

pytestmark = pytest.mark.django_db

FAILED = "/api/notifications/failed"
MAY_ALL = [f"notifications.{verb}_failednotification" for verb in ("view", "add", "change")]
REPORT = {"receiver": "0812-3456-789", "message": "Halo", "error": "no route", "failedAt": "2026-06-01T07:00:00+07:00"}


@pytest.fixture(autouse=True)
def _in_english_and_nothing_counted(settings: Any) -> Iterator[None]:
    caches["ratelimit"].clear()
    settings.LANGUAGE_CODE = "en"
    yield
    caches["ratelimit"].clear()


@pytest.fixture
def program() -> Client:
    """A program with a key."""
    _row, key = api_keys.issue(name="rapor", by="admin")
    return Client(headers={"Authorization": f"Api-Key {key}"})


def retry_of(failed: FailedNotification) -> str:
    return f"{FAILED}/{failed.pk}/retry"


def ids(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [row["id"] for row in response.json()["data"]]


# -- who may come in -----------------------------------------------------------------------------------------------


def everything(client: Client) -> list[Any]:
    """One request to each endpoint."""
    return [
        client.get(FAILED),
        post_json(client, FAILED, REPORT),
        post_json(client, f"{FAILED}/retry", {"filter": {}, "dryRun": True}),
        post_json(client, retry_of(make_failed())),
    ]


def test_nobody_gets_401_with_the_way_in() -> None:
    for response in everything(Client()):
        assert response.status_code == 401
        assert response.json()["code"] == "staff_only"
        assert response["WWW-Authenticate"] == "Api-Key"
    assert FailedNotification.objects.filter(retried=True).count() == 0


def test_a_student_and_a_user_who_is_no_staff_are_nobody() -> None:
    for client in (logged_in(make_student()), client_of(make_staff(*MAY_ALL, is_staff=False))):
        assert {response.status_code for response in everything(client)} == {401}


def test_staff_need_the_permission_of_each_verb() -> None:
    assert {response.status_code for response in everything(client_of(make_staff()))} == {403}
    for place, permission in enumerate(["view", "add", "change", "change"]):
        client = client_of(make_staff(f"notifications.{permission}_failednotification"))
        statuses = [response.status_code for response in everything(client)]
        assert statuses[place] in (200, 201, 202)
        assert 403 in statuses


def test_staff_with_the_permissions_and_a_program_with_a_key_may_all(program: Client) -> None:
    for client in (client_of(make_staff(*MAY_ALL)), program):
        assert [response.status_code for response in everything(client)] == [200, 201, 200, 202]


def test_a_session_needs_the_csrf_token_and_a_key_does_not(program: Client) -> None:
    user = make_staff(*MAY_ALL)
    strict = client_of(user, enforce_csrf_checks=True)
    statuses = [response.status_code for response in everything(strict)]
    assert statuses == [200, 403, 403, 403]
    assert post_json(strict, FAILED, REPORT).json()["code"] == "csrf_failed"
    program.handler.enforce_csrf_checks = True
    assert [response.status_code for response in everything(program)] == [200, 201, 200, 202]


@pytest.mark.parametrize("key", ["", "x", "tu_", "tu_aaaaaaaa_" + "b" * 43, "é", "tu_aaaaaaaa_" + "b" * 43 + "\t"])
def test_a_wrong_key_is_refused_even_beside_a_session(key: str) -> None:
    client = client_of(make_staff(*MAY_ALL))
    response = client.get(FAILED, headers={"Authorization": f"Api-Key {key}"})
    assert response.status_code == 401
    assert response.json()["code"] == "wrong_api_key"
    assert response["WWW-Authenticate"] == "Api-Key"


def test_another_scheme_is_no_key() -> None:
    headers = {"Authorization": "Bearer something"}
    assert Client().get(FAILED, headers=headers).json()["code"] == "staff_only"
    assert client_of(make_staff(*MAY_ALL)).get(FAILED, headers=headers).status_code == 200


def test_a_revoked_key_is_refused_from_the_next_request_on(program: Client) -> None:
    assert program.get(FAILED).status_code == 200
    row = ApiKey.objects.get()
    assert row.last_used_at is not None
    assert api_keys.revoke(key_id=row.pk)
    assert not api_keys.revoke(key_id=row.pk), "twice is once"
    assert program.get(FAILED).json()["code"] == "wrong_api_key"


def test_a_key_is_not_in_the_table_and_not_another_ones() -> None:
    row, key = api_keys.issue(name="rapor", by="admin")
    _other, other_key = api_keys.issue(name="presensi", by="admin")
    stored = " ".join(str(value) for value in ApiKey.objects.values_list().get(pk=row.pk))
    secret = key.removeprefix(f"tu_{row.prefix}_")
    assert secret not in stored
    client = api_keys.client_with_key(key)
    assert client is not None
    assert client.name == "rapor"
    mixed = f"tu_{row.prefix}_{other_key.split('_', 2)[2]}"
    assert api_keys.client_with_key(mixed) is None
    ApiKey.objects.filter(pk=row.pk).update(scopes="something-else")
    assert api_keys.client_with_key(key) is None


def test_each_key_and_each_user_has_a_limit_of_its_own(program: Client, settings: Any) -> None:
    settings.RATE_LIMITS = {"general": "2/1d"}
    assert [program.get(FAILED).status_code for _ in range(3)] == [200, 200, 429]
    refused = program.get(FAILED)
    assert int(refused["Retry-After"]) >= 1
    assert refused.json()["code"] == "rate_limited"
    _row, key = api_keys.issue(name="presensi", by="admin")
    assert Client(headers={"Authorization": f"Api-Key {key}"}).get(FAILED).status_code == 200
    assert client_of(make_staff(*MAY_ALL)).get(FAILED).status_code == 200


def test_nothing_may_be_kept_by_a_cache(program: Client) -> None:
    assert "no-store" in program.get(FAILED)["Cache-Control"]


# -- the list ------------------------------------------------------------------------------------------------------


def test_the_list_has_the_shape_that_was_promised(program: Client) -> None:
    failed = make_failed(failed_at=datetime(2026, 6, 1, tzinfo=UTC))
    body = program.get(FAILED).json()
    assert body == {
        "success": True,
        "total": 1,
        "data": [
            {
                "id": str(failed.pk),
                "receiver": RECEIVER,
                "message": failed.message,
                "error": "request timeout",
                "failedAt": "2026-06-01T00:00:00Z",
                "retried": False,
                "retriedAt": None,
                "createdAt": body["data"][0]["createdAt"],
                "updatedAt": body["data"][0]["updatedAt"],
            }
        ],
    }


def test_numbers_are_masked_for_staff_without_the_permission() -> None:
    make_failed()
    [few] = client_of(make_staff(*MAY_ALL)).get(FAILED).json()["data"]
    [all_of_it] = client_of(make_staff(*MAY_ALL, "notifications.see_numbers")).get(FAILED).json()["data"]
    assert (few["receiver"], all_of_it["receiver"]) == (MASKED, RECEIVER)
    client = client_of(make_staff(*MAY_ALL))
    for response in (post_json(client, FAILED, REPORT), post_json(client, retry_of(make_failed()))):
        assert RECEIVER not in response.content.decode()


def test_newest_first_and_filters(program: Client) -> None:
    noon = datetime(2026, 6, 1, 5, tzinfo=UTC)  # in Jakarta
    old = make_failed(failed_at=noon - timedelta(days=1), gateway="fonnte")
    new = make_failed(failed_at=noon, receiver="628999999999")
    done = make_failed(failed_at=noon - timedelta(hours=1), retried=True)

    def found(query: str) -> list[str]:
        return ids(program.get(f"{FAILED}?{query}"))

    everyone = [str(row.pk) for row in (new, done, old)]
    assert found("") == everyone
    assert found("retried=false") == [str(new.pk), str(old.pk)]
    assert found("retried=true") == [str(done.pk)]
    assert found("gateway=fonnte") == [str(old.pk)]
    for typed in ("628999999999", "0899-9999-999", "%2B62 899 9999 999"):
        assert found(f"receiver={typed}") == [str(new.pk)]
    assert found("from=2026-06-01") == everyone[:2]
    assert found("to=2026-06-01") == everyone
    assert found("to=2026-05-31") == [str(old.pk)]
    assert found("from=2026-06-01T12:00:00%2B07:00") == [str(new.pk)]
    assert found("to=2026-06-01T12:00:00") == everyone[1:], "a time without zone is the school's"
    assert found("from=2026-06-01&to=2026-06-01&retried=false&limit=5") == [str(new.pk)]
    assert program.get(f"{FAILED}?retried=false&limit=1").json()["total"] == 2


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"), ("limit=501", "limit"), ("limit=ten", "limit"), ("limit=", "limit"),
        ("offset=-1", "offset"),
        ("offset=100001", "offset"), ("cursor=x", "cursor"), ("cursor=00000000-0000-7000-8000-000000000000", "cursor"),
        ("retried=perhaps", "retried"), ("receiver=abc", "receiver"), ("receiver=", "receiver"),
        ("receiver=0213456789", "receiver"), ("from=yesterday", "from"), ("to=2026-06-31", "to"),
        ("from=9999-99-99", "from"), ("to=9999-12-31", "to"), ("to=2026-06-01T25:00:00Z", "to"),
        ("gateway=" + "x" * 33, "gateway"), ("gateway=%00", "gateway"), ("receiver=%00", "receiver"),
    ],
)  # fmt: skip
def test_a_bad_value_is_400_and_named(program: Client, query: str, field: str) -> None:
    response = program.get(f"{FAILED}?{query}")
    assert response.status_code == 400, response.content
    body = response.json()
    assert body["code"] == "invalid"
    assert set(body["fields"]) == {field}


def test_cursor_and_offset_do_not_go_together(program: Client) -> None:
    failed = make_failed()
    assert program.get(f"{FAILED}?cursor={failed.pk}&offset=1").json()["fields"]["offset"]
    assert program.get(f"{FAILED}?cursor={failed.pk}").json()["data"] == []


def test_pages_by_cursor_have_every_row_once_whatever_happens_meanwhile(program: Client) -> None:
    moment = timezone.now() - timedelta(hours=1)
    rows = [make_failed(failed_at=moment - timedelta(seconds=number // 3)) for number in range(10)]  # ties of three
    expected = [str(row.pk) for row in FailedNotification.objects.order_by("-failed_at", "-pk")]
    got: list[str] = []
    query = "retried=false&limit=4"
    while page := ids(program.get(f"{FAILED}?{query}")):
        got += page
        make_failed()  # a new one comes in front
        FailedNotification.objects.filter(pk=page[-1]).update(retried=True, retried_at=timezone.now())
        query = f"retried=false&limit=4&cursor={page[-1]}"
    assert got == expected
    assert len(got) == len(rows)


def test_pages_by_offset(program: Client) -> None:
    expected = [str(make_failed(failed_at=timezone.now() - timedelta(hours=n)).pk) for n in range(5)]
    pages = [program.get(f"{FAILED}?limit=2&offset={offset}").json() for offset in (0, 2, 4, 6)]
    assert [row["id"] for page in pages for row in page["data"]] == expected
    assert {page["total"] for page in pages} == {5}


# -- reporting -----------------------------------------------------------------------------------------------------


def test_a_report_becomes_a_row_of_its_source(program: Client) -> None:
    response = post_json(program, FAILED, REPORT)
    assert response.status_code == 201
    row = FailedNotification.objects.get()
    assert response.json()["data"]["id"] == str(row.pk)
    assert (row.receiver, row.message, row.error, row.source) == (RECEIVER, "Halo", "no route", "api:rapor")
    assert row.failed_at == datetime(2026, 6, 1, tzinfo=UTC)
    assert row.notification is None
    assert not row.retried


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"receiver": "rumah"}, "receiver"), ({"receiver": ""}, "receiver"), ({"receiver": None}, "receiver"),
        ({"receiver": "0812345678, 0898765432"}, "receiver"), ({"receiver": 5}, "receiver"),
        ({"message": ""}, "message"), ({"message": "x" * 60_001}, "message"), ({"message": "a\0b"}, "message"),
        ({"error": ""}, "error"), ({"error": []}, "error"), ({"failedAt": "today"}, "failedAt"),
        ({"failedAt": "2999-01-01T00:00:00Z"}, "failedAt"), ({"failedAt": None}, "failedAt"),
    ],
)  # fmt: skip
def test_a_wrong_report_is_400_and_named(program: Client, change: dict[str, Any], field: str) -> None:
    response = post_json(program, FAILED, {**REPORT, **change})
    assert response.status_code == 400
    assert set(response.json()["fields"]) == {field}
    assert FailedNotification.objects.count() == 0


def test_every_field_of_a_report_is_needed(program: Client) -> None:
    assert set(post_json(program, FAILED, {}).json()["fields"]) == set(REPORT)
    assert post_json(program, FAILED, []).status_code == 400


def test_the_same_key_and_body_give_the_first_row_again(program: Client) -> None:
    first = post_json(program, FAILED, REPORT, headers={"Idempotency-Key": "a-1"})
    again = post_json(program, FAILED, REPORT, headers={"Idempotency-Key": "a-1"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    same_moment = {**REPORT, "failedAt": "2026-06-01T00:00:00Z", "receiver": RECEIVER}
    assert post_json(program, FAILED, same_moment, headers={"Idempotency-Key": "a-1"}).status_code == 201
    assert FailedNotification.objects.count() == 1


@pytest.mark.parametrize("name", list(REPORT))
def test_the_same_key_with_another_body_is_refused(program: Client, name: str) -> None:
    other = {"receiver": "0898765432", "message": "Lain", "error": "other", "failedAt": "2026-06-02T00:00:00Z"}
    post_json(program, FAILED, REPORT, headers={"Idempotency-Key": "a-1"})
    refused = post_json(program, FAILED, {**REPORT, name: other[name]}, headers={"Idempotency-Key": "a-1"})
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert FailedNotification.objects.count() == 1


def test_keys_of_two_programs_do_not_meet_and_no_key_is_no_promise(program: Client) -> None:
    _row, key = api_keys.issue(name="presensi", by="admin")
    other = Client(headers={"Authorization": f"Api-Key {key}"})
    for client in (program, other):
        assert post_json(client, FAILED, REPORT, headers={"Idempotency-Key": "a-1"}).status_code == 201
    for _ in range(2):
        post_json(program, FAILED, REPORT)
    assert FailedNotification.objects.count() == 4


@pytest.mark.parametrize("key", ["", "x" * 201, "kunci-é"])
def test_a_key_that_cannot_be_kept_is_400(program: Client, key: str) -> None:
    response = post_json(program, FAILED, REPORT, headers={"Idempotency-Key": key})
    assert response.status_code == 400
    assert response.json()["fields"]["Idempotency-Key"]


# -- sending again -------------------------------------------------------------------------------------------------


def test_a_retry_queues_it_once_and_says_as_what(program: Client) -> None:
    failed = make_failed()
    response = post_json(program, retry_of(failed))
    assert response.status_code == 202
    body = response.json()
    again = Notification.objects.get()
    assert body["notificationId"] == str(again.pk)
    assert (body["data"]["id"], body["data"]["retried"]) == (str(failed.pk), True)
    assert (again.receiver, again.message, again.retry_of) == (RECEIVER, failed.message, failed)
    failed.refresh_from_db()
    assert failed.retried_by == "api:rapor"


def test_the_second_one_is_told_what_happened(program: Client) -> None:
    failed = make_failed()
    post_json(program, retry_of(failed))
    again = Notification.objects.get()
    Notification.objects.update(state="sent", sent_at=timezone.now())
    response = post_json(program, retry_of(failed))
    assert response.status_code == 409
    body = response.json()
    failed.refresh_from_db()
    assert failed.retried_at is not None
    assert body.pop("message")
    assert body == {
        "success": False,
        "code": "already_retried",
        "retriedAt": failed.retried_at.isoformat().replace("+00:00", "Z"),
        "notificationId": str(again.pk),
        "state": "sent",
    }
    assert Notification.objects.count() == 1


def test_a_number_that_is_none_stays_to_be_corrected(program: Client) -> None:
    failed = make_failed(receiver="rumah pak RT")
    response = post_json(program, retry_of(failed))
    assert (response.status_code, response.json()["code"]) == (422, "bad_receiver")
    assert "letters" in response.json()["message"]
    assert post_json(program, f"{FAILED}/retry", {"filter": {}}).json()["count"] == 0
    failed.refresh_from_db()
    assert not failed.retried


def test_a_gateway_that_is_gone_does_not_keep_a_message(program: Client) -> None:
    assert post_json(program, retry_of(make_failed(gateway="abolished"))).status_code == 202
    assert Notification.objects.get().gateway == "console"


def test_what_does_not_exist_is_404(program: Client) -> None:
    response = post_json(program, f"{FAILED}/{uuid4()}/retry")
    assert (response.status_code, response.json()["code"]) == (404, "no_such_failure")
    assert post_json(program, f"{FAILED}/5/retry").status_code == 404
    assert program.get(retry_of(make_failed())).status_code == 405


def test_many_by_ids_first_counted_then_done(program: Client) -> None:
    rows = [make_failed() for _ in range(3)] + [make_failed(retried=True)]
    make_failed()
    chosen = [str(row.pk) for row in rows] + [str(uuid4()), str(rows[0].pk)]
    dry = post_json(program, f"{FAILED}/retry", {"ids": chosen, "dryRun": True})
    assert dry.status_code == 200
    assert dry.json() == {"success": True, "dryRun": True, "count": 3, "skipped": 2}
    assert Notification.objects.count() == 0
    done = post_json(program, f"{FAILED}/retry", {"ids": chosen})
    assert done.status_code == 202
    assert done.json() == {"success": True, "dryRun": False, "count": 3, "skipped": 2}
    assert Notification.objects.count() == 3
    assert post_json(program, f"{FAILED}/retry", {"ids": chosen}).json()["count"] == 0
    assert Notification.objects.count() == 3


def test_many_by_filter(program: Client) -> None:
    june = datetime(2026, 6, 1, tzinfo=UTC)
    make_failed(gateway="fonnte", failed_at=june)
    make_failed(gateway="waha", failed_at=june)
    make_failed(gateway="fonnte", failed_at=june - timedelta(days=9))
    make_failed(gateway="fonnte", failed_at=june, retried=True)
    chosen = {"gateway": "fonnte", "from": "2026-06-01", "retried": False}
    for dry_run, count in ((True, 1), (False, 1), (False, 0)):
        body = {"filter": chosen, "dryRun": dry_run}
        assert post_json(program, f"{FAILED}/retry", body).json()["count"] == count
    assert post_json(program, f"{FAILED}/retry", {"filter": {}}).json()["count"] == 2
    assert Notification.objects.count() == 3


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "ids"), ({"dryRun": True}, "ids"), ({"ids": []}, "ids"), ({"ids": ["x"]}, "ids"), ({"ids": "x"}, "ids"),
        ({"ids": [str(uuid4()) for _ in range(1_001)]}, "ids"), ({"filter": {}, "ids": [str(uuid4())]}, "ids"),
        ({"filter": {"gatway": "fonnte"}}, "filter"), ({"filter": {"retried": True}}, "filter"),
        ({"filter": {"receiver": "x"}}, "filter"), ({"filter": {"from": 5}}, "filter"), ({"filter": []}, "filter"),
        ({"filter": None}, "filter"), ({"filter": {}, "dryRun": "perhaps"}, "dryRun"),
    ],
)  # fmt: skip
def test_a_wrong_bulk_is_400_and_sends_nothing(program: Client, body: dict[str, Any], field: str) -> None:
    make_failed()
    response = post_json(program, f"{FAILED}/retry", body)
    assert response.status_code == 400, response.content
    assert set(response.json()["fields"]) == {field}
    assert Notification.objects.count() == 0
