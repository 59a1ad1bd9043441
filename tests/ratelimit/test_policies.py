from __future__ import annotations

import pytest

from ratelimit.policies import DEFAULTS, Policy, UnknownPolicy, parse_rate, policy


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        ("5/60s", (5, 60)),
        ("5/m", (5, 60)),
        ("100/60s", (100, 60)),
        ("1/5s", (1, 5)),
        ("300/60s", (300, 60)),
        ("1/s", (1, 1)),
        ("10/2m", (10, 120)),
        ("10/h", (10, 3600)),
        ("10/d", (10, 86_400)),
    ],
)
def test_a_rate_is_a_count_and_seconds(rate, expected):
    assert parse_rate(rate) == expected


@pytest.mark.parametrize(
    "rate",
    [
        "",
        "5",
        "5/60",
        "5/",
        "/60s",
        "5/60x",
        "-5/60s",
        "5 / 60s",
        "5/60s ",
        "5/60s\n",
        "5.5/60s",
        "\u0665/60s",
        "0/60s",
        "5/0s",
        "5/2d",
        "5/999999d",
        "9999999999/60s",
        5,
        None,
        ("5", "60"),
    ],
)
def test_anything_else_says_what_to_type(rate):
    with pytest.raises(ValueError, match=r'"\d+/\w+"|between "1s" and "1d"'):
        parse_rate(rate)


def test_the_defaults_are_those_of_the_design(settings):
    settings.RATE_LIMITS = {}
    assert {name: (policy(name).limit, policy(name).period_seconds) for name in DEFAULTS} == {
        "save_answer": (1, 2),
        "submit_exam": (1, 5),
        "login": (5, 60),
        "login_address": (300, 60),
        "general": (100, 60),
    }


def test_settings_are_read_on_every_call(settings):
    settings.RATE_LIMITS = {"login": "3/10s"}
    assert policy("login") == Policy(name="login", limit=3, period_seconds=10)
    settings.RATE_LIMITS = {"login": "4/10s"}
    assert policy("login").limit == 4
    assert policy("general").limit == 100
    del settings.RATE_LIMITS
    assert policy("login").limit == 5


def test_an_unknown_policy_names_the_known_ones(settings):
    settings.RATE_LIMITS = {"logn": "1/s"}
    with pytest.raises(UnknownPolicy, match=r"'logn'.*general, login, login_address, save_answer, submit_exam"):
        policy("logn")


def test_a_bad_rate_is_loud(settings):
    settings.RATE_LIMITS = {"login": "five"}
    with pytest.raises(ValueError, match="five"):
        policy("login")
