"""
How one try ended, in nine words, and what each of them demands.

Contract:
- Every backend answers with exactly one `Outcome`; the names are stored in tables and shown in the API: lasting.
- `RULES[outcome]` says what the engine must do with the message, and what a person should know and do.

Not here: how a gateway's answer becomes an outcome (`backends/`), waiting, counting and holding (`delivery.py`).

    accepted                                -> sent
    bad_recipient, bad_message              -> failed at once: trying again cannot help
    gateway_auth, gateway_quota             -> counted; after the last try the gateway's breaker opens at once
    gateway_down, transient                 -> counted
    unknown                                 -> counted, and marked: the message may have been sent
    rate_limited                            -> waits, not counted

Five in a row of those that are counted open the gateway's breaker.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Outcome(StrEnum):
    """How one try ended."""

    ACCEPTED = "accepted"  # the gateway has taken it, which is not "delivered"
    BAD_RECIPIENT = "bad_recipient"  # this number can never work
    BAD_MESSAGE = "bad_message"  # this text or template can never work
    GATEWAY_AUTH = "gateway_auth"  # token wrong, permission lost, account locked, or set up wrongly
    GATEWAY_QUOTA = "gateway_quota"  # quota used up or bill not paid
    GATEWAY_DOWN = "gateway_down"  # refused, 5xx, device off line: surely not sent
    RATE_LIMITED = "rate_limited"  # later, please
    UNKNOWN = "unknown"  # the request went out and no answer that can be trusted came back
    TRANSIENT = "transient"  # a refusal that may pass, and none of the others


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What an outcome demands. `meaning` and `advice` are sentences for a person."""

    meaning: str | Promise
    advice: str | Promise
    fails_at_once: bool = False  # a failed row now, whatever tries are left
    costs_a_try: bool = True
    opens_breaker_at_once: bool = False  # once its message has had its tries
    feeds_breaker: bool = False  # counts towards five in a row


RULES: dict[Outcome, Rule] = {
    Outcome.ACCEPTED: Rule(
        meaning=_("The gateway has taken the message. That is not yet delivered: a receipt says so later."),
        advice=_("Nothing."),
    ),
    Outcome.BAD_RECIPIENT: Rule(
        meaning=_("This number cannot get the message: it is not on WhatsApp, or does not want it."),
        advice=_("Correct the number and send again."),
        fails_at_once=True,
    ),
    Outcome.BAD_MESSAGE: Rule(
        meaning=_("The gateway refuses this message as it is."),
        advice=_("Read what it says about the text or the template, correct it and send again."),
        fails_at_once=True,
    ),
    Outcome.GATEWAY_AUTH: Rule(
        meaning=_("The gateway does not let us in: token, permission, account or device name."),
        advice=_("Check the gateway's settings and its account. Messages are held until it is put right."),
        opens_breaker_at_once=True,
        feeds_breaker=True,
    ),
    Outcome.GATEWAY_QUOTA: Rule(
        meaning=_("The gateway's quota is used up, its bill is not paid, or its number is limited."),
        advice=_("Look into the gateway's account. Messages are held until it is put right."),
        opens_breaker_at_once=True,
        feeds_breaker=True,
    ),
    Outcome.GATEWAY_DOWN: Rule(
        meaning=_("The gateway cannot be reached, is in trouble, or its phone is off line. Nothing was sent."),
        advice=_("See whether the gateway runs and its phone is connected (scan the QR code again if it asks)."),
        feeds_breaker=True,
    ),
    Outcome.RATE_LIMITED: Rule(
        meaning=_("The gateway asks us to send more slowly."),
        advice=_("Nothing: the message waits. If it happens often, set a lower pace."),
        costs_a_try=False,
    ),
    Outcome.UNKNOWN: Rule(
        meaning=_("The request went out, but no answer came back that can be trusted. It may have been sent."),
        advice=_("Look at the receiver's chat before you send it again by hand."),
        feeds_breaker=True,
    ),
    Outcome.TRANSIENT: Rule(
        meaning=_("The gateway refused this time, for a reason that may pass."),
        advice=_("Nothing: it is tried again. If it stays, read what the gateway says."),
        feeds_breaker=True,
    ),
}
