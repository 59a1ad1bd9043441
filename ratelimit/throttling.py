"""
The limits as DRF throttles.

Contract: `PolicyThrottle` counts one hit per request under `policy` and `key()`; refused, DRF raises `Throttled` with
`wait` from the decision, and the project's exception handler makes it the one 429 (`responses.py`).

DRF's own throttles are not used: they count with get-then-set, which lets racing requests through, and believe
`X-Forwarded-For` from anybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from ratelimit.address import client_address
from ratelimit.check import Decision, check

if TYPE_CHECKING:  # DRF's views import the throttles of the settings while they load
    from rest_framework.views import APIView


class PolicyThrottle(BaseThrottle):
    """Base class: set `policy`, override `key`."""

    policy: str
    decision: Decision | None = None

    def key(self, request: Request, view: APIView) -> str | None:
        """Return what to count *request* under; None lets it pass uncounted."""
        raise NotImplementedError

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Count the request. DRF calls this once for each."""
        key = self.key(request, view)
        if key is None:
            return True
        self.decision = check(self.policy, key)
        return self.decision.allowed

    def wait(self) -> float | None:
        """Return the seconds until the next try passes; DRF asks only after a refusal, and rounds up."""
        return None if self.decision is None else self.decision.retry_after_seconds


class GeneralThrottle(PolicyThrottle):
    """The limit on everything: per user where one is known, else per address."""

    policy = "general"

    def key(self, request: Request, view: APIView) -> str:
        user = request.user
        # UNAUTHENTICATED_USER may be None.
        if user is None or not user.is_authenticated:
            return f"address:{client_address(request)}"
        # The class as well: student 5 and staff user 5 are two people. `__class__`, because type() sees a lazy wrapper.
        return f"{user.__class__.__name__}:{user.pk}"
