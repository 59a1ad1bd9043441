"""
`@rate_limited`: a limit on a plain Django view.

Contract: each request counts one hit under the policy and the key; over the limit the view is not called and the answer
is the project's 429 (`responses.py`). For DRF views see `throttling.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Concatenate, ParamSpec

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from ratelimit.check import check
from ratelimit.responses import too_many_requests

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def rate_limited(policy: str, *, key: Callable[[HttpRequest], str | None]) -> Callable[[View[P]], View[P]]:
    """
    Limit a view by *policy*, counted under what *key* makes of the request; None lets the request pass uncounted.

    Several may stand on one view; the upper one counts first. Raises `TypeError` for an `async def` view: counting may
    ask Redis, and would hold up everything else on the event loop.
    """

    def decorate(view: View[P]) -> View[P]:
        if iscoroutinefunction(view):
            raise TypeError("rate_limited is for plain views; in an async view call check() with sync_to_async.")

        @wraps(view)
        def limited(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            text = key(request)
            if text is not None:
                decision = check(policy, text)
                if not decision.allowed:
                    return too_many_requests(decision.retry_after_seconds)
            return view(request, *args, **kwargs)

        return limited

    return decorate
