"""
API keys: make one, which is shown once, and revoke it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db import IntegrityError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from notifications import api_keys
from notifications.admin.base import ReadOnlyAdmin
from notifications.models import ApiKey


class NameForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's own class takes a type only in its stubs
    """All that there is to choose about a key."""

    class Meta:
        model = ApiKey
        fields = ("name",)
        help_texts: ClassVar = {
            "name": gettext_lazy("The program that will use it. Its reports and retries carry this name.")
        }


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin[ApiKey]):
    form = NameForm
    list_display = ("name", "begins_with", "created_at", "created_by", "last_used_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    search_fields = ("name",)
    actions = ("revoke",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("notifications.add_apikey"))

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        if obj is None:
            return ("name",)
        return ("name", "begins_with", "scopes", "created_at", "created_by", "last_used_at", "revoked_at")

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return () if obj is None else tuple(self.get_fields(request, obj))

    @admin.display(description=gettext_lazy("begins with"))
    def begins_with(self, key: ApiKey) -> str:
        return f"tu_{key.prefix}_…"

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().add_view(request, form_url, {**self.page_context(request), **(extra_context or {})})
        except IntegrityError:  # the same name in the same moment, from another tab; nothing was made here
            messages.error(request, _("Somebody else made a key of this name just now."))
            return redirect("admin:notifications_apikey_changelist")

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> ApiKey:
        # The verb writes the row; the key lives on the row object until the page that shows it, and nowhere else.
        row, key = api_keys.issue(name=form.cleaned_data["name"], by=request.user.get_username())
        row.shown_once = key  # type: ignore[attr-defined]
        form.instance = row
        form.save_m2m = lambda: None
        return row

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Saved already, in `save_form`."""

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("The new API key"),
            "row": obj,
            "key": obj.shown_once,  # type: ignore[attr-defined]
        }
        response = TemplateResponse(request, "admin/notifications/apikey/shown_once.html", context)
        add_never_cache_headers(response)
        return response

    @admin.action(description=gettext_lazy("Revoke"), permissions=["supervise"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        revoked = [row for row in queryset.order_by("pk") if api_keys.revoke(key_id=row.pk)]
        self.log_for_each(request, revoked, _("Revoked."))
        text = ngettext(
            "%(count)d key is revoked: it is refused from now on.",
            "%(count)d keys are revoked: they are refused from now on.",
            len(revoked),
        )
        messages.success(request, text % {"count": len(revoked)})
