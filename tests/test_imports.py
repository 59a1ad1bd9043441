"""Imports run one way, so that each app can be read and moved alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.web import PROJECT

#: app -> our other packages that it may import; `config` may import all and nobody imports it.
ALLOWED: dict[str, set[str]] = {"ratelimit": set(), "notifications": set(), "exams": {"ratelimit"}}
OURS = {"config", "exams", "ratelimit", "notifications", "tests", "bench"}


def imported_by(path: Path) -> set[str]:
    """The top-level packages that a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("app", ALLOWED)
def test_an_app_imports_only_what_it_may(app: str) -> None:
    files = sorted((PROJECT / app).rglob("*.py"))
    assert files
    wrong = {str(file): extra for file in files if (extra := (imported_by(file) & OURS) - ALLOWED[app] - {app})}
    assert wrong == {}
