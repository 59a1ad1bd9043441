from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory

from ratelimit.address import client_address, parse_proxies


@pytest.fixture
def address(settings):
    """The address that a request is counted under: by default one hop, from a listed proxy on the same machine."""

    def address(header: str | None = None, *, remote: str = "127.0.0.1", proxies=("127.0.0.1",), name=None) -> str:
        settings.TRUSTED_PROXIES = list(proxies)
        settings.TRUSTED_PROXY_HEADER = name or "X-Forwarded-For"
        headers = {} if header is None else {name or "X-Forwarded-For": header}
        return client_address(RequestFactory().get("/", headers=headers, REMOTE_ADDR=remote))

    return address


@pytest.mark.parametrize(
    ("remote", "expected"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_without_proxies_it_is_who_talks_to_us_whatever_the_header_says(address, remote, expected):
    assert address("198.51.100.1", remote=remote, proxies=()) == expected


def test_a_stranger_cannot_choose_an_address(address):
    assert address("198.51.100.1", remote="203.0.113.7") == "203.0.113.7"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("nonsense, 203.0.113.7", "203.0.113.7"),
        ("203.0.113.7,127.0.0.1", "203.0.113.7"),
        (" 203.0.113.7 ,\t127.0.0.1 ", "203.0.113.7"),
        ("203.0.113.7:5678", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2:3:4:5:6]:5678", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
    ],
)
def test_behind_a_proxy_it_is_the_right_most_address_that_is_no_proxy(address, header, expected):
    assert address(header) == expected


@pytest.mark.parametrize(
    "header",
    [None, "", ",", "unknown", "203.0.113.7, nonsense", "203.0.113.7,", "1.2.3.4.5", "[::1", "%s", "\x00", "9" * 5000],
)
def test_garbage_in_the_header_falls_back_to_the_proxy(address, header):
    assert address(header) == "127.0.0.1"


def test_a_chain_of_proxies_and_networks(address):
    proxies = ["10.0.0.0/8", "2001:db8::/32", "127.0.0.1"]
    assert address("198.51.100.1, 203.0.113.7, 2001:db8::5, 10.1.2.3", proxies=proxies) == "203.0.113.7"


def test_a_request_that_comes_from_a_proxy_itself(address):
    assert address("10.0.0.5, 10.0.0.6", proxies=["127.0.0.1", "10.0.0.0/8"]) == "10.0.0.5"


def test_a_proxy_seen_through_a_socket_for_both_families(address):
    assert address("203.0.113.7", remote="::ffff:127.0.0.1") == "203.0.113.7"


def test_another_header(address):
    assert address("203.0.113.7", name="X-Real-IP") == "203.0.113.7"


def test_over_a_unix_socket_the_header_is_believed_only_if_listed(address):
    assert address("203.0.113.7", remote="", proxies=["unix"]) == "203.0.113.7"
    assert address("203.0.113.7", remote="", proxies=["127.0.0.1"]) == "unix"
    assert address("203.0.113.7", remote="", proxies=[]) == "unix"
    assert address("nonsense", remote="", proxies=["unix"]) == "unix"
    # And "unix" says nothing about somebody who has an address.
    assert address("198.51.100.1", remote="203.0.113.7", proxies=["unix"]) == "203.0.113.7"


def test_a_request_without_remote_addr_at_all(settings):
    settings.TRUSTED_PROXIES = []
    request = RequestFactory().get("/")
    del request.META["REMOTE_ADDR"]
    assert client_address(request) == "unix"


@pytest.mark.parametrize("entry", ["*", "", "proxy.example", "10.0.0.1/8", "10.0.0.0/33", "1.2.3", 10])
def test_bad_entries_are_named(entry):
    with pytest.raises(ValueError, match=r"no address, network or|is not a text"):
        parse_proxies(["127.0.0.1", entry])


def test_a_bad_entry_that_nobody_checked_is_loud(address):
    with pytest.raises(ImproperlyConfigured, match="TRUSTED_PROXIES"):
        address("203.0.113.7", proxies=["*"])
