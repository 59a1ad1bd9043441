from __future__ import annotations

import json

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from freezegun import freeze_time

from ratelimit.decorators import rate_limited

pytestmark = pytest.mark.usefixtures("local_cache")


@pytest.fixture
def view():
    @rate_limited("submit_exam", key=lambda request: request.GET.get("who"))
    def view(request: HttpRequest, pk: int, *, kind: str = "a") -> HttpResponse:
        """A view."""
        return HttpResponse(f"{pk} {kind}")

    return view


def request(who: str | None) -> HttpRequest:
    return RequestFactory().get("/", {} if who is None else {"who": who})


def test_over_the_limit_the_view_is_not_called(view):
    with freeze_time("2026-05-04 07:30:00.5"):
        assert view(request("siti"), 7, kind="b").content == b"7 b"
        refused = view(request("siti"), 7)
        assert view(request("budi"), 7).status_code == 200
    assert refused.status_code == 429
    assert 1 <= int(refused["Retry-After"]) <= 5
    assert json.loads(refused.content)["code"] == "rate_limited"


def test_without_a_key_nothing_is_counted(view):
    assert [view(request(None), 7).status_code for _ in range(5)] == [200] * 5


def test_the_view_keeps_its_name(view):
    assert (view.__name__, view.__doc__) == ("view", "A view.")


def test_an_async_view_is_refused_at_once():
    async def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    with pytest.raises(TypeError, match="async"):
        rate_limited("general", key=lambda request: "x")(view)  # type: ignore[arg-type]
