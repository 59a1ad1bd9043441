"""
How students save, after the logs of two real exams (`autosave-traffic`; DOI 10.1145/3478432.3499123), sped up.

Contract: pure, given a `random.Random`. `pause_seconds()` has the gaps' real shape (28-37 % under 2 s, median 3-4 s)
up to 10 s; longer ones, in which a student thinks, are cut to that. Everything is then divided by `SPEED_UP`.
"""

from __future__ import annotations

import random
from itertools import pairwise

#: Quantiles of the gap between two saves of a student, in seconds: the mean of both exams.
_GAPS = ((0.0, 0.2), (0.01, 0.32), (0.05, 0.53), (0.25, 1.5), (0.33, 2.0), (0.50, 3.8), (0.64, 10.0), (1.0, 10.0))
SPEED_UP = 4.0
#: Students go back to the question they have just answered: that is what the limit of 2 s is about.
_SAME_QUESTION = 0.15


def pause_seconds(chance: random.Random) -> float:
    """How long a student takes until the next change."""
    share = chance.random()
    for (low, low_gap), (high, high_gap) in pairwise(_GAPS):
        if share <= high:
            return (low_gap + (high_gap - low_gap) * (share - low) / (high - low)) / SPEED_UP
    return _GAPS[-1][1] / SPEED_UP


def next_question(chance: random.Random, last: int | None, questions: list[int]) -> int:
    """Which question is answered next."""
    if last is not None and chance.random() < _SAME_QUESTION:
        return last
    return chance.choice(questions)
