"""
Whether Redis may be asked now: the memory of how it behaved.

```
            failed                       cool-down over: ONE caller probes
   ok ------------------> failing ------------------------------------------> probing
   ^                        ^  (nobody asks, for COOL_DOWN_SECONDS)              |
   |                        +------------------------ failed --------------------+
   +--------------------------------------------------------------- recovered ---+
```

Contract:
- `ask()` says whether to ask Redis, and whether to verify it first; then exactly one of `answered()` and `failed()`.
- A prober that disappears blocks nothing: the next probe is due a cool-down later.
- The log gets at most one failure in `LOG_EVERY_SECONDS`, with class names only: what Redis says may quote keys.
- Thread-safe; time comes from `clock` (seconds, never backwards). The wall clock is only shown, never compared.

Not here: talking to Redis (`check.py`).
"""

from __future__ import annotations

import enum
import logging
from datetime import UTC, datetime
from threading import Lock

from ratelimit.limiter import Clock

logger = logging.getLogger("ratelimit")

#: Long enough that a hanging Redis holds one request in fifteen seconds, short enough that nobody restarts us for it.
COOL_DOWN_SECONDS = 15.0
#: How long a Redis that counted right is believed to go on counting right.
VERIFY_EVERY_SECONDS = 30.0
LOG_EVERY_SECONDS = 60.0


class Ask(enum.Enum):
    """What a caller may do with Redis."""

    NO = "no"
    YES = "yes"
    #: Yes, but let it show first that it counts.
    VERIFY = "verify"
    #: The same, after a failure: success ends it.
    PROBE = "probe"


class RedisGuard:
    """One per process. See the module's contract."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._failing_since: datetime | None = None
        self._error: str | None = None
        self._probe_at = 0.0
        self._verify_at: float | None = None  # None: before anything else
        self._verified_at: float | None = None
        self._logged_at: float | None = None
        self._recovery_is_news = False

    def ask(self) -> Ask:
        """Say what the caller may do now. After `PROBE` and `VERIFY`, others are told `NO` and `YES` meanwhile."""
        with self._lock:
            now = self._clock()
            if self._failing_since is not None:
                if now < self._probe_at:
                    return Ask.NO
                self._probe_at = now + COOL_DOWN_SECONDS
                return Ask.PROBE
            if self._verify_at is None or now >= self._verify_at:
                self._verify_at = now + VERIFY_EVERY_SECONDS
                return Ask.VERIFY
            return Ask.YES

    def verified_within(self, seconds: float) -> bool:
        """Whether Redis has shown during the last *seconds* that it counts, and has not failed since."""
        with self._lock:
            return self._verified_at is not None and self._clock() - self._verified_at < seconds

    def answered(self, ask: Ask, *, verified: bool) -> None:
        """Note that Redis answered what *ask* allowed, and whether it was verified on the way."""
        with self._lock:
            if verified:
                self._verified_at = self._clock()
                self._verify_at = self._verified_at + VERIFY_EVERY_SECONDS
            # An answer that was under way when another caller saw the failure proves nothing about now.
            if ask is not Ask.PROBE:
                return
            self._failing_since = self._error = None
            tell, self._recovery_is_news = self._recovery_is_news, False
        if tell:
            logger.warning("Redis answers again and counts for all processes.", extra={"action": "redis_recovered"})

    def failed(self, error: BaseException) -> None:
        """Note that Redis failed with *error*: nobody asks it during the cool-down."""
        name, cause = type(error).__name__, type(error.__cause__).__name__
        with self._lock:
            now = self._clock()
            if self._failing_since is None:
                self._failing_since = datetime.now(UTC)
            self._error = name
            self._probe_at = now + COOL_DOWN_SECONDS
            self._verified_at = None
            tell = self._logged_at is None or now - self._logged_at >= LOG_EVERY_SECONDS
            if tell:
                self._logged_at = now
                self._recovery_is_news = True
        if tell:
            logger.warning(
                "Redis failed (%s); this process counts by itself and asks it again every %d s.",
                name if error.__cause__ is None else f"{name}, {cause}",
                COOL_DOWN_SECONDS,
                extra={"action": "redis_failed"},
            )

    def health(self) -> dict[str, str | None]:
        """Return `status` ("ok" or "failing"), `since` (ISO 8601, UTC) and `error` (a class name)."""
        with self._lock:
            since = self._failing_since
            return {
                "status": "ok" if since is None else "failing",
                "since": None if since is None else since.isoformat(timespec="seconds"),
                "error": self._error,
            }
