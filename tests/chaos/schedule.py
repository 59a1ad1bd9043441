"""
When which trouble comes.

Contract: pure, given a `random.Random`. A run of 20 s or more has every kind at least once, longer ones again and
again in another order; a shorter run has at least a kill of a web process and one of the database.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

FULL_SECONDS = 20.0
#: The load runs a moment before the first event, and each event has a moment to do its harm before the load ends.
_FIRST_SECONDS, _LAST_SECONDS = 1.0, 3.0


class Kind(StrEnum):
    """What can happen."""

    KILL_WEB = "kill_web"  # kill -9 of a supervisor and its web process: the machine's out-of-memory killer
    KILL_WORKER = "kill_worker"  # kill -9 of the web process alone: its supervisor starts another
    KILL_DATABASE = "kill_database"  # kill -9 of the postmaster; started again 0.5 to 3 s later
    PAUSE_WEB = "pause_web"  # SIGSTOP for 3 s
    PAUSE_BACKEND = "pause_backend"  # SIGSTOP of the PostgreSQL process that stores saves, for 3 s
    PAUSE_POSTMASTER = "pause_postmaster"  # SIGSTOP for 3 s: no new connections, old ones go on
    STOP_WEB = "stop_web"  # SIGTERM under load: it must end within 10 s


KILLS = frozenset({Kind.KILL_WEB, Kind.KILL_WORKER, Kind.KILL_DATABASE})
_ALWAYS = (Kind.KILL_WEB, Kind.KILL_DATABASE)


@dataclass(frozen=True)
class Event:
    """*at_seconds* after the load's start; *chance* seeds whatever else the event has to draw."""

    at_seconds: float
    kind: Kind
    chance: int


def plan(seconds: float, chance: random.Random) -> list[Event]:
    """The events of a run of *seconds*, in order."""
    kinds: list[Kind] = []
    if seconds >= FULL_SECONDS:
        for _ in range(round(seconds / FULL_SECONDS)):
            kinds += chance.sample(list(Kind), k=len(Kind))
    else:
        others = [kind for kind in Kind if kind not in _ALWAYS]
        wanted = max(0, min(len(others), int(seconds / 3) - len(_ALWAYS)))
        kinds = [*_ALWAYS, *chance.sample(others, k=wanted)]
        chance.shuffle(kinds)
    slot = max(0.1, (seconds - _FIRST_SECONDS - _LAST_SECONDS) / len(kinds))
    return [
        Event(_FIRST_SECONDS + slot * (number + chance.random() * 0.8), kind, chance.randrange(2**32))
        for number, kind in enumerate(kinds)
    ]
