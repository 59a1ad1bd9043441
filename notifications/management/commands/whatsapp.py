"""
`manage.py whatsapp test --to 0812…`: one message through a gateway, now, with each step shown.

Contract: nothing is stored and no breaker is touched; the message goes straight to the gateway, once. What is printed
holds no secret, so it can be shown to whoever helps; the number appears in full in one line only.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any
from uuid import uuid4

from django.core.checks import Error
from django.core.management.base import BaseCommand, CommandError
from django.utils import translation

from notifications.backends.base import BaseBackend, Message, Refused, Result, Template
from notifications.backends.checks import problems_of
from notifications.backends.loading import backend_for
from notifications.conf import conf
from notifications.exceptions import BadReceiver, GatewayNotConfigured
from notifications.outcomes import RULES, Outcome
from notifications.receivers import normalise
from notifications.redaction import redacted

_TEXT = "Pesan uji dari Tahan Uji. / A test message from Tahan Uji."


class Command(BaseCommand):
    help = "Send one test message through a WhatsApp gateway and show each step: settings, number, request, answer."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["test"])
        parser.add_argument("--to", required=True, metavar="NUMBER", help="who gets it, written in any way")
        parser.add_argument("--gateway", metavar="NAME", help="as in NOTIFICATIONS_GATEWAYS; default: the default one")
        parser.add_argument("--text", default=_TEXT, help="default: %(default)s")
        parser.add_argument("--template", metavar="NAME", help="an approved template, for Meta's Cloud API")
        parser.add_argument("--language", default="id", help="of the template; default: %(default)s")
        parser.add_argument("--parameter", action="append", default=[], help="of the template, in order; repeatable")

    def handle(self, *, to: str, gateway: str | None, **options: Any) -> None:
        # Like all commands in English, whatever the pages speak.
        with translation.override("en"):
            self._test(to, gateway or conf().default_alias, options)

    def _test(self, to: str, alias: str, options: dict[str, Any]) -> None:
        backend = self._gateway(alias)
        message = Message(
            notification_id=uuid4(), receiver=self._number(to), text=options["text"], template=_template(options)
        )
        self._probe(backend)
        self._request(backend, message)
        began = time.monotonic()
        result = backend.send(message)
        self._answer(result, time.monotonic() - began)
        if result.outcome is not Outcome.ACCEPTED:
            raise CommandError(f"The gateway {alias} did not take the message: {result.outcome}.")

    def _gateway(self, alias: str) -> BaseBackend:
        gateways = conf().gateways
        if alias not in gateways:
            raise CommandError(f"There is no gateway {alias!r}; NOTIFICATIONS_GATEWAYS has {', '.join(gateways)}.")
        problems = problems_of(alias, gateways[alias])
        self._step("Gateway", f"{alias} ({gateways[alias].get('backend')})")
        for problem in problems:
            self._more(f"{problem.msg} {problem.hint or ''}")
        if any(isinstance(problem, Error) for problem in problems):
            raise CommandError("The gateway's settings are not complete; nothing was sent.")
        return backend_for(alias)

    def _number(self, to: str) -> str:
        try:
            digits = normalise(to, conf().region)
        except BadReceiver as exc:
            meant = f" Did you mean {exc.suggestion}?" if exc.suggestion else ""
            raise CommandError(f"{exc.message}{meant} Nothing was sent.") from exc
        self._step("Number", f"{to} is sent as {digits}")
        return digits

    def _probe(self, backend: BaseBackend) -> None:
        result = backend.probe()
        if result is None:
            self._step("Probe", "this gateway cannot be asked how it is without sending")
        elif result.outcome is Outcome.ACCEPTED:
            self._step("Probe", "the gateway says that it works")
        else:
            self._step("Probe", f"{result.outcome}: {result.error}")
            self._more("The message is tried all the same.")

    def _request(self, backend: BaseBackend, message: Message) -> None:
        try:
            request = backend.request_for(message)
        except NotImplementedError:
            self._step("Request", "none: this backend needs no network")
            return
        except (Refused, GatewayNotConfigured):
            return  # the answer says why
        secrets = backend.secrets()
        self._step("Request", f"{request.method} {redacted(request.url, secrets=secrets)}")
        for name, value in request.headers.items():
            self._more(f"{name}: {redacted(value, secrets=secrets)}")
        self._more(redacted(request.body.decode(), secrets=secrets))

    def _answer(self, result: Result, seconds: float) -> None:
        status = "no answer" if result.http_status is None else f"HTTP {result.http_status}"
        self._step("Answer", f"{status} after {seconds:.2f} s")
        for line in (result.answer, result.error, f"code {result.code}" if result.code else ""):
            if line:
                self._more(line)
        if result.provider_id:
            self._more(f"the gateway's id: {redacted(result.provider_id)}")
        rule = RULES[result.outcome]
        self._step("Class", str(result.outcome))
        self._step("Meaning", str(rule.meaning))
        self._step("To do", str(rule.advice))
        if result.retry_after_seconds is not None:
            self._more(f"Not again before {result.retry_after_seconds:g} s are over.")

    def _step(self, name: str, text: str) -> None:
        self.stdout.write(f"{name:8} {text}")

    def _more(self, text: str) -> None:
        self.stdout.write(f"{'':8} {text}")


def _template(options: dict[str, Any]) -> Template | None:
    if not options["template"]:
        return None
    parameters = tuple(options["parameter"])
    return Template(name=options["template"], language=options["language"], parameters=parameters)
