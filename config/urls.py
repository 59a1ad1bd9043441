"""Where Django's part of the project begins; the save path and the health checks are routed in `asgi.py`."""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView

urlpatterns = [
    path("", include("exams.urls")),
    path("admin/", admin.site.urls),
    path("docs", SpectacularSwaggerSplitView.as_view(url_name="openapi"), name="docs"),
    path("favicon.ico", RedirectView.as_view(url=static("exams/icon.svg"), permanent=True)),
    path("docs/json", SpectacularJSONAPIView.as_view(), name="openapi"),
]

handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"
