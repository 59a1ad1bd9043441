"""
The staff's pages about WhatsApp, at /admin/notifications/.

Contract:
- Everything here can be read and nothing edited; what changes something is a verb (`retries.py`, `breaker.py`,
  `cancelling.py`, `api_keys.py`) behind a button, and stands in the history of each row that it changed.
- Phone numbers are masked for staff without the permission `authentication.SEE_NUMBERS`, and neither a search nor a
  filter in the address finds them out digit by digit.
- Every page says how the gateways are and since when the oldest message waits.

Not here: sending (`delivery.py`), who gets what about an exam (`config/notify_class.py`).
"""

from django.contrib import admin
from django_q import admin as queue_admin
from django_q.models import Failure, OrmQ, Schedule, Success

from notifications.admin import api_key, failed, gateway, notification

__all__ = ["api_key", "failed", "gateway", "notification", "queue_admin"]

# Doorbells, not messages: to edit or resubmit one helps nobody, and its "resubmit" forgets what was.
for model in (Failure, OrmQ, Schedule, Success):
    if admin.site.is_registered(model):
        admin.site.unregister(model)
