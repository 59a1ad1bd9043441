"""Addresses of admin pages, and what one types and reads there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.messages import get_messages
from django.db.models import Model
from django.test import Client
from django.urls import reverse


def list_of(model: type[Model]) -> str:
    return reverse(f"admin:exams_{model._meta.model_name}_changelist")


def page_of(row: Model, what: str = "change") -> str:
    return reverse(f"admin:exams_{row._meta.model_name}_{what}", args=[row.pk])


def act(client: Client, name: str, rows: Iterable[Model], **fields: Any):
    """Choose the action *name* for *rows* in their list."""
    chosen = list(rows)
    data = {"action": name, "_selected_action": [row.pk for row in chosen], "index": 0, **fields}
    return client.post(list_of(type(chosen[0])), data)


def messages_of(response) -> str:
    """All messages that *response* leaves for the next page, in one text."""
    return " | ".join(str(message) for message in get_messages(response.wsgi_request))


def form_data(response) -> dict[str, Any]:
    """What the form on the change page *response* would send if nobody typed anything."""
    form = response.context["adminform"].form
    data = {}
    for field in form:
        value = field.value()
        if hasattr(field.field, "fields"):  # date and time have a box each
            for index, part in enumerate(field.field.widget.decompress(value)):
                data[f"{field.html_name}_{index}"] = "" if part is None else str(part)
        elif value is True:
            data[field.html_name] = "on"
        elif value is not False and value is not None:
            data[field.html_name] = value
    return data
