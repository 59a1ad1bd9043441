"""
Is this receipt genuine? A page for staff, reached from the list of attempts.

Contract:
- What is typed may be in small letters, with spaces or without the dash.
- "Genuine" means: the receipt is signed by this server for exactly the answers that are stored now.
- A receipt that was replaced since (an emergency file was applied) is found in the attempts' histories.
- Who may see attempts may check receipts. Nothing is written here.

No index: receipts are looked up by hand, and reading through the attempts of some school years takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from django import forms
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from exams import receipts
from exams.answers import is_answered
from exams.models import Attempt


class ReceiptForm(forms.Form):
    code = forms.CharField(
        label=gettext_lazy("Receipt"),
        max_length=40,
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "off", "spellcheck": "false"}),
        help_text=gettext_lazy("Ten letters and digits, such as ABCDE-FGHJK."),
    )

    def clean_code(self) -> str:
        found = receipts.as_typed(self.cleaned_data["code"])
        if found is None:
            raise forms.ValidationError(
                _("This cannot be a receipt: it has ten letters and digits, and never 0, O, 1 or I.")
            )
        return found


@dataclass(frozen=True, kw_only=True)
class Finding:
    """
    What is known about a receipt.

    *attempt*: whose it is now, None if nobody's. *answered*: how many answers are stored. *entries*: where histories
    speak of this code: as the old one of a replacement, or as the new one.
    """

    code: str
    attempt: Attempt | None = None
    is_genuine: bool = False
    answered: int = 0
    entries: list[tuple[LogEntry, Attempt | None]] = field(default_factory=list)


def look_up(code: str) -> Finding:
    """What is known about the receipt *code*, which is written as `receipts.as_typed` writes it."""
    entries = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(Attempt), change_message__contains=code
    ).select_related("user")
    told_of = list(entries.order_by("-action_time")[:20])
    named = Attempt.objects.select_related("student", "exam").in_bulk(
        [int(entry.object_id) for entry in told_of if entry.object_id and entry.object_id.isdecimal()]
    )
    history = [(entry, named.get(int(entry.object_id or 0))) for entry in told_of]
    attempt = Attempt.objects.select_related("student", "exam").filter(receipt=code).first()
    if attempt is None:
        return Finding(code=code, entries=history)
    answers = list(attempt.answers.order_by("question_id"))
    return Finding(
        code=code,
        attempt=attempt,
        is_genuine=receipts.covers(attempt, answers),
        answered=sum(is_answered(answer.value) for answer in answers),
        entries=history,
    )


def receipt_page(site: admin.AdminSite, may_view: Callable[[HttpRequest], bool]) -> Callable[..., HttpResponse]:
    """The view; *may_view* says who may use it."""

    def view(request: HttpRequest) -> HttpResponse:
        if not may_view(request):
            raise PermissionDenied
        # By GET: nothing changes, and the answer can be reloaded and shown to a colleague.
        form = ReceiptForm(request.GET if "code" in request.GET else None)
        context = {
            **site.each_context(request),
            "opts": Attempt._meta,
            "title": _("Check a receipt"),
            "form": form,
            "finding": look_up(form.cleaned_data["code"]) if form.is_bound and form.is_valid() else None,
        }
        return TemplateResponse(request, "admin/exams/attempt/receipt.html", context)

    return view
