"""
Students, and their exam cards.

The action "new exam cards" asks first, because a new PIN voids the old one, and shows the cards once: sending the same
confirmation again (a reload) makes no new PINs, else the cards that were just printed would be void.
"""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from exams import cards
from exams.admin.base import StaffAdmin
from exams.models import Student

_CONFIRMATION_KEY = "exam_cards_confirmation"


class HasCardFilter(admin.SimpleListFilter):
    title = gettext_lazy("exam card")
    parameter_name = "card"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", _("has a card")), ("no", _("has no card yet"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Student]) -> QuerySet[Student]:
        match self.value():
            case "yes":
                return queryset.exclude(pin_hmac="")
            case "no":
                return queryset.filter(pin_hmac="")
        return queryset


@admin.register(Student)
class StudentAdmin(StaffAdmin[Student]):
    list_display = ("name", "class_name", "username", "nisn", "has_card", "is_active")
    list_filter = ("is_active", HasCardFilter, "class_name")
    search_fields = ("name", "username", "nisn")
    fields = ("name", "class_name", "nisn", "username", "parent_phone", "is_active", "has_card")
    readonly_fields = ("has_card",)
    actions = ("new_exam_cards",)

    @admin.display(boolean=True, description=gettext_lazy("has a card"))
    def has_card(self, student: Student) -> bool:
        return student.pin_hmac != ""

    def save_model(self, request: HttpRequest, obj: Student, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "username" in form.changed_data and obj.pin_hmac:
            # The user name is part of what is stored of the PIN: the old card is void, and the page should say so.
            Student.objects.filter(pk=obj.pk).update(pin_hmac="")
            messages.warning(request, _("The user name was changed: the old exam card is void, make a new one."))

    @admin.action(description=gettext_lazy("New exam cards…"), permissions=["change"])
    def new_exam_cards(self, request: HttpRequest, queryset: QuerySet[Student]) -> TemplateResponse | None:
        given = request.POST.get("confirmation", "")
        if not given:
            return self._ask(request, queryset)
        expected = request.session.pop(_CONFIRMATION_KEY, "")
        if not secrets.compare_digest(given.encode(), expected.encode()):
            messages.error(
                request, _("These cards were made and shown already. If you did not get to print them, make new ones.")
            )
            return None
        # One transaction with the page: if the page cannot be made, the old cards stay valid.
        with transaction.atomic():
            students = list(queryset.order_by("class_name", "name"))
            sheet = cards.issue_cards(students)
            self.log_for_each(request, students, _("New exam card."))
            response = TemplateResponse(request, "admin/exams/student/cards.html", {"cards": sheet, "is_page": True})
            add_never_cache_headers(response)
            response.render()
        return response

    def _ask(self, request: HttpRequest, queryset: QuerySet[Student]) -> TemplateResponse:
        confirmation = request.session[_CONFIRMATION_KEY] = secrets.token_urlsafe(16)
        selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
        is_everyone = request.POST.get("select_across") == "1"
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("New exam cards"),
            "count": queryset.count(),
            "count_with_card": queryset.exclude(pin_hmac="").count(),
            "confirmation": confirmation,
            "checkbox_name": ACTION_CHECKBOX_NAME,
            # With "select all" the filter decides and Django only wants to see one id; 3,000 are too many fields.
            "selected": selected[:1] if is_everyone else selected,
            "is_everyone": is_everyone,
        }
        return TemplateResponse(request, "admin/exams/student/confirm_cards.html", context)
