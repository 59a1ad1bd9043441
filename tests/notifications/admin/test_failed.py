"""Failed messages in the admin: found, read, sent again once."""

import csv
import io
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from notifications import retries
from notifications.models import FailedNotification, Notification
from tests.notifications.admin.pages import act, list_of, messages_of, page_of, rows_of
from tests.notifications.rows import MASKED, RECEIVER, client_of, make_failed, make_notification, make_staff

pytestmark = pytest.mark.django_db

LIST = "/admin/notifications/failednotification/"
MAY_RETRY = ("notifications.view_failednotification", "notifications.change_failednotification")


def seen_at(response):
    """The moment that the page of confirmation was counted at."""
    return response.context["seen_at"]


# -- one -----------------------------------------------------------------------------------------------------------


def test_the_button_sends_again_once_and_comes_back_to_the_filtered_list(admin_client):
    failed = make_failed()
    where = f"{LIST}?retried__exact=0"
    assert f'formaction="{page_of(failed, "retry")}"' in admin_client.get(where).content.decode()
    response = admin_client.post(page_of(failed, "retry"), headers={"Referer": f"http://testserver{where}"})
    assert (response.status_code, response["Location"]) == (302, where)
    again = Notification.objects.get()
    assert "Queued once more." in messages_of(response)
    assert page_of(again) in messages_of(response)
    failed.refresh_from_db()
    assert (failed.retried, failed.retried_by) == (True, "admin")
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.get_change_message()) == (str(failed.pk), "Sent again.")
    assert "nothing was sent twice" in messages_of(admin_client.post(page_of(failed, "retry")))
    assert Notification.objects.count() == 1
    assert LogEntry.objects.count() == 1


@pytest.mark.parametrize(
    "referer", ["", "http://evil.test" + LIST, "http://testserver/admin/logout/", "http://testserver.evil.test" + LIST]
)
def test_the_button_leads_nowhere_else(admin_client, referer):
    response = admin_client.post(page_of(make_failed(), "retry"), headers={"Referer": referer})
    assert response["Location"] == LIST


def test_opening_the_buttons_address_sends_nothing(admin_client):
    failed = make_failed()
    assert admin_client.get(page_of(failed, "retry")).status_code == 405
    assert Notification.objects.count() == 0


def test_a_bad_number_is_said_and_stays(admin_client):
    failed = make_failed(receiver="rumah pak RT")
    response = admin_client.post(page_of(failed, "retry"))
    assert "Not sent again: A phone number has no letters." in messages_of(response)
    failed.refresh_from_db()
    assert not failed.retried
    assert LogEntry.objects.count() == 0


def test_a_row_that_was_pruned_meanwhile_is_said(admin_client):
    failed = make_failed()
    address = page_of(failed, "retry")
    failed.delete()
    response = admin_client.post(address)
    assert response.status_code == 302
    assert "no longer here" in messages_of(response)


def test_who_may_only_look_sees_no_button_and_cannot_press_it():
    client = client_of(make_staff("notifications.view_failednotification"))
    failed = make_failed()
    for page in (LIST, page_of(failed)):
        assert "Send again" not in client.get(page).content.decode()
    assert client.post(page_of(failed, "retry")).status_code == 403
    act(client, "retry_selected", [failed], seen_at=timezone.now().isoformat())
    assert Notification.objects.count() == 0


def test_nobody_else_gets_in(client):
    failed = make_failed()
    assert client.post(page_of(failed, "retry"))["Location"].startswith("/admin/login/")
    assert client_of(make_staff()).get(LIST).status_code == 403
    assert Notification.objects.count() == 0


# -- many ----------------------------------------------------------------------------------------------------------


def test_retry_selected_counts_first_and_then_does_it(admin_client):
    rows = [make_failed(), make_failed(error_class="gateway_down"), make_failed(retried=True)]
    asked = act(admin_client, "retry_selected", rows)
    body = asked.content.decode()
    assert asked.context["count"] == 2
    assert "2 messages are sent again." in body
    assert "1 of the selected was sent again before" in body
    assert "1 of them may have arrived" in body
    assert Notification.objects.count() == 0
    done = act(admin_client, "retry_selected", rows, seen_at=seen_at(asked))
    assert "2 messages are queued once more." in messages_of(done)
    assert "1 was left out" in messages_of(done)
    assert Notification.objects.count() == 2
    assert set(LogEntry.objects.values_list("object_id", flat=True)) == {str(row.pk) for row in rows[:2]}
    again = act(admin_client, "retry_selected", rows, seen_at=seen_at(asked))
    assert "3 were left out" in messages_of(again)
    assert Notification.objects.count() == 2
    assert LogEntry.objects.count() == 2


def test_select_all_means_what_the_page_had_counted(admin_client):
    rows = [make_failed(gateway="console") for _ in range(3)]
    make_failed(gateway="fonnte")
    everyone = {"select_across": "1", "query": "?gateway=console"}
    asked = act(admin_client, "retry_selected", rows[:1], **everyone)
    assert asked.context["count"] == 3
    assert 'name="select_across" value="1"' in asked.content.decode()
    late = make_failed(gateway="console")
    done = act(admin_client, "retry_selected", rows[:1], seen_at=seen_at(asked), **everyone)
    assert "3 messages are queued" in messages_of(done)
    late.refresh_from_db()
    assert not late.retried


def test_nothing_to_send_again_offers_no_button(admin_client):
    asked = act(admin_client, "retry_selected", [make_failed(retried=True)])
    assert "There is nothing to send again." in asked.content.decode()
    assert 'id="confirm"' not in asked.content.decode()


# -- finding -------------------------------------------------------------------------------------------------------


def test_filters(admin_client):
    old = make_failed(failed_at=timezone.now() - timedelta(days=40), gateway="abolished", error_class="other")
    new = make_failed(error_class="bad_recipient")
    done = make_failed(retried=True)

    def found(**query):
        return set(rows_of(admin_client.get(LIST, query)))

    assert found(retried__exact="0") == {old, new}
    assert found(retried__exact="1") == {done}
    assert found(gateway="console") == {new, done}
    assert found(gateway="-") == {old}
    assert found(error_class="bad_recipient") == {new}
    assert found(error_class="-") == {old}
    assert found(failed_at__gte=(timezone.now() - timedelta(days=7)).isoformat()) == {new, done}


@pytest.mark.parametrize("typed", ["0812-3456-789", "628123456789", "+62 812 3456 789", "08123", "3456", " 0812 3456 "])
def test_a_number_is_found_as_it_is_typed(typed):
    client = client_of(make_staff(*MAY_RETRY, "notifications.see_numbers"))
    failed = make_failed()
    make_failed(receiver="628987654321")
    assert rows_of(client.get(LIST, {"q": typed})) == [failed]


def test_who_may_not_see_numbers_finds_whole_ones_only_and_gets_them_masked():
    client = client_of(make_staff(*MAY_RETRY))
    failed = make_failed(with_tries=1)
    response = client.get(LIST, {"q": "0812-3456-789"})
    assert rows_of(response) == [failed]
    for guess in ("62812", "0812345678", "789"):
        assert rows_of(client.get(LIST, {"q": guess})) == []
    for lookup in ("receiver__startswith", "receiver__contains", "receiver", "notification__receiver__startswith"):
        assert client.get(LIST, {lookup: "62812"}).status_code == 400 or not client.get(LIST, {lookup: "62812"}).context
    for page in (LIST, page_of(failed)):
        body = client.get(page).content.decode()
        assert MASKED in body
        assert RECEIVER not in body
        assert "3456" not in body


def test_who_may_see_numbers_sees_them():
    client = client_of(make_staff(*MAY_RETRY, "notifications.see_numbers"))
    failed = make_failed()
    for page in (LIST, page_of(failed)):
        assert RECEIVER in client.get(page).content.decode()
    assert rows_of(client.get(LIST, {"receiver__startswith": "62812"})) == [failed]


def test_the_history_never_has_a_number(admin_client):
    failed = make_failed()
    admin_client.post(page_of(failed, "retry"))
    assert RECEIVER not in LogEntry.objects.get().object_repr
    assert RECEIVER not in str(failed)
    assert RECEIVER not in str(make_notification())


# -- CSV -----------------------------------------------------------------------------------------------------------


def cells_of(response):
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    text = response.content.decode("utf-8-sig")
    header, *rows = csv.reader(io.StringIO(text))
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_the_download_has_what_was_chosen(admin_client):
    rows = [make_failed(message='Yth. Bapak, "Budi"\nhadir'), make_failed()]
    make_failed()
    response = act(admin_client, "export_csv", rows)
    assert {cell["id"] for cell in cells_of(response)} == {str(row.pk) for row in rows}
    assert 'Yth. Bapak, "Budi"\nhadir' in {cell["message"] for cell in cells_of(response)}
    assert {cell["receiver"] for cell in cells_of(response)} == {RECEIVER}
    assert "no-store" in response["Cache-Control"]
    assert "2 rows" in LogEntry.objects.get().change_message


def test_the_download_is_masked_for_who_may_not_see_numbers():
    response = act(client_of(make_staff("notifications.view_failednotification")), "export_csv", [make_failed()])
    assert [cell["receiver"] for cell in cells_of(response)] == [MASKED]
    assert RECEIVER not in response.content.decode()


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t=", "\r=", "\n=", " =", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
)
def test_no_cell_is_a_formula(admin_client, start):
    failed = make_failed(message=f"{start}1+1", error=f"{start}cmd|' /C calc'!A0", receiver=f"{start.strip()}62"[:32])
    [cells] = cells_of(act(admin_client, "export_csv", [failed]))
    for name in ("message", "error"):
        assert cells[name].startswith(f"'{start}")
    assert not cells["receiver"].startswith(("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"))


# -- the page of one -----------------------------------------------------------------------------------------------


def test_the_page_tells_the_tries_and_the_whole_chain(admin_client):
    first = make_failed(with_tries=3, failed_at=timezone.now() - timedelta(hours=2), error="disconnected")
    again = retries.retry_failed(failed_id=first.pk, by="bu Ani")
    assert again is not None
    second = make_failed(retry_of=first, notification=again, failed_at=timezone.now() - timedelta(hours=1))
    last = retries.retry_failed(failed_id=second.pk, by="api:rapor")
    assert last is not None
    Notification.objects.filter(pk=last.pk).update(state="sent", sent_at=timezone.now())
    for page, tries in ((page_of(first), 3), (page_of(second), 0), (page_of(again), 0), (page_of(last), 0)):
        response = admin_client.get(page)
        assert len(response.context["tries"]) == tries
        links = response.context["chain"]
        assert [link.failed for link in links] == [first, second]
        assert [link.again for link in links] == [again, last]
        body = response.content.decode()
        assert "bu Ani" in body
        assert "api:rapor" in body
    body = admin_client.get(page_of(first)).content.decode()
    assert "Internal Server Error" in body
    assert "It may have been sent." in body, "what the kind of error means"


def test_nothing_can_be_typed_added_or_deleted(admin_client):
    failed = make_failed()
    assert admin_client.post(page_of(failed), {"retried": "on"}).status_code == 403
    assert admin_client.get(f"{LIST}add/").status_code == 403
    assert admin_client.post(page_of(failed, "delete"), {"post": "yes"}).status_code == 403
    act(admin_client, "delete_selected", [failed], post="yes")
    assert FailedNotification.objects.filter(pk=failed.pk, retried=False).exists()


def test_a_message_cannot_put_markup_into_the_pages(admin_client):
    evil = "<script>alert(1)</script>"
    failed = make_failed(message=evil, error=evil, with_tries=1, receiver="628123456789")
    for page in (LIST, page_of(failed), list_of(Notification), page_of(Notification.objects.get())):
        body = admin_client.get(page).content.decode()
        assert evil not in body
