"""The admin says on every page what students miss over plain HTTP, and nothing where they miss nothing."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from exams.secure_context import is_own_device
from tests.web import PROJECT

BANNER = 'id="plain-http"'


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST", "localhost.", "ujian.localhost", "127.0.0.1", "127.3.2.1", "::1", "[::1]"],
)
def test_the_device_itself(host: str) -> None:
    assert is_own_device(host)


@pytest.mark.parametrize(
    "host",
    ["sekolah.test", "localhost.sekolah.id", "mylocalhost", "192.168.1.10", "0.0.0.0", "[fe80::1]", "*", ""],
)
def test_every_other_host(host: str) -> None:
    assert not is_own_device(host)


@pytest.fixture
def anywhere(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]


@pytest.mark.django_db
@pytest.mark.usefixtures("anywhere")
@pytest.mark.parametrize("page", ["/admin/", "/admin/exams/exam/", "/admin/exams/student/add/"])
def test_the_banner_is_on_every_page_over_plain_http(admin_client: Client, page: str) -> None:
    over_http = admin_client.get(page, headers={"host": "192.168.1.10:8000"}).content.decode()
    assert over_http.count(BANNER) == 1
    [named] = re.findall(r"docs/[\w/-]+\.md", over_http)
    assert (PROJECT / named).is_file()
    for own in ("localhost:8000", "127.0.0.1", "[::1]:8000"):
        assert BANNER not in admin_client.get(page, headers={"host": own}).content.decode()
    assert BANNER not in admin_client.get(page, headers={"host": "192.168.1.10"}, secure=True).content.decode()


@pytest.mark.django_db
@pytest.mark.usefixtures("anywhere")
def test_whoever_logs_in_sees_it_too(client: Client) -> None:
    assert BANNER in client.get("/admin/login/", headers={"host": "sekolah.test"}).content.decode()


@pytest.mark.django_db
@pytest.mark.usefixtures("anywhere")
def test_a_pop_up_stays_small(admin_client: Client) -> None:
    page = admin_client.get("/admin/exams/exam/add/?_popup=1", headers={"host": "sekolah.test"})
    assert BANNER not in page.content.decode()


@pytest.mark.django_db
@pytest.mark.usefixtures("anywhere")
def test_https_that_ends_at_a_listed_proxy_is_https(admin_client: Client, settings: Any) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")  # what TRUSTED_PROXIES sets
    headers = {"host": "ujian.sekolah.lan", "x-forwarded-proto": "https"}
    assert BANNER not in admin_client.get("/admin/", headers=headers).content.decode()
