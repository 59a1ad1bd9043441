"""`{% asset "student.css" %}`: the address of a file of exams/static/exams/ under the current version."""

from django import template

from exams import page_assets

register = template.Library()

register.simple_tag(page_assets.url, name="asset")
#: `{% exam_page_assets as addresses %}`: all that the exam page needs, for a page before it that fetches them ahead.
register.simple_tag(page_assets.exam_page_assets)
