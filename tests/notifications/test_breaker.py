"""Gateways in trouble: the breaker, its probes, pauses by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from notifications import breaker, delivery, probes, recording
from notifications.backends import memory
from notifications.backends.base import Result
from notifications.exceptions import UnknownGateway
from notifications.models import FailedNotification, GatewayState, Notification, State
from notifications.outcomes import Outcome
from tests.exams.at_once import at_once
from tests.notifications.sending import (
    bells,
    claimed,
    configure,
    drain,
    failed_row,
    forget_bells,
    gateway,
    make_due,
    queue,
    refused,
    states,
    try_once,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("gateways")]
race = pytest.mark.django_db(transaction=True)

DOWN = refused(Outcome.GATEWAY_DOWN)
YES = Result(outcome=Outcome.ACCEPTED, provider_id="x")


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Result | None]]:
    """What the gateway's own probe says, one after the other; None: it has none."""
    said: list[Result | None] = []
    monkeypatch.setattr(memory.MemoryBackend, "probe", lambda self: said.pop(0))
    yield said
    assert said == []


def open_it(outcome: Outcome = Outcome.GATEWAY_DOWN, *, messages: int = 5) -> None:
    """Five failures in a row, of as many messages."""
    for number in range(messages):
        queue(number)
    for _ in range(5):
        try_once(refused(outcome))
        Notification.objects.filter(state="waiting").update(next_try_at=timezone.now() + timedelta(hours=1))
    assert gateway().is_open


def probe_now() -> None:
    GatewayState.objects.update(probe_at=timezone.now() - timedelta(seconds=1))
    drain()


@pytest.mark.parametrize("outcome", [Outcome.GATEWAY_DOWN, Outcome.TRANSIENT, Outcome.UNKNOWN])
def test_five_failures_in_a_row_open_it(outcome: Outcome) -> None:
    queue(1)
    for number in range(2, 6):
        try_once(refused(outcome))
        assert not gateway().is_open
        queue(number)
    try_once(refused(outcome))
    state = gateway()
    assert (state.is_open, state.error_class, state.reason) == (True, outcome, f"said {outcome}")
    assert state.opened_at is not None
    assert state.probe_at is not None
    assert (state.probe_at - state.opened_at).total_seconds() == 30
    assert any(29 < bell < 31 for bell in bells())


@pytest.mark.parametrize("outcome", [Outcome.ACCEPTED, Outcome.BAD_RECIPIENT, Outcome.BAD_MESSAGE])
def test_a_sensible_answer_begins_the_count_anew(outcome: Outcome) -> None:
    for number in range(9):
        queue(number)
        try_once(refused(outcome, provider_id="x") if number == 4 else DOWN)
    assert not gateway().is_open
    assert gateway().failures == 4


def test_other_gateways_are_not_touched() -> None:
    open_it()
    queue(9, gateway="lain")
    drain()
    assert [message.receiver for message in memory.outbox] == ["628120000009"]


@pytest.mark.parametrize("outcome", [Outcome.GATEWAY_AUTH, Outcome.GATEWAY_QUOTA])
def test_one_wrong_token_opens_it_after_its_message_had_its_tries(outcome: Outcome) -> None:
    queue(1)
    for _ in range(2):
        try_once(refused(outcome))
        assert not gateway().is_open
        make_due()
    try_once(refused(outcome))
    assert gateway().is_open
    assert failed_row().error_class == outcome


def test_while_it_is_open_messages_are_held_and_no_try_is_lost() -> None:
    open_it()
    for number in range(10, 13):
        queue(number)
    drain()
    assert states() == {"held": 8}
    assert set(Notification.objects.values_list("tries", flat=True)) == {0, 1}
    assert memory.outbox == []
    assert delivery.claim() is None


def test_a_good_probe_lets_everything_flow_again(answers: list[Result | None]) -> None:
    open_it()
    queue(20)
    drain()
    answers.append(YES)
    probe_now()
    state = gateway()
    assert (state.is_open, state.failures, state.probe_at, state.reason) == (False, 0, None, "")
    make_due()
    drain()
    assert states() == {"sent": 6}


def test_bad_probes_wait_longer_each_time(answers: list[Result | None]) -> None:
    open_it()
    for seconds in (60, 120, 300, 300):
        answers.append(refused(Outcome.GATEWAY_AUTH))
        forget_bells()
        probe_now()
        probe_at = gateway().probe_at
        assert probe_at is not None
        assert (probe_at - timezone.now()).total_seconds() == pytest.approx(seconds, abs=3)
        assert any(bell == pytest.approx(seconds, abs=3) for bell in bells())
    assert states() == {"held": 5}


def test_it_is_not_probed_before_its_time(answers: list[Result | None]) -> None:
    open_it()
    drain()
    assert gateway().is_open


@race
def test_of_all_workers_one_asks(answers: list[Result | None]) -> None:
    open_it()
    GatewayState.objects.update(probe_at=timezone.now() - timedelta(seconds=1))
    answers.append(DOWN)
    assert sum(at_once(5, lambda _: probes.probe_due())) == 1


def test_a_worker_that_dies_while_it_asks_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    open_it()
    GatewayState.objects.update(probe_at=timezone.now() - timedelta(seconds=1))

    def killed(self: object) -> None:
        raise SystemExit

    monkeypatch.setattr(memory.MemoryBackend, "probe", killed)
    forget_bells()
    with pytest.raises(SystemExit):
        probes.probe_due()
    probe_at = gateway().probe_at
    assert probe_at is not None
    assert (probe_at - timezone.now()).total_seconds() == pytest.approx(30, abs=2)
    assert bells()[0] == pytest.approx(30, abs=2)


def test_without_a_probe_of_its_own_one_message_asks(answers: list[Result | None]) -> None:
    open_it()
    drain()
    before = dict(Notification.objects.values_list("pk", "tries"))
    memory.script([DOWN])
    answers.append(None)
    probe_now()
    # The gateway is to blame: the message that asked is held as before.
    assert states() == {"held": 5}
    assert dict(Notification.objects.values_list("pk", "tries")) == before
    memory.clear()
    answers.append(None)
    probe_now()
    assert not gateway().is_open
    make_due()
    drain()
    assert states() == {"sent": 5}


def test_a_message_that_asked_and_may_have_been_sent_is_marked(answers: list[Result | None]) -> None:
    open_it(messages=5)
    drain()
    memory.script([refused(Outcome.UNKNOWN)])
    answers.append(None)
    probe_now()
    marked = Notification.objects.get(possible_duplicate=True)
    assert marked.tries == 2
    assert gateway().is_open


def test_a_refusal_of_the_number_shows_that_the_gateway_works(answers: list[Result | None]) -> None:
    open_it()
    drain()
    memory.script([refused(Outcome.BAD_RECIPIENT)])
    answers.append(None)
    probe_now()
    assert not gateway().is_open
    assert FailedNotification.objects.count() == 1


def test_with_nothing_to_ask_with_the_next_message_asks(answers: list[Result | None]) -> None:
    open_it()
    drain()
    Notification.objects.update(state=State.CANCELLED)
    answers.append(None)
    probe_now()
    assert not gateway().is_open
    queue(30)
    try_once(DOWN)
    assert gateway().is_open  # one failure is enough now


def test_a_probe_with_a_bug_is_a_bad_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object) -> None:
        raise ValueError("secret")

    open_it()
    monkeypatch.setattr(memory.MemoryBackend, "probe", broken)
    probe_now()
    assert gateway().is_open
    assert "secret" not in gateway().reason


# -- by hand ---------------------------------------------------------------------------------------------------------


def test_a_pause_holds_and_a_resume_releases() -> None:
    queue(1)
    assert breaker.pause("utama", "guru")
    assert not breaker.pause("utama", "lain")
    assert gateway().paused_by == "guru"
    drain()
    assert states() == {"held": 1}
    forget_bells()
    assert breaker.resume("utama", "guru")
    assert bells()
    assert not breaker.resume("utama", "guru")
    drain()
    assert states() == {"sent": 1}


def test_what_is_in_the_air_when_it_is_paused_is_recorded() -> None:
    queued = queue()
    claim = claimed()
    breaker.pause("utama", "guru")
    recording.record(claim, YES)
    queued.refresh_from_db()
    assert queued.state == State.SENT


def test_a_paused_gateway_is_not_probed(answers: list[Result | None]) -> None:
    open_it()
    breaker.pause("utama", "guru")
    probe_now()
    assert gateway().is_open


def test_a_resume_gives_an_open_gateway_another_chance() -> None:
    open_it()
    drain()
    assert breaker.resume("utama", "guru")
    assert not gateway().is_open
    assert states() == {"waiting": 5}
    make_due()
    try_once(DOWN)
    assert gateway().is_open


def test_a_pause_of_nobody_is_an_error() -> None:
    for verb in (breaker.pause, breaker.resume):
        with pytest.raises(UnknownGateway):
            verb("nobody", "guru")


def test_a_crowd_is_held_and_released_in_batches(gateways: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "_BATCH", 4)
    configure(gateways)
    for number in range(9):
        queue(number)
    breaker.pause("utama", "guru")
    assert breaker.hold_due("utama") == 9
    assert breaker.release("utama") == 0  # still paused
    breaker.resume("utama", "guru")
    assert states() == {"queued": 9}
    assert breaker.hold_due("utama") == 0  # not paused any more
