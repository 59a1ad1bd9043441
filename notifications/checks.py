"""
System checks: every wrong setting is named at start, with what to type instead. Ids are lasting.

Not here: what is wrong with one gateway (`backends/checks.py`, from E020 on).
"""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import phonenumbers
from django.conf import settings
from django.core import checks

from notifications.conf import NotificationsConf, conf

_PREFIX = "NOTIFICATIONS_"
#: None or less means something for these; of the others there is no zero.
_MAY_BE_ZERO = {"in_flight", "per_second", "receiver_gap_seconds"}
#: A task of 3 s, one call and its record must end before django-q2's 15 s.
DEADLINE_MAX_SECONDS = 10


@checks.register
def check_conf(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Wrong values of `NOTIFICATIONS_*`."""
    known = {f"{_PREFIX}{field.name.upper()}" for field in fields(NotificationsConf)}
    found: list[checks.CheckMessage] = [
        checks.Error(
            f"{name} is not a setting of Tahan Uji.",
            hint="docs/reference/settings.md lists them; look for a typing error.",
            id="notifications.E001",
        )
        for name in dir(settings)
        if name.startswith(_PREFIX) and name not in known
    ]
    values = conf()
    for field in fields(NotificationsConf):
        value, name = getattr(values, field.name), f"{_PREFIX}{field.name.upper()}"
        if not isinstance(field.default, int | float):
            continue
        least = 0 if field.name in _MAY_BE_ZERO else 1
        kinds, noun = (int, "whole number") if isinstance(field.default, int) else (int | float, "number")
        # "not between" rather than "outside", so that NaN is refused too.
        if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value < math.inf:
            found.append(
                checks.Error(
                    f"{name} is {value!r}, which is no {noun} from {least} on.",
                    hint=f"Leave it out for the default, {field.default!r}.",
                    id="notifications.E002",
                )
            )
    return found or _check_together(values)


def _check_together(values: NotificationsConf) -> list[checks.CheckMessage]:
    found: list[checks.CheckMessage] = []
    if values.default_gateway and values.default_gateway not in values.gateways:
        found.append(
            checks.Error(
                f"NOTIFICATIONS_DEFAULT_GATEWAY is {values.default_gateway!r}, which is not in NOTIFICATIONS_GATEWAYS.",
                hint=f"Use one of {', '.join(values.gateways)}, or leave it out for the first.",
                id="notifications.E003",
            )
        )
    if values.region not in phonenumbers.SUPPORTED_REGIONS:
        found.append(
            checks.Error(
                f"NOTIFICATIONS_REGION is {values.region!r}, which is no region of phone numbers.",
                hint="Use the two capital letters of a country, as in ID.",
                id="notifications.E004",
            )
        )
    if values.deadline_seconds > DEADLINE_MAX_SECONDS:
        found.append(
            checks.Error(
                f"NOTIFICATIONS_DEADLINE_SECONDS is {values.deadline_seconds}: a call could outlive its task.",
                hint=f"Use {DEADLINE_MAX_SECONDS} or less.",
                id="notifications.E005",
            )
        )
    if not isinstance(values.gateways, dict):
        return found  # the gateways' own checks say so
    greedy = [alias for alias in values.gateways if _takes_all(values, alias)]
    if greedy:
        found.append(
            checks.Warning(
                f"The gateway {greedy[0]!r} may take all {values.workers} workers: while it hangs, no other sends.",
                hint="Set its 'in_flight', or NOTIFICATIONS_IN_FLIGHT, below NOTIFICATIONS_WORKERS.",
                id="notifications.W001",
            )
        )
    return found


def _takes_all(values: NotificationsConf, alias: str) -> bool:
    options = values.gateways[alias]
    own = options.get("in_flight") if isinstance(options, dict) else None
    if own is not None and not isinstance(own, int):
        return False  # the gateways' own checks say so
    return len(values.gateways) > 1 and (own or values.in_flight or 1) >= values.workers
