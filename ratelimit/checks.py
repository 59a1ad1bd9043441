"""
What is wrong with the settings of this app, said at start.

Each id is lasting (docs/reference/rate-limits.md lists them); a retired one is never used again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from ratelimit.address import parse_proxies
from ratelimit.cache import cache_alias, cache_is_shared, redis_url_problem
from ratelimit.policies import DEFAULTS, parse_rate

_Apps = Sequence[AppConfig] | None


@register()
def check_rate_limits(app_configs: _Apps, **kwargs: Any) -> list[CheckMessage]:
    """E001: a rate that cannot be used. E002: a policy that nobody knows."""
    problems: list[CheckMessage] = []
    for name, rate in getattr(settings, "RATE_LIMITS", {}).items():
        if name not in DEFAULTS:
            problems.append(
                Error(
                    f"RATE_LIMITS has the unknown policy {name!r}: it would limit nothing.",
                    hint=f"Use one of: {', '.join(sorted(DEFAULTS))}.",
                    id="ratelimit.E002",
                )
            )
            continue
        try:
            limit, _ = parse_rate(rate)
        except ValueError as error:
            message = str(error)
        else:
            if name != "save_answer" or limit == 1:
                continue
            # The shield and the row know only "how long since the last one".
            message = f"{rate!r} lets several saves through at once; saving is limited by a gap between two."
        problems.append(
            Error(
                f"RATE_LIMITS[{name!r}]: {message}",
                hint=f'Write for example RATE_LIMITS = {{"{name}": "{DEFAULTS[name]}"}}.',
                id="ratelimit.E001",
            )
        )
    return problems


@register()
def check_trusted_proxies(app_configs: _Apps, **kwargs: Any) -> list[CheckMessage]:
    """E003: an entry that is no address, no network and not "unix"."""
    problems: list[CheckMessage] = []
    for entry in getattr(settings, "TRUSTED_PROXIES", ()):
        try:
            parse_proxies([entry])
        except ValueError as error:
            problems.append(
                Error(
                    f"TRUSTED_PROXIES: {error}",
                    hint='Write addresses, networks or "unix", with commas: TRUSTED_PROXIES=127.0.0.1,10.0.0.0/8. '
                    "There is no entry for everybody: anyone could then claim any address.",
                    id="ratelimit.E003",
                )
            )
    return problems


@register()
def check_redis_url(app_configs: _Apps, **kwargs: Any) -> list[CheckMessage]:
    """E004: an address that no Redis can have. That it answers is not checked here: it may come later."""
    redis_url = getattr(settings, "REDIS_URL", "")
    problem = redis_url_problem(redis_url) if redis_url else None
    if problem is None:
        return []
    return [
        Error(
            f"REDIS_URL {problem}.",
            hint="Write REDIS_URL=redis://127.0.0.1:6379/0, rediss:// for TLS, or unix:///run/redis/redis.sock; with a "
            "password redis://:password@host:6379/0, its special characters percent-encoded.",
            id="ratelimit.E004",
        )
    ]


@register()
def check_cache(app_configs: _Apps, **kwargs: Any) -> list[CheckMessage]:
    """E005: counting in a cache that is not there. W001: several processes, each counting for itself."""
    try:
        shared = cache_is_shared()
    except KeyError:
        return [
            Error(
                f"RATELIMIT_USE_CACHE names the cache {cache_alias()!r}, which CACHES does not have.",
                hint='Write RATELIMIT_USE_CACHE = "ratelimit" and CACHES["ratelimit"] = cache_settings(REDIS_URL).',
                id="ratelimit.E005",
            )
        ]
    workers = getattr(settings, "WEB_WORKERS", 1)
    if shared or workers <= 1:
        return []
    return [
        Warning(
            f"{workers} web processes count each for itself: up to {workers} times the limits pass (saving is exact "
            "all the same).",
            hint="Set REDIS_URL=redis://127.0.0.1:6379/0, see docs/howto/redis.md; or start one process: --workers 1.",
            id="ratelimit.W001",
        )
    ]
