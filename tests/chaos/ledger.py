"""
What the students know: every answer they sent, and every acknowledgement they got.

Contract: the ledger is written by the load alone and never looks at the database. `verdict.py` compares the two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

Key = tuple[int, int]


@dataclass
class Story:
    """One (attempt, question): revision -> value sent, and revision -> when the server says it was saved."""

    sent: dict[int, str] = field(default_factory=dict)
    #: The revisions that the server has acknowledged, each with the value that was acknowledged.
    acknowledged: dict[int, str] = field(default_factory=dict)
    saved_at: dict[int, datetime] = field(default_factory=dict)


@dataclass
class Ledger:
    """All stories, and what was counted on the way. Written from one event loop."""

    stories: dict[Key, Story] = field(default_factory=dict)
    #: Requests that were written, whole or in part.
    sent: int = 0
    acknowledged: int = 0
    hang_ups: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    #: Of acknowledgements: saved, already_saved, superseded.
    outcomes: Counter[str] = field(default_factory=Counter)
    longest_outage_seconds: float = 0.0
    #: What contradicts a promise and was seen at once: a 500, a stranger's status, one revision saved twice.
    surprises: list[str] = field(default_factory=list)

    def story(self, key: Key) -> Story:
        return self.stories.setdefault(key, Story())

    def note_sent(self, key: Key, revision: int, value: str) -> None:
        self.sent += 1
        self.story(key).sent[revision] = value

    def note_acknowledged(
        self, key: Key, revision: int, value: str, *, outcome: str, stored_revision: int, saved_at: datetime
    ) -> None:
        """The server answered 200 for *revision*; it says that *stored_revision* was saved at *saved_at*."""
        story = self.story(key)
        self.acknowledged += 1
        self.outcomes[outcome] += 1
        story.acknowledged[revision] = value
        if stored_revision < revision or (outcome != "superseded" and stored_revision != revision):
            self.surprise(f"{key}: {outcome} for revision {revision} speaks of revision {stored_revision}")
        if story.saved_at.setdefault(stored_revision, saved_at) != saved_at:
            self.surprise(f"{key}: revision {stored_revision} was saved twice")

    def note_wait(self, seconds: float) -> None:
        self.longest_outage_seconds = max(self.longest_outage_seconds, seconds)

    def surprise(self, what: str) -> None:
        self.surprises.append(what)

    def acknowledgements(self) -> Iterator[tuple[Key, int, str]]:
        """Every acknowledged (key, revision, value)."""
        for key, story in self.stories.items():
            for revision, value in story.acknowledged.items():
                yield key, revision, value
