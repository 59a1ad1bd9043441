"""
The students' API: parse, call one verb, map the result to JSON.

Contract: docs/reference/api.md. A student reaches only his own attempts: every query starts from `request.user`.

Not here: saving while the exam runs; that is `autosave/endpoint.py`, on ASGI.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from django.middleware.csrf import get_token
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from exams import attempts, cards, papers, serializers
from exams.authentication import log_in, log_out, student_of
from exams.autosave import ticket as tickets
from exams.autosave.checking import check_save
from exams.autosave.messages import SaveRequest
from exams.conf import conf
from exams.exceptions import (
    ATTEMPT_CLOSED,
    AttemptInProgress,
    ExamError,
    NotJson,
    OtherAttempt,
    RateLimited,
    WrongCard,
)
from exams.models import Attempt, Exam, Student
from exams.selectors import exams_of
from ratelimit.address import client_address
from ratelimit.check import check

_PROBLEM = OpenApiResponse(serializers.Problem, description="`code` says what is wrong.")


def _errors(*statuses: int, is_limited: bool = True) -> dict[int, OpenApiResponse]:
    if 400 in statuses:  # what takes a body
        statuses += (413, 415)
    if is_limited:
        statuses += (429,)
    return dict.fromkeys((*statuses, 503), _PROBLEM)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


@method_decorator(never_cache, name="dispatch")
class ApiView(APIView):
    """What all of them share; students are told nothing that a cache on the way may keep."""

    @staticmethod
    def limit(policy: str, key: str) -> None:
        """Count one request; raises `RateLimited`."""
        decision = check(policy, key)
        if not decision.allowed:
            raise RateLimited(decision.retry_after_seconds)


def _student(request: Request) -> Student:
    assert isinstance(request.user, Student)  # noqa: S101 - the permission class has seen to it
    return request.user


def _session_body(request: Request, student: Student | None) -> dict[str, Any]:
    return {
        "success": True,
        "student": None if student is None else serializers.StudentShape(student).data,
        "csrfToken": get_token(request._request),
        "serverNow": _ms(attempts.database_now()),
    }


class SessionView(ApiView):
    """Who am I? Gives the CSRF token that every POST below needs, with or without a session."""

    permission_classes = (AllowAny,)
    throttle_classes = ()  # a whole school asks this from one address when the bell rings

    @extend_schema(operation_id="session", responses={200: serializers.SessionReply, **_errors(is_limited=False)})
    def get(self, request: Request) -> Response:
        return Response(_session_body(request, student_of(request._request)))


class LoginView(ApiView):
    """Log in with an exam card."""

    permission_classes = (AllowAny,)
    throttle_classes = ()  # limited below, by name and address

    @extend_schema(
        operation_id="login",
        request=serializers.LoginRequest,
        responses={200: serializers.SessionReply, **_errors(400, 401, 403)},
    )
    def post(self, request: Request) -> Response:
        given = serializers.LoginRequest(data=request.data)
        given.is_valid(raise_exception=True)
        self.limit("login_address", client_address(request._request))
        self.limit("login", given.validated_data["username"].strip().lower())
        student = cards.student_with_card(**given.validated_data)
        if student is None:
            raise WrongCard
        log_in(request._request, student)
        return Response(_session_body(request, student))


class LogoutView(ApiView):
    """End the session. Tickets that are out stay valid: answers that wait on a device must still arrive."""

    permission_classes = (AllowAny,)
    throttle_classes = ()

    @extend_schema(
        operation_id="logout", request=None, responses={200: serializers.Success, **_errors(403, is_limited=False)}
    )
    def post(self, request: Request) -> Response:
        log_out(request._request)
        return Response({"success": True})


class ExamListView(ApiView):
    """My exams: open, upcoming, done."""

    @extend_schema(operation_id="exams", responses={200: serializers.ExamListReply, **_errors(401)})
    def get(self, request: Request) -> Response:
        mine = exams_of(_student(request))
        groups = {
            name: [_exam_body(found.exam, found.attempt) for found in group]
            for name, group in (("open", mine.open), ("upcoming", mine.upcoming), ("done", mine.done))
        }
        return Response({"success": True, "serverNow": _ms(mine.now), **groups})


def _exam_body(exam: Exam, attempt: Attempt | None) -> dict[str, Any]:
    return {
        **serializers.ExamShape(exam).data,
        "attempt": None if attempt is None else serializers.AttemptShape(attempt).data,
    }


def _state_body(attempt: Attempt) -> dict[str, Any]:
    now = attempts.database_now()
    ticket = None
    if attempt.status == Attempt.Status.IN_PROGRESS:
        ticket = tickets.issue(
            attempt=attempt.pk,
            student=attempt.student_id,
            exam=attempt.exam_id,
            version=attempt.paper.version,
            expires_at=int(now.timestamp()) + conf().ticket_seconds,
        )
    shape = serializers.AttemptShape(attempt).data
    return {
        "success": True,
        "serverNow": _ms(now),
        "examId": attempt.exam_id,
        "title": attempt.exam.title,
        "deadlineAt": shape["deadlineAt"],
        "graceSeconds": conf().save_grace_seconds,
        "attempt": shape,
        "ticket": ticket,
        "answers": serializers.AnswerShape(attempt.answers.order_by("question_id"), many=True).data,
    }


class StartView(ApiView):
    """Start the exam, or come back to it."""

    @extend_schema(
        operation_id="start",
        request=serializers.StartRequest,
        responses={200: serializers.StartReply, **_errors(400, 401, 403, 404, 409)},
    )
    def post(self, request: Request, exam_id: int) -> Response:
        given = serializers.StartRequest(data=request.data)
        given.is_valid(raise_exception=True)
        student = _student(request)
        attempts.start_attempt(student=student, exam_id=exam_id, entry_token=given.validated_data["entryToken"])
        attempt = attempts.find_attempt(student=student, exam_id=exam_id)
        if attempt.status != Attempt.Status.IN_PROGRESS:
            raise ATTEMPT_CLOSED[attempt.status]
        questions = papers.student_view(
            papers.load(attempt.paper_id),
            seed=str(attempt.pk),
            shuffle_questions=attempt.exam.shuffle_questions,
            shuffle_options=attempt.exam.shuffle_options,
        )
        return Response({**_state_body(attempt), "paper": {"version": attempt.paper.version, "questions": questions}})


class StateView(ApiView):
    """How things stand: the attempt, the saved answers, a fresh ticket while it runs."""

    @extend_schema(operation_id="state", responses={200: serializers.StateReply, **_errors(401, 404, 409)})
    def get(self, request: Request, exam_id: int) -> Response:
        return Response(_state_body(attempts.find_attempt(student=_student(request), exam_id=exam_id)))


class SubmitView(ApiView):
    """Hand in: the last answers, the manifest; the receipt comes back. Again: the first receipt."""

    @extend_schema(
        operation_id="submit",
        request=serializers.SubmitRequest,
        responses={200: serializers.SubmitReply, **_errors(400, 401, 403, 404, 409)},
    )
    def post(self, request: Request, exam_id: int) -> Response:
        given = serializers.SubmitRequest(data=request.data)
        given.is_valid(raise_exception=True)
        student = _student(request)
        attempt = attempts.find_attempt(student=student, exam_id=exam_id)
        if given.validated_data.get("attemptId", attempt.pk) != attempt.pk:
            raise OtherAttempt
        if attempt.status == Attempt.Status.IN_PROGRESS:  # the first receipt again costs little and is never refused
            self.limit("submit_exam", f"{student.pk}:{exam_id}")
        pending, rejected = _pending(attempt, given.validated_data["answers"])
        submission = attempts.submit_attempt(
            student=student, exam_id=exam_id, pending=pending, manifest=given.validated_data["manifest"]
        )
        shape = serializers.AttemptShape(submission.attempt).data
        return Response(
            {
                "success": True,
                "status": submission.attempt.status,
                "submittedAt": shape["submittedAt"],
                "receipt": submission.attempt.receipt,
                "answered": submission.answered,
                "missing": submission.missing,
                "rejected": rejected,
                "serverNow": _ms(attempts.database_now()),
            }
        )


def _pending(attempt: Attempt, given: list[Any]) -> tuple[list[tuple[int, int, bytes]], list[dict[str, Any]]]:
    """The answers that fit the paper, and why the others do not: one wrong answer never stops a submit."""
    questions = papers.load(attempt.paper_id).by_id
    now_ms = _ms(attempts.database_now())
    pending, rejected = [], []
    for entry in given:
        question_id = None
        try:
            try:
                save = msgspec.convert(entry, SaveRequest)
            except msgspec.ValidationError as exc:
                raise NotJson(reason=str(exc)) from exc
            question_id = save.question_id
            ahead_seconds = conf().revision_ahead_seconds
            pending.append((question_id, *check_save(save, questions, now_ms=now_ms, ahead_seconds=ahead_seconds)))
        except ExamError as error:
            reason = str(error.details.get("reason", error.message))
            rejected.append({"questionId": question_id, "code": error.code, "reason": reason})
    return pending, rejected


class ResultView(ApiView):
    """The receipt, and the score where the exam shows it."""

    @extend_schema(operation_id="result", responses={200: serializers.ResultReply, **_errors(401, 404, 409)})
    def get(self, request: Request, exam_id: int) -> Response:
        attempt = attempts.find_attempt(student=_student(request), exam_id=exam_id)
        if attempt.status == Attempt.Status.LOCKED:
            raise ATTEMPT_CLOSED[attempt.status]
        if not attempt.is_closed:
            raise AttemptInProgress
        body = {"success": True, **serializers.ResultShape(attempt).data}
        if not (attempt.exam.show_result and attempt.is_final):  # no score that an essay may still change
            body["score"] = body["maxScore"] = None
        return Response(body)
