"""
Who may use the API: staff with Django's session, or a program with an API key.

Contract:
- `Authorization: Api-Key <key>` decides alone where it is there: a wrong key is 401, even beside a staff session.
- A session needs the CSRF token for everything but GET; a key needs none, because no browser sends it by itself.
- A session of a student is nobody here. Which of the staff may do what is `MayUse`; a key may do all of it.

Not here: what a key is (`api_keys.py`).
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from notifications import api_keys
from notifications.api_errors import WrongApiKey
from notifications.api_keys import ApiClient

KEYWORD = "Api-Key"
#: Who has it sees phone numbers whole, in the API and in the admin; for all others they are masked.
SEE_NUMBERS = "notifications.see_numbers"


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Api-Key <key>`."""

    def authenticate(self, request: Request) -> tuple[ApiClient, None] | None:
        keyword, _space, key = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if keyword.lower() != KEYWORD.lower():
            return None
        client = api_keys.client_with_key(key.strip())
        if client is None:
            raise WrongApiKey
        return client, None

    def authenticate_header(self, request: Request) -> str:
        return KEYWORD


class StaffSession(SessionAuthentication):
    """Django's own session, of staff only; the same cookie may hold a student's session, who is nobody here."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        user = getattr(request._request, "user", AnonymousUser())
        if not (user.is_active and user.is_staff):
            return None
        self.enforce_csrf(request)
        return user, None


class MayUse(BasePermission):
    """Staff need the permission that the view names for the method; a key was made for all of it."""

    message = _("You may not do this.")

    def has_permission(self, request: Request, view: APIView) -> bool:
        if isinstance(request.user, ApiClient):
            return True
        permissions: dict[str, str] = getattr(view, "permissions_by_method", {})
        wanted = permissions.get(request.method or "", "")
        # A method that the view does not have is answered with 405 and not with 403.
        return request.user is not None and (not wanted or bool(request.user.has_perm(wanted)))


def caller_of(request: Request) -> ApiClient | User:
    """Who asks; for views that `MayUse` guards."""
    assert isinstance(request.user, ApiClient | User)  # noqa: S101 - the permission class has seen to it
    return request.user


def name_of(caller: ApiClient | User) -> str:
    """How *caller* stands in the tables: who retried, who reported."""
    name = f"api:{caller.name}" if isinstance(caller, ApiClient) else caller.get_username()
    return name[:100]


def may_see_numbers(caller: ApiClient | User) -> bool:
    """Whether *caller* gets receivers in full."""
    return isinstance(caller, ApiClient) or caller.has_perm(SEE_NUMBERS)


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI description calls it."""

    target_class = ApiKeyAuthentication
    name = "notificationsApiKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": f"`{KEYWORD} <key>`; staff make keys in the admin.",
        }


class StaffSessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI description calls it."""

    target_class = StaffSession
    name = "staffSession"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}
