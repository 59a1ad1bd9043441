"""What staff do about messages in a real browser: see what failed, send it again, stop a gateway, tell parents."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from notifications.models import ApiKey, GatewayState, Notification, State
from tests.browser.conftest import Window
from tests.browser.test_staff import log_in
from tests.exams.factories import make_attempt, make_exam, make_student
from tests.notifications.rows import make_failed, make_notification, make_try

pytestmark = pytest.mark.django_db(transaction=True)


def stop_the_gateway() -> None:
    """As its breaker does: a wrong token, three messages held."""
    since = timezone.now() - timedelta(minutes=12)
    GatewayState.objects.update_or_create(
        alias="console",
        defaults={
            "is_open": True,
            "failures": 5,
            "opened_at": since,
            "probe_at": timezone.now() + timedelta(minutes=3),
            "reason": "token invalid",
            "error_class": "gateway_auth",
        },
    )
    for _ in range(3):
        make_notification(state=State.HELD, next_try_at=since)


def test_failed_messages_are_found_read_and_sent_again(window: Window) -> None:
    kinds = [("unknown", "request timeout"), ("bad_recipient", "target invalid"), ("gateway_down", "disconnected")]
    for number, (kind, error) in enumerate(kinds * 2):
        make_failed(
            receiver=f"62812345678{number:02d}",
            message="Yth. orang tua/wali Siti (kelas 7A), nilai Ujian IPA: 7,5 dari 10.",
            error=error,
            error_class=kind,
            failed_at=timezone.now() - timedelta(hours=number),
            with_tries=3,
        )
    log_in(window)
    page = window.page
    page.goto("/admin/notifications/failednotification/?retried__exact=0")
    window.screenshot("admin-failed-messages")
    button = page.locator("#result_list tbody tr:nth-child(1) button[type=submit]")
    table = page.locator("#changelist .results").bounding_box()
    place = button.bounding_box()
    assert table is not None
    assert place is not None
    assert place["x"] + place["width"] <= table["x"] + table["width"], "seen without scrolling"
    button.click()
    page.wait_for_selector(".messagelist:not(#gateways) .success")
    assert page.url.endswith("?retried__exact=0"), "back to where one was"
    assert page.locator("#result_list tbody tr").count() == 5
    window.screenshot("admin-failed-sent-again")
    page.check("#action-toggle")
    page.select_option("select[name=action]", "retry_selected")
    page.click("#changelist-form .actions button")
    page.wait_for_selector("#confirm")
    assert page.get_attribute("#count", "data-count") == "5"
    window.screenshot("admin-failed-confirm")
    page.click("#confirm")
    page.wait_for_selector(".messagelist:not(#gateways) .success")
    assert Notification.objects.filter(retry_of__isnull=False).count() == 6
    page.goto("/admin/notifications/failednotification/")
    page.click("#result_list tbody tr:nth-child(1) th a")
    page.wait_for_selector("#tries")
    assert page.locator("#tries tbody tr").count() == 3
    assert page.locator("#chain li").count() == 1
    window.screenshot("admin-failed-message")
    assert window.complaints == []


def test_a_gateway_is_seen_in_trouble_and_started_again(window: Window) -> None:
    stop_the_gateway()
    make_try(make_notification(state=State.SENT))
    log_in(window)
    page = window.page
    page.goto("/admin/notifications/notification/")
    assert page.get_attribute("[data-gateway=console]", "data-condition") == "open"
    window.screenshot("admin-messages")
    page.goto("/admin/notifications/gatewaystate/")
    window.screenshot("admin-gateways")
    page.click("tr[data-gateway=console] form[action$='/resume/'] input[type=submit]")
    page.wait_for_selector("[data-gateway=console][data-condition=running]")
    page.click("tr[data-gateway=console] form[action$='/pause/'] input[type=submit]")
    page.wait_for_selector("[data-gateway=console][data-condition=paused]")
    window.screenshot("admin-gateway-paused")
    page.click("tr[data-gateway=console] form[action$='/resume/'] input[type=submit]")
    page.wait_for_selector("[data-gateway=console][data-condition=running]")
    assert not GatewayState.objects.filter(paused_at__isnull=False).exists()
    assert window.complaints == []


def test_an_api_key_is_shown_once(window: Window) -> None:
    log_in(window)
    page = window.page
    page.goto("/admin/notifications/apikey/add/")
    page.fill("#id_name", "rapor")
    page.click("input[name=_save]")
    page.wait_for_selector("#key")
    key = page.input_value("#key")
    assert key.startswith(f"tu_{ApiKey.objects.get().prefix}_")
    window.screenshot("admin-api-key")
    page.goto("/admin/notifications/apikey/")
    assert key not in page.content()
    window.screenshot("admin-api-keys")
    assert window.complaints == []


def test_parents_are_told_the_results(window: Window) -> None:
    exam = make_exam(published=True, title="Ujian IPA Kelas 7")
    names = ["Ahmad Fauzi", "Budi Santoso", "Citra Lestari", "Dewi Anggraini", "Eko Prasetyo"]
    for number, name in enumerate(names):
        who = make_student(name=name, parent_phone=f"62812345678{number:02d}")
        make_attempt(exam, who, status="submitted", score=Decimal("7.5") + number % 3, max_score=Decimal(10))
    make_attempt(exam, make_student(name="Fitri Handayani"), status="submitted")
    log_in(window)
    page = window.page
    page.goto(f"/admin/exams/exam/{exam.pk}/change/")
    page.click(f"a[href='/admin/exams/exam/{exam.pk}/notify/results/']")
    page.wait_for_selector("#plan")
    assert page.get_attribute("#plan", "data-count") == "5"
    assert page.locator(".preview").count() == 3
    assert "Fitri Handayani" in page.inner_text("#unreachable")
    window.screenshot("admin-notify-parents")
    page.click("input[name=_send]")
    page.wait_for_selector("#notify-progress")
    assert page.inner_text("[data-kind=results] [data-count=total]") == "5"
    rows = list(Notification.objects.order_by("pk"))
    for row, state in zip(rows, (State.SENT, State.DELIVERED, State.READ, State.FAILED), strict=False):
        Notification.objects.filter(pk=row.pk).update(state=state, sent_at=timezone.now())
    make_failed(notification=rows[3])
    page.reload()
    shown = {
        cell: page.inner_text(f"[data-kind=results] [data-count={cell}]") for cell in ("waiting", "sent", "failed")
    }
    assert shown == {"waiting": "1", "sent": "1", "failed": "⚠ 1"}
    window.screenshot("admin-exam-progress")
    page.click("[data-count=failed] a")
    page.wait_for_selector("#result_list")
    assert page.locator("#result_list tbody tr").count() == 1
    page.goto(f"/admin/exams/exam/{exam.pk}/notify/absent/")
    window.screenshot("admin-notify-absent")
    assert window.complaints == []
