"""The OpenAPI description, and whether a real answer is one that it describes."""

from __future__ import annotations

from copy import deepcopy
from datetime import datetime
from typing import Any

from django.test import Client
from jsonschema import Draft202012Validator, FormatChecker

FORMATS = FormatChecker()


@FORMATS.checks("date-time", raises=(ValueError, TypeError))
def _is_moment(text: object) -> bool:
    return not isinstance(text, str) or datetime.fromisoformat(text).tzinfo is not None


def _closed(schema: Any) -> Any:
    """*schema* without room for names that it does not list."""
    if isinstance(schema, list):
        return [_closed(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(inner) for name, inner in schema.items()}
    if isinstance(closed.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    return closed


class Description:
    """What `/docs/json` says; *paths* are those whose addresses begin with *under*."""

    def __init__(self, under: str | tuple[str, ...] = "/api/") -> None:
        response = Client().get("/docs/json")
        assert response.status_code == 200
        self.document: dict[str, Any] = response.json()
        self.paths: dict[str, Any] = {
            path: operations for path, operations in self.document["paths"].items() if path.startswith(under)
        }
        self._components = _closed(deepcopy(self.document["components"]))
        self.seen: set[tuple[str, str]] = set()

    @property
    def answers(self) -> set[tuple[str, str]]:
        """Every (operation id, status) that is described for *paths*."""
        return {
            (operation["operationId"], status)
            for path in self.paths.values()
            for operation in path.values()
            for status in operation["responses"]
        }

    def operation(self, name: str) -> dict[str, Any]:
        [found] = [
            operation
            for path in self.document["paths"].values()
            for operation in path.values()
            if operation["operationId"] == name
        ]
        return dict(found)

    def check(self, name: str, response: Any, status: int) -> Any:
        """*response* has *status* and is what is described for it; returns its body."""
        assert response.status_code == status, (name, response.content)
        described = self.operation(name)["responses"].get(str(status))
        assert described is not None, f"{name} may answer {status}, but nobody says so"
        [(content_type, content)] = described["content"].items()
        assert response.headers["Content-Type"].startswith(content_type)
        body = response.json()
        problems = self.problems(content["schema"], body)
        assert problems == [], (name, status, problems)
        self.seen.add((name, str(status)))
        return body

    def problems(self, schema: dict[str, Any], body: Any) -> list[str]:
        validator = Draft202012Validator({**_closed(schema), "components": self._components}, format_checker=FORMATS)
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]
