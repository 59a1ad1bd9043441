"""Where Django's part of the project begins; the save path and the health checks are routed in `asgi.py`."""

from django.contrib import admin
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView

from ratelimit.address import client_address
from ratelimit.decorators import rate_limited


def _name(request: HttpRequest) -> str | None:
    """Whom a login tries; None for a page that is only looked at."""
    return request.POST.get("username", "").strip().lower() if request.method == "POST" else None


def _address(request: HttpRequest) -> str | None:
    return client_address(request) if request.method == "POST" else None


limited_login = rate_limited("login_address", key=_address)(rate_limited("login", key=_name)(admin.site.login))

urlpatterns = [
    path("", include("exams.urls")),
    path("", include("notifications.urls")),
    path("admin/login/", limited_login),
    path("admin/", admin.site.urls),
    path("docs", SpectacularSwaggerSplitView.as_view(url_name="openapi"), name="docs"),
    path("favicon.ico", RedirectView.as_view(url=static("exams/icon.svg"), permanent=True)),
    path("docs/json", SpectacularJSONAPIView.as_view(), name="openapi"),
]

handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"
