"""Addresses of `notifications` under the site's root."""

from django.urls import path

from notifications import api, webhook_urls

urlpatterns = [
    path("api/notifications/failed", api.FailedView.as_view()),
    path("api/notifications/failed/retry", api.BulkRetryView.as_view()),
    path("api/notifications/failed/<uuid:failed_id>/retry", api.RetryView.as_view()),
    *webhook_urls.urlpatterns,
]
