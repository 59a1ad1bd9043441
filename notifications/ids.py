"""
Keys that sort by the time they were made: UUID version 7 (RFC 9562, method 3: the time goes on into the next 12 bits).

Contract: two keys of one process that were made more than a quarter of a microsecond apart sort in that order; 62
random bits keep keys of all processes apart. Nobody may read more than a rough order from them; the time is
`created_at`.

Python has this from 3.14 on.
"""

from __future__ import annotations

import secrets
import time
import uuid

_NS_PER_MS = 1_000_000


def uuid7() -> uuid.UUID:
    """A new key."""
    milliseconds, nanoseconds = divmod(time.time_ns(), _NS_PER_MS)
    fraction = nanoseconds * 4096 // _NS_PER_MS
    return uuid.UUID(int=milliseconds << 80 | 7 << 76 | fraction << 64 | 0b10 << 62 | secrets.randbits(62))
