"""`manage.py prune_notifications`: forget old messages that are done with; first it says what would go."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from notifications.prune import PruneReport, prune


class Command(BaseCommand):
    help = (
        "Delete delivered messages, and failures that were sent again, when they are old. Without --yes it only says "
        "how many there are. What failed and was not sent again is never deleted."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, default=30, help="older than so many days (default: %(default)s)")
        parser.add_argument("--sent", action="store_true", help="also messages of which no receipt ever came")
        parser.add_argument("--yes", action="store_true", help="delete them; without it nothing is changed")

    def handle(self, *, days: int, sent: bool, yes: bool, **_options: Any) -> None:
        if days < 1:
            raise CommandError("Give at least one day: --days 30.")
        would = _told(prune(days=days, include_sent=sent, dry_run=True))
        self.stdout.write(f"Older than {days} days: {would}.")
        if yes:
            self.stdout.write(f"Deleted: {_told(prune(days=days, include_sent=sent))}.")
        else:
            self.stdout.write("Nothing was deleted. With --yes it is.")


def _told(report: PruneReport) -> str:
    return (
        f"{report.messages} messages, {report.failed} failures that were sent again, "
        f"{report.receipts} receipts of unknown messages, {report.tasks} task records"
    )
