"""The plain way to save an answer: authenticate, limit, validate, look at the attempt, `update_or_create`."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.decorators import method_decorator
from django_ratelimit.decorators import ratelimit
from django_ratelimit.exceptions import Ratelimited
from rest_framework import serializers, status, views
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from bench.peers.naive.models import Answer, Attempt


class AnswerSerializer(serializers.Serializer[Any]):
    questionId = serializers.IntegerField(min_value=1)  # noqa: N815 - the API's name
    answer = serializers.JSONField()


def student_and_question(_group: str, request: Any) -> str:
    return f"{request.user.attempt_id}:{request.data.get('questionId')}"


class SaveAnswer(views.APIView):
    @method_decorator(ratelimit(key=student_and_question, rate="1/2s", method="POST"))
    def post(self, request: Request, exam_id: int) -> Response:
        serializer = AnswerSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        now = timezone.now()
        sitting: Any = request.user  # what TokenAuthentication made
        attempt = get_object_or_404(Attempt, pk=sitting.attempt_id, exam_id=exam_id)
        if attempt.status != "in_progress" or attempt.deadline_at < now:
            return Response({"success": False, "code": "attempt_closed"}, status=status.HTTP_409_CONFLICT)
        Answer.objects.update_or_create(
            attempt=attempt,
            question_id=serializer.validated_data["questionId"],
            defaults={"value": serializer.validated_data["answer"], "saved_at": now},
        )
        return Response({"success": True, "status": "saved", "savedAt": now})


class Alive(views.APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get(self, _request: Request) -> Response:
        return Response({"status": "alive"})


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    if isinstance(exc, Ratelimited):
        return Response(
            {"success": False, "code": "rate_limited"},
            status=status.HTTP_429_TOO_MANY_REQUESTS,
            headers={"Retry-After": "2"},
        )
    return views.exception_handler(exc, context)
