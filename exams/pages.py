"""
The students' pages: parse, call one verb, render or redirect.

Contract: docs/reference/pages.md.
- All but the exam page itself work without JavaScript. Nothing here may be kept by a cache.
- The verbs, limits and messages are the API's; a student reaches only his own attempts.
- A wrong form is shown again with the status that the API would have sent, the message at the field it is about.

Not here: what the exam page does once it is loaded (`static/exams/page.js` and the API), the staff's pages (`admin/`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from exams import attempts, cards, emergency, page_assets, page_texts, selectors
from exams.authentication import log_in, log_out, student_of
from exams.autosave import ticket as tickets
from exams.exceptions import ExamClosed, ExamError, ExamNotOpenYet, NotFound, RateLimited, WrongCard, WrongEntryToken
from exams.models import Attempt, Exam, Student
from exams.selectors import MyExam
from ratelimit.address import client_address
from ratelimit.check import check
from ratelimit.responses import retry_after_header

_LANGUAGE_COOKIE_SECONDS = 365 * 24 * 60 * 60
#: Long enough to write the emergency file; the database refuses every save of a closed attempt.
_CLOSED_TICKET_SECONDS = 60 * 60

P = ParamSpec("P")
read_or_post = require_http_methods(["GET", "HEAD", "POST"])


class SeeOther(HttpResponseRedirect):
    """What follows a form: a GET, whatever came before."""

    status_code = 303


def _own_path(request: HttpRequest, default: str) -> str:
    """Where `next` wants to go, if that is one of our own addresses."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if is_ours else default


def _login_address(path: str) -> str:
    return f"{reverse('student_login')}?{urlencode({'next': path}, safe='/')}"


def for_students(
    view: Callable[Concatenate[HttpRequest, Student, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """The view gets the student whose session it is; whoever has none is asked for his card and comes back."""

    @never_cache
    @wraps(view)
    def with_student(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        student = student_of(request)
        if student is None:
            return SeeOther(_login_address(request.get_full_path()))
        return view(request, student, *args, **kwargs)

    return with_student


def _limit(policy: str, key: str) -> None:
    decision = check(policy, key)
    if not decision.allowed:
        raise RateLimited(decision.retry_after_seconds)


def _form_again(
    request: HttpRequest, template: str, context: dict[str, Any], error: ExamError | None = None, status: int = 200
) -> HttpResponse:
    """The form's page, with what is wrong: *error*, or what the context already says."""
    if error is not None:
        context |= {"problem": error.body()["message"]}
        status = error.status
    response = render(request, template, context, status=status)
    if isinstance(error, RateLimited):
        response["Retry-After"] = retry_after_header(error.seconds)
    elif status == 401:
        response["WWW-Authenticate"] = "Session"  # RFC 9110 wants one; browsers ask nobody for this scheme
    return response


# -- coming in and going out -------------------------------------------------------------------------------------


@never_cache
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Everyone to where he belongs."""
    if student_of(request) is not None:
        return SeeOther(reverse("my_exams"))
    return SeeOther(reverse("admin:index" if request.user.is_staff else "student_login"))


class LoginForm(forms.Form):
    """The card. The lengths are the API's."""

    username = forms.CharField(
        max_length=64, error_messages={"required": _("Type the user name that is on your card.")}
    )
    pin = forms.CharField(max_length=32, error_messages={"required": _("Type the PIN that is on your card.")})


@never_cache
@read_or_post
def login_page(request: HttpRequest) -> HttpResponse:
    """Log in with an exam card; who is in already goes on."""
    after = _own_path(request, default=reverse("my_exams"))
    if request.method != "POST":
        if student_of(request) is not None:
            return SeeOther(after)
        return render(request, "exams/login.html", {"next": after})
    form = LoginForm(request.POST)
    context: dict[str, Any] = {"next": after, "username": request.POST.get("username", "")}
    if not form.is_valid():
        context["errors"] = {name: messages[0] for name, messages in form.errors.items()}
        return _form_again(request, "exams/login.html", context, status=400)
    try:
        _limit("login_address", client_address(request))
        _limit("login", form.cleaned_data["username"].strip().lower())
        student = cards.student_with_card(**form.cleaned_data)
        if student is None:
            raise WrongCard
    except (RateLimited, WrongCard) as error:
        return _form_again(request, "exams/login.html", context, error)
    log_in(request, student)
    return SeeOther(after)


@never_cache
@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    """End the session; the login page then removes what this browser kept for working without network."""
    log_out(request)
    return SeeOther(reverse("student_login"))


@never_cache
@require_POST
def switch_language(request: HttpRequest) -> HttpResponse:
    """Remember the language for a year; the cookie rules the API as well."""
    response = SeeOther(_own_path(request, default=reverse("home")))
    language = request.POST.get("language")
    if language in dict(settings.LANGUAGES):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            language,
            max_age=_LANGUAGE_COOKIE_SECONDS,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    return response


# -- before and after the exam -----------------------------------------------------------------------------------


@for_students
@require_safe
def my_exams(request: HttpRequest, student: Student) -> HttpResponse:
    """My exams: open, upcoming, done."""
    mine = selectors.exams_of(student)
    return render(request, "exams/exams.html", {"student": student, "mine": mine, "server_now": _ms(mine.now)})


@for_students
@read_or_post
def exam_info(request: HttpRequest, student: Student, exam_id: int) -> HttpResponse:
    """The rules, and the start."""
    error: ExamError | None = None
    if request.method == "POST":
        try:
            _limit("general", f"Student:{student.pk}")  # the key of the API's: guesses of the token count together
            attempts.start_attempt(student=student, exam_id=exam_id, entry_token=request.POST.get("entry_token", ""))
            return SeeOther(reverse("exam_page", args=[exam_id]))
        except NotFound as missing:
            raise Http404 from missing
        except (RateLimited, WrongEntryToken, ExamNotOpenYet, ExamClosed) as refused:
            error = refused
    mine = _mine(student, exam_id)
    if mine.attempt is not None and mine.attempt.is_closed:
        return SeeOther(reverse("exam_result", args=[exam_id]))
    context = _info(student, mine)
    if isinstance(error, WrongEntryToken):
        context["errors"] = {"entry_token": error.body()["message"]}
    return _form_again(request, "exams/exam_info.html", context, error)


def _mine(student: Student, exam_id: int) -> MyExam:
    try:
        return selectors.exam_of(student, exam_id)
    except NotFound as missing:
        raise Http404 from missing


def _info(student: Student, mine: MyExam) -> dict[str, Any]:
    exam, now = mine.exam, attempts.database_now()
    is_over = exam.status == Exam.Status.CLOSED or exam.closes_at <= now
    paper_id = exam.papers.values_list("pk", flat=True).get(version=exam.version)
    return {
        "student": student,
        "exam": exam,
        "attempt": mine.attempt,
        "is_locked": mine.attempt is not None and mine.attempt.status == Attempt.Status.LOCKED,
        "is_over": is_over,
        "is_upcoming": not is_over and now < exam.opens_at,
        "questions": selectors.questions_to_answer(mine.attempt.paper_id if mine.attempt else paper_id),
        "server_now": _ms(now),
    }


@for_students
@require_safe
def exam_result(request: HttpRequest, student: Student, exam_id: int) -> HttpResponse:
    """The receipt; the score where the exam shows it and no essay can change it any more."""
    attempt = _mine(student, exam_id).attempt
    if attempt is None or attempt.status == Attempt.Status.LOCKED:
        return SeeOther(reverse("exam_info", args=[exam_id]))
    if not attempt.is_closed:
        return SeeOther(reverse("exam_page", args=[exam_id]))
    ticket = tickets.issue(
        attempt=attempt.pk,
        student=student.pk,
        exam=exam_id,
        version=attempt.paper.version,
        expires_at=int(attempts.database_now().timestamp()) + _CLOSED_TICKET_SECONDS,
    )
    context = {
        "student": student,
        "exam": attempt.exam,
        "attempt": attempt,
        "has_expired": attempt.status == Attempt.Status.EXPIRED,
        "answered": selectors.answered_questions(attempt),
        "questions": selectors.questions_to_answer(attempt.paper_id),
        "boot": _boot(attempt, student, assets=[]) | {"ticket": ticket},
    }
    return render(request, "exams/result.html", context)


# -- the exam ----------------------------------------------------------------------------------------------------


@for_students
@require_safe
@ensure_csrf_cookie
def exam_page(request: HttpRequest, student: Student, exam_id: int) -> HttpResponse:
    """The page of a running attempt. It fetches paper and answers itself, so that it is small and the same for all."""
    attempt = _mine(student, exam_id).attempt
    if attempt is None or attempt.status == Attempt.Status.LOCKED:
        return SeeOther(reverse("exam_info", args=[exam_id]))
    if attempt.is_closed:
        return SeeOther(reverse("exam_result", args=[exam_id]))
    context = {
        "student": student,
        "exam": attempt.exam,
        "attempt": attempt,
        "static_prefix": page_assets.load().prefix,
        "boot": _boot(attempt, student, assets=page_assets.exam_page_assets()),
    }
    return render(request, "exams/exam.html", context)


def _boot(attempt: Attempt, student: Student, *, assets: list[str]) -> dict[str, Any]:
    """What the page's modules start from."""
    exam_id = attempt.exam_id
    return {
        "examId": exam_id,
        "attemptId": attempt.pk,
        "title": attempt.exam.title,
        "student": {
            "id": student.pk,
            "username": student.username,
            "name": student.name,
            "className": student.class_name,
        },
        "language": get_language(),
        "version": page_assets.load().version,
        "assets": assets,
        "emergencyKey": emergency.public_key_text(),
        "urls": {
            "exams": reverse("my_exams"),
            "result": reverse("exam_result", args=[exam_id]),
            "login": _login_address(reverse("exam_page", args=[exam_id])),
            "serviceWorker": reverse("service_worker"),
        },
        "texts": page_texts.texts(),
    }


@require_safe
def service_worker(request: HttpRequest) -> HttpResponseBase:
    """The script that keeps the exam page usable without network. Its address decides which pages it may serve."""
    script = page_assets.load().files.get("sw.js")
    if script is None:
        raise Http404
    headers = {"Cache-Control": "no-cache", "ETag": f'W/"{script.etag}"'}
    response = HttpResponse(script.content, content_type=script.content_type, headers=headers)
    return get_conditional_response(request, etag=headers["ETag"], response=response) or response


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
