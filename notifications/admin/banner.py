"""
How the gateways are: one line each, on top of every page about messages.

Contract: every gateway of the settings has a line, and every other one that has messages waiting; two queries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db.models import Count, Min, Q
from django.db.models.functions import Now
from django.utils import timezone

from notifications.conf import conf
from notifications.models import DUE_STATES, GatewayState, Notification, State


class Condition(StrEnum):
    """What a gateway's light shows."""

    RUNNING = "running"
    PAUSED = "paused"
    OPEN = "open"  # the breaker: messages are held
    UNKNOWN = "unknown"  # messages wait for a gateway that is not in the settings (any more)


@dataclass(frozen=True, kw_only=True)
class GatewayLine:
    """
    One gateway now.

    *due*: messages that may go and have not gone yet, the oldest of them since *oldest_due_at*; *held*: those that wait
    for the gateway to come back. *since*: of the pause or the breaker.
    """

    alias: str
    condition: Condition
    since: datetime | None = None
    reason: str = ""
    error_class: str = ""
    paused_by: str = ""
    probe_at: datetime | None = None
    due: int = 0
    held: int = 0
    oldest_due_at: datetime | None = None

    @property
    def oldest_seconds(self) -> int:
        """How long the oldest message has been waiting; the health figure."""
        return 0 if self.oldest_due_at is None else max(0, int((timezone.now() - self.oldest_due_at).total_seconds()))

    @property
    def level(self) -> str:
        """The class of Django's message list."""
        return {Condition.RUNNING: "success", Condition.PAUSED: "warning"}.get(self.condition, "error")


def gateway_lines() -> list[GatewayLine]:
    """In alphabetical order."""
    states = {state.alias: state for state in GatewayState.objects.all()}
    waiting = {row["gateway"]: row for row in _waiting()}
    configured = set(conf().gateways)
    return [
        _line(alias, states.get(alias), waiting.get(alias, {}), is_configured=alias in configured)
        for alias in sorted(configured | set(waiting))
    ]


def _waiting() -> Iterable[Mapping[str, Any]]:
    is_due = Q(state__in=DUE_STATES, next_try_at__lte=Now()) | Q(state=State.HELD)
    return (
        Notification.objects.filter(is_due)
        .order_by()
        .values("gateway")
        .annotate(
            due=Count("pk", filter=~Q(state=State.HELD)),
            held=Count("pk", filter=Q(state=State.HELD)),
            oldest=Min("next_try_at"),
        )
    )


def _line(alias: str, state: GatewayState | None, waiting: Mapping[str, Any], *, is_configured: bool) -> GatewayLine:
    # A pause is somebody's will and is shown before what the gateway itself says.
    if not is_configured:
        condition = Condition.UNKNOWN
    elif state is not None and state.paused_at is not None:
        condition = Condition.PAUSED
    elif state is not None and state.is_open:
        condition = Condition.OPEN
    else:
        condition = Condition.RUNNING
    shown = state or GatewayState(alias=alias)
    is_stopped = condition is Condition.OPEN
    return GatewayLine(
        alias=alias,
        condition=condition,
        since={Condition.PAUSED: shown.paused_at, Condition.OPEN: shown.opened_at}.get(condition),
        reason=shown.reason if is_stopped else "",
        error_class=shown.error_class if is_stopped else "",
        paused_by=shown.paused_by,
        probe_at=shown.probe_at if is_stopped else None,
        due=waiting.get("due", 0),
        held=waiting.get("held", 0),
        oldest_due_at=waiting.get("oldest"),
    )
