"""
The flow that all gateways share, and the manual for writing one.

A backend is one small file: it *builds the request* and *reads the answer*. All else happens here: the number is looked
at once more, the request is sent within its bounds (`http.py`), a broken connection becomes `gateway_down` or
`unknown`, what is kept of the answer is redacted, and nothing is ever raised at the engine for what a gateway does.

How to write one:
1. Subclass `BaseBackend`; name it in `loading.BACKENDS`.
2. List its settings in `OPTIONS`. A name that ends in `_env` names an environment variable that holds a secret; get it
   with `self.secret("token_env")`, never keep it. The system checks come from this list by themselves.
3. `request_for(message)`: the `http.Request`. Raise `Refused` for what this gateway can never send.
4. `read(message, answer)`: a `Result`. Parse the body *before* the status; `accepted` needs an explicit positive sign
   and an id where the gateway gives one. Say `self.by_status(answer)` for what you do not understand: it is careful.
5. `ask()`: ask the gateway how it is without sending, or leave it: then the engine probes with one message.
6. Put every row of the gateway's error table into its test, against `tests/gateway`.

Not here: when to try again and what opens a breaker (`delivery.py`); receipts (`webhooks.py`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar
from urllib.parse import urlencode
from uuid import UUID

from notifications import http
from notifications.exceptions import GatewayNotConfigured
from notifications.outcomes import Outcome
from notifications.receivers import is_normal
from notifications.redaction import redacted

#: Lengths of the columns that a result is stored in.
PROVIDER_ID_MAX, CODE_MAX = 200, 64

#: An answer that the backend does not understand, by its status. 502 and 504 come from a proxy that had passed the
#: request on; Cloudflare's 520 and 524 say the same. All else of 5xx is the gateway's own trouble.
_MAYBE_SENT = {408, 502, 504, 520, 524}


@dataclass(frozen=True, kw_only=True)
class Template:
    """A message that Meta has approved, and what goes into its places, in order."""

    name: str
    language: str = "id"
    parameters: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Template:
        """From the table's `template` column."""
        parameters = tuple(str(value) for value in stored.get("parameters") or ())
        return cls(name=str(stored["name"]), language=str(stored.get("language") or "id"), parameters=parameters)


@dataclass(frozen=True, kw_only=True)
class Message:
    """What to send. `repr` shows the id alone: the rest is about people."""

    notification_id: UUID
    receiver: str = field(repr=False)  # digits, as `receivers.normalise` gives them
    text: str = field(default="", repr=False)
    template: Template | None = field(default=None, repr=False)

    @property
    def words(self) -> tuple[str, ...]:
        """Every piece of text in it, for the redaction."""
        return (self.text, *(self.template.parameters if self.template else ()))


@dataclass(frozen=True, kw_only=True)
class Result:
    """
    How one try ended. Everything in it may be stored as it is: it is redacted and fits the columns.

    `retry_after_seconds`: not before, whatever the outcome; None leaves it to the engine. `maybe_sent`: another try may
    send the message twice.
    """

    outcome: Outcome
    provider_id: str = ""
    code: str = ""  # the gateway's own
    error: str = ""  # one line, as the gateway says it or what happened to the connection
    http_status: int | None = None
    answer: str = ""
    retry_after_seconds: float | None = None
    maybe_sent: bool = False


class Refused(Exception):
    """`request_for` raises it with the `Result` of a message that is not sent at all."""

    def __init__(self, outcome: Outcome, error: str) -> None:
        super().__init__(error)
        self.result = Result(outcome=outcome, error=error)


@dataclass(frozen=True, kw_only=True)
class Option:
    """One setting of a gateway: what `NOTIFICATIONS_GATEWAYS` may hold for it."""

    name: str
    help: str
    required: bool = False
    default: Any = ""
    kind: type = str

    @property
    def is_secret(self) -> bool:
        """Whether it names an environment variable."""
        return self.name.endswith("_env")


#: What every gateway may have; `backend` and the pace belong to the engine.
COMMON_OPTIONS = (
    Option(name="backend", help="which of the backends", required=True),
    Option(name="per_second", help="messages per second, 0 for no limit", kind=float, default=None),
    Option(name="in_flight", help="messages that are sent at once", kind=int, default=None),
    Option(name="ca_file", help="certificate authority of a gateway with a certificate of the school's own"),
)


class BaseBackend:
    """One gateway as the settings describe it. Cheap to make; keeps no secret and no connection of its own."""

    #: Beside `COMMON_OPTIONS`.
    OPTIONS: ClassVar[tuple[Option, ...]] = ()

    def __init__(self, alias: str, options: Mapping[str, Any]) -> None:
        self.alias = alias
        self._given = dict(options)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.alias}>"

    # For the engine.

    def send(self, message: Message) -> Result:
        """
        Hand *message* to the gateway: at most one message leaves, within the deadline; no retry.

        Never raises for what the gateway or the network does. Holds no database connection.
        """
        if not is_normal(message.receiver):
            return Result(outcome=Outcome.BAD_RECIPIENT, error="the receiver is not digits with a country code")
        try:
            return self._exchanged(self.request_for(message), message)
        except Refused as exc:
            return exc.result
        except GatewayNotConfigured as exc:
            return Result(outcome=Outcome.GATEWAY_AUTH, error=exc.problem)

    def probe(self) -> Result | None:
        """
        How the gateway is: `accepted` (works), or what a message would meet. None: this gateway cannot be asked.

        Never raises for what the gateway or the network does.
        """
        try:
            return self.ask()
        except GatewayNotConfigured as exc:
            return Result(outcome=Outcome.GATEWAY_AUTH, error=exc.problem)

    # For a backend to write.

    def request_for(self, message: Message) -> http.Request:
        """The request that sends *message*. May raise `Refused` and `GatewayNotConfigured`."""
        raise NotImplementedError

    def read(self, message: Message, answer: http.Answer) -> Result:
        """What *answer* means. Raw words of the gateway may go into `error`; the flow redacts them."""
        raise NotImplementedError

    def ask(self) -> Result | None:
        """The probe, for gateways that can say how they are without sending: `self.asked(request)`, then `finished`."""
        return None

    # For a backend to use.

    def option(self, name: str) -> Any:
        """The setting *name* or its default; `GatewayNotConfigured` where it is required and missing."""
        option = self.options()[name]
        value = self._given.get(name)
        if value is None or value == "":
            if option.required:
                raise GatewayNotConfigured(f"the gateway {self.alias!r} has no {name!r}")
            return option.default
        return value

    def secret(self, name: str) -> str:
        """
        What the environment variable that the setting *name* names holds; "" where the setting is optional and missing.

        Read anew each time: nothing that lives longer than a request holds it.
        """
        variable = str(self.option(name))
        if not variable:
            return ""
        # An env file with a line break too many is the commonest way to get "token invalid".
        value = os.environ.get(variable, "").strip()
        if not value:
            raise GatewayNotConfigured(f"the environment variable {variable} is not set (gateway {self.alias!r})")
        if not value.isascii() or not value.isprintable():
            raise GatewayNotConfigured(f"the environment variable {variable} holds characters that no token has")
        return value

    def secrets(self) -> list[str]:
        """All secrets that are set, to be hidden from what is stored. Add what is made of them (a Basic header)."""
        names = [name for name, option in self.options().items() if option.is_secret and self._given.get(name)]
        values = [os.environ.get(str(self._given[name]), "").strip() for name in names]
        return [value for value in values if value]

    def options(self) -> dict[str, Option]:
        """The settings that this gateway may have."""
        return {option.name: option for option in (*COMMON_OPTIONS, *self.OPTIONS)}

    def given(self) -> dict[str, Any]:
        """The settings as they are written, for the checks."""
        return dict(self._given)

    def problems(self) -> list[str]:
        """What else is wrong with the settings, in one sentence each, for the checks."""
        return []

    def json_request(self, url: str, body: Any, headers: Mapping[str, str]) -> http.Request:
        """A POST of JSON."""
        raw = json.dumps(body, ensure_ascii=False).encode()
        return self.request("POST", url, raw, {"Content-Type": "application/json", **headers})

    def form_request(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> http.Request:
        """A POST of a form."""
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.request("POST", url, urlencode(form).encode(), {**kind, **headers})

    def request(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> http.Request:
        """Any request, with this gateway's certificate authority."""
        return http.Request(method=method, url=url, headers=dict(headers), body=body, ca_file=self.option("ca_file"))

    def by_status(self, answer: http.Answer, *, error: str = "", code: str = "") -> Result:
        """
        What an answer means of which only the status is understood.

        A 2xx without the gateway's own "yes" may be a hot spot's log-in page or a success in a new shape: unknown.
        """
        status = answer.status
        if 200 <= status < 300:
            outcome = Outcome.UNKNOWN
            error = error or ("no sign of success" if answer.is_json else "no JSON: is this the gateway's address?")
        elif 300 <= status < 400:
            outcome, error = Outcome.GATEWAY_AUTH, error or "a redirect: the gateway's address is another one"
        elif status in _MAYBE_SENT:
            outcome = Outcome.UNKNOWN
        elif status == 402:
            outcome = Outcome.GATEWAY_QUOTA
        elif status in (401, 403, 407):
            outcome = Outcome.GATEWAY_AUTH
        elif status == 429:
            outcome = Outcome.RATE_LIMITED
        elif status == 404 or status >= 500:
            outcome = Outcome.GATEWAY_DOWN
        else:
            outcome = Outcome.TRANSIENT
        return Result(outcome=outcome, error=error or f"HTTP {status}", code=code)

    def asked(self, request: http.Request) -> http.Answer | Result:
        """The answer to a probe's *request*, or the result of a connection that failed."""
        try:
            return http.exchange(request)
        except http.NotSent as exc:
            return Result(outcome=Outcome.GATEWAY_DOWN, error=str(exc))
        except http.MaybeSent as exc:
            # A probe sends nothing: what did not answer is down.
            return Result(outcome=Outcome.GATEWAY_DOWN, error=str(exc), http_status=exc.status)

    def finished(self, result: Result, answer: http.Answer, words: tuple[str, ...] = ()) -> Result:
        """*result* with what is stored of *answer*: redacted, bounded, and with the server's wish to wait."""
        secrets = self.secrets()
        after = answer.retry_after_seconds
        return replace(
            result,
            provider_id=result.provider_id[:PROVIDER_ID_MAX],
            code=result.code[:CODE_MAX],
            error=redacted(result.error, texts=words, secrets=secrets),
            http_status=answer.status,
            answer=redacted(answer.text, texts=words, secrets=secrets),
            retry_after_seconds=result.retry_after_seconds if after is None else after,
            maybe_sent=result.maybe_sent or result.outcome is Outcome.UNKNOWN,
        )

    def _exchanged(self, request: http.Request, message: Message) -> Result:
        try:
            answer = http.exchange(request)
        except http.NotSent as exc:
            return Result(outcome=Outcome.GATEWAY_DOWN, error=str(exc))
        except http.MaybeSent as exc:
            return Result(outcome=Outcome.UNKNOWN, error=str(exc), http_status=exc.status, maybe_sent=True)
        return self.finished(self.read(message, answer), answer, message.words)


def text_only(message: Message, *, longest: int) -> str:
    """The text of *message* for a gateway that knows no templates; `Refused` where there is none or too much of it."""
    if not message.text:
        raise Refused(Outcome.BAD_MESSAGE, "this gateway sends text and the message has none")
    if len(message.text) > longest:
        raise Refused(Outcome.BAD_MESSAGE, f"the text is longer than the {longest} characters this gateway takes")
    return message.text


def first_that_says(table: Mapping[str, Outcome], words: str) -> Outcome | None:
    """The outcome of the first phrase of *table* (lower case, the more special ones first) that *words* contain."""
    lower = words.lower()
    return next((outcome for phrase, outcome in table.items() if phrase in lower), None)


def is_true(value: Any) -> bool:
    """Whether a gateway says yes: `true`, and "true", which some of them send."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def is_false(value: Any) -> bool:
    """Whether a gateway says no in so many words; a missing field is neither."""
    return value is False or (isinstance(value, str) and value.lower() == "false")
