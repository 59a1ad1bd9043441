"""
The database's clock, read without asking the database each time.

Contract: `now()` is the database's time when it was last seen plus what a clock that never jumps has counted since; it
goes on while the machine sleeps, where the system has such a clock. A web process whose wall clock is wrong or set back
shows the right time all the same. Only before the database was first seen does it show its own.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import datetime

from exams.autosave.store import DatabaseAway

#: Between two questions to the database: whoever sends forged tickets must not make us ask for each.
_ASK_SECONDS = 1.0

Source = Callable[[], Awaitable[datetime]]


def _steady() -> float:
    # Linux's monotonic clock stands still in a suspended laptop, and a school's server may be one.
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class ServerClock:
    """One per process, kept right by every stored batch. *source* asks the database."""

    def __init__(self, source: Source, steady: Callable[[], float] = _steady) -> None:
        self._source = source
        self._steady = steady
        self._offset = time.time() - steady()
        self._ask_at = 0.0

    def set(self, database_now: datetime) -> None:
        """The database's clock shows *database_now* at this moment."""
        self._offset = database_now.timestamp() - self._steady()

    async def ask(self) -> None:
        """Ask the database: before anyone is refused because of what this clock shows. At most once a second."""
        if self._steady() < self._ask_at:
            return
        self._ask_at = self._steady() + _ASK_SECONDS
        try:
            self.set(await self._source())
        except DatabaseAway:
            return  # then it shows what it showed, until the database is back

    def now(self) -> float:
        """Seconds since 1970."""
        return self._steady() + self._offset

    def now_ms(self) -> int:
        """Milliseconds since 1970, as the API's `serverNow` and the revisions count."""
        return int(self.now() * 1000)
