"""
The database's clock, read without asking the database.

Contract: `now_ms()` is the database's time at the last `set()` plus what a monotonic clock has counted since. A web
process whose wall clock is wrong or set back shows the right time all the same; only before the first `set()` does it
show its own.
"""

from __future__ import annotations

import time
from datetime import datetime


class ServerClock:
    """One per process, kept right by every stored batch."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def set(self, database_now: datetime) -> None:
        """The database's clock shows *database_now* at this moment."""
        self._offset = database_now.timestamp() - time.monotonic()

    def now(self) -> float:
        """Seconds since 1970."""
        return time.monotonic() + self._offset

    def now_ms(self) -> int:
        """Milliseconds since 1970, as the API's `serverNow` and the revisions count."""
        return int(self.now() * 1000)
