"""The settings of `notifications`. What finds wrong ones: test_checks.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from notifications.conf import NotificationsConf, conf
from tests.web import PROJECT


def test_without_settings_everything_has_its_default() -> None:
    assert conf() == NotificationsConf()
    assert conf().default_alias == "console"


def test_a_setting_is_read_on_every_call(settings: Any) -> None:
    settings.NOTIFICATIONS_MAX_TRIES = 4
    assert conf().max_tries == 4
    settings.NOTIFICATIONS_MAX_TRIES = 5
    assert conf().max_tries == 5


def test_one_worker_stays_free_for_other_gateways(settings: Any) -> None:
    settings.NOTIFICATIONS_GATEWAYS = {"a": {}, "b": {"in_flight": 1, "per_second": 0.5}}
    assert (conf().in_flight_of("a"), conf().in_flight_of("b")) == (3, 1)
    assert (conf().per_second_of("a"), conf().per_second_of("b")) == (10.0, 0.5)
    settings.NOTIFICATIONS_WORKERS = 1
    assert conf().in_flight_of("a") == 1
    settings.NOTIFICATIONS_IN_FLIGHT = 2
    assert conf().in_flight_of("a") == 2


def settings_with(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "import django; django.setup(); from notifications.conf import conf; from django.conf import settings; "
            "print(conf().gateways, conf().workers, conf().per_second, settings.Q_CLUSTER['workers'])",
        ],
        cwd=PROJECT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": "postgresql://u@/x",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_environment_is_read() -> None:
    gateways = {"utama": {"backend": "memory"}}
    run = settings_with(
        NOTIFICATIONS_GATEWAYS=json.dumps(gateways), NOTIFICATIONS_WORKERS="2", NOTIFICATIONS_PER_SECOND="0.5"
    )
    assert run.stdout.strip() == f"{gateways} 2 0.5 2", run.stderr


def test_an_environment_that_cannot_be_read_is_said() -> None:
    assert "NOTIFICATIONS_GATEWAYS is no JSON" in settings_with(NOTIFICATIONS_GATEWAYS="{utama}").stderr
    assert "NOTIFICATIONS_WORKERS is 'four'" in settings_with(NOTIFICATIONS_WORKERS="four").stderr
