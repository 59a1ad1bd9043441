"""Fixtures that every test may use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from config import database
from tests.web import PROJECT, WebProcess, url_of_test_database


def pytest_sessionfinish() -> None:
    """Stop the embedded PostgreSQL if this run started it and nobody else uses it."""
    server = database.started_here()
    if server is not None and not server.other_clients():
        server.stop()


@pytest.fixture(scope="session")
def web(django_db_setup: None, django_db_blocker: object) -> Iterator[WebProcess]:
    """A web process on the test database, shared by all tests. Ids never repeat, so its caches stay right."""
    with WebProcess(url_of_test_database()) as process:
        yield process


@pytest.fixture(scope="session")
def second_web(web: WebProcess) -> Iterator[WebProcess]:
    """Another web process on the same database: what one process knows, the other does not."""
    with WebProcess(url_of_test_database()) as process:
        yield process


@pytest.fixture(scope="session")
def banks() -> Path:
    """Real question banks, which are no part of the project and stand beside its checkout."""
    folder = PROJECT.parent / "shared" / "data" / "question-banks"
    if not folder.is_dir():
        pytest.skip("the real question banks are not beside this checkout")
    return folder
