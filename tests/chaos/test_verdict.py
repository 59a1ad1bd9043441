"""The checker must find what it is there for: each test doctors the ledger or the table of a run that was fine."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from tests.chaos.ledger import Ledger
from tests.chaos.schedule import KILLS, Kind, plan
from tests.chaos.traffic import SPEED_UP, next_question, pause_seconds
from tests.chaos.verdict import Row, Verdict, judge

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
KEY = (7, 3)
ALL_EVENTS = {str(kind): 1 for kind in Kind}


@pytest.fixture
def ledger() -> Ledger:
    """Two revisions of one answer, saved 2 s apart, and a third that was sent and never acknowledged."""
    ledger = Ledger(hang_ups=1)
    for revision, value, second in ((100, "a", 0), (200, "b", 2)):
        ledger.note_sent(KEY, revision, value)
        at = NOON + timedelta(seconds=second)
        ledger.note_acknowledged(KEY, revision, value, outcome="saved", stored_revision=revision, saved_at=at)
    ledger.note_sent(KEY, 300, "c")
    return ledger


def verdict(ledger: Ledger, table: dict[tuple[int, int], Row], **changed: object) -> Verdict:
    arguments: dict = {
        "events": ALL_EVENTS,
        "wanted_events": frozenset(ALL_EVENTS),
        "students": 1,
        "seconds": 20,
        **changed,
    }
    return judge(ledger, table, **arguments)


@pytest.mark.parametrize("row", [Row(200, "b"), Row(300, "c")], ids=["the acknowledged", "a newer one"])
def test_a_run_that_kept_its_promises_passes(ledger, row):
    found = verdict(ledger, {KEY: row})
    assert (found.lost, found.failures, found.passed) == (0, [], True)


def test_an_older_revision_in_the_table_is_a_loss(ledger):
    found = verdict(ledger, {KEY: Row(100, "a")})
    assert found.lost == 1
    assert not found.passed
    assert "revision 200 was acknowledged, stored is 100" in found.failures[0]


def test_a_missing_row_loses_every_acknowledgement(ledger):
    found = verdict(ledger, {})
    assert found.lost == 2
    assert not found.passed


def test_another_value_under_the_acknowledged_revision_is_found(ledger):
    found = verdict(ledger, {KEY: Row(200, "x")})
    assert not found.passed
    assert "differ from what was acknowledged" in " ".join(found.failures)


@pytest.mark.parametrize("stored", [{KEY: Row(250, "b")}, {KEY: Row(200, "b"), (8, 3): Row(1, "a")}])
def test_what_nobody_sent_is_found(ledger, stored):
    found = verdict(ledger, stored)
    assert not found.passed
    assert "never sent" in " ".join(found.failures)


def test_two_saves_within_two_seconds_are_found(ledger):
    ledger.note_acknowledged(
        KEY, 300, "c", outcome="saved", stored_revision=300, saved_at=NOON + timedelta(seconds=3.999)
    )
    found = verdict(ledger, {KEY: Row(300, "c")})
    assert found.lost == 0
    assert "1 saves came less than 2 s after another: (7, 3): revisions 200 and 300, 1.999 s" in found.failures


def test_a_revision_that_is_saved_twice_is_found(ledger):
    ledger.note_acknowledged(
        KEY, 200, "b", outcome="already_saved", stored_revision=200, saved_at=NOON + timedelta(seconds=9)
    )
    assert "was saved twice" in " ".join(verdict(ledger, {KEY: Row(200, "b")}).failures)


def test_an_acknowledgement_of_something_older_is_found(ledger):
    ledger.note_acknowledged(KEY, 300, "c", outcome="superseded", stored_revision=200, saved_at=NOON)
    assert "speaks of revision 200" in " ".join(verdict(ledger, {KEY: Row(300, "c")}).failures)


def test_an_unforeseen_status_fails_the_run(ledger):
    ledger.surprise("(7, 3): 500 server_error")
    assert not verdict(ledger, {KEY: Row(200, "b")}).passed


def test_an_answer_that_still_waits_at_the_end_fails_the_run(ledger):
    assert not verdict(ledger, {KEY: Row(200, "b")}, unacknowledged=1).passed


@pytest.mark.parametrize("kind", Kind)
def test_a_run_without_one_of_the_events_proves_nothing(ledger, kind):
    happened = {name: count for name, count in ALL_EVENTS.items() if name != kind}
    found = verdict(ledger, {KEY: Row(200, "b")}, events=happened)
    assert found.failures == [f"The event {kind} never happened"]


def test_a_run_without_load_proves_nothing():
    found = verdict(Ledger(hang_ups=1), {})
    assert not found.passed
    assert "proves nothing" in found.failures[0]


def test_a_run_without_hang_ups_proves_nothing(ledger):
    ledger.hang_ups = 0
    assert not verdict(ledger, {KEY: Row(200, "b")}).passed


@pytest.mark.parametrize("seconds", [20, 25, 60, 200])
def test_a_full_run_has_every_kind_of_event_within_its_time(seconds):
    events = plan(seconds, random.Random(seconds))
    assert {event.kind for event in events} == set(Kind)
    assert all(0 < event.at_seconds < seconds - 2 for event in events)


@pytest.mark.parametrize("seconds", [5, 8, 15])
def test_a_short_run_kills_both_kinds_of_process(seconds):
    kinds = {event.kind for event in plan(seconds, random.Random(seconds))}
    assert {Kind.KILL_WEB, Kind.KILL_DATABASE} <= kinds & KILLS


def test_the_seed_decides_the_order():
    assert plan(60, random.Random(5)) == plan(60, random.Random(5))
    assert plan(60, random.Random(5)) != plan(60, random.Random(6))


def test_the_gaps_have_the_shape_of_real_ones():
    chance = random.Random(1)
    gaps = sorted(pause_seconds(chance) * SPEED_UP for _ in range(10_000))
    assert 0.28 <= sum(gap < 2 for gap in gaps) / len(gaps) <= 0.38
    assert 3 < gaps[len(gaps) // 2] < 4.5


def test_students_sometimes_stay_with_a_question():
    chance = random.Random(1)
    questions = list(range(40))
    stayed = sum(next_question(chance, 7, questions) == 7 for _ in range(10_000)) / 10_000
    assert 0.1 < stayed < 0.25
