"""
Filters whose choices are what the settings and the code know, not what a scan of the table would find.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifications.admin.story import KINDS
from notifications.conf import conf
from notifications.models import FINAL_STATES, State


class GatewayFilter(admin.SimpleListFilter):
    title = gettext_lazy("gateway")
    parameter_name = "gateway"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        configured = [(alias, alias) for alias in sorted(conf().gateways)]
        return [*configured, ("-", _("another or none"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case None:
                return queryset
            case "-":
                return queryset.exclude(gateway__in=conf().gateways)
            case alias:
                return queryset.filter(gateway=alias)


class ErrorClassFilter(admin.SimpleListFilter):
    title = gettext_lazy("kind of error")
    parameter_name = "error_class"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        kinds = [(str(kind), str(words)) for kind, words in KINDS.items()]
        return [*kinds, ("-", _("another or none"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case None:
                return queryset
            case "-":
                return queryset.exclude(error_class__in=list(KINDS))
            case kind:
                return queryset.filter(error_class=kind)


class StateFilter(admin.SimpleListFilter):
    """The states, and two questions that people ask: what has not gone yet, what was sent perhaps twice."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("open", _("not sent yet")),
            ("twice", _("may have been sent twice")),
            *((str(state.value), str(state.label)) for state in State),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case None:
                return queryset
            case "open":
                return queryset.exclude(state__in=FINAL_STATES)
            case "twice":
                return queryset.filter(possible_duplicate=True)
            case state:
                return queryset.filter(state=state)
