"""
The limits by name: how many hits in how many seconds.

Contract:
- `policy(name)` reads `settings.RATE_LIMITS` on every call, so tests and settings override it; what is not named there
  has its default. A name that nobody knows is `UnknownPolicy`, never "no limit".
- A rate is written "5/60s": a count, a slash, a number of seconds, minutes (m), hours (h) or days (d). "5/m" is "5/1m".

Not here: counting (`limiter.py`, `check.py`), the system checks that read the same settings at start (`checks.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType

from django.conf import settings

DEFAULTS = MappingProxyType(
    {
        "save_answer": "1/2s",  # per attempt and question; strict, in the process and in the row
        "submit_exam": "1/5s",  # per student and exam: a double click, not a second thought
        "login": "5/60s",  # per user name: a random PIN of 40 bits stands this for longer than the school
        "login_address": "300/60s",  # per address: a whole school sits behind one and logs in at once
        "general": "100/60s",  # per user, else per address
    }
)

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_RATE = re.compile(r"([0-9]{1,9})/([0-9]{0,6})([smhd])")

#: The in-process limiter remembers whole periods; nothing here is meant to count for longer than a day.
MAX_PERIOD_SECONDS = 86_400


class UnknownPolicy(LookupError):
    """There is no policy of this name; the message lists those that there are."""


@dataclass(frozen=True)
class Policy:
    """At most `limit` hits in `period_seconds`, both at least 1."""

    name: str
    limit: int
    period_seconds: int


def parse_rate(rate: str) -> tuple[int, int]:
    """
    Return the limit and the seconds of *rate*: "5/60s" is `(5, 60)`.

    Raises `ValueError`, with what to type instead, for anything else than the forms of the module's contract.
    """
    match = _RATE.fullmatch(rate) if isinstance(rate, str) else None
    if match is None:
        raise ValueError(f'{rate!r} is not a rate. Write a count, a slash and a time: "5/60s", "100/m", "1/5s".')
    limit, number, unit = int(match[1]), match[2], match[3]
    period_seconds = (int(number) if number else 1) * _SECONDS[unit]
    if limit < 1:
        raise ValueError(f'{rate!r} would refuse everybody. The count must be at least 1: "1/5s".')
    if not 1 <= period_seconds <= MAX_PERIOD_SECONDS:
        raise ValueError(f'{rate!r} has no usable time. Write between "1s" and "1d": "5/60s".')
    return limit, period_seconds


def policy(name: str) -> Policy:
    """Return the policy *name* as the settings have it now. Raises `UnknownPolicy`, or `ValueError` for a bad rate."""
    default = DEFAULTS.get(name)
    if default is None:
        raise UnknownPolicy(f"There is no rate limit policy {name!r}. Known: {', '.join(sorted(DEFAULTS))}.")
    limit, period_seconds = parse_rate(getattr(settings, "RATE_LIMITS", {}).get(name, default))
    return Policy(name=name, limit=limit, period_seconds=period_seconds)
