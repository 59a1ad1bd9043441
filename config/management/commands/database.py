"""`manage.py database start|stop|status|url`: the embedded PostgreSQL by hand."""

from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import database
from config.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError


class Command(BaseCommand):
    help = "Starts, stops or shows the embedded PostgreSQL that is used where DATABASE_URL is not set."
    requires_system_checks = ()  # it must work where the rest does not

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "action",
            choices=["start", "stop", "status", "url"],
            help="status ends with 0 where the server answers, else with 3; url is for psql and pg_dump",
        )
        parser.add_argument("--unless-used", action="store_true", help="do not stop what others are connected to")

    def handle(self, *args: Any, **options: Any) -> None:
        if not database.is_embedded():
            raise CommandError("DATABASE_URL is set: the embedded PostgreSQL is not used. Unset it to manage that one.")
        server = database.embedded()
        try:
            if options["unless_used"] and server.is_answering() and server.other_clients():
                self.stdout.write(f"Left running, for others are connected to it: {server.directory}")
            else:
                getattr(self, f"_{options['action']}")(server)
        except (EmbeddedPostgresError, psycopg.Error) as exc:
            raise CommandError(str(exc)) from exc

    def _start(self, server: EmbeddedPostgres) -> None:
        started = server.start()
        server.create_database(database.DATABASE_NAME)
        self.stdout.write(f"{'Started' if started else 'Already running'}: {server.directory}")

    def _stop(self, server: EmbeddedPostgres) -> None:
        self.stdout.write(f"{'Stopped' if server.stop() else 'Not running'}: {server.directory}")

    def _status(self, server: EmbeddedPostgres) -> None:
        if not server.is_answering():
            raise CommandError(f"Not running: {server.directory}", returncode=3)
        self.stdout.write(
            f"Running: {server.directory}, process {server.postmaster_pid()},"
            f" {server.other_clients()} client(s) connected"
        )

    def _url(self, server: EmbeddedPostgres) -> None:
        self.stdout.write(server.url(database.DATABASE_NAME))
