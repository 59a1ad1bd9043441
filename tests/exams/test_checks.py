"""Every wrong setting is named at start, with what to type instead."""

from __future__ import annotations

import math
from typing import Any

import pytest
from django.core.checks import run_checks

from exams.checks import check_conf


def found() -> list[str | None]:
    return [message.id for message in check_conf()]


def test_the_defaults_are_right() -> None:
    assert found() == []


def test_the_checks_run_at_start(settings: Any) -> None:
    settings.EXAMS_SAVE_GRACE_SECONDS = -1
    assert "exams.E002" in [message.id for message in run_checks()]


def test_a_setting_that_nobody_reads_is_a_typing_error(settings: Any) -> None:
    settings.EXAMS_SAVE_GRACE = 60
    [message] = check_conf()
    assert message.id == "exams.E001"
    assert "EXAMS_SAVE_GRACE " in message.msg
    assert message.hint


@pytest.mark.parametrize("value", [-1, "60", None, True, 2.5, math.nan, math.inf])
@pytest.mark.parametrize("name", ["EXAMS_SAVE_GRACE_SECONDS", "EXAMS_SAVE_BATCH_MAX"])
def test_a_wrong_value_is_named(settings: Any, name: str, value: Any) -> None:
    setattr(settings, name, value)
    [message] = check_conf()
    assert message.id == "exams.E002"
    assert name in message.msg
    assert "default" in (message.hint or "")


@pytest.mark.parametrize(
    ("name", "value", "ids"),
    [
        ("EXAMS_SAVE_GRACE_SECONDS", 0, []),  # no grace is a choice, no batch is not
        ("EXAMS_SAVE_BATCH_MAX", 0, ["exams.E002"]),
        ("EXAMS_SAVE_WAIT_SECONDS", 2.5, []),
        ("EXAMS_SAVE_WAIT_SECONDS", math.nan, ["exams.E002"]),
        ("EXAMS_SAVE_WAIT_SECONDS", 0, ["exams.E002"]),
    ],
)
def test_the_edges(settings: Any, name: str, value: Any, ids: list[str]) -> None:
    setattr(settings, name, value)
    assert found() == ids


@pytest.mark.parametrize(
    ("https", "debug", "hosts", "ids"),
    [
        (False, False, ["localhost", "ujian.sekolah.lan"], ["exams.W001"]),
        (False, False, ["*"], ["exams.W001"]),
        (False, False, ["192.168.1.10"], ["exams.W001"]),
        (True, False, ["ujian.sekolah.lan"], []),
        (False, True, ["ujian.sekolah.lan"], []),
        (False, False, ["localhost", "127.0.0.1", "[::1]", "ujian.localhost"], []),
    ],
)
def test_plain_http_for_students_is_said_at_start(
    settings: Any, https: bool, debug: bool, hosts: list[str], ids: list[str]
) -> None:
    settings.HTTPS, settings.DEBUG, settings.ALLOWED_HOSTS = https, debug, hosts
    found = [message for message in run_checks() if str(message.id).startswith("exams.")]
    assert [message.id for message in found] == ids
    assert all("docs/howto/https-on-a-lan.md" in (message.hint or "") for message in found)
