"""
Where hits are counted: the entry `CACHES["ratelimit"]`.

Contract:
- `cache_settings(redis_url)` may be called while the settings load: it imports no model and opens no connection.
- `cache_alias()` and `cache_is_shared()` tell which cache is in use and whether other processes see its counts.

Not here: what happens when Redis fails (`check.py`, `redis_guard.py`).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

#: For connecting and for each reply. A Redis beside us answers in well under a millisecond; the whole check is bounded
#: by `check.REDIS_DEADLINE_SECONDS` on top, because a reply that trickles in never times out here.
SOCKET_TIMEOUT_SECONDS = 0.4

#: LocMemCache forgets the entries used longest ago when it is full, expired or not, and none before that. A tenth at a
#: time: counters are reset early only when more than 90,000 different keys come within one period, which is 1,500 new
#: names or addresses a second in one process.
LOCAL_MAX_ENTRIES = 100_000
LOCAL_CULL_FREQUENCY = 10

_LOCAL_BACKENDS = frozenset(
    {"django.core.cache.backends.locmem.LocMemCache", "django.core.cache.backends.dummy.DummyCache"}
)


def cache_settings(redis_url: str) -> dict[str, Any]:
    """Return the `CACHES` entry that counts in the Redis at *redis_url*, or in this process where it is empty."""
    if not redis_url:
        return {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            # A store of its own: whatever else is cached must not push counters out.
            "LOCATION": "ratelimit",
            "OPTIONS": {"MAX_ENTRIES": LOCAL_MAX_ENTRIES, "CULL_FREQUENCY": LOCAL_CULL_FREQUENCY},
        }
    return {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        # A list: Django splits a string at commas and semicolons, which a password may contain.
        "LOCATION": [redis_url],
        "OPTIONS": {
            "socket_connect_timeout": SOCKET_TIMEOUT_SECONDS,
            "socket_timeout": SOCKET_TIMEOUT_SECONDS,
            # redis-py tries again, with pauses, unless told not to. We have a fallback that answers at once.
            "retry": Retry(NoBackoff(), 0),
            "retry_on_timeout": False,
            "health_check_interval": 0,
            # The older protocol and no CLIENT SETINFO: three replies fewer to wait for on a new connection.
            "protocol": 2,
            "driver_info": None,
        },
    }


def cache_alias() -> str:
    """Return the name in `CACHES` under which hits are counted (django-ratelimit's own setting)."""
    alias: str = getattr(settings, "RATELIMIT_USE_CACHE", "default")
    return alias


def cache_is_shared() -> bool:
    """Whether the counts are kept outside this process. Raises `KeyError` where `CACHES` lacks the alias."""
    return settings.CACHES[cache_alias()]["BACKEND"] not in _LOCAL_BACKENDS


def redis_url_problem(redis_url: str) -> str | None:
    """
    Return what is wrong with *redis_url* as the end of a sentence; None where it is usable.

    Nothing of the URL is repeated: a password with a "/" in it turns up where a port or a database should be.
    """
    try:
        parts = urlsplit(redis_url)
        port = parts.port
    except ValueError:
        return "has a host or port that cannot be read"
    if parts.scheme == "unix":
        return None if parts.path.strip("/") else "names no socket"
    if parts.scheme not in {"redis", "rediss"}:
        return "does not start with redis://, rediss:// or unix://"
    if not parts.hostname:
        return "names no host"
    if port == 0:
        return "has the port 0"
    database = parts.path.strip("/")
    # redis-py would silently take database 0.
    if database and not (database.isascii() and database.isdigit()):
        return "ends in a database that is not a number"
    return None
