"""The tables of the plain project."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    operations = (
        migrations.CreateModel(
            name="Attempt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("exam_id", models.BigIntegerField()),
                ("status", models.CharField(default="in_progress", max_length=12)),
                ("deadline_at", models.DateTimeField()),
            ],
            options={"db_table": "naive_attempts"},
        ),
        migrations.CreateModel(
            name="Answer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("question_id", models.BigIntegerField()),
                ("value", models.JSONField()),
                ("saved_at", models.DateTimeField()),
                (
                    "attempt",
                    models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to="naive.attempt"),
                ),
            ],
            options={
                "db_table": "naive_answers",
                "constraints": (models.UniqueConstraint(fields=("attempt", "question_id"), name="naive_one_answer"),),
            },
        ),
    )
