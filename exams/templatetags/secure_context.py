"""`{% is_secure_context as is_secure %}`: what `exams.secure_context` says; a page without a request needs nothing."""

from __future__ import annotations

from django import template
from django.template import Context

from exams import secure_context

register = template.Library()


@register.simple_tag(takes_context=True)
def is_secure_context(context: Context) -> bool:
    request = context.get("request")
    return request is None or secure_context.is_secure_context(request)
