"""
Wablas: JSON, `Authorization: token` or `token.secret`, on a host that belongs to the account.

What is particular:
- The same refusal has been seen with HTTP 500 and with 400: only the body decides.
- The wrong host answers "token invalid": it is part of the credentials, so `base_url` has no default.
- `retry` is false: a gateway that tries again beside us sends twice.
- Success is told per message, in `data.messages`; the phone may come back as a number.
"""

from __future__ import annotations

from typing import Any

from notifications import http
from notifications.backends.base import (
    BaseBackend,
    Message,
    Option,
    Result,
    first_that_says,
    is_false,
    is_true,
    text_only,
)
from notifications.outcomes import Outcome

_TEXT_MAX = 65_536

#: Words of Wablas' messages.
_MESSAGES = {
    "device disconnected": Outcome.GATEWAY_DOWN,
    "scan qr": Outcome.GATEWAY_DOWN,
    "token invalid": Outcome.GATEWAY_AUTH,
    "device expired": Outcome.GATEWAY_AUTH,
    "secret key": Outcome.GATEWAY_AUTH,
    "not authorized": Outcome.GATEWAY_AUTH,
    "unauthorized": Outcome.GATEWAY_AUTH,
    "device not found": Outcome.GATEWAY_AUTH,
    "quota": Outcome.GATEWAY_QUOTA,
}
#: Never "phone" alone: it may be the sender's.
_WRONG = ("invalid", "not valid", "not registered", "required", "not found")
_REFUSED = {"failed", "cancel", "cancelled", "reject", "rejected"}


class WablasBackend(BaseBackend):
    """See the module."""

    OPTIONS = (
        Option(name="base_url", help="the account's host, as in https://solo.wablas.com", required=True),
        Option(name="token_env", help="variable with the token", required=True),
        Option(name="secret_key_env", help="variable with the secret key, for accounts that have one"),
    )

    def request_for(self, message: Message) -> http.Request:
        sent = {
            "phone": message.receiver,
            "message": text_only(message, longest=_TEXT_MAX),
            "isGroup": False,
            "flag": "instant",
            "secret": False,
            "priority": False,
            "retry": False,
        }
        key = self.secret("secret_key_env")
        token = self.secret("token_env") + (f".{key}" if key else "")
        url = f"{str(self.option('base_url')).rstrip('/')}/api/v2/send-message"
        return self.json_request(url, {"data": [sent]}, {"Authorization": token})

    def read(self, message: Message, answer: http.Answer) -> Result:
        said = answer.fields
        if is_true(said.get("status")):
            return _result_of(_ours(message.receiver, said))
        error = str(said.get("message") or "")
        outcome = _outcome_of(error)
        if outcome is not None:
            return Result(outcome=outcome, error=error)
        if is_false(said.get("status")):
            # Its 500 is no different from its 400: an explicit no that we have not met.
            return Result(outcome=Outcome.TRANSIENT, error=error or "refused without a reason")
        return self.by_status(answer, error=error)


def _outcome_of(error: str) -> Outcome | None:
    words = error.lower().replace("-", " ").replace("_", " ")
    known = first_that_says(_MESSAGES, words)
    if known is not None or not any(wrong in words for wrong in _WRONG):
        return known
    if "phone" in words:
        return Outcome.BAD_RECIPIENT
    return Outcome.BAD_MESSAGE if "param" in words else None


def _ours(receiver: str, said: dict[str, Any]) -> dict[str, Any]:
    """The element about our receiver; {} where there is none."""
    data = said.get("data")
    messages = data.get("messages") if isinstance(data, dict) else None
    found = [one for one in messages if isinstance(one, dict)] if isinstance(messages, list) else []
    ours = [one for one in found if str(one.get("phone")) == receiver]
    return next(iter(ours or found), {})


def _result_of(ours: dict[str, Any]) -> Result:
    status = str(ours.get("status") or "")
    if status.lower() in _REFUSED:
        return Result(outcome=Outcome.TRANSIENT, error=f"the message's status is {status}", code=status)
    if not ours.get("id"):
        return Result(outcome=Outcome.UNKNOWN, error="status is true, but there is no id")
    return Result(outcome=Outcome.ACCEPTED, provider_id=str(ours["id"]), code=status)
