"""
What all our admin pages have in common.

Contract:
- `StaffAdmin` writes only the columns that were edited: whatever a verb or another teacher changed since the page was
  loaded (a new version, a new PIN) stays.
- `ReadOnlyAdmin` shows and never writes; actions on it ask for `supervise`, which is Django's "change" permission.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_permission_codename
from django.db.models import Model
from django.http import HttpRequest

ModelT = TypeVar("ModelT", bound=Model)

if TYPE_CHECKING:

    class _TypedAdmin(admin.ModelAdmin[ModelT]):
        pass

else:

    class _TypedAdmin(admin.ModelAdmin):
        # Django's own class takes a type only in its stubs.
        def __class_getitem__(cls, _model: type) -> type:
            return cls


class StaffAdmin(_TypedAdmin[ModelT]):
    """The base of every page that can be edited."""

    # Counting a whole table for "3 of 1,200,000" takes longer than the page.
    show_full_result_count = False

    def save_model(self, request: HttpRequest, obj: ModelT, form: Any, change: bool) -> None:
        if change:
            obj.save(update_fields=[name for name in form.changed_data if name in form.fields])
        else:
            super().save_model(request, obj, form, change)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        deleted, counts, lacking, protected = super().get_deleted_objects(objs, request)
        # A paper protects its questions, and nobody may delete a paper: Django would speak of a missing permission, and
        # not of the paper.
        return list(deleted), counts, set() if protected else lacking, protected

    def log_for_each(self, request: HttpRequest, objects: Iterable[ModelT], what: str) -> None:
        """Write *what* into the history of each of *objects*: who locked whom, and when."""
        assert request.user.pk is not None  # noqa: S101 - for the type checker: nobody else gets here
        LogEntry.objects.log_actions(request.user.pk, list(objects), CHANGE, what)


class ReadOnlyAdmin(StaffAdmin[ModelT]):
    """The base of every page that only shows."""

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
