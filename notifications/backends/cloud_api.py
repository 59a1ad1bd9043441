"""
Meta's WhatsApp Cloud API: JSON, a Bearer token, and a table of error codes.

What is particular:
- Business-initiated messages need an approved template; free text only within 24 hours after the person wrote to us.
- Meta's advice: branch on the code, never on status, title or text. Rate limits arrive as 400 as well as 429.
- "accepted" is not sent: many refusals (not on WhatsApp, outside the 24 hours) come later, as receipts.
- `biz_opaque_callback_data` is our notification's id; a receipt brings it back, so even a message whose answer was lost
  finds its receipt.
- 131049 ("healthy ecosystem") fails at once although the number is good: Meta says that sending again makes it worse,
  so a person decides. 131048 (our number is taken for spam) holds the gateway for an hour for the same reason.
"""

from __future__ import annotations

import re
from typing import Any

from notifications import http
from notifications.backends.base import BaseBackend, Message, Option, Refused, Result, text_only
from notifications.outcomes import Outcome

_TEXT_MAX = 4096

_AUTH = {0, 3, 10, 33, 190, 368, 130497, 131005, 131031, 133010} | set(range(200, 300))
_QUOTA = {131042, 131048}
_RATE = {4, 613, 80007, 130429, 131056, 131057}
_DOWN = {1, 2, 131000, 131016, 133004}
_RECIPIENT = {131026, 131030, 131049, 131050}
_MESSAGE = {100, 131008, 131009, 131047, 131051, 132000, 132001, 132005, 132007, 132012, 132015, 132016}
OUTCOME_OF_CODE = {
    **dict.fromkeys(_AUTH, Outcome.GATEWAY_AUTH),
    **dict.fromkeys(_QUOTA, Outcome.GATEWAY_QUOTA),
    **dict.fromkeys(_RATE, Outcome.RATE_LIMITED),
    **dict.fromkeys(_DOWN, Outcome.GATEWAY_DOWN),
    **dict.fromkeys(_RECIPIENT, Outcome.BAD_RECIPIENT),
    **dict.fromkeys(_MESSAGE, Outcome.BAD_MESSAGE),
}
#: Where Meta's own advice is longer than what the engine would wait.
_WAIT_SECONDS = {131048: 60 * 60.0, 131056: 60.0, 131057: 60.0}


class CloudApiBackend(BaseBackend):
    """See the module."""

    OPTIONS = (
        Option(
            name="phone_number_id", help="the number's id in Meta's console (digits, not the number)", required=True
        ),
        Option(name="token_env", help="variable with the system user's token", required=True),
        Option(name="version", help="version of the Graph API", default="v23.0"),
        Option(name="base_url", help="where the Graph API is", default="https://graph.facebook.com"),
        Option(name="receipts_secret_env", help="variable with the app secret, which signs the webhooks"),
        Option(name="verify_token_env", help="variable with the token of the webhook's handshake"),
    )

    def request_for(self, message: Message) -> http.Request:
        base, version = str(self.option("base_url")).rstrip("/"), self.option("version")
        url = f"{base}/{version}/{self.option('phone_number_id')}/messages"
        body: dict[str, Any] = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": message.receiver,
            **_content(message),
            "biz_opaque_callback_data": str(message.notification_id),
        }
        return self.json_request(url, body, {"Authorization": f"Bearer {self.secret('token_env')}"})

    def read(self, message: Message, answer: http.Answer) -> Result:
        said = answer.fields
        error = said.get("error")
        if isinstance(error, dict):
            return self._refusal(answer, error)
        messages = said.get("messages")
        if 200 <= answer.status < 300 and isinstance(messages, list) and messages and isinstance(messages[0], dict):
            provider_id = messages[0].get("id")
            if isinstance(provider_id, str) and provider_id:
                status = str(messages[0].get("message_status") or "")
                return Result(outcome=Outcome.ACCEPTED, provider_id=provider_id, code=status)
        return self.by_status(answer)

    def problems(self) -> list[str]:
        found = []
        if not re.fullmatch(r"\d{5,20}", str(self.given().get("phone_number_id") or "0" * 5)):
            found.append("'phone_number_id' is not the number's id in Meta's console, which is digits alone")
        if not re.fullmatch(r"v\d+\.\d+", str(self.option("version"))):
            found.append("'version' is not like v23.0")
        return found

    def _refusal(self, answer: http.Answer, error: dict[str, Any]) -> Result:
        code, words = error_of(error)
        outcome = OUTCOME_OF_CODE.get(code)
        if outcome is None:
            return self.by_status(answer, error=words, code=str(code))
        return Result(outcome=outcome, error=words, code=str(code), retry_after_seconds=_WAIT_SECONDS.get(code))


def error_of(error: dict[str, Any]) -> tuple[int, str]:
    """Code and words of one of Meta's error objects, from an answer or from a receipt. -1 where there is no code."""
    try:
        code = int(error.get("code", -1))
    except (TypeError, ValueError):
        code = -1
    words = str(error.get("message") or error.get("title") or "")
    data = error.get("error_data")
    details = str(data.get("details") or "") if isinstance(data, dict) else ""
    if details and details not in words:
        words = f"{words}: {details}" if words else details
    return code, words


def _content(message: Message) -> dict[str, Any]:
    template = message.template
    if template is None:
        return {"type": "text", "text": {"preview_url": False, "body": text_only(message, longest=_TEXT_MAX)}}
    if any(not value.strip() for value in template.parameters):
        raise Refused(Outcome.BAD_MESSAGE, f"a parameter of the template {template.name} is empty")
    parameters = [{"type": "text", "text": _one_line(value)} for value in template.parameters]
    body: dict[str, Any] = {"name": template.name, "language": {"code": template.language}}
    if parameters:
        body["components"] = [{"type": "body", "parameters": parameters}]
    return {"type": "template", "template": body}


def _one_line(value: str) -> str:
    """Meta refuses line breaks, tabs and more than four spaces in a parameter (132012): a long title must not fail."""
    return re.sub(r"\s{2,}|[\n\r\t]", " ", value).strip()
