"""
Whose request is this, as far as an address can tell?

Contract:
- `client_address(request)` returns a short text to count under: an IPv4 address, or an IPv6 /64 network (one customer
  has a whole /64 and could count from zero with each request otherwise). It never raises because of what a client sent.
- A header is believed only if the machine that talks to us is listed in `settings.TRUSTED_PROXIES`. Then it is the
  right-most address in `settings.TRUSTED_PROXY_HEADER` that is not itself a listed proxy: what stands left of it was
  written by the client and may be anything.
- Garbage where that address should stand: the proxy's own address. Better one limit for many than no limit for a liar.
- "unix" in `TRUSTED_PROXIES` means whoever talks to us over a Unix socket, where there is no address.

List proxies only, never the network that students are in: who is listed can claim any address.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

Address = IPv4Address | IPv6Address

#: The entry in `TRUSTED_PROXIES`, and the key where nothing better is known.
UNIX = "unix"


@dataclass(frozen=True)
class TrustedProxies:
    """The machines whose header is believed."""

    networks: tuple[IPv4Network | IPv6Network, ...]
    unix: bool

    def __contains__(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


def client_address(request: HttpRequest) -> str:
    """Return the address to count *request* under. Raises `ImproperlyConfigured` where `TRUSTED_PROXIES` is wrong."""
    remote: str = request.META.get("REMOTE_ADDR") or ""
    peer = _parse(remote)
    # A server that puts something else there than an address (a socket's path, a test client's name): take it as it is.
    own = (remote or UNIX) if peer is None else _grouped(peer)
    proxies = _parse_proxies(tuple(getattr(settings, "TRUSTED_PROXIES", ())))
    if not (proxies.unix if not remote else peer is not None and peer in proxies):
        return own
    name = "HTTP_" + getattr(settings, "TRUSTED_PROXY_HEADER", "X-Forwarded-For").replace("-", "_").upper()
    address: Address | None = None
    for entry in reversed(request.META.get(name, "").split(",")):
        address = _parse(entry.strip())
        if address is None:
            return own
        if address not in proxies:
            break
    # All of them listed: the left-most, which the next proxy in line vouches for.
    return own if address is None else _grouped(address)


def parse_proxies(entries: Iterable[str]) -> TrustedProxies:
    """Return the proxies in *entries*: addresses, networks, "unix". Raises `ValueError` at the first bad one."""
    networks = []
    unix = False
    for entry in entries:
        if entry == UNIX:
            unix = True
            continue
        if not isinstance(entry, str):
            # ip_network() takes numbers too, and 10 would be the address 0.0.0.10.
            raise ValueError(f"{entry!r} is not a text.")
        try:
            networks.append(ip_network(entry))
        except ValueError as error:
            raise ValueError(f"{entry!r} is no address, network or {UNIX!r}: {error}.") from error
    return TrustedProxies(networks=tuple(networks), unix=unix)


@lru_cache(maxsize=8)
def _parse_proxies(entries: tuple[str, ...]) -> TrustedProxies:
    try:
        return parse_proxies(entries)
    except ValueError as error:
        raise ImproperlyConfigured(f"TRUSTED_PROXIES: {error}") from error


def _parse(text: str) -> Address | None:
    """Return the address in *text*, which may carry a port or be in brackets, as proxies write it."""
    if text.startswith("["):
        text, closed, _ = text[1:].partition("]")
        if not closed:
            return None
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # A socket that listens on both families shows IPv4 clients as ::ffff:192.0.2.1; they are not one /64.
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _grouped(address: Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    # Through the number: it drops a zone ("fe80::1%eth0"), which ip_network() refuses.
    return str(IPv6Network((int(address), 64), strict=False))
