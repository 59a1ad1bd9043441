"""
`manage.py worker`: sends WhatsApp messages, closes attempts whose time is over.

Contract: it runs until a SIGTERM or Ctrl-C, and ends within 20 s of it.

Not here: processes (`config/worker.py`), what is sent (`notifications`).
"""

from argparse import SUPPRESS
from dataclasses import fields
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandParser
from django.db import OperationalError, connections

from config.worker import Times, Worker, run_cluster


class Command(BaseCommand):
    requires_system_checks = ()  # run below: those that are about messages, and once
    help = "Send WhatsApp messages and close attempts whose time is over, until a SIGTERM or Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        # For ourselves and for tests that cannot wait for so long.
        parser.add_argument("--cluster", action="store_true", help=SUPPRESS)
        for item in fields(Times):
            parser.add_argument(f"--{item.name.replace('_', '-')}", type=float, default=item.default, help=SUPPRESS)

    def handle(self, **options: Any) -> None:
        times = Times(**{item.name: options[item.name] for item in fields(Times)})
        if options["cluster"]:
            run_cluster(times)
            return
        self.check(app_configs=[apps.get_app_config("notifications")])
        try:
            self.check_migrations()
        except OperationalError as exc:
            self.stderr.write(f"The database does not answer yet: {exc}")
        finally:
            connections.close_all()
        self.stdout.write("Working: WhatsApp messages, expired attempts. Ctrl-C ends it.")
        self.stdout.flush()
        Worker(times).run()
