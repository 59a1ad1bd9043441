import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import notifications.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [("django_q", "0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more")]

    operations = [
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100, unique=True, verbose_name="name")),
                ("prefix", models.CharField(editable=False, max_length=8, unique=True, verbose_name="begins with")),
                ("key_hash", models.CharField(editable=False, max_length=64)),
                ("scopes", models.CharField(default="notifications", max_length=100, verbose_name="may use")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name="created"
                    ),
                ),
                ("created_by", models.CharField(blank=True, editable=False, max_length=150, verbose_name="created by")),
                ("revoked_at", models.DateTimeField(blank=True, editable=False, null=True, verbose_name="revoked")),
                ("last_used_at", models.DateTimeField(blank=True, editable=False, null=True, verbose_name="last used")),
            ],
            options={
                "verbose_name": "API key",
                "verbose_name_plural": "API keys",
                "db_table": "notification_api_keys",
                "ordering": ("name",),
            },
        ),
        migrations.CreateModel(
            name="FailedNotification",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifications.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("receiver", models.CharField(max_length=32, verbose_name="receiver")),
                ("message", models.TextField(blank=True, verbose_name="message")),
                ("error", models.TextField(verbose_name="error")),
                (
                    "failed_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="failed"),
                ),
                ("retried", models.BooleanField(default=False, verbose_name="retried")),
                ("retried_at", models.DateTimeField(blank=True, null=True, verbose_name="retried at")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name="created"
                    ),
                ),
                (
                    "updated_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name="changed"
                    ),
                ),
                ("gateway", models.CharField(blank=True, max_length=32, verbose_name="gateway")),
                ("error_class", models.CharField(blank=True, max_length=32, verbose_name="kind of error")),
                ("retried_by", models.CharField(blank=True, max_length=150, verbose_name="retried by")),
                ("source", models.CharField(blank=True, max_length=100, verbose_name="reported by")),
                ("idempotency_key", models.CharField(blank=True, editable=False, max_length=200, null=True)),
                (
                    "retry_of",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="later_failures",
                        to="notifications.failednotification",
                        verbose_name="retry of",
                    ),
                ),
            ],
            options={
                "verbose_name": "failed message",
                "verbose_name_plural": "failed messages",
                "db_table": "failed_notifications",
                "ordering": ("-failed_at", "-id"),
            },
        ),
        migrations.CreateModel(
            name="GatewayState",
            fields=[
                ("alias", models.CharField(max_length=32, primary_key=True, serialize=False, verbose_name="gateway")),
                ("is_open", models.BooleanField(default=False, verbose_name="stopped by its errors")),
                ("failures", models.PositiveIntegerField(default=0, verbose_name="failures in a row")),
                ("opened_at", models.DateTimeField(blank=True, null=True, verbose_name="stopped since")),
                ("reason", models.TextField(blank=True, verbose_name="reason")),
                ("error_class", models.CharField(blank=True, max_length=32, verbose_name="kind of error")),
                ("probe_at", models.DateTimeField(blank=True, null=True, verbose_name="next probe")),
                ("cool_down_step", models.PositiveSmallIntegerField(default=0)),
                ("paused_at", models.DateTimeField(blank=True, null=True, verbose_name="paused since")),
                ("paused_by", models.CharField(blank=True, max_length=150, verbose_name="paused by")),
                ("next_send_at", models.DateTimeField(blank=True, null=True)),
                (
                    "updated_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="changed"),
                ),
            ],
            options={
                "verbose_name": "gateway",
                "verbose_name_plural": "gateways",
                "db_table": "notification_gateways",
                "ordering": ("alias",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("is_open", False),
                            models.Q(("opened_at__isnull", False), ("probe_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="gateway_open_is_probed",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Notification",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifications.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("receiver", models.CharField(max_length=15, verbose_name="receiver")),
                ("message", models.TextField(blank=True, verbose_name="message")),
                ("template", models.JSONField(blank=True, null=True, verbose_name="template")),
                ("gateway", models.CharField(max_length=32, verbose_name="gateway")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "queued"),
                            ("sending", "being sent"),
                            ("waiting", "waiting for its next try"),
                            ("held", "held until the gateway is back"),
                            ("sent", "sent"),
                            ("delivered", "delivered"),
                            ("read", "read"),
                            ("failed", "failed"),
                            ("cancelled", "cancelled"),
                            ("expired", "not sent in time"),
                        ],
                        default="queued",
                        max_length=16,
                        verbose_name="state",
                    ),
                ),
                ("tries", models.PositiveSmallIntegerField(default=0, verbose_name="tries")),
                (
                    "next_try_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="next try"),
                ),
                ("lease_token", models.UUIDField(blank=True, editable=False, null=True)),
                ("lease_until", models.DateTimeField(blank=True, editable=False, null=True)),
                ("provider_id", models.CharField(blank=True, max_length=200, verbose_name="the gateway's id")),
                (
                    "provider_state_id",
                    models.CharField(blank=True, max_length=200, verbose_name="the gateway's id for receipts"),
                ),
                ("possible_duplicate", models.BooleanField(default=False, verbose_name="may have been sent twice")),
                ("expires_at", models.DateTimeField(blank=True, null=True, verbose_name="not after")),
                (
                    "dedupe_key",
                    models.CharField(blank=True, max_length=200, null=True, unique=True, verbose_name="sent once per"),
                ),
                ("topic", models.CharField(blank=True, max_length=100, verbose_name="topic")),
                ("error_class", models.CharField(blank=True, max_length=32, verbose_name="kind of error")),
                ("error", models.TextField(blank=True, verbose_name="error")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name="created"
                    ),
                ),
                (
                    "updated_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name="changed"
                    ),
                ),
                ("sent_at", models.DateTimeField(blank=True, null=True, verbose_name="sent")),
                ("delivered_at", models.DateTimeField(blank=True, null=True, verbose_name="delivered")),
                ("read_at", models.DateTimeField(blank=True, null=True, verbose_name="read")),
                (
                    "retry_of",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="retries",
                        to="notifications.failednotification",
                        verbose_name="retry of",
                    ),
                ),
            ],
            options={
                "verbose_name": "message",
                "verbose_name_plural": "messages",
                "db_table": "notifications",
                "ordering": ("-created_at", "-id"),
                "permissions": (("see_numbers", "May see whole phone numbers"),),
            },
        ),
        migrations.AddField(
            model_name="failednotification",
            name="notification",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="failed_row",
                to="notifications.notification",
                verbose_name="message row",
            ),
        ),
        migrations.CreateModel(
            name="DeliveryTry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveSmallIntegerField(verbose_name="try")),
                ("started_at", models.DateTimeField(verbose_name="started")),
                ("duration_ms", models.PositiveIntegerField(verbose_name="duration in ms")),
                ("http_status", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="HTTP status")),
                ("outcome", models.CharField(max_length=32, verbose_name="outcome")),
                ("code", models.CharField(blank=True, max_length=64, verbose_name="the gateway's code")),
                (
                    "answer",
                    models.CharField(
                        blank=True, max_length=500, verbose_name="the gateway's answer, without numbers and texts"
                    ),
                ),
                (
                    "notification",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="delivery_tries",
                        to="notifications.notification",
                        verbose_name="message",
                    ),
                ),
            ],
            options={
                "verbose_name": "try",
                "verbose_name_plural": "tries",
                "db_table": "notification_tries",
                "ordering": ("notification", "id"),
            },
        ),
        migrations.CreateModel(
            name="Receipt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("gateway", models.CharField(max_length=32)),
                ("provider_id", models.CharField(blank=True, max_length=200)),
                ("provider_state_id", models.CharField(blank=True, max_length=200)),
                ("state", models.CharField(max_length=16)),
                ("at", models.DateTimeField()),
                ("error", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "verbose_name": "receipt",
                "verbose_name_plural": "receipts",
                "db_table": "notification_receipts",
                "indexes": [
                    models.Index(fields=["gateway", "provider_state_id"], name="receipts_by_state_id"),
                    models.Index(fields=["created_at"], name="receipts_by_time"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("gateway", "provider_id", "provider_state_id", "state"), name="receipt_is_kept_once"
                    )
                ],
            },
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(
                condition=models.Q(("state__in", ("queued", "waiting"))),
                fields=["gateway", "next_try_at", "id"],
                name="notifications_due",
            ),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(
                condition=models.Q(("state", "sending")),
                fields=["gateway", "lease_until"],
                name="notifications_sending",
            ),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(
                condition=models.Q(("state", "held")), fields=["gateway", "id"], name="notifications_held"
            ),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(fields=["receiver", "gateway", "sent_at"], name="notifications_to_receiver"),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(
                condition=models.Q(("topic", ""), _negated=True),
                fields=["topic", "state"],
                name="notifications_of_topic",
            ),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(fields=["gateway", "provider_id"], name="notifications_by_provider"),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(
                condition=models.Q(("provider_state_id", ""), _negated=True),
                fields=["gateway", "provider_state_id"],
                name="notifications_by_state_id",
            ),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(
                condition=models.Q(("expires_at__isnull", False), ("state__in", ("queued", "waiting", "held"))),
                fields=["expires_at"],
                name="notifications_expiring",
            ),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(fields=["created_at"], name="notifications_by_time"),
        ),
        migrations.AddConstraint(
            model_name="notification",
            constraint=models.CheckConstraint(
                condition=models.Q(("receiver__regex", "^[1-9][0-9]{6,14}$")), name="notification_receiver_is_digits"
            ),
        ),
        migrations.AddConstraint(
            model_name="notification",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("message", ""), _negated=True), ("template__isnull", False), _connector="OR"
                ),
                name="notification_says_something",
            ),
        ),
        migrations.AddConstraint(
            model_name="notification",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        [
                            "queued",
                            "sending",
                            "waiting",
                            "held",
                            "sent",
                            "delivered",
                            "read",
                            "failed",
                            "cancelled",
                            "expired",
                        ],
                    )
                ),
                name="notification_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="notification",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("lease_token__isnull", False), ("lease_until__isnull", False), ("state", "sending")),
                    models.Q(
                        models.Q(("state", "sending"), _negated=True),
                        ("lease_token__isnull", True),
                        ("lease_until__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="notification_sending_has_a_lease",
            ),
        ),
        migrations.AddConstraint(
            model_name="notification",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state__in", ("sent", "delivered", "read")), _negated=True),
                    ("sent_at__isnull", False),
                    _connector="OR",
                ),
                name="notification_sent_has_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="notification",
            constraint=models.CheckConstraint(
                condition=models.Q(("gateway", ""), _negated=True), name="notification_has_a_gateway"
            ),
        ),
        migrations.AddIndex(
            model_name="failednotification",
            index=models.Index(fields=["receiver"], name="failed_by_receiver"),
        ),
        migrations.AddIndex(
            model_name="failednotification",
            index=models.Index(fields=["-failed_at", "-id"], name="failed_by_time"),
        ),
        migrations.AddIndex(
            model_name="failednotification",
            index=models.Index(fields=["retried", "-failed_at"], name="failed_by_retried"),
        ),
        migrations.AddConstraint(
            model_name="failednotification",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("retried", True), ("retried_at__isnull", False)),
                    models.Q(("retried", False), ("retried_at__isnull", True)),
                    _connector="OR",
                ),
                name="failed_notification_retried_has_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="failednotification",
            constraint=models.UniqueConstraint(
                fields=("source", "idempotency_key"), name="failed_notification_reported_once"
            ),
        ),
        # django-q2 looks for the next task five times a second and has no index for it.
        migrations.RunSQL(
            "CREATE INDEX IF NOT EXISTS notifications_doorbells ON django_q_ormq (key, lock, id)",
            "DROP INDEX IF EXISTS notifications_doorbells",
        ),
    ]
