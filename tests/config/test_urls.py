"""What Django's part answers where no app does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import caches
from django.test import Client


@pytest.fixture(autouse=True)
def _nothing_counted() -> Iterator[None]:
    caches["ratelimit"].clear()
    yield
    caches["ratelimit"].clear()


@pytest.mark.django_db
def test_a_teachers_password_can_be_guessed_five_times_a_minute_and_not_more(client: Client) -> None:
    guess = {"username": " Guru", "password": "guess"}
    statuses = [client.post("/admin/login/", guess).status_code for _ in range(6)]
    assert statuses == [200] * 5 + [429]
    refused = client.post("/admin/login/", guess | {"username": "guru"})
    assert int(refused["Retry-After"]) >= 1
    assert client.post("/admin/login/", guess | {"username": "other"}).status_code == 200
    assert client.get("/admin/login/").status_code == 200, "looking is not guessing"


@pytest.mark.parametrize(("language", "words"), [("", "Halaman ini tidak ada"), ("en", "There is no such page")])
def test_a_page_that_does_not_exist_says_so_in_the_readers_language(client: Client, language: str, words: str) -> None:
    response = client.get("/nowhere", headers={"Accept-Language": language})
    assert response.status_code == 404
    assert words in response.content.decode()
