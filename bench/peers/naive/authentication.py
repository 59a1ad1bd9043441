"""Who is asking: a signed token, as most guides for Django REST framework have it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jwt
from django.conf import settings
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.request import Request


@dataclass(frozen=True)
class Sitting:
    """Who is asking, from the token: no query is needed for it."""

    attempt_id: int
    is_authenticated: bool = True


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <JWT>`, as our own ticket."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        scheme, _, token = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        try:
            claims = jwt.decode(token, settings.SECRET_KEY, algorithms=["HS256"])
        except jwt.InvalidTokenError as exc:
            raise exceptions.AuthenticationFailed from exc
        return Sitting(claims["attempt"]), None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
