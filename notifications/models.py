"""
The tables of WhatsApp messages: what is to be sent, each try, what failed, the gateways' states, receipts, API keys.

Contract:
- The row is the truth: a message that was committed here ends as sent, failed, cancelled or expired, whatever dies.
- The database repeats the rules that stand here. States change through the verbs only: `delivery.py`, `breaker.py`,
  `sweeper.py`, `receipts.py`, `retries.py`.

Not here: which outcome leads to which state (`outcomes.py`, `delivery.py`); docs/explanation/delivery.md has the
diagram.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from notifications.ids import uuid7

#: E.164 without the plus sign. Nothing else may ever reach a gateway: some read commas or more digits as several
#: people.
RECEIVER = r"^[1-9][0-9]{6,14}$"


class State(models.TextChoices):
    """Where a message is; docs/explanation/delivery.md shows the ways between them."""

    QUEUED = "queued", _("queued")
    SENDING = "sending", _("being sent")
    WAITING = "waiting", _("waiting for its next try")
    HELD = "held", _("held until the gateway is back")
    SENT = "sent", _("sent")
    DELIVERED = "delivered", _("delivered")
    READ = "read", _("read")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")
    EXPIRED = "expired", _("not sent in time")


#: What is claimed once it is due.
DUE_STATES = (State.QUEUED, State.WAITING)
#: The gateway has taken it.
SENT_STATES = (State.SENT, State.DELIVERED, State.READ)
#: Nothing of ours will touch it again; only receipts may.
FINAL_STATES = (*SENT_STATES, State.FAILED, State.CANCELLED, State.EXPIRED)


class Notification(models.Model):
    """One message to one person: the outbox."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    receiver = models.CharField(_("receiver"), max_length=15)
    message = models.TextField(_("message"), blank=True)
    #: {"name": …, "language": …, "parameters": [text, …]}, for gateways that want an approved template.
    template = models.JSONField(_("template"), null=True, blank=True)
    gateway = models.CharField(_("gateway"), max_length=32)
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.QUEUED)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    next_try_at = models.DateTimeField(_("next try"), db_default=Now())
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    provider_id = models.CharField(_("the gateway's id"), max_length=200, blank=True)
    provider_state_id = models.CharField(_("the gateway's id for receipts"), max_length=200, blank=True)
    possible_duplicate = models.BooleanField(_("may have been sent twice"), default=False)
    expires_at = models.DateTimeField(_("not after"), null=True, blank=True)
    dedupe_key = models.CharField(_("sent once per"), max_length=200, null=True, blank=True, unique=True)
    #: What it belongs to, for progress: "exam:12:results".
    topic = models.CharField(_("topic"), max_length=100, blank=True)
    retry_of = models.ForeignKey(
        "FailedNotification", models.SET_NULL, null=True, blank=True, related_name="retries", verbose_name=_("retry of")
    )
    error_class = models.CharField(_("kind of error"), max_length=32, blank=True)
    error = models.TextField(_("error"), blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("changed"), db_default=Now(), editable=False)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("delivered"), null=True, blank=True)
    read_at = models.DateTimeField(_("read"), null=True, blank=True)

    class Meta:
        db_table = "notifications"
        verbose_name, verbose_name_plural = _("message"), _("messages")
        ordering = ("-created_at", "-id")
        permissions = (("see_numbers", _("May see whole phone numbers")),)
        constraints = (
            models.CheckConstraint(condition=Q(receiver__regex=RECEIVER), name="notification_receiver_is_digits"),
            models.CheckConstraint(
                condition=~Q(message="") | Q(template__isnull=False), name="notification_says_something"
            ),
            models.CheckConstraint(condition=Q(state__in=State.values), name="notification_state_is_known"),
            models.CheckConstraint(
                condition=Q(state=State.SENDING, lease_token__isnull=False, lease_until__isnull=False)
                | (~Q(state=State.SENDING) & Q(lease_token__isnull=True, lease_until__isnull=True)),
                name="notification_sending_has_a_lease",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=SENT_STATES) | Q(sent_at__isnull=False), name="notification_sent_has_a_time"
            ),
            models.CheckConstraint(condition=~Q(gateway=""), name="notification_has_a_gateway"),
        )
        indexes = (
            models.Index(
                fields=["gateway", "next_try_at", "id"],
                name="notifications_due",
                condition=Q(state__in=DUE_STATES),
            ),
            models.Index(fields=["gateway", "lease_until"], name="notifications_sending", condition=Q(state="sending")),
            models.Index(fields=["gateway", "id"], name="notifications_held", condition=Q(state="held")),
            models.Index(fields=["receiver", "gateway", "sent_at"], name="notifications_to_receiver"),
            models.Index(fields=["topic", "state"], name="notifications_of_topic", condition=~Q(topic="")),
            models.Index(fields=["gateway", "provider_id"], name="notifications_by_provider"),
            models.Index(
                fields=["gateway", "provider_state_id"],
                name="notifications_by_state_id",
                condition=~Q(provider_state_id=""),
            ),
            models.Index(
                fields=["expires_at"],
                name="notifications_expiring",
                condition=Q(expires_at__isnull=False, state__in=(*DUE_STATES, State.HELD)),
            ),
            models.Index(fields=["created_at"], name="notifications_by_time"),
        )

    def __str__(self) -> str:
        return str(self.pk)  # never the number: this text ends up in logs and in the admin's history


class DeliveryTry(models.Model):
    """One call to a gateway, or one that was begun by a worker that died."""

    notification = models.ForeignKey(
        Notification, models.CASCADE, related_name="delivery_tries", verbose_name=_("message")
    )
    number = models.PositiveSmallIntegerField(_("try"))
    started_at = models.DateTimeField(_("started"))
    duration_ms = models.PositiveIntegerField(_("duration in ms"))
    http_status = models.PositiveSmallIntegerField(_("HTTP status"), null=True, blank=True)
    outcome = models.CharField(_("outcome"), max_length=32)
    code = models.CharField(_("the gateway's code"), max_length=64, blank=True)
    answer = models.CharField(_("the gateway's answer, without numbers and texts"), max_length=500, blank=True)

    class Meta:
        db_table = "notification_tries"
        verbose_name, verbose_name_plural = _("try"), _("tries")
        ordering = ("notification", "id")

    def __str__(self) -> str:
        return f"{self.notification_id} {self.number}"


class FailedNotification(models.Model):
    """A message that could not be sent. The row stays when it is retried: it is the audit trail."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    receiver = models.CharField(_("receiver"), max_length=32)  # as it came, where it is no number
    message = models.TextField(_("message"), blank=True)
    error = models.TextField(_("error"))
    failed_at = models.DateTimeField(_("failed"), db_default=Now())
    retried = models.BooleanField(_("retried"), default=False)
    retried_at = models.DateTimeField(_("retried at"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("changed"), db_default=Now(), editable=False)
    gateway = models.CharField(_("gateway"), max_length=32, blank=True)
    error_class = models.CharField(_("kind of error"), max_length=32, blank=True)
    #: None where another system reported the failure, or the number was bad from the start.
    notification = models.OneToOneField(
        Notification, models.SET_NULL, null=True, blank=True, related_name="failed_row", verbose_name=_("message row")
    )
    #: The first failure of the chain, where this is what became of a retry.
    retry_of = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="later_failures", verbose_name=_("retry of")
    )
    retried_by = models.CharField(_("retried by"), max_length=150, blank=True)
    #: The API client that reported it; empty for our own.
    source = models.CharField(_("reported by"), max_length=100, blank=True)
    idempotency_key = models.CharField(max_length=200, null=True, blank=True, editable=False)

    class Meta:
        db_table = "failed_notifications"
        verbose_name, verbose_name_plural = _("failed message"), _("failed messages")
        ordering = ("-failed_at", "-id")
        constraints = (
            models.CheckConstraint(
                condition=Q(retried=True, retried_at__isnull=False) | Q(retried=False, retried_at__isnull=True),
                name="failed_notification_retried_has_a_time",
            ),
            models.UniqueConstraint(fields=["source", "idempotency_key"], name="failed_notification_reported_once"),
        )
        indexes = (
            models.Index(fields=["receiver"], name="failed_by_receiver"),
            models.Index(fields=["-failed_at", "-id"], name="failed_by_time"),
            models.Index(fields=["retried", "-failed_at"], name="failed_by_retried"),
        )

    def __str__(self) -> str:
        return str(self.pk)


class GatewayState(models.Model):
    """What is known about a gateway now; its settings are in the environment."""

    alias = models.CharField(_("gateway"), max_length=32, primary_key=True)
    #: As with an electric breaker: open means that nothing flows.
    is_open = models.BooleanField(_("stopped by its errors"), default=False)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    opened_at = models.DateTimeField(_("stopped since"), null=True, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    error_class = models.CharField(_("kind of error"), max_length=32, blank=True)
    probe_at = models.DateTimeField(_("next probe"), null=True, blank=True)
    cool_down_step = models.PositiveSmallIntegerField(default=0)
    paused_at = models.DateTimeField(_("paused since"), null=True, blank=True)
    paused_by = models.CharField(_("paused by"), max_length=150, blank=True)
    #: The pace: no message before this time.
    next_send_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(_("changed"), db_default=Now())

    class Meta:
        db_table = "notification_gateways"
        verbose_name, verbose_name_plural = _("gateway"), _("gateways")
        ordering = ("alias",)
        constraints = (
            models.CheckConstraint(
                condition=Q(is_open=False) | Q(opened_at__isnull=False, probe_at__isnull=False),
                name="gateway_open_is_probed",
            ),
        )

    def __str__(self) -> str:
        return self.alias


class Receipt(models.Model):
    """
    A gateway's word about a message that we do not know yet: it may come before the send is recorded.

    Applied when the id is known; what nobody claims is forgotten by `prune`.
    """

    gateway = models.CharField(max_length=32)
    provider_id = models.CharField(max_length=200, blank=True)
    provider_state_id = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=16)
    at = models.DateTimeField()
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "notification_receipts"
        verbose_name, verbose_name_plural = _("receipt"), _("receipts")
        constraints = (
            models.UniqueConstraint(
                fields=["gateway", "provider_id", "provider_state_id", "state"], name="receipt_is_kept_once"
            ),
        )
        indexes = (
            models.Index(fields=["gateway", "provider_state_id"], name="receipts_by_state_id"),
            models.Index(fields=["created_at"], name="receipts_by_time"),
        )

    def __str__(self) -> str:
        return f"{self.gateway} {self.state}"


class ApiKey(models.Model):
    """Lets another system report and retry failures. The key itself is shown once and stored nowhere."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    prefix = models.CharField(_("begins with"), max_length=8, unique=True, editable=False)
    key_hash = models.CharField(max_length=64, editable=False)
    #: Only "notifications" so far.
    scopes = models.CharField(_("may use"), max_length=100, default="notifications")
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    created_by = models.CharField(_("created by"), max_length=150, blank=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)

    class Meta:
        db_table = "notification_api_keys"
        verbose_name, verbose_name_plural = _("API key"), _("API keys")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
