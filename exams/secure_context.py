"""
Whether browsers give a page everything: service workers, WebCrypto and Web Locks exist only in a "secure context".

Contract: an address is one if it is HTTPS, or if it is the device's own: `localhost` and names under it, 127.0.0.0/8
and ::1, as in https://www.w3.org/TR/secure-contexts/#is-origin-trustworthy.

Not here: what the exam page does without them (its modules), how a school gets HTTPS (docs/howto/https-on-a-lan.md).
"""

from __future__ import annotations

import ipaddress

from django.http import HttpRequest
from django.http.request import split_domain_port


def is_secure_context(request: HttpRequest) -> bool:
    """Whether the browser that sent *request* treats the page as secure, as far as the server can know."""
    return request.is_secure() or is_own_device(split_domain_port(request.get_host())[0])


def is_own_device(host: str) -> bool:
    """Whether *host* (a name or address without port; IPv6 in brackets or not) can only be the device itself."""
    name = host.lower().strip("[]").rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
