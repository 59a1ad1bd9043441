from __future__ import annotations

import json

import pytest
from django.utils.translation import override

from ratelimit.responses import retry_after_header, too_many_requests, too_many_requests_body


def test_the_one_429():
    with override("en"):
        response = too_many_requests(1.2341)
    assert response.status_code == 429
    assert response["Retry-After"] == "2"
    assert response["Content-Type"] == "application/json"
    assert json.loads(response.content) == {
        "success": False,
        "code": "rate_limited",
        "message": "Too many requests. Wait 2 seconds.",
        "retryAfterMs": 1235,
    }


@pytest.mark.parametrize(
    ("seconds", "header", "milliseconds"),
    [(0.0, "1", 1), (-3.0, "1", 1), (0.0001, "1", 1), (1.0, "1", 1000), (1.0001, "2", 1001), (60.0, "60", 60_000)],
)
def test_both_times_are_rounded_up_and_never_nothing(seconds, header, milliseconds):
    assert retry_after_header(seconds) == header
    assert too_many_requests_body(seconds)["retryAfterMs"] == milliseconds


def test_a_message_of_ones_own():
    assert too_many_requests_body(2, "Slowly.")["message"] == "Slowly."
