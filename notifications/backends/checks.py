"""
System checks of the gateways: what is missing is named at start, not by the first message. Ids are lasting.

Contract: no check shows a secret's value, asks the network, or imports a backend that nobody uses. A gateway that is
not set up is an error: it would take every message and send none.
"""

from __future__ import annotations

import difflib
import ipaddress
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core import checks

from notifications.backends.base import BaseBackend, Option
from notifications.backends.loading import backend_of
from notifications.conf import conf
from notifications.exceptions import GatewayNotConfigured

_SETTING = "NOTIFICATIONS_GATEWAYS"
#: Of a secret that we or the school made up; gowa's default is literally "secret".
_SECRET_MIN = 16
_INSIDE = (".local", ".lan", ".internal", ".home", ".test", ".home.arpa")


@checks.register
def check_gateways(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Everything that is wrong with `NOTIFICATIONS_GATEWAYS`, gateway by gateway."""
    gateways = conf().gateways
    if not isinstance(gateways, Mapping) or not gateways:
        hint = """Write it like '{"utama": {"backend": "fonnte", "token_env": "FONNTE_TOKEN"}}'."""
        return [checks.Error(f"{_SETTING} names no gateway.", hint=hint, id="notifications.E020")]
    return [message for alias, options in gateways.items() for message in problems_of(alias, options)]


def problems_of(alias: str, options: Any) -> list[checks.CheckMessage]:
    """What is wrong with one gateway; [] when it can send."""
    if not isinstance(options, Mapping):
        return [_error(alias, "its settings are not an object", "Write {} with the settings inside.", "E020")]
    found = []
    if not re.fullmatch(r"[a-z0-9_-]{1,32}", str(alias)):
        hint = "Use small letters, digits, - and _, at most 32: the name stands in tables and addresses."
        found.append(_error(alias, "its name has other characters, or too many", hint, "E027"))
    try:
        backend = backend_of(alias, options)
    except GatewayNotConfigured as exc:
        hint = "docs/howto/whatsapp.md lists the backends."
        return [*found, checks.Error(f"{_SETTING}: {exc.problem}.", hint=hint, id="notifications.E021")]
    missing = list(_missing(backend))
    found += [*missing, *_unknown(backend), *_of_wrong_kind(backend)]
    if found:
        return found
    found += [*_secrets(backend), *_addresses(backend)]
    hint = "docs/howto/whatsapp.md describes each backend's settings."
    return [*found, *(_error(alias, problem, hint, "E024") for problem in backend.problems())]


def _missing(backend: BaseBackend) -> Iterator[checks.CheckMessage]:
    given = backend.given()
    for option in backend.options().values():
        if option.required and given.get(option.name) in (None, ""):
            yield _error(backend.alias, f"{option.name!r} is missing: {option.help}", f"Add {option.name!r}.", "E022")


def _unknown(backend: BaseBackend) -> Iterator[checks.CheckMessage]:
    known = backend.options()
    for name in backend.given():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"It may have {', '.join(sorted(known))}."
            yield _error(backend.alias, f"it has no setting {name!r}", hint, "E023")


def _of_wrong_kind(backend: BaseBackend) -> Iterator[checks.CheckMessage]:
    known = backend.options()
    for name, value in backend.given().items():
        option = known.get(name)
        if option is not None and value is not None and not _fits(option, value):
            what = {str: "a text", int: "a whole number from 1 on", float: "a number from 0 on", bool: "true or false"}
            kind = what.get(option.kind, "an object" if option.kind is dict else "a list")
            yield _error(backend.alias, f"{name!r} is not {kind}", option.help.capitalize() + ".", "E024")


def _fits(option: Option, value: Any) -> bool:
    if option.kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf
    if option.kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 1
    return isinstance(value, option.kind)


def _secrets(backend: BaseBackend) -> Iterator[checks.CheckMessage]:
    for name, option in backend.options().items():
        if not option.is_secret:
            continue
        try:
            value = backend.secret(name)
        except GatewayNotConfigured as exc:
            hint = f"Set it for every process: {option.help.removeprefix('variable with ')}."
            yield checks.Error(f"{_SETTING}: {exc.problem}.", hint=hint, id="notifications.E025")
            continue
        if name == "receipts_secret_env" and value and len(value) < _SECRET_MIN:
            yield _error(
                backend.alias,
                f"the secret of its receipts, in {backend.option(name)}, is one that can be guessed",
                f"Take {_SECRET_MIN} characters or more, and set the same at the gateway.",
                "E026",
            )


def _addresses(backend: BaseBackend) -> Iterator[checks.CheckMessage]:
    base_url = str(backend.option("base_url") or "") if "base_url" in backend.options() else ""
    if base_url:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            hint = "Write it like https://solo.wablas.com, without user, password or question mark."
            yield _error(backend.alias, "'base_url' is not the address of a gateway", hint, "E024")
        elif parts.scheme == "http" and not _is_inside(parts.hostname):
            yield checks.Warning(
                f"{_SETTING}: the gateway {backend.alias!r} is asked over plain HTTP: whoever is on the way reads its "
                "token, the numbers and the texts.",
                hint="Write https:// in 'base_url'.",
                id="notifications.W020",
            )
    ca_file = backend.option("ca_file")
    if ca_file and not Path(ca_file).is_file():
        yield _error(backend.alias, f"there is no file {ca_file!r}", "Correct 'ca_file' or leave it out.", "E024")


def _is_inside(host: str) -> bool:
    """Whether *host* is this machine, a container's name or an address that no one outside can have."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith(_INSIDE)


def _error(alias: str, problem: str, hint: str, number: str) -> checks.CheckMessage:
    return checks.Error(f"{_SETTING}: the gateway {alias!r}: {problem}.", hint=hint, id=f"notifications.{number}")
