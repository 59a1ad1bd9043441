from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.utils.functional import SimpleLazyObject
from freezegun import freeze_time
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.views import APIView

from ratelimit.throttling import GeneralThrottle, PolicyThrottle

pytestmark = pytest.mark.usefixtures("local_cache")


class SubmitThrottle(PolicyThrottle):
    policy = "submit_exam"

    def key(self, request: Request, view: APIView) -> str | None:
        return request.GET.get("who")


class Open(APIView):
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = (GeneralThrottle, SubmitThrottle)

    def get(self, request: Request) -> Response:
        return Response({})


class Student(AnonymousUser):
    """Logged in, and no row of `auth_user`."""

    pk = 5  # type: ignore[assignment]
    is_authenticated = True  # type: ignore[assignment]


def general_key(user: object, remote: str = "203.0.113.7") -> str:
    request = SimpleNamespace(user=user, META={"REMOTE_ADDR": remote})
    return GeneralThrottle().key(request, Open())  # type: ignore[arg-type]


def test_over_the_limit_the_view_answers_429_with_retry_after():
    view = Open.as_view()
    with freeze_time("2026-05-04 07:30:00.5"):
        assert view(APIRequestFactory().get("/", {"who": "siti"})).status_code == 200
        refused = view(APIRequestFactory().get("/", {"who": "siti"}))
        assert view(APIRequestFactory().get("/", {"who": "budi"})).status_code == 200
        assert [view(APIRequestFactory().get("/")).status_code for _ in range(3)] == [200] * 3
    assert refused.status_code == 429
    assert 1 <= int(refused["Retry-After"]) <= 5


def test_wait_is_what_the_decision_says():
    throttle = SubmitThrottle()
    request = Request(APIRequestFactory().get("/", {"who": "siti"}))
    assert throttle.wait() is None
    with freeze_time("2026-05-04 07:30:00.5"):
        assert throttle.allow_request(request, Open())
        assert not throttle.allow_request(request, Open())
    assert throttle.decision is not None
    assert throttle.wait() == throttle.decision.retry_after_seconds > 0


def test_a_policy_throttle_needs_a_key_of_its_own():
    with pytest.raises(NotImplementedError):
        PolicyThrottle().key(Request(APIRequestFactory().get("/")), Open())


def test_the_general_limit_is_per_user_wherever_they_are(settings):
    settings.RATE_LIMITS = {"general": "1/1d"}
    statuses = []
    for remote in ("203.0.113.7", "203.0.113.8"):
        request = APIRequestFactory().get("/", REMOTE_ADDR=remote)
        force_authenticate(request, Student())
        statuses.append(Open.as_view()(request).status_code)
    assert statuses == [200, 429]


def test_and_per_address_where_nobody_is_logged_in(settings):
    settings.RATE_LIMITS = {"general": "1/1d"}
    remotes = ["203.0.113.7", "203.0.113.7", "203.0.113.8"]
    statuses = [Open.as_view()(APIRequestFactory().get("/", REMOTE_ADDR=remote)).status_code for remote in remotes]
    assert statuses == [200, 429, 200]


@pytest.mark.parametrize("user", [None, AnonymousUser()])
def test_nobody_is_an_address(user, settings):
    settings.TRUSTED_PROXIES = []
    assert general_key(user) == "address:203.0.113.7"


def test_student_five_and_staff_user_five_are_two_people():
    assert general_key(Student()) == "Student:5"
    assert general_key(User(pk=5)) == "User:5"
    assert general_key(SimpleLazyObject(lambda: User(pk=5))) == "User:5"
