"""
The staff's pages, at /admin/: lists, filters and the verbs of teachers, for Django users who are staff.

Contract:
- State changes go through the verbs (`publishing.py`, `attempts.py`, `cards.py`); what students or the system wrote
  can be read here and not edited, but for the points of an essay.
- A PIN is shown once, on the page that made it; its HMAC is never shown.

Not here: the rules (`models.py`, `content_problems.py`), what students see (`api.py`).
"""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from exams.admin import answers, attempts, emergency, exams, papers, questions, students

__all__ = ["answers", "attempts", "emergency", "exams", "papers", "questions", "students"]

admin.site.site_header = _("Tahan Uji: staff")
admin.site.site_title = _("Tahan Uji")
admin.site.index_title = _("Exams and students")
