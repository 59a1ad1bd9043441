"""Addresses of the pages of `notifications` in the admin, and what one types and reads there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.messages import get_messages
from django.db.models import Model
from django.test import Client
from django.urls import reverse


def list_of(model: type[Model]) -> str:
    return reverse(f"admin:notifications_{model._meta.model_name}_changelist")


def page_of(row: Model, what: str = "change") -> str:
    return reverse(f"admin:notifications_{row._meta.model_name}_{what}", args=[row.pk])


def act(client: Client, name: str, rows: Iterable[Model], *, query: str = "", **fields: Any) -> Any:
    """Choose the action *name* for *rows* in their list."""
    chosen = list(rows)
    data = {"action": name, "_selected_action": [str(row.pk) for row in chosen], "index": 0, **fields}
    return client.post(list_of(type(chosen[0])) + query, data)


def messages_of(response: Any) -> str:
    """All messages that *response* leaves for the next page, in one text."""
    return " | ".join(str(message) for message in get_messages(response.wsgi_request))


def rows_of(response: Any) -> list[Any]:
    """What a list shows."""
    assert response.status_code == 200
    return list(response.context["cl"].queryset)
