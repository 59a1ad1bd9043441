"""Messages, gateways and API keys in the admin, and what holds for all its pages."""

import re
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from notifications import cancelling
from notifications.models import ApiKey, DeliveryTry, FailedNotification, GatewayState, Notification, Receipt, State
from tests.notifications.admin.pages import act, list_of, messages_of, page_of, rows_of
from tests.notifications.rows import (
    MASKED,
    RECEIVER,
    client_of,
    make_failed,
    make_notification,
    make_staff,
    make_try,
)

pytestmark = pytest.mark.django_db

PAGES = [Notification, FailedNotification, GatewayState, ApiKey]


# -- all of them ---------------------------------------------------------------------------------------------------


def test_every_table_that_staff_need_has_a_page():
    shown = {model for model in apps.get_app_config("notifications").get_models() if admin.site.is_registered(model)}
    assert shown == set(PAGES)
    assert {Receipt, DeliveryTry} == set(apps.get_app_config("notifications").get_models()) - shown


def test_the_queues_own_pages_are_gone(admin_client):
    assert "django_q" not in admin_client.get("/admin/").content.decode()


@pytest.mark.parametrize("model", PAGES)
def test_staff_without_permissions_see_nothing(model):
    assert client_of(make_staff()).get(list_of(model)).status_code == 403
    assert Client().get(list_of(model)).status_code == 302


@pytest.mark.parametrize("model", PAGES)
def test_a_longer_list_takes_no_more_queries(admin_client, model):
    def fill(count):
        for _ in range(count):
            failed = make_failed(with_tries=2)
            make_notification(retry_of=failed)
            number = ApiKey.objects.count()
            ApiKey.objects.create(name=f"k{number}", prefix=f"k{number:07d}", key_hash="x")

    fill(1)
    admin_client.get(list_of(model))
    with CaptureQueriesContext(connection) as few:
        admin_client.get(list_of(model))
    fill(8)
    with CaptureQueriesContext(connection) as many:
        admin_client.get(list_of(model))
    assert len(many) == len(few) <= 14, "\n".join(query["sql"] for query in many)


# -- the banner ----------------------------------------------------------------------------------------------------


def test_the_banner_says_how_the_gateways_are_and_what_waits(admin_client, settings):
    settings.NOTIFICATIONS_GATEWAYS = {name: {"backend": "console"} for name in ("utama", "cadangan", "lama")}
    long_ago = timezone.now() - timedelta(minutes=7)
    GatewayState.objects.create(
        alias="utama", is_open=True, opened_at=long_ago, probe_at=timezone.now(), reason="token invalid"
    )
    GatewayState.objects.create(alias="cadangan", paused_at=long_ago, paused_by="bu Ani")
    make_notification(gateway="utama", state=State.HELD, next_try_at=long_ago)
    make_notification(gateway="utama", next_try_at=long_ago)
    make_notification(gateway="abolished")
    make_notification(gateway="lama", next_try_at=timezone.now() + timedelta(hours=1))  # not due yet
    for page in (*map(list_of, PAGES), page_of(make_failed()), "/admin/notifications/apikey/add/"):
        response = admin_client.get(page)
        lines = {line.alias: line for line in response.context["gateway_lines"]}
        assert {alias: line.condition for alias, line in lines.items()} == {
            "utama": "open", "cadangan": "paused", "lama": "running", "abolished": "unknown",
        }  # fmt: skip
        assert (lines["utama"].due, lines["utama"].held, lines["lama"].due) == (1, 1, 0)
        assert 420 <= lines["utama"].oldest_seconds < 480
        body = response.content.decode()
        assert "token invalid" in body
        assert "bu Ani" in body
        assert 'data-condition="open"' in body


# -- messages ------------------------------------------------------------------------------------------------------


def test_messages_can_be_read_with_their_tries_and_filtered(admin_client):
    sent = make_notification(state=State.SENT, possible_duplicate=True, topic="exam:5:results")
    waiting = make_notification(state=State.WAITING, tries=1, error_class="gateway_down")
    make_try(waiting)

    def found(**query):
        return rows_of(admin_client.get(list_of(Notification), query))

    assert found(state="sent") == [sent]
    assert found(state="open") == [waiting]
    assert found(state="twice") == [sent]
    assert found(error_class="gateway_down") == [waiting]
    assert found(topic="exam:5:results") == [sent]
    assert found(q="08123456789") == [waiting, sent]
    assert "Internal Server Error" in admin_client.get(page_of(waiting)).content.decode()


def test_a_template_is_shown_in_words(admin_client):
    message = make_notification(message="", template={"name": "nilai", "language": "id", "parameters": ["Budi", 85]})
    assert "[nilai] Budi, 85" in admin_client.get(page_of(message)).content.decode()


def test_messages_are_masked():
    client = client_of(make_staff("notifications.view_notification"))
    message = make_notification()
    for page in (list_of(Notification), page_of(message)):
        body = client.get(page).content.decode()
        assert MASKED in body
        assert RECEIVER not in body
    assert rows_of(client.get(list_of(Notification), {"q": "62812"})) == []


def test_what_has_not_gone_can_be_cancelled_and_its_key_is_free_again(admin_client):
    open_ones = [make_notification(state=state, dedupe_key=f"k-{state}") for state in cancelling.CANCELLABLE]
    sent = make_notification(state=State.SENT, dedupe_key="k")
    response = act(admin_client, "cancel_selected", [*open_ones, sent])
    assert "3 messages are cancelled" in messages_of(response)
    assert "1 message is being sent or is done" in messages_of(response)
    for message in open_ones:
        message.refresh_from_db()
        assert (message.state, message.dedupe_key) == ("cancelled", None)
    sent.refresh_from_db()
    assert (sent.state, sent.dedupe_key) == ("sent", "k")
    assert LogEntry.objects.filter(change_message="Cancelled.").count() == 3


def test_who_may_only_look_cannot_cancel():
    message = make_notification()
    act(client_of(make_staff("notifications.view_notification")), "cancel_selected", [message])
    message.refresh_from_db()
    assert message.state == "queued"


# -- gateways ------------------------------------------------------------------------------------------------------


def test_pause_and_resume(admin_client):
    where = list_of(GatewayState)
    assert f'action="{where}console/pause/"' in admin_client.get(where).content.decode()
    response = admin_client.post(f"{where}console/pause/")
    assert "console is paused" in messages_of(response)
    assert GatewayState.objects.get().paused_by == "admin"
    assert f'action="{where}console/resume/"' in admin_client.get(where).content.decode()
    assert "may send again" in messages_of(admin_client.post(f"{where}console/resume/"))
    assert GatewayState.objects.get().paused_at is None
    assert [entry.change_message for entry in LogEntry.objects.order_by("pk")] == ["Paused.", "Resumed."]


def test_a_gateway_that_is_not_in_the_settings_has_no_buttons(admin_client):
    make_notification(gateway="abolished")
    where = list_of(GatewayState)
    assert "abolished/pause" not in admin_client.get(where).content.decode()
    assert admin_client.post(f"{where}abolished/pause/").status_code == 404


def test_who_may_only_look_cannot_pause():
    client = client_of(make_staff("notifications.view_gatewaystate"))
    where = list_of(GatewayState)
    assert "console/pause" not in client.get(where).content.decode()
    assert client.post(f"{where}console/pause/").status_code == 403
    assert client.get(f"{where}console/resume/").status_code == 403
    assert not GatewayState.objects.filter(paused_at__isnull=False).exists()


# -- API keys ------------------------------------------------------------------------------------------------------


def test_a_key_is_shown_once_and_works_until_it_is_revoked(admin_client):
    response = admin_client.post("/admin/notifications/apikey/add/", {"name": "rapor"})
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    [key] = set(re.findall(r"tu_[a-z0-9]{8}_[\w-]{43}", response.content.decode()))
    row = ApiKey.objects.get()
    assert (row.name, row.created_by) == ("rapor", "admin")
    program = Client(headers={"Authorization": f"Api-Key {key}"})
    assert program.get("/api/notifications/failed").status_code == 200
    for page in (list_of(ApiKey), page_of(row), page_of(row, "history")):
        body = admin_client.get(page).content.decode()
        assert key not in body
        assert row.key_hash not in body
    assert "1 key is revoked" in messages_of(act(admin_client, "revoke", [row]))
    assert program.get("/api/notifications/failed").status_code == 401
    assert "0 keys are revoked" in messages_of(act(admin_client, "revoke", [row]))
    assert [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")] == ["Added.", "Revoked."]


def test_a_reload_of_the_page_makes_no_second_key(admin_client):
    for _ in range(2):
        response = admin_client.post("/admin/notifications/apikey/add/", {"name": "rapor"})
    assert "already exists" in response.content.decode()
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize("permission", ["view", "change"])
def test_only_who_may_add_keys_makes_one(permission):
    client = client_of(make_staff(f"notifications.{permission}_apikey"))
    assert client.post("/admin/notifications/apikey/add/", {"name": "rapor"}).status_code == 403
    assert ApiKey.objects.count() == 0


def test_a_key_can_be_neither_edited_nor_deleted(admin_client):
    admin_client.post("/admin/notifications/apikey/add/", {"name": "rapor"})
    row = ApiKey.objects.get()
    assert admin_client.post(page_of(row), {"name": "lain"}).status_code == 403
    assert admin_client.post(page_of(row, "delete"), {"post": "yes"}).status_code == 403
