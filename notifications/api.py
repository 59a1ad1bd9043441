"""
Failed messages for other programs: read them, report one, send them again.

Contract: docs/reference/api.md. Staff with a session or a program with an API key; numbers are masked for staff without
the permission to see them. A message is sent again once, however many ask for it and from wherever.

Not here: sending again (`retries.py`), the staff's pages (`admin/`).
"""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import NotAuthenticated, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from notifications import retries, serializers
from notifications.api_errors import (
    AlreadyRetried,
    ApiProblem,
    BadNumber,
    IdempotencyKeyReused,
    NoSuchFailure,
    StaffOnly,
)
from notifications.authentication import ApiKeyAuthentication, MayUse, StaffSession, caller_of, may_see_numbers, name_of
from notifications.exceptions import BadReceiver
from notifications.models import FailedNotification, Notification

_PROBLEM = OpenApiResponse(serializers.NotificationProblem, description="`code` says what is wrong.")
_IDEMPOTENCY_KEY_MAX = 200
_IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    location=OpenApiParameter.HEADER,
    description=f"Up to {_IDEMPOTENCY_KEY_MAX} printable ASCII characters. The same key and body again: the first row.",
)


def _errors(*statuses: int) -> dict[int, OpenApiResponse]:
    return dict.fromkeys((*statuses, 401, 403, 429, 503), _PROBLEM)


@method_decorator(never_cache, name="dispatch")
class ApiView(APIView):
    """What all of them share: who may come in, and errors in the one shape."""

    authentication_classes = (ApiKeyAuthentication, StaffSession)
    permission_classes = (MayUse,)
    #: What staff need, for each method; `MayUse` asks.
    permissions_by_method: ClassVar[dict[str, str]]

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, NotAuthenticated):
            exc = StaffOnly()
        if not isinstance(exc, ApiProblem):
            return super().handle_exception(exc)
        response = Response(exc.body(), status=exc.status)
        if exc.status == 401:
            response["WWW-Authenticate"] = self.get_authenticate_header(self.request)
        response.exception = True
        return response

    def shown(self, request: Request, rows: Any, *, many: bool = False) -> Any:
        """*rows* as the caller may see them."""
        context = {"may_see_numbers": may_see_numbers(caller_of(request))}
        return serializers.FailedShape(rows, many=many, context=context).data


def matching(given: dict[str, Any]) -> Q:
    """The filter *given*, as `FailedFilter` has read it, as a condition."""
    lookups = {"receiver": "receiver", "gateway": "gateway", "from": "failed_at__gte", "to": "failed_at__lt"}
    return Q(**{lookup: given[name] for name, lookup in lookups.items() if name in given})


class FailedView(ApiView):
    permissions_by_method: ClassVar[dict[str, str]] = {
        "GET": "notifications.view_failednotification",
        "POST": "notifications.add_failednotification",
    }

    @extend_schema(
        operation_id="failedNotifications",
        parameters=[serializers.FailedQuery],
        responses={200: serializers.FailedListReply, **_errors(400)},
    )
    def get(self, request: Request) -> Response:
        """Failed messages, newest first."""
        # As a plain dict: out of a form's, DRF reads a boolean that was not sent as false.
        given = serializers.FailedQuery(data=request.query_params.dict())
        given.is_valid(raise_exception=True)
        query = given.validated_data
        rows = FailedNotification.objects.filter(matching(query))
        if query["retried"] is not None:
            rows = rows.filter(retried=query["retried"])
        page = _after(rows, query["cursor"]) if query.get("cursor") else rows
        page = page.order_by("-failed_at", "-pk")[query["offset"] : query["offset"] + query["limit"]]
        return Response({"success": True, "data": self.shown(request, page, many=True), "total": rows.count()})

    @extend_schema(
        operation_id="reportFailedNotification",
        parameters=[_IDEMPOTENCY_KEY],
        request=serializers.ReportRequest,
        responses={201: serializers.FailedReply, **_errors(400, 413, 415, 422)},
    )
    def post(self, request: Request) -> Response:
        """Report a message that another system could not send."""
        given = serializers.ReportRequest(data=request.data)
        given.is_valid(raise_exception=True)
        source, key = name_of(caller_of(request)), _idempotency_key(request)
        row, is_new = _report(given.validated_data, source=source, key=key)
        headers = None if is_new else {"Idempotent-Replayed": "true"}
        return Response({"success": True, "data": self.shown(request, row)}, status=201, headers=headers)


def _after(rows: QuerySet[FailedNotification], cursor: UUID) -> QuerySet[FailedNotification]:
    """The rows that come after the row *cursor*. It need not match the filter any more: it may have been retried."""
    last = FailedNotification.objects.filter(pk=cursor).values("failed_at").first()
    if last is None:
        raise ValidationError({"cursor": [_("There is no such row (any more): begin again without cursor.")]})
    return rows.filter(Q(failed_at__lt=last["failed_at"]) | Q(failed_at=last["failed_at"], pk__lt=cursor))


def _idempotency_key(request: Request) -> str | None:
    key: str | None = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is not None and not (key.isascii() and key.isprintable() and 1 <= len(key) <= _IDEMPOTENCY_KEY_MAX):
        text = _("Idempotency-Key has 1 to %(most)d printable ASCII characters.") % {"most": _IDEMPOTENCY_KEY_MAX}
        raise ValidationError({"Idempotency-Key": [text]})
    return key


def _report(values: dict[str, Any], *, source: str, key: str | None) -> tuple[FailedNotification, bool]:
    """The row of this report, and whether it is new. Of two reports at once with one key, one makes the row."""
    if key is None:
        return FailedNotification.objects.create(**values, source=source), True
    try:
        with transaction.atomic():  # a savepoint where there is a transaction: the constraint's error must not break it
            return FailedNotification.objects.create(**values, source=source, idempotency_key=key), True
    except IntegrityError:
        first = FailedNotification.objects.filter(source=source, idempotency_key=key).first()
        if first is None:  # another constraint
            raise
    if any(getattr(first, name) != value for name, value in values.items()):
        raise IdempotencyKeyReused
    return first, False


class RetryView(ApiView):
    permissions_by_method: ClassVar[dict[str, str]] = {"POST": "notifications.change_failednotification"}

    @extend_schema(
        operation_id="retryFailedNotification",
        request=None,
        responses={202: serializers.RetryReply, **_errors(404, 409, 422)},
    )
    def post(self, request: Request, failed_id: UUID) -> Response:
        """Send it again. Whoever comes second gets 409 and what became of it."""
        if not FailedNotification.objects.filter(pk=failed_id).exists():
            raise NoSuchFailure
        try:
            notification = retries.retry_failed(failed_id=failed_id, by=name_of(caller_of(request)))
        except BadReceiver as exc:
            raise BadNumber(str(exc.message)) from exc
        failed = FailedNotification.objects.filter(pk=failed_id).first()
        if failed is None:  # pruned in between: it was retried long ago
            raise NoSuchFailure
        if notification is None:
            raise _already_retried(failed)
        data = self.shown(request, failed)
        return Response({"success": True, "data": data, "notificationId": str(notification.pk)}, status=202)


def _already_retried(failed: FailedNotification) -> AlreadyRetried:
    assert failed.retried_at is not None  # noqa: S101 - the database says so
    again = Notification.objects.filter(retry_of=failed).order_by("created_at").first()
    return AlreadyRetried(
        retriedAt=serializers.Moment().to_representation(failed.retried_at),
        notificationId=None if again is None else str(again.pk),
        state=None if again is None else again.state,
    )


class BulkRetryView(ApiView):
    permissions_by_method: ClassVar[dict[str, str]] = {"POST": "notifications.change_failednotification"}

    @extend_schema(
        operation_id="retryFailedNotifications",
        request=serializers.BulkRetryRequest,
        responses={200: serializers.BulkRetryReply, 202: serializers.BulkRetryReply, **_errors(400, 413, 415)},
    )
    def post(self, request: Request) -> Response:
        """Send many again: those of `ids`, or all that match `filter`. With `dryRun` it only counts (200)."""
        given = serializers.BulkRetryRequest(data=request.data)
        given.is_valid(raise_exception=True)
        ask = given.validated_data
        ids = set(ask.get("ids", ()))
        condition = Q(pk__in=ids) if ids else matching(ask["filter"])
        count = retries.retry_many(
            FailedNotification.objects.filter(condition), by=name_of(caller_of(request)), dry_run=ask["dryRun"]
        )
        body = {"success": True, "dryRun": ask["dryRun"], "count": count, "skipped": max(0, len(ids) - count)}
        return Response(body, status=200 if ask["dryRun"] else 202)
