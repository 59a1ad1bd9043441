"""
WAHA (devlikeapro/waha), on a machine of the school's own: JSON, `X-Api-Key`, real HTTP codes.

What is particular:
- 201 and a message object; its id is a string (`true_628…@c.us_3EB0…`), an object, or in `key`, by the engine in use.
  We keep the last part alone: WhatsApp may name the same chat by another id in the receipt.
- 422 is two things: the session does not work (it says which status it has) or the request is wrong.
- 500 repeats our whole request, number and text: the redaction is made for that.
- Nothing limits how fast one sends, except that WhatsApp bans numbers that do: keep `per_second` low.
"""

from __future__ import annotations

from typing import Any

from notifications import http
from notifications.backends.base import BaseBackend, Message, Option, Result, text_only
from notifications.outcomes import Outcome

_TEXT_MAX = 65_536


class WahaBackend(BaseBackend):
    """See the module."""

    OPTIONS = (
        Option(name="base_url", help="where WAHA is, as in http://127.0.0.1:3000", required=True),
        Option(name="key_env", help="variable with the API key", required=True),
        Option(name="session", help="name of the session", default="default"),
        Option(name="receipts_secret_env", help="variable with the HMAC key of the webhook"),
    )

    def request_for(self, message: Message) -> http.Request:
        body = {
            "session": self.option("session"),
            "chatId": f"{message.receiver}@c.us",
            "text": text_only(message, longest=_TEXT_MAX),
        }
        return self.json_request(f"{self._base()}/api/sendText", body, self._headers())

    def read(self, message: Message, answer: http.Answer) -> Result:
        said = answer.fields
        error = str(said.get("message") or said.get("error") or "")
        if "expected" in said or ("session" in said and "status" in said and answer.status == 422):
            return Result(outcome=Outcome.GATEWAY_DOWN, error=error, code=str(said.get("status") or ""))
        if answer.status in (200, 201):
            provider_id = message_id(said)
            if provider_id:
                return Result(outcome=Outcome.ACCEPTED, provider_id=provider_id)
        if answer.status in (400, 413, 422):
            return Result(outcome=Outcome.BAD_MESSAGE, error=error or f"HTTP {answer.status}")
        if answer.status >= 500 and isinstance(said.get("exception"), dict):
            error = str(said["exception"].get("message") or error)
        return self.by_status(answer, error=error)

    def ask(self) -> Result:
        url = f"{self._base()}/api/sessions/{self.option('session')}"
        answer = self.asked(self.request("GET", url, b"", self._headers()))
        if isinstance(answer, Result):
            return answer
        status = str(answer.fields.get("status") or "")
        if answer.status == 200 and status == "WORKING":
            result = Result(outcome=Outcome.ACCEPTED)
        elif answer.status == 200 and status:
            result = Result(outcome=Outcome.GATEWAY_DOWN, error=f"the session is {status}", code=status)
        else:
            result = self.by_status(answer, error=str(answer.fields.get("message") or ""))
        return self.finished(result, answer)

    def _base(self) -> str:
        return str(self.option("base_url")).rstrip("/")

    def _headers(self) -> dict[str, str]:
        return {"X-Api-Key": self.secret("key_env")}


def message_id(said: dict[str, Any]) -> str:
    """The last part of a message's id, from a send's answer or a receipt's payload; "" where there is none."""
    found = said.get("id")
    if isinstance(found, dict):
        found = found.get("id") or found.get("_serialized")
    if not found and isinstance(said.get("key"), dict):
        found = said["key"].get("id")
    if not isinstance(found, str):
        return ""
    # true_<chat>_<id>, and in groups true_<chat>_<id>_<who>.
    parts = found.split("_")
    return parts[2] if len(parts) >= 3 and parts[0] in ("true", "false") else found
