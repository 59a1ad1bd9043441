"""
Gateways: whether they run, and stopping and starting them by hand.

A gateway is here as soon as it is in the settings: this page is where somebody looks when nothing arrives.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from notifications import breaker
from notifications.admin.base import ReadOnlyAdmin
from notifications.admin.story import advice_on
from notifications.conf import conf
from notifications.models import GatewayState


@admin.register(GatewayState)
class GatewayStateAdmin(ReadOnlyAdmin[GatewayState]):
    """The list is the banner with buttons; there is nothing more to a gateway, so it has no page of its own."""

    change_list_template = "admin/notifications/gatewaystate/change_list.html"
    list_display_links = None

    def get_urls(self) -> list[URLPattern]:
        pause, resume = map(self.admin_site.admin_view, (self.pause_view, self.resume_view))
        return [
            path("<str:alias>/pause/", pause, name="notifications_gatewaystate_pause"),
            path("<str:alias>/resume/", resume, name="notifications_gatewaystate_resume"),
            *super().get_urls(),
        ]

    def page_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().page_context(request)
        rows = [(line, advice_on(line.error_class) if line.error_class else "") for line in context["gateway_lines"]]
        return {**context, "gateway_rows": rows}

    def pause_view(self, request: HttpRequest, alias: str) -> HttpResponse:
        refused = self.refuse_button(request)
        if refused is not None:
            return refused
        self._known(alias)
        breaker.pause(alias, by=request.user.get_username())
        self._log(request, alias, _("Paused."))
        text = _("%(gateway)s is paused: its messages wait until you resume it.")
        messages.success(request, text % {"gateway": alias})
        return self.back(request)

    def resume_view(self, request: HttpRequest, alias: str) -> HttpResponse:
        refused = self.refuse_button(request)
        if refused is not None:
            return refused
        self._known(alias)
        breaker.resume(alias, by=request.user.get_username())
        self._log(request, alias, _("Resumed."))
        text = _("%(gateway)s may send again: what waits for it goes out now.")
        messages.success(request, text % {"gateway": alias})
        return self.back(request)

    def _known(self, alias: str) -> None:
        if alias not in conf().gateways:
            raise Http404

    def _log(self, request: HttpRequest, alias: str, what: str) -> None:
        # Not log_for_each: a gateway that never had trouble may have no row yet.
        assert request.user.pk is not None  # noqa: S101 - for the type checker: nobody else gets here
        LogEntry.objects.create(
            user_id=request.user.pk,
            content_type=ContentType.objects.get_for_model(GatewayState),
            object_id=alias,
            object_repr=alias,
            action_flag=CHANGE,
            change_message=what,
        )
