"""Wrong settings are named at start. Those of one gateway: backends/test_checks.py."""

from __future__ import annotations

from typing import Any

import pytest

from notifications.checks import check_conf

TWO = {"satu": {"backend": "memory"}, "dua": {"backend": "memory"}}


def ids() -> list[str | None]:
    return [found.id for found in check_conf()]


def test_the_defaults_are_right() -> None:
    assert ids() == []


def test_an_unknown_name_is_found(settings: Any) -> None:
    settings.NOTIFICATIONS_GATEWAY = "fonnte"
    assert ids() == ["notifications.E001"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_TRIES", 0),
        ("MAX_TRIES", 2.5),
        ("WORKERS", 0),
        ("WORKERS", True),
        ("IN_FLIGHT", -1),
        ("PER_SECOND", -1.0),
        ("PER_SECOND", float("nan")),
        ("RECEIVER_GAP_SECONDS", float("inf")),
        ("DEADLINE_SECONDS", "ten"),
        ("BREAKER_FAILURES", 0),
    ],
)
def test_a_value_that_makes_no_sense_is_found(settings: Any, name: str, value: object) -> None:
    setattr(settings, f"NOTIFICATIONS_{name}", value)
    assert ids() == ["notifications.E002"]


@pytest.mark.parametrize("name", ["IN_FLIGHT", "PER_SECOND", "RECEIVER_GAP_SECONDS"])
def test_zero_means_none_where_it_can(settings: Any, name: str) -> None:
    setattr(settings, f"NOTIFICATIONS_{name}", 0)
    assert ids() == []


def test_a_default_gateway_that_is_not_there_is_found(settings: Any) -> None:
    settings.NOTIFICATIONS_DEFAULT_GATEWAY = "fonnte"
    assert ids() == ["notifications.E003"]


def test_a_region_that_is_none_is_found(settings: Any) -> None:
    settings.NOTIFICATIONS_REGION = "Indonesia"
    assert ids() == ["notifications.E004"]


def test_a_deadline_beyond_its_task_is_found(settings: Any) -> None:
    settings.NOTIFICATIONS_DEADLINE_SECONDS = 30
    assert ids() == ["notifications.E005"]


def test_a_gateway_that_may_take_all_workers_is_found(settings: Any) -> None:
    settings.NOTIFICATIONS_GATEWAYS = TWO
    assert ids() == []
    settings.NOTIFICATIONS_IN_FLIGHT = 4
    assert ids() == ["notifications.W001"]
    settings.NOTIFICATIONS_IN_FLIGHT = 0
    settings.NOTIFICATIONS_GATEWAYS = TWO | {"tiga": {"backend": "memory", "in_flight": 4}}
    assert ids() == ["notifications.W001"]
    settings.NOTIFICATIONS_GATEWAYS = {"satu": {"backend": "memory", "in_flight": 4}}
    assert ids() == []  # alone, it takes them from nobody
