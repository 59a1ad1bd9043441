"""
May this happen once more? One hit counted, one decision.

Contract:
- `check(policy, key)` counts one hit of *key* and returns a `Decision`. Every hit counts, refused ones too.
- Counted by django-ratelimit in the cache `settings.RATELIMIT_USE_CACHE`: in this process, or in Redis for all of
  them.
- It never raises because of Redis and never takes longer than `REDIS_DEADLINE_SECONDS` because of it. A Redis that is
  down, hangs, answers nonsense or counts wrong is left alone for a while (`redis_guard.py`), and a strict limiter in
  this process decides: nobody is refused without having really been here that often.
- A refusal is believed only from a Redis that has shown within the last second that it counts.
- `retry_after_seconds` of a refusal is above 0, and after that time the same key has a fresh window.

Weaknesses, on purpose:
- django-ratelimit's windows are aligned to the clock: across their edge up to twice the limit passes in a short time.
  Where that matters (saving), `limiter.MinimumGap` and the row in the database decide.
- Without Redis each process counts for itself: with n processes up to n times the limit passes. The same while it
  fails.

It may block: call it from views and threads, never on an event loop.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.redis import RedisCache
from django_ratelimit.core import get_usage

from ratelimit.cache import cache_alias, cache_is_shared
from ratelimit.deadline import BoundedCaller
from ratelimit.limiter import Clock, SlidingWindow, Usage
from ratelimit.policies import Policy, policy
from ratelimit.redis_guard import Ask, RedisGuard

#: All of it: looking up the name, connecting, verifying, counting. The promise is one second, on a busy machine too.
REDIS_DEADLINE_SECONDS = 0.7
#: More than a process answers pages at once, so that nobody waits for a thread while Redis is well.
REDIS_WORKERS = 8
#: How old the proof may be that Redis counts when it is about to refuse somebody.
REFUSAL_PROOF_SECONDS = 1.0
#: The verification's key lives this long.
_PROOF_TTL_SECONDS = 10
#: django-ratelimit may answer "0 seconds left" in a window's last second; nobody is ever told to wait 0.
_SHORTEST_WAIT_SECONDS = 0.001


class CacheUntrustworthy(Exception):
    """The cache answered, but not as something that counts would."""


@dataclass(frozen=True)
class Decision:
    """`retry_after_seconds` is 0.0 when allowed, else what makes the next try pass; `remaining` never below 0."""

    allowed: bool
    limit: int
    remaining: int
    retry_after_seconds: float
    policy: str


class RateChecker:
    """`check` with its state; one per process is enough, tests make their own with a clock of their own."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._guard = RedisGuard(clock)
        self._redis = BoundedCaller(workers=REDIS_WORKERS, name="ratelimit-redis")
        self._fallbacks: dict[Policy, SlidingWindow] = {}

    def check(self, policy_name: str, key: str) -> Decision:
        """Count one hit. See the module's contract. Raises `UnknownPolicy`, and `ValueError` for a bad rate."""
        rule = policy(policy_name)
        # django-ratelimit's own switch, which its documentation advises for test suites.
        if not getattr(settings, "RATELIMIT_ENABLE", True):
            usage = Usage(allowed=True, count=0, retry_after_seconds=0.0)
        else:
            digest = _digest(key)
            counted = self._ask_redis(rule, digest) if cache_is_shared() else _count_here(rule, digest)
            usage = counted if counted is not None else self._fallback(rule).hit(digest)
        return Decision(
            allowed=usage.allowed,
            limit=rule.limit,
            remaining=max(0, rule.limit - usage.count),
            retry_after_seconds=usage.retry_after_seconds,
            policy=rule.name,
        )

    def health(self) -> dict[str, str | None]:
        """
        Return `backend` ("redis" or "process"), `status` ("ok" or "failing"), `since` and `error`, for `/readyz`.

        What is known from the last hits; Redis is not asked, so this never blocks. Failing is a warning there, not a
        reason to be unready.
        """
        if not cache_is_shared():
            return {"backend": "process", "status": "ok", "since": None, "error": None}
        return {"backend": "redis", **self._guard.health()}

    def _ask_redis(self, rule: Policy, key: str) -> Usage | None:
        ask = self._guard.ask()
        if ask is Ask.NO:
            return None

        def job() -> tuple[Usage, bool]:
            verify_first = ask is not Ask.YES
            if verify_first:
                _verify()
            usage = _count(rule, key)
            if usage.allowed or verify_first or self._guard.verified_within(REFUSAL_PROOF_SECONDS):
                return usage, verify_first
            _verify()
            return usage, True

        try:
            usage, verified = self._redis.call(job, timeout_seconds=REDIS_DEADLINE_SECONDS)
        except Exception as error:  # noqa: BLE001 - whatever Redis or its client comes up with, no student pays for it
            self._guard.failed(error)
            return None
        self._guard.answered(ask, verified=verified)
        return usage

    def _fallback(self, rule: Policy) -> SlidingWindow:
        # Keyed by the whole policy: a changed limit starts anew. Of two threads at once, one's window is used by both.
        found = self._fallbacks.get(rule)
        if found is None:
            found = self._fallbacks.setdefault(rule, SlidingWindow(rule.limit, rule.period_seconds, self._clock))
        return found


def _digest(key: str) -> str:
    """Return *key* as something short that can be encoded: people type user names of a megabyte and lone surrogates."""
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _count_here(rule: Policy, key: str) -> Usage | None:
    try:
        return _count(rule, key)
    except CacheUntrustworthy:
        # Not a fault: the counter expired between "is it there?" and "add one" (or RATELIMIT_FAIL_OPEN hid the same).
        return None


def _count(rule: Policy, key: str) -> Usage:
    """Count one hit in the cache. Raises `CacheUntrustworthy`, and whatever the cache's client raises."""
    # It looks at the request only to compare methods and to find a key, and is given neither to do.
    found = get_usage(
        None, group=rule.name, key=lambda group, request: key, rate=(rule.limit, rule.period_seconds), increment=True
    )
    # No count is told as None, or as a made-up refusal with the count 0, depending on RATELIMIT_FAIL_OPEN.
    count = None if found is None else found["count"]
    if type(count) is not int or count < 1:
        raise CacheUntrustworthy("The cache's count is not a count.")
    if count <= rule.limit:
        return Usage(allowed=True, count=count, retry_after_seconds=0.0)
    now = time.time()
    # The window includes its last second: with 0 seconds left, the next one begins at the full second that follows.
    wait = found["time_left"] + int(now) + 1 - now
    return Usage(allowed=False, count=count, retry_after_seconds=max(wait, _SHORTEST_WAIT_SECONDS))


def _verify() -> None:
    """Let the cache show on a key that nobody knows that it counts 1, 2 and forgets. Raises `CacheUntrustworthy`."""
    cache: Any = caches[cache_alias()]
    key = f"proof:{secrets.token_hex(16)}"
    added = [cache.add(key, 1, _PROOF_TTL_SECONDS) for _ in range(2)]
    if added != [True, False] or cache.incr(key) != 2:
        raise CacheUntrustworthy("The cache does not count from 1 to 2.")
    if isinstance(cache, RedisCache):
        # Django has no call for this. A counter that never expires would fill Redis until it refuses to write.
        client = cache._cache.get_client(write=True)
        ttl = client.ttl(cache.make_and_validate_key(key))
        if type(ttl) is not int or not 0 < ttl <= _PROOF_TTL_SECONDS:
            raise CacheUntrustworthy("The cache does not let its counters expire.")


_checker = RateChecker()


def check(policy_name: str, key: str) -> Decision:
    """Count one hit of *key* under *policy_name* and say whether it may go on. See the module's contract."""
    return _checker.check(policy_name, key)


def health() -> dict[str, str | None]:
    """Return how counting stands in this process. See `RateChecker.health`."""
    return _checker.health()
