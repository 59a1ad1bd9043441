"""The settings of `exams`. What finds wrong ones: test_checks.py."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from exams.conf import ExamsConf, conf


def test_without_settings_everything_has_its_default() -> None:
    assert conf() == ExamsConf()


def test_a_setting_is_read_on_every_call(settings: Any) -> None:
    settings.EXAMS_SAVE_GRACE_SECONDS = 5
    assert conf().save_grace_seconds == 5
    settings.EXAMS_SAVE_GRACE_SECONDS = 7
    assert conf().save_grace_seconds == 7
    assert conf().ticket_seconds == ExamsConf().ticket_seconds


@pytest.mark.parametrize("name", [field.name for field in fields(ExamsConf)])
def test_every_setting_can_be_changed(settings: Any, name: str) -> None:
    setattr(settings, f"EXAMS_{name.upper()}", 12345)
    assert getattr(conf(), name) == 12345
