"""
Any gateway that takes one HTTP request per message, described in the settings instead of in code.

Contract: a gateway's settings, over those of its `profile` if it names one (`profiles.py`), say what the request is and
how to read the answer:

    {"backend": "http_json", "base_url": "https://wa.example.sch.id", "token_env": "WA_TOKEN",
     "url": "{base_url}/send", "headers": {"Authorization": "Bearer {token}"},
     "body": {"to": "{receiver}", "text": "{text}"},
     "success_path": "ok", "success_values": [true], "id_paths": ["data.id"], "error_paths": ["error"],
     "errors": [{"says": ["not connected"], "outcome": "gateway_down"}]}

- Places in braces: `receiver`, `text`, `id` (the notification's), every other setting that is a text, what is under
  `variables`, each `x_env` as `{x}`, and `{basic}` from `user_env` and `password_env`. Values are put into finished
  JSON, so nothing in a text can break out of its place. Secrets are refused in `url`: addresses end in logs. A header
  that comes out empty is left out.
- `accepted` needs the status to be in `success_statuses` (where given), the value at `success_path` in
  `success_values` (where given; one of the two must be), and an id where `id_required`.
- `errors` are rules, the first that fits decides; a rule fits when each of its `status`, `code`, `says` does. What no
  rule knows is judged by the status.
- A rule with `"recheck": true` is believed only after `recheck` (a second, harmless request) says the same.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote

from notifications import http
from notifications.backends.base import BaseBackend, Message, Option, Result, is_false, text_only
from notifications.backends.profiles import PROFILES
from notifications.bounded_connection import limited_to
from notifications.conf import conf
from notifications.outcomes import Outcome

_TEXT_MAX = 65_536
_PLACE = re.compile(r"\{(\w+)\}")
_RULE_KEYS = {"status", "code", "says", "outcome", "retry_after_seconds", "recheck"}


class HttpJsonBackend(BaseBackend):
    """See the module."""

    OPTIONS = (
        Option(name="profile", help="a ready description: " + ", ".join(sorted(PROFILES))),
        Option(name="base_url", help="where the gateway is"),
        Option(name="url", help="address that sends; {base_url} and other settings may stand in it", required=True),
        Option(name="method", help="HTTP method", default="POST"),
        Option(name="format", help="json or form", default="json"),
        Option(name="headers", help="headers, with places in braces", kind=dict, default={}),
        Option(name="body", help="the body, with places in braces", kind=dict, required=True),
        Option(name="variables", help="further places and what goes there", kind=dict, default={}),
        Option(name="success_statuses", help="HTTP statuses of success", kind=list, default=[]),
        Option(name="success_path", help="where the answer says whether it worked, as in data.ok"),
        Option(name="success_values", help="what stands there when it did", kind=list, default=[True, "true"]),
        Option(name="id_paths", help="where the message's id may be", kind=list, default=[]),
        Option(name="id_required", help="whether an answer without id is no success", kind=bool, default=True),
        Option(name="error_paths", help="where the cause may be", kind=list, default=["message", "error"]),
        Option(name="code_path", help="where the gateway's error code is"),
        Option(name="errors", help="rules: status, code, says -> outcome", kind=list, default=[]),
        Option(name="recheck", help="url, path and value that confirm a refusal", kind=dict, default={}),
        Option(name="token_env", help="variable with the token"),
        Option(name="user_env", help="variable with the user of Basic authentication"),
        Option(name="password_env", help="variable with the password of Basic authentication"),
        Option(name="receipts_secret_env", help="variable with the secret of the webhook"),
    )

    def __init__(self, alias: str, options: Mapping[str, Any]) -> None:
        self.profile_name = str(options.get("profile") or "")
        self.profile = PROFILES.get(self.profile_name)
        super().__init__(alias, {**(self.profile.settings if self.profile else {}), **options})

    def options(self) -> dict[str, Option]:
        own = {option.name: option for option in self.profile.options} if self.profile else {}
        return {**super().options(), **own}

    def secrets(self) -> list[str]:
        found = super().secrets()
        return [*found, _basic(found[0], found[1])] if self._has_basic() and len(found) > 1 else found

    def request_for(self, message: Message) -> http.Request:
        places = {
            **self._places(),
            "receiver": message.receiver,
            "text": text_only(message, longest=_TEXT_MAX),
            "id": str(message.notification_id),
        }
        secret = {**places, **self._secret_places()}
        headers = self._headers(secret)
        body = _filled_deep(self.option("body"), secret)
        url = self._url(self.option("url"), places)
        if self.option("format") == "form":
            return self.form_request(url, {name: str(value) for name, value in body.items()}, headers)
        request = self.json_request(url, body, headers)
        return replace(request, method=self.option("method"))

    def send(self, message: Message) -> Result:
        # A recheck is part of the same try and has to share its deadline.
        with limited_to(conf().deadline_seconds):
            return super().send(message)

    def read(self, message: Message, answer: http.Answer) -> Result:
        said = answer.json
        if self._is_success(answer):
            provider_id = next((str(found) for path in self.option("id_paths") if (found := at_path(said, path))), "")
            if provider_id or not self.option("id_required"):
                return Result(outcome=Outcome.ACCEPTED, provider_id=provider_id)
            return Result(outcome=Outcome.UNKNOWN, error="a sign of success, but no id")
        error = self._error(said)
        code = str(at_path(said, self.option("code_path")) or "")[:64]
        for rule in self.option("errors"):
            if _fits(rule, answer, code, error):
                return self._by_rule(rule, message, error=error or f"HTTP {answer.status}", code=code)
        path = self.option("success_path")
        if path and is_false(at_path(said, path)) and 200 <= answer.status < 300:
            return Result(outcome=Outcome.TRANSIENT, error=error or "refused without a reason", code=code)
        return self.by_status(answer, error=error, code=code)

    def problems(self) -> list[str]:
        found = []
        profile = self.given().get("profile")
        if profile and self.profile is None:
            found.append(f"there is no profile {profile!r}; there are {', '.join(sorted(PROFILES))}")
        if not self.option("success_statuses") and not self.option("success_path"):
            found.append("neither 'success_statuses' nor 'success_path' says what success is")
        if self.option("format") not in ("json", "form"):
            found.append("'format' is neither json nor form")
        known = {*self._places(), "receiver", "text", "id"}
        secret = {name.removesuffix("_env") for name, option in self.options().items() if option.is_secret} | {"basic"}
        url = str(self.given().get("url") or "")
        if wrong := sorted(set(_PLACE.findall(url)) & secret):
            found.append(f"'url' holds the secret {{{wrong[0]}}}: addresses end in logs; put it into 'headers'")
        used = (
            set(_PLACE.findall(url)) | _places_in(self.option("headers")) | _places_in(self.given().get("body") or {})
        )
        if unknown := sorted(used - known - secret):
            found.append(f"nothing fills the place {{{unknown[0]}}}")
        return [*found, *self._problems_of_rules()]

    def _problems_of_rules(self) -> list[str]:
        found = []
        for rule in self.option("errors"):
            if not _is_rule(rule):
                found.append(f"the rule {rule!r} in 'errors' is not made of {', '.join(sorted(_RULE_KEYS))}")
            elif rule.get("outcome") not in set(Outcome) - {Outcome.ACCEPTED}:
                found.append(f"the rule {rule!r} in 'errors' has no known outcome")
            elif rule.get("recheck") and not {"url", "path", "value"} <= set(self.option("recheck")):
                found.append("a rule asks for a recheck, and 'recheck' has no url, path and value")
        return found

    def _is_success(self, answer: http.Answer) -> bool:
        statuses, path = self.option("success_statuses"), self.option("success_path")
        if not answer.is_json or (statuses and answer.status not in statuses) or answer.status >= 300:
            return False
        return not path or at_path(answer.json, path) in self.option("success_values")

    def _error(self, said: Any) -> str:
        found = next((value for path in self.option("error_paths") if (value := at_path(said, path))), "")
        return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, separators=(",", ":"))

    def _by_rule(self, rule: dict[str, Any], message: Message, *, error: str, code: str) -> Result:
        outcome = Outcome(rule["outcome"])
        if rule.get("recheck") and not self._is_confirmed(message):
            # The gateway says the same when its own lookup has failed.
            outcome = Outcome.TRANSIENT
        after = rule.get("retry_after_seconds")
        return Result(outcome=outcome, error=error, code=code, retry_after_seconds=after)

    def _is_confirmed(self, message: Message) -> bool:
        recheck = self.option("recheck")
        places = {**self._places(), "receiver": message.receiver}
        headers = self._headers({**places, **self._secret_places()})
        answer = self.asked(self.request("GET", self._url(recheck["url"], places), b"", headers))
        return isinstance(answer, http.Answer) and at_path(answer.json, recheck["path"]) == recheck["value"]

    def _places(self) -> dict[str, str]:
        given = {name: value for name, value in self.given().items() if isinstance(value, str)}
        own = {name: self.option(name) for name, option in self.options().items() if option.kind is str}
        plain = {name: str(value) for name, value in {**own, **given}.items() if not name.endswith("_env")}
        plain["base_url"] = plain.get("base_url", "").rstrip("/")
        return {**plain, **{name: str(value) for name, value in self.option("variables").items()}}

    def _secret_places(self) -> dict[str, str]:
        names = [name for name in self.given() if name.endswith("_env") and self.given()[name]]
        found = {name.removesuffix("_env"): self.secret(name) for name in names if name != "receipts_secret_env"}
        if self._has_basic():
            found["basic"] = _basic(found["user"], found["password"])
        return found

    def _headers(self, places: Mapping[str, str]) -> dict[str, str]:
        filled = {name: _filled(str(value), places) for name, value in self.option("headers").items()}
        return {name: value for name, value in filled.items() if value}

    def _has_basic(self) -> bool:
        return bool(self.given().get("user_env") and self.given().get("password_env"))

    def _url(self, url: str, places: Mapping[str, str]) -> str:
        quoted = {name: value if name == "base_url" else quote(value, safe="") for name, value in places.items()}
        return _filled(url, quoted)


def at_path(found: Any, path: str) -> Any:
    """What stands at *path* ("data.0.id") in parsed JSON; None where nothing does."""
    if not path:
        return None
    for part in path.split("."):
        if isinstance(found, dict):
            found = found.get(part)
        elif isinstance(found, list) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    return found


def _basic(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def _filled(text: str, places: Mapping[str, str]) -> str:
    # In one pass: what a place is filled with is never looked at again.
    return _PLACE.sub(lambda found: places.get(found[1], found[0]), text)


def _filled_deep(value: Any, places: Mapping[str, str]) -> Any:
    again = partial(_filled_deep, places=places)
    if isinstance(value, dict):
        return {name: again(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [again(inner) for inner in value]
    return _filled(value, places) if isinstance(value, str) else value


def _places_in(value: Any) -> set[str]:
    return set(_PLACE.findall(json.dumps(value)))


def _is_rule(rule: Any) -> bool:
    if not isinstance(rule, dict) or set(rule) - _RULE_KEYS or not set(rule) & {"status", "code", "says"}:
        return False
    return isinstance(rule.get("says", []), list)


def _fits(rule: dict[str, Any], answer: http.Answer, code: str, error: str) -> bool:
    if "status" in rule and answer.status != rule["status"]:
        return False
    if "code" in rule and code.lower() != str(rule["code"]).lower():
        return False
    return "says" not in rule or any(phrase.lower() in error.lower() for phrase in rule["says"])
