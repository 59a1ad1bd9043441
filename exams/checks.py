"""System checks: every wrong setting is named at start, with what to type instead. Ids are lasting."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

from django.conf import settings
from django.core import checks

from exams.conf import ExamsConf, conf
from exams.secure_context import is_own_device


@checks.register
def check_conf(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Wrong values of `EXAMS_*`."""
    known = {f"EXAMS_{field.name.upper()}" for field in fields(ExamsConf)}
    found: list[checks.CheckMessage] = [
        checks.Error(
            f"{name} is not a setting of Tahan Uji.",
            hint="docs/reference/settings.md lists them; look for a typing error.",
            id="exams.E001",
        )
        for name in dir(settings)
        if name.startswith("EXAMS_") and name not in known
    ]
    values = conf()
    for field in fields(ExamsConf):
        value, name = getattr(values, field.name), f"EXAMS_{field.name.upper()}"
        least = 0 if field.name == "save_grace_seconds" else 1
        kinds, noun = (int, "whole number") if isinstance(field.default, int) else (int | float, "number")
        # "not between" rather than "outside", so that NaN is refused too.
        if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value < math.inf:
            found.append(
                checks.Error(
                    f"{name} is {value!r}, which is no {noun} from {least} on.",
                    hint=f"Leave it out for the default, {field.default!r}.",
                    id="exams.E002",
                )
            )
    return found


@checks.register
def check_https(**_kwargs: Any) -> list[checks.CheckMessage]:
    """W001: students come over plain HTTP. Nobody but this machine comes where no other host name is answered."""
    if settings.HTTPS or settings.DEBUG or all(is_own_device(host) for host in settings.ALLOWED_HOSTS):
        return []
    return [
        checks.Warning(
            "HTTPS is false: the students' browsers cannot open the exam page again while the network is down, cannot "
            "make an encrypted emergency file, and keep two open tabs apart less strictly.",
            hint="docs/howto/https-on-a-lan.md says how to get HTTPS inside a school; then set HTTPS=true.",
            id="exams.W001",
        )
    ]
