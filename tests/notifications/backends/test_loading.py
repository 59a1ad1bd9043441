"""From the settings to a backend; and the two backends that need no network."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.test import override_settings

from notifications.backends import memory
from notifications.backends.base import BaseBackend, Message, Result
from notifications.backends.loading import backend_for, backend_of
from notifications.exceptions import GatewayNotConfigured, UnknownGateway
from notifications.outcomes import RULES, Outcome
from tests.notifications.backends.gateways import MESSAGE, RECEIVER, TEMPLATE


class OwnBackend(BaseBackend):
    """A school's own."""

    def send(self, message: Message) -> Result:
        return Result(outcome=Outcome.ACCEPTED)


@override_settings(NOTIFICATIONS_GATEWAYS={"utama": {"backend": "memory"}})
def test_a_gateway_is_found_by_its_name() -> None:
    assert backend_for("utama").alias == "utama"
    with pytest.raises(UnknownGateway):
        backend_for("other")


def test_a_dotted_path_is_a_backend_of_ones_own() -> None:
    assert isinstance(backend_of("x", {"backend": f"{__name__}.OwnBackend"}), OwnBackend)


@pytest.mark.parametrize("name", ["fonte", "", None, 5, "no.such.Module", f"{__name__}.MESSAGE", f"{__name__}.Nobody"])
def test_a_backend_that_does_not_exist_is_named(name: object) -> None:
    with pytest.raises(GatewayNotConfigured) as caught:
        backend_of("utama", {"backend": name})
    assert "'utama'" in caught.value.problem
    assert str(caught.value) == "gateway_not_configured"


def test_the_console_prints_the_text_and_masks_the_number(capsys: pytest.CaptureFixture[str]) -> None:
    result = backend_of("x", {"backend": "console"}).send(replace(MESSAGE, text="baris 1\nbaris 2"))
    printed = capsys.readouterr().out
    assert result.outcome is Outcome.ACCEPTED
    assert "baris 1\n    baris 2" in printed
    assert RECEIVER not in printed


def test_the_console_prints_a_template(capsys: pytest.CaptureFixture[str]) -> None:
    backend_of("x", {"backend": "console"}).send(replace(MESSAGE, template=TEMPLATE))
    assert "hasil_ujian: Siti, Matematika, 87" in capsys.readouterr().out


def test_the_memory_keeps_what_it_took_and_follows_its_script() -> None:
    memory.clear()
    memory.script([Result(outcome=Outcome.GATEWAY_DOWN)])
    backend = backend_of("x", {"backend": "memory"})
    assert [backend.send(MESSAGE).outcome for _ in range(2)] == [Outcome.GATEWAY_DOWN, Outcome.ACCEPTED]
    assert memory.outbox == [MESSAGE]
    memory.clear()
    assert memory.outbox == []


def test_every_outcome_has_its_rule_and_its_sentences() -> None:
    assert set(RULES) == set(Outcome)
    assert all(str(rule.meaning) and str(rule.advice) for rule in RULES.values())
    assert [outcome for outcome in Outcome if RULES[outcome].fails_at_once] == [
        Outcome.BAD_RECIPIENT,
        Outcome.BAD_MESSAGE,
    ]
    assert [outcome for outcome in Outcome if not RULES[outcome].costs_a_try] == [Outcome.RATE_LIMITED]
