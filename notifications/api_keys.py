"""
API keys: how another program proves that it may use the notifications' API.

Contract:
- `issue()` returns the row and the key. The key is nowhere else: the table has its SHA-256, so it can be shown once.
- `client_with_key()` returns the client a key belongs to, or None: unknown, revoked and malformed keys look the same.
- A revoked key is refused from the next request on. Keys do not expire by themselves.

A key holds 256 random bits, so nobody guesses one and a fast hash is enough: no weak password has to be protected.

Not here: HTTP (`authentication.py`), the pages for staff (`admin/api_key.py`).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from notifications.models import ApiKey

#: What all keys are good for, so far.
SCOPE = "notifications"
_PREFIX_LENGTH = 8
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
#: The first part is ours, so that scanners for leaked secrets can know it; the second finds the row.
_KEY = re.compile(r"tu_([a-z0-9]{8})_[A-Za-z0-9_-]{43}")
#: `last_used_at` is for people who tidy up: writing it with every request would be a write for each read.
_USED_RESOLUTION = timedelta(minutes=1)


@dataclass(frozen=True)
class ApiClient:
    """The program behind a key, as `request.user`."""

    pk: int
    name: str

    # What Django REST framework asks of a user.
    is_authenticated = True
    is_anonymous = False


def issue(*, name: str, by: str) -> tuple[ApiKey, str]:
    """Make a key for the program *name*; *by* is who asked for it. Returns (row, the key to show once)."""
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(_PREFIX_LENGTH))
    key = f"tu_{prefix}_{secrets.token_urlsafe(32)}"
    row = ApiKey.objects.create(name=name, prefix=prefix, key_hash=_hash(key), scopes=SCOPE, created_by=by)
    return row, key


def revoke(*, key_id: int) -> bool:
    """Refuse the key from now on. False where it was revoked before."""
    return bool(ApiKey.objects.filter(pk=key_id, revoked_at=None).update(revoked_at=Now()))


def client_with_key(key: str) -> ApiClient | None:
    """Whose key this is."""
    found = _KEY.fullmatch(key)
    if found is None:
        return None
    given = _hash(key)
    row = ApiKey.objects.filter(prefix=found[1], revoked_at=None).first()
    if row is None or not hmac.compare_digest(row.key_hash, given) or SCOPE not in row.scopes.split():
        return None
    stale = Q(last_used_at=None) | Q(last_used_at__lt=Now() - _USED_RESOLUTION)
    ApiKey.objects.filter(stale, pk=row.pk).update(last_used_at=Now())
    return ApiClient(pk=row.pk, name=row.name)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
