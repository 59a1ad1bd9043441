"""
Whether the run kept the promises: the students' ledger against the table.

Contract:
- Pure. `judge()` finds every acknowledged revision that is neither stored nor replaced by a newer one ("lost"), every
  stored value that is another than the acknowledged one, every two saves less than 2 s apart, and anything stored that
  nobody sent.
- It cannot pass for lack of trouble or of load: too few acknowledgements, or a kind of event that never happened, is a
  failure too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise

from tests.chaos.ledger import Key, Ledger

MINIMUM_GAP = timedelta(seconds=2)
#: Answers per student and second that must at least be acknowledged. A page saves every few seconds, and even the worst
#: schedule of faults leaves the server up half of the time.
ACKNOWLEDGED_MIN = 0.05
_SHOWN = 5


@dataclass(frozen=True)
class Row:
    """What the table holds for one (attempt, question)."""

    revision: int
    value: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """*lost* acknowledgements, and a sentence for each promise that was broken."""

    lost: int
    failures: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return self.lost == 0 and not self.failures


def judge(
    ledger: Ledger,
    table: Mapping[Key, Row],
    *,
    events: Mapping[str, int],
    wanted_events: frozenset[str],
    students: int,
    seconds: float,
    unacknowledged: int = 0,
) -> Verdict:
    """*events* says how often each kind happened; *unacknowledged* how many answers still waited at the very end."""
    lost = [
        f"{key}: revision {revision} was acknowledged, stored is {row.revision if row else 'nothing'}"
        for key, revision, _ in ledger.acknowledgements()
        if (row := table.get(key)) is None or row.revision < revision
    ]
    failures = [
        *_several("acknowledged answers are lost", lost),
        *_several("stored answers differ from what was acknowledged", _changed(ledger, table)),
        *_several("stored answers were never sent", _never_sent(ledger, table)),
        *_several("saves came less than 2 s after another", _too_close(ledger)),
        *_several("replies contradict a promise", ledger.surprises),
    ]
    if unacknowledged:
        failures.append(f"{unacknowledged} answers were still waiting after everything ran again")
    floor = int(students * seconds * ACKNOWLEDGED_MIN)
    if ledger.acknowledged < max(floor, 1):
        failures.append(
            f"Only {ledger.acknowledged} saves were acknowledged: with fewer than {floor} this proves nothing"
        )
    if not ledger.hang_ups:
        failures.append("No client hung up: this proves nothing about those that do")
    failures += [f"The event {kind} never happened" for kind in sorted(wanted_events) if not events.get(kind)]
    return Verdict(lost=len(lost), failures=failures)


def _changed(ledger: Ledger, table: Mapping[Key, Row]) -> list[str]:
    return [
        f"{key}: revision {revision} was acknowledged with {value}, stored is {row.value}"
        for key, revision, value in ledger.acknowledgements()
        if (row := table.get(key)) is not None and row.revision == revision and row.value != value
    ]


def _never_sent(ledger: Ledger, table: Mapping[Key, Row]) -> list[str]:
    found = []
    for key, row in table.items():
        story = ledger.stories.get(key)
        if story is None or story.sent.get(row.revision) != row.value:
            found.append(f"{key}: revision {row.revision} with {row.value}")
    return found


def _too_close(ledger: Ledger) -> list[str]:
    found = []
    for key, story in ledger.stories.items():
        for (before, first), (after, then) in pairwise(sorted(story.saved_at.items(), key=lambda saved: saved[1])):
            if then - first < MINIMUM_GAP:
                found.append(f"{key}: revisions {before} and {after}, {(then - first).total_seconds():.3f} s")
    return found


def _several(what: str, found: list[str]) -> list[str]:
    if not found:
        return []
    more = f" (and {len(found) - _SHOWN} more)" if len(found) > _SHOWN else ""
    return [f"{len(found)} {what}: {'; '.join(found[:_SHOWN])}{more}"]
