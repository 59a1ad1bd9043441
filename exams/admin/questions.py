"""
Questions as teachers edit them. An edit publishes nothing; a question that stands in a paper is withdrawn, not deleted.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Max
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from exams.admin.base import StaffAdmin
from exams.models import Exam, Question

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

_JSON_FIELDS = ("options", "key", "feedback")


class _Indented(json.JSONEncoder):
    """JSON that people can edit; `JSONField` passes no indent of its own."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**{**arguments, "indent": 2})


def _json_field(label: _StrOrPromise, help_text: _StrOrPromise) -> forms.JSONField:
    return forms.JSONField(
        label=label,
        help_text=help_text,
        required=False,
        encoder=_Indented,
        initial=dict,
        widget=forms.Textarea(attrs={"rows": 12, "cols": 90, "spellcheck": "false"}),
    )


class QuestionForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's own class takes a type only in its stubs
    options = _json_field(
        gettext_lazy("Options"),
        gettext_lazy(
            "What there is to choose from; every id once, four letters that do not tell which one is right: "
            '{"choices": [{"id": "kbxa", "text": "Jakarta"}, {"id": "q7mw", "text": "Bandung"}]}. '
            'Matching has left-hand sides too: {"stems": [{"id": "v3ne", "text": "Bali"}], "choices": […]}. '
            "Empty for the other types."
        ),
    )
    key = _json_field(
        gettext_lazy("Key"),
        gettext_lazy(
            "The right answer; weights are percent of the points, -100 to 100. "
            'Multiple choice and response: {"weights": {"kbxa": 100, "q7mw": 0}}. True or false: {"answer": true}. '
            'Short answer (* for anything): {"texts": [{"text": "fotosint*", "weight": 100}], '
            '"case_sensitive": false}. '
            'Numerical: {"ranges": [{"low": "3.14", "high": "3.15", "weight": 100}]}. '
            'Matching: {"pairs": {"v3ne": "kbxa"}}. Empty for essays and descriptions.'
        ),
    )
    feedback = _json_field(
        gettext_lazy("Feedback"),
        gettext_lazy(
            'What students may read afterwards: {"general": "See chapter 2.", "by_answer": {"q7mw": "Not quite."}}. '
            'The keys of by_answer are option ids, "true" and "false", or the number of the accepted text, from 0.'
        ),
    )

    class Meta:
        model = Question
        fields = (
            "exam",
            "position",
            "type",
            "name",
            "category",
            "stem",
            "text_format",
            "options",
            "key",
            "feedback",
            "points",
            "is_withdrawn",
        )

    def _nothing_as_object(self, name: str) -> Any:
        value = self.cleaned_data[name]
        return {} if value is None else value

    def clean_options(self) -> Any:
        return self._nothing_as_object("options")

    def clean_key(self) -> Any:
        return self._nothing_as_object("key")

    def clean_feedback(self) -> Any:
        return self._nothing_as_object("feedback")


@admin.register(Question)
class QuestionAdmin(StaffAdmin[Question]):
    form = QuestionForm
    fields = QuestionForm.Meta.fields  # in this order, whichever of them can only be read
    list_display = ("__str__", "exam", "position", "type", "category", "points", "is_withdrawn")
    list_filter = ("type", "is_withdrawn", "exam")
    list_select_related = ("exam",)
    search_fields = ("name", "stem", "category")
    ordering = ("-exam_id", "position", "id")
    autocomplete_fields = ("exam",)

    def get_readonly_fields(self, request: HttpRequest, obj: Question | None = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        # A frozen paper belongs to one exam, and its answers were given to a question of this type.
        return ("exam", "type") if obj.papers.exists() else ("exam",)

    def save_model(self, request: HttpRequest, obj: Question, form: Any, change: bool) -> None:
        # What the structures do not know (a misspelt optional field, say) is not kept.
        columns = Question.columns_of(obj.content)
        for name in _JSON_FIELDS:
            setattr(obj, name, columns[name])
        if not change and not obj.position:
            last = Question.objects.filter(exam_id=obj.exam_id).aggregate(last=Max("position"))["last"]
            obj.position = (last or 0) + 1
        super().save_model(request, obj, form, change)
        if obj.exam.status == Exam.Status.PUBLISHED and (form.changed_data or not change):
            messages.warning(
                request,
                _("Saved. The change reaches new attempts when the exam “%(exam)s” is published again.")
                % {"exam": obj.exam},
            )
