"""
The shapes of the notifications' API, in and out: they are the OpenAPI description, and tests hold real answers to it.

Names are camelCase, times ISO 8601 in UTC. A filter is the same in a query string and in the body of a bulk retry; its
fields are named in errors as they were sent.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from notifications.conf import conf
from notifications.exceptions import BadReceiver
from notifications.models import FailedNotification
from notifications.receivers import mask, normalise

LIMIT_MAX, LIMIT_DEFAULT = 500, 50
#: So deep nobody pages; an offset costs a read of every row before it. `cursor` has no such bound.
OFFSET_MAX = 100_000
IDS_MAX = 1_000
MESSAGE_MAX, ERROR_MAX = 60_000, 5_000
#: Clocks of other systems go wrong, but a failure of tomorrow would stand on top of the list until then.
_AHEAD = timedelta(hours=1)

Serializer = serializers.Serializer


class Moment(serializers.DateTimeField):
    """A time in UTC, whatever the school's time zone is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(default_timezone=UTC, **options)


class NotificationProblem(Serializer[Any]):
    """What every error looks like; which of the further fields are there depends on the code."""

    success = serializers.BooleanField(read_only=True)
    code = serializers.CharField()
    message = serializers.CharField()
    field = serializers.CharField(required=False, help_text="the field that is wrong")
    reason = serializers.CharField(required=False, help_text="what is wrong with it, in English")
    fields = serializers.DictField(required=False, help_text="what is wrong with each field")  # type: ignore[assignment]
    retriedAt = Moment(required=False)
    notificationId = serializers.UUIDField(
        required=False, allow_null=True, help_text="the message it was sent again as"
    )
    state = serializers.CharField(required=False, allow_null=True, help_text="what became of that message so far")
    retryAfterMs = serializers.IntegerField(required=False)


class FailedShape(Serializer[FailedNotification]):
    """A failed message. `receiver` is masked for staff without the permission to see numbers."""

    id = serializers.UUIDField()
    receiver = serializers.SerializerMethodField()
    message = serializers.CharField()
    error = serializers.CharField()
    failedAt = Moment(source="failed_at")
    retried = serializers.BooleanField()
    retriedAt = Moment(source="retried_at", allow_null=True)
    createdAt = Moment(source="created_at")
    updatedAt = Moment(source="updated_at")

    def get_receiver(self, failed: FailedNotification) -> str:
        return failed.receiver if self.context["may_see_numbers"] else mask(failed.receiver)


class FailedListReply(Serializer[Any]):
    success = serializers.BooleanField()
    data = FailedShape(many=True)  # type: ignore[assignment]
    total = serializers.IntegerField(help_text="of all pages")


class FailedReply(Serializer[Any]):
    success = serializers.BooleanField()
    data = FailedShape()  # type: ignore[assignment]


class RetryReply(FailedReply):
    notificationId = serializers.UUIDField(help_text="the new message")


class BulkRetryReply(Serializer[Any]):
    success = serializers.BooleanField()
    dryRun = serializers.BooleanField()
    count = serializers.IntegerField(help_text="how many are sent again, or would be")
    skipped = serializers.IntegerField(help_text="ids that are unknown or were sent again before")


def not_ahead(moment: datetime) -> None:
    if moment > timezone.now() + _AHEAD:
        raise serializers.ValidationError(_("This is in the future."))


# -- in ------------------------------------------------------------------------------------------------------------


class ReceiverField(serializers.CharField):
    """A phone number as people type it; digits with the country code afterwards."""

    def to_internal_value(self, data: Any) -> str:
        try:
            return normalise(super().to_internal_value(data), conf().region)
        except BadReceiver as exc:
            raise serializers.ValidationError(str(exc.message)) from exc


@extend_schema_field({"type": "string", "examples": ["2026-06-01", "2026-06-01T07:00:00+07:00"]})
class EdgeField(serializers.Field[datetime, str, str, Any]):
    """One end of a span: a moment, or a day in the school's time zone, of which an upper edge takes the whole."""

    def __init__(self, *, is_upper: bool, **options: Any) -> None:
        self.is_upper = is_upper
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> datetime:
        wrong = serializers.ValidationError(_("Write a day as 2026-06-01 or a moment as 2026-06-01T07:00:00+07:00."))
        if not isinstance(data, str):
            raise wrong
        try:
            day, moment = parse_date(data), parse_datetime(data)
            if day is not None:
                return self._midnight(day)
        except (ValueError, OverflowError) as exc:  # the 31st of June, the year 9999
            raise wrong from exc
        if moment is None:
            raise wrong
        return moment if moment.tzinfo else timezone.make_aware(moment)

    def _midnight(self, day: date) -> datetime:
        return timezone.make_aware(datetime.combine(day + timedelta(days=self.is_upper), time()))

    def to_representation(self, value: datetime) -> str:
        return value.isoformat()


class FailedFilter(Serializer[Any]):
    """Which failed messages are meant; together they are an "and"."""

    receiver = ReceiverField(required=False, max_length=30, help_text="as typed: 0812…, +62…, 62…")
    gateway = serializers.CharField(required=False, max_length=32)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # `from` is a word of Python's; it can be no attribute.
        return {
            **super().get_fields(),
            "from": EdgeField(is_upper=False, required=False, help_text="failed at this moment or later"),
            "to": EdgeField(is_upper=True, required=False, help_text="failed before this moment, or on this day"),
        }


class FailedQuery(FailedFilter):
    """The list's query string."""

    retried = serializers.BooleanField(required=False, allow_null=True, default=None)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=LIMIT_MAX, default=LIMIT_DEFAULT)
    offset = serializers.IntegerField(required=False, min_value=0, max_value=OFFSET_MAX, default=0)
    cursor = serializers.UUIDField(
        required=False, help_text="the `id` of the last row that you have: the page after it, whatever came meanwhile"
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("cursor") and attrs["offset"]:
            raise serializers.ValidationError({"offset": [_("Send cursor or offset, not both.")]})
        return attrs


class RetryFilter(FailedFilter):
    """As in the list. An unknown name is refused: a slip of the pen would otherwise send everything."""

    retried = serializers.BooleanField(required=False, help_text="only false makes sense: nothing is sent again twice")

    def validate_retried(self, retried: bool) -> bool:
        if retried:
            raise serializers.ValidationError(_("These were sent again already."))
        return retried

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := sorted(set(map(str, data)) - set(self.fields))):
            raise serializers.ValidationError({name: [_("There is no such filter.")] for name in unknown})
        return super().to_internal_value(data)


class BulkRetryRequest(Serializer[Any]):
    """Either `ids` or `filter`."""

    ids = serializers.ListField(
        child=serializers.UUIDField(), required=False, allow_empty=False, min_length=1, max_length=IDS_MAX
    )
    filter = RetryFilter(required=False)
    dryRun = serializers.BooleanField(required=False, default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("ids" in attrs) == ("filter" in attrs):
            raise serializers.ValidationError({"ids": [_("Send ids or filter: one of the two.")]})
        return attrs


class ReportRequest(Serializer[Any]):
    """A failure that another system reports."""

    receiver = ReceiverField(max_length=30)
    message = serializers.CharField(max_length=MESSAGE_MAX, trim_whitespace=False)
    error = serializers.CharField(max_length=ERROR_MAX)
    failedAt = Moment(source="failed_at", validators=[not_ahead])
