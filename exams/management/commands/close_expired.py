"""`manage.py close_expired`: close and score attempts whose time is over; for cron, once a minute."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from exams import attempts


class Command(BaseCommand):
    help = "Close and score every attempt whose deadline and grace period are over."

    def handle(self, **_options: Any) -> None:
        self.stdout.write(f"{attempts.close_expired()} attempt(s) closed.")
