from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.checks import run_checks

from ratelimit import checks as checks_module

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "rate-limits.md"


@pytest.fixture
def problems(settings, count_in):
    """The ids and hints of our checks' messages, as `manage.py check` finds them; good settings to begin with."""
    count_in("")
    settings.WEB_WORKERS = 1
    settings.TRUSTED_PROXIES = []

    def problems() -> dict[str, str]:
        ours = [message for message in run_checks() if str(message.id).startswith("ratelimit.")]
        return {str(message.id): str(message.hint) for message in ours}

    return problems


def test_good_settings_have_no_problems(problems, settings):
    settings.RATE_LIMITS = {"login": "10/m", "save_answer": "1/3s"}
    settings.TRUSTED_PROXIES = ["127.0.0.1", "10.0.0.0/8", "unix"]
    settings.REDIS_URL = "redis://127.0.0.1:6379/0"
    assert problems() == {}


def test_settings_that_are_not_there_have_no_problems(problems, settings):
    for name in ("RATE_LIMITS", "TRUSTED_PROXIES", "REDIS_URL", "WEB_WORKERS"):
        delattr(settings, name)
    assert problems() == {}


@pytest.mark.parametrize("rate", ["five", "5", "0/60s", None])
def test_e001_a_bad_rate(problems, settings, rate):
    settings.RATE_LIMITS = {"login": rate}
    assert '{"login": "5/60s"}' in problems()["ratelimit.E001"]


def test_e001_more_than_one_save_in_a_gap(problems, settings):
    settings.RATE_LIMITS = {"save_answer": "2/2s"}
    assert '{"save_answer": "1/2s"}' in problems()["ratelimit.E001"]


def test_e002_an_unknown_policy(problems, settings):
    settings.RATE_LIMITS = {"logn": "5/60s"}
    assert "general, login, login_address" in problems()["ratelimit.E002"]


def test_e003_a_bad_proxy(problems, settings):
    settings.TRUSTED_PROXIES = ["127.0.0.1", "*"]
    assert "TRUSTED_PROXIES=127.0.0.1,10.0.0.0/8" in problems()["ratelimit.E003"]


def test_e004_a_malformed_redis_url(problems, settings):
    settings.REDIS_URL = "127.0.0.1:6379"
    assert "REDIS_URL=redis://127.0.0.1:6379/0" in problems()["ratelimit.E004"]


def test_e005_a_cache_that_is_not_there(problems, settings):
    settings.RATELIMIT_USE_CACHE = "limits"
    assert 'CACHES["ratelimit"] = cache_settings(REDIS_URL)' in problems()["ratelimit.E005"]


def test_w001_several_processes_without_redis(problems, settings, count_in):
    settings.WEB_WORKERS = 4
    assert "REDIS_URL=" in problems()["ratelimit.W001"]
    count_in("redis://127.0.0.1:6379/0")
    assert problems() == {}


def test_every_id_has_its_line_in_the_docs():
    source = Path(checks_module.__file__).read_text()
    ids = set(re.findall(r'id="(ratelimit\.[EW]\d{3})"', source))
    assert len(ids) == 6
    text = DOCS.read_text()
    assert {each for each in ids if f"| `{each}` |" in text} == ids
