"""
Addresses of the gateways' webhooks. docs/howto/whatsapp.md says which one to type in at which gateway.

Included by `urls.py`; without the API's authentication: each proves itself as `webhooks.py` says.
"""

from django.urls import path

from notifications import webhooks

urlpatterns = [
    path("api/notifications/receipts/<slug:alias>", webhooks.receive, name="notification_receipts"),
    path("api/notifications/receipts/<slug:alias>/<str:secret>", webhooks.receive, name="notification_receipts_secret"),
]
