"""
Strict limits inside one process: no cache, no network, no wall clock.

Contract:
- `MinimumGap`: two takes of one key are never less than `seconds` apart. The shield of the save path.
- `SlidingWindow`: at no moment do the last `period_seconds` hold more than `limit` allowed hits of one key. It decides
  when the shared cache cannot.
- Both remember a bounded number of keys. Ended windows are forgotten in O(1) amortised: the keys live in two
  generations, and once per period the older one, in which every window has ended by then, is thrown away whole.
- Time comes from `clock`, a function that returns seconds and never runs backwards.

Weaknesses, on purpose:
- What one process counts, another does not know. Saves are exact all the same, because the row in the database is the
  limiter; the shield only keeps spam away from it.
- More than `max_keys` keys within one period (an attack, not an exam: a thousand students use a few thousand) make the
  oldest generation go early, and its keys become free before their time.

Not here: which limits there are (`policies.py`), counting across processes (`check.py`).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Lock

Clock = Callable[[], float]

#: Given to `MinimumGap.give_back` to say "whoever took it"; None would be a possible tag.
_ANY_TAG: object = object()

#: Added to a wait: `(stamp + period) - now` is rounded, and who waits exactly that long must not be a hair too early.
_ROUNDING_SECONDS = 1e-6


class WindowRunning(RuntimeError):
    """A key was taken while its window was running: the caller did not look at `remaining` first."""


class MinimumGap:
    """
    At most one take per key in `seconds`, each with a tag that says what was taken for (a revision, say).

    For ONE event loop: there is no lock, and none is needed as long as `remaining` and `take` are called without an
    `await` between them. It is called for every save, thousands of times a second, so it stays with tuples and dicts.
    """

    __slots__ = ("_clock", "_half", "_old", "_rotate_at", "_seconds", "_young")

    def __init__(self, seconds: float, clock: Clock = time.monotonic, *, max_keys: int = 1_000_000) -> None:
        """Raises `ValueError` where *seconds* is not positive or *max_keys* is below 2."""
        if seconds <= 0:
            raise ValueError(f"seconds must be positive, not {seconds!r}.")
        if max_keys < 2:
            raise ValueError(f"max_keys must be at least 2, one for each generation, not {max_keys!r}.")
        self._seconds = seconds
        self._clock = clock
        self._half = max_keys // 2
        #: key -> (the clock's time when its window ends, tag). A key in both has its newer window in `_young`.
        self._young: dict[Hashable, tuple[float, object]] = {}
        self._old: dict[Hashable, tuple[float, object]] = {}
        self._rotate_at = clock() + seconds

    def remaining(self, key: Hashable) -> float:
        """Return the seconds until *key* may be taken again; 0.0 means now."""
        window = self._young.get(key) or self._old.get(key)
        if window is None:
            return 0.0
        left = window[0] - self._clock()
        return left if left > 0.0 else 0.0

    def take(self, key: Hashable, tag: object) -> None:
        """Start the window of *key*. Raises `WindowRunning` rather than letting a second take through."""
        now = self._clock()
        window = self._young.get(key) or self._old.get(key)
        if window is not None and window[0] > now:
            raise WindowRunning("This window is running; ask remaining() before take().")
        self._start(key, now, now + self._seconds, tag)

    def tag(self, key: Hashable) -> object | None:
        """Return what the running window of *key* was taken with, or None where no window runs."""
        window = self._young.get(key) or self._old.get(key)
        if window is None or window[0] <= self._clock():
            return None
        return window[1]

    def give_back(self, key: Hashable, tag: object = _ANY_TAG) -> None:
        """
        Free *key* at once, because what it was taken for did not happen. A key that is free stays free.

        With *tag*, only a window taken with it is given back: a write that fails after its own window has ended must
        not free the window of the write that came next.
        """
        window = self._young.get(key) or self._old.get(key)
        if window is None or (tag is not _ANY_TAG and window[1] != tag):
            return
        self._young.pop(key, None)
        self._old.pop(key, None)

    def hold(self, key: Hashable, remaining_seconds: float, tag: object) -> None:
        """
        Replace the window of *key* by one that ends in *remaining_seconds* (at most `seconds`), however it stood.

        For when the database knows better: another process saved, and the row told how long ago.
        """
        if remaining_seconds <= 0:
            self.give_back(key)
            return
        now = self._clock()
        # A longer window would outlive its generation and end early after all.
        self._start(key, now, now + min(remaining_seconds, self._seconds), tag)

    def __len__(self) -> int:
        """Return how many windows are held in memory, ended but not yet forgotten ones included."""
        return len(self._young) + len(self._old)

    def _start(self, key: Hashable, now: float, ends_at: float, tag: object) -> None:
        if now >= self._rotate_at or len(self._young) >= self._half:
            # After a quiet time both generations are over.
            self._old = {} if now >= self._rotate_at + self._seconds else self._young
            self._young = {}
            # Every window in `_old` ends within `seconds` from now, so the next rotation may throw it away.
            self._rotate_at = now + self._seconds
        self._young[key] = (ends_at, tag)


@dataclass(frozen=True, slots=True)
class Usage:
    """What one hit has come to. `count` is the allowed hits in the window; `retry_after_seconds` is 0.0 if allowed."""

    allowed: bool
    count: int
    retry_after_seconds: float


class SlidingWindow:
    """
    At most `limit` allowed hits per key in any `period_seconds`. Thread-safe.

    Refused hits are not counted: who keeps trying is let through as soon as the window has room, and a flood costs no
    memory. (django-ratelimit counts them, which changes nothing in a window that ends at a fixed time.)
    """

    __slots__ = ("_clock", "_half", "_limit", "_lock", "_old", "_period", "_rotate_at", "_young")

    def __init__(
        self, limit: int, period_seconds: float, clock: Clock = time.monotonic, *, max_keys: int = 100_000
    ) -> None:
        """Raises `ValueError` where *limit* or *period_seconds* is not positive or *max_keys* is below 2."""
        if limit < 1 or period_seconds <= 0:
            raise ValueError(f"limit and period_seconds must be positive, not {limit!r} and {period_seconds!r}.")
        if max_keys < 2:
            raise ValueError(f"max_keys must be at least 2, one for each generation, not {max_keys!r}.")
        self._limit = limit
        self._period = period_seconds
        self._clock = clock
        self._half = max_keys // 2
        self._lock = Lock()
        #: key -> the times of its allowed hits, oldest first. A key is in one generation only: a hit makes it young.
        self._young: dict[Hashable, deque[float]] = {}
        self._old: dict[Hashable, deque[float]] = {}
        self._rotate_at = clock() + period_seconds

    def hit(self, key: Hashable) -> Usage:
        """Count one hit of *key*, if there is room for it, and say what came of it."""
        with self._lock:
            # Read under the lock: the times in a deque must not be out of order.
            now = self._clock()
            hits = self._hits(key, now)
            while hits and hits[0] + self._period <= now:
                hits.popleft()
            if len(hits) < self._limit:
                hits.append(now)
                return Usage(allowed=True, count=len(hits), retry_after_seconds=0.0)
            wait = hits[0] + self._period - now + _ROUNDING_SECONDS
            return Usage(allowed=False, count=len(hits), retry_after_seconds=wait)

    def __len__(self) -> int:
        """Return how many keys are held in memory, those without a hit in the window included."""
        return len(self._young) + len(self._old)

    def _hits(self, key: Hashable, now: float) -> deque[float]:
        if now >= self._rotate_at:
            self._rotate(now)
        hits = self._young.get(key)
        if hits is None:
            hits = self._old.pop(key, None)
            if len(self._young) >= self._half:
                self._rotate(now)
            if hits is None:
                hits = deque()
            self._young[key] = hits
        return hits

    def _rotate(self, now: float) -> None:
        self._old = {} if now >= self._rotate_at + self._period else self._young
        self._young = {}
        self._rotate_at = now + self._period
