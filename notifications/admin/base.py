"""
What the pages of `notifications` have in common.

Contract:
- `ReadOnlyAdmin` shows and never writes; its actions ask for `supervise`, which is Django's "change" permission.
- `WithReceiver` shows receivers to those who may see them, and masks them for all others.
- A button is a POST with a CSRF token to an address of its own; afterwards one is where one was.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from urllib.parse import urlsplit

from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_permission_codename
from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy

from notifications.admin.banner import gateway_lines
from notifications.authentication import SEE_NUMBERS
from notifications.conf import conf
from notifications.exceptions import BadReceiver
from notifications.receivers import mask, normalise

ModelT = TypeVar("ModelT", bound=Model)

if TYPE_CHECKING:

    class _TypedAdmin(admin.ModelAdmin[ModelT]):
        pass

else:

    class _TypedAdmin(admin.ModelAdmin):
        # Django's own class takes a type only in its stubs.
        def __class_getitem__(cls, _model: type) -> type:
            return cls


class ReadOnlyAdmin(_TypedAdmin[ModelT]):
    """The base of every page here."""

    class Media:
        css: ClassVar = {"all": ["notifications/staff.css"]}

    # Counting a whole table for "3 of 1,200,000" takes longer than the page.
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: ModelT | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ModelT | None = None) -> bool:
        return False

    def has_supervise_permission(self, request: HttpRequest) -> bool:
        """Who may use the actions; named in `@admin.action(permissions=["supervise"])`."""
        codename = get_permission_codename("change", self.opts)
        return bool(request.user.has_perm(f"{self.opts.app_label}.{codename}"))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().changelist_view(request, {**self.page_context(request), **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**self.page_context(request), **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def page_context(self, request: HttpRequest) -> dict[str, Any]:
        """What every page of ours gets: the banner, and whether its buttons are shown."""
        return {"gateway_lines": gateway_lines(), "may_supervise": self.has_supervise_permission(request)}

    def log_for_each(self, request: HttpRequest, objects: Iterable[ModelT], what: str) -> None:
        """Write *what* into the history of each of *objects*: who did it, and when."""
        assert request.user.pk is not None  # noqa: S101 - for the type checker: nobody else gets here
        LogEntry.objects.log_actions(request.user.pk, list(objects), CHANGE, what)

    def refuse_button(self, request: HttpRequest) -> HttpResponse | None:
        """What a button's view answers to whoever may not press it, or only opened its address."""
        if not self.has_supervise_permission(request):
            raise PermissionDenied
        return None if request.method == "POST" else HttpResponseNotAllowed(["POST"])

    def back(self, request: HttpRequest) -> HttpResponse:
        """To the page of ours that the button was on, with its filters; else to the list."""
        changelist = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        came_from = request.headers.get("Referer", "")
        is_ours = url_has_allowed_host_and_scheme(came_from, {request.get_host()}, require_https=request.is_secure())
        path = urlsplit(came_from)
        if not is_ours or not path.path.startswith(changelist):
            return redirect(changelist)
        return redirect(f"{path.path}?{path.query}" if path.query else path.path)


class WithReceiver(ReadOnlyAdmin[ModelT]):
    """
    The base of what has a receiver: `shown_receiver` is masked, and becomes `full_receiver` for those who may see it.

    The search takes numbers as people type them.
    """

    search_fields = ("receiver",)
    search_help_text = gettext_lazy("A phone number, as in 0812… or 62812….")

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        return self._for(request, super().get_list_display(request))

    def get_fields(self, request: HttpRequest, obj: ModelT | None = None) -> Any:
        return [
            self._for(request, name) if isinstance(name, tuple) else self._for(request, (name,))[0]
            for name in super().get_fields(request, obj)
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: ModelT | None = None) -> tuple[str, ...]:
        return ("full_receiver", "shown_receiver", *super().get_readonly_fields(request, obj))

    def _for(self, request: HttpRequest, names: Iterable[Any]) -> tuple[Any, ...]:
        if not sees_numbers(request):
            return tuple(names)
        return tuple("full_receiver" if name == "shown_receiver" else name for name in names)

    @admin.display(description=gettext_lazy("receiver"))
    def full_receiver(self, row: Any) -> str:
        return str(row.receiver)

    @admin.display(description=gettext_lazy("receiver"))
    def shown_receiver(self, row: Any) -> str:
        return mask(row.receiver)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ModelT], search_term: str
    ) -> tuple[QuerySet[ModelT], bool]:
        typed = search_term.strip()
        if not typed:
            return queryset, False
        return queryset.filter(_numbers_like(typed, in_part=sees_numbers(request))), False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # ?receiver__startswith=62812 in the address would be a search by parts for everyone.
        if "receiver" in lookup.split("__") and not sees_numbers(request):
            return False
        return super().lookup_allowed(lookup, value, request)


def sees_numbers(request: HttpRequest) -> bool:
    return bool(request.user.has_perm(SEE_NUMBERS))


def _numbers_like(typed: str, *, in_part: bool) -> Q:
    """
    The numbers that *typed* may mean.

    A part of a number only for those who may see numbers: anybody else could find one out digit by digit.
    """
    try:
        whole = Q(receiver=normalise(typed, conf().region, allow_landline=True))
    except BadReceiver:
        whole = Q(receiver=typed)  # it failed because it is no number, and stands there as it came
    digits = "".join(filter(str.isdecimal, typed))
    if not in_part or not digits:
        return whole
    # 0812… stands as 62812… in the table.
    return whole | Q(receiver__contains=digits.removeprefix("0"))
