"""
Fonnte (api.fonnte.com): a form, the device's token bare in `Authorization`, and HTTP 200 for everything.

What is particular:
- A refusal is HTTP 200 with `status: false` and the cause in `reason`; the writing of names varies, and `status` has
  been seen as a string.
- `connectOnly` is true: with false, Fonnte would keep the message while the phone is off line and send it up to a week
  later, after we had sent it again.
- `{name}` in a text is replaced by Fonnte. No way to write a brace that stays is documented, so an invisible mark
  (U+2060) goes behind the opening one: the reader sees the same, Fonnte no place to fill.
- "accepted" is "queued at Fonnte". Receipts come as webhooks without a signature: docs/howto/whatsapp.md.
"""

from __future__ import annotations

import re
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

_TEXT_MAX = 60_000

#: Fonnte's reasons.
_REASONS = {
    "token invalid": Outcome.GATEWAY_AUTH,
    "unknown user": Outcome.GATEWAY_AUTH,
    "invalid device": Outcome.GATEWAY_AUTH,
    "insufficient quota": Outcome.GATEWAY_QUOTA,
    "disconnected device": Outcome.GATEWAY_DOWN,
    "target invalid": Outcome.BAD_RECIPIENT,
    "input invalid": Outcome.BAD_MESSAGE,
    "url invalid": Outcome.BAD_MESSAGE,
    "url unreachable": Outcome.BAD_MESSAGE,
    "file format not supported": Outcome.BAD_MESSAGE,
    "file size must under": Outcome.BAD_MESSAGE,
    "json format invalid": Outcome.BAD_MESSAGE,
    "request timeout": Outcome.UNKNOWN,
}


class FonnteBackend(BaseBackend):
    """See the module."""

    OPTIONS = (
        Option(name="token_env", help="variable with the device's token", required=True),
        Option(name="base_url", help="where Fonnte is", default="https://api.fonnte.com"),
        Option(name="receipts_secret_env", help="variable with the secret part of the webhook's address"),
    )

    def request_for(self, message: Message) -> http.Request:
        text = re.sub(r"\{(?=\w)", "{\u2060", text_only(message, longest=_TEXT_MAX))
        form = {"target": message.receiver, "message": text, "countryCode": "0", "connectOnly": "true"}
        return self.form_request(f"{self.option('base_url')}/send", form, self._headers())

    def read(self, message: Message, answer: http.Answer) -> Result:
        said = answer.fields
        if is_true(said.get("status")):
            provider_id = _id_for(message.receiver, said)
            if provider_id:
                return Result(outcome=Outcome.ACCEPTED, provider_id=provider_id)
            return Result(outcome=Outcome.UNKNOWN, error="status is true, but there is no id")
        return self._refusal(answer)

    def ask(self) -> Result:
        answer = self.asked(self.form_request(f"{self.option('base_url')}/device", {}, self._headers()))
        if isinstance(answer, Result):
            return answer
        said = answer.fields
        if not is_true(said.get("status")):
            result = self._refusal(answer)
        elif said.get("device_status") != "connect":
            result = Result(outcome=Outcome.GATEWAY_DOWN, error=f"the device is {said.get('device_status')!r}")
        elif str(said.get("quota")) == "0":
            result = Result(outcome=Outcome.GATEWAY_QUOTA, error="the quota is 0")
        else:
            result = Result(outcome=Outcome.ACCEPTED)
        return self.finished(result, answer)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": self.secret("token_env")}

    def _refusal(self, answer: http.Answer) -> Result:
        said = answer.fields
        reason = str(said.get("reason") or said.get("detail") or "")
        outcome = first_that_says(_REASONS, reason)
        if outcome is not None:
            return Result(outcome=outcome, error=reason)
        if is_false(said.get("status")) and answer.status < 500 and answer.status not in (401, 403, 429):
            # An explicit no, for a cause that nobody has listed.
            return Result(outcome=Outcome.TRANSIENT, error=reason or "refused without a reason")
        return self.by_status(answer, error=reason)


def _id_for(receiver: str, said: dict[str, Any]) -> str:
    """`id` and `target` are lists side by side; the id that stands beside our receiver, "" where there is none."""
    ids, targets = said.get("id"), said.get("target")
    ids = ids if isinstance(ids, list) else [ids]
    targets = [str(target) for target in targets] if isinstance(targets, list) else []
    at = targets.index(receiver) if receiver in targets else 0
    return str(ids[at]) if at < len(ids) and ids[at] else ""
