"""
`manage.py serve`: the school's server.

Contract: the exit code is 0 after a signal and 1 where it could not start; it ends within 10 s of a SIGTERM or Ctrl-C.

Not here: processes and sockets (`config/supervisor.py`), the bounds of a connection (`config/http.py`).
"""

import os
from contextlib import nullcontext
from time import monotonic
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connections

from config import database
from config.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from config.http import serve_config
from config.supervisor import PortUnavailableError, Supervisor, listen, raise_open_files_limit

#: An embedded server that needs longer for its last checkpoint goes on with it by itself.
DATABASE_STOP_SECONDS = 0.8


class Command(BaseCommand):
    requires_system_checks = ()  # run below, when it is known how many processes there will be
    help = "Serves exams over HTTP (uvicorn, config.asgi:application) until a SIGTERM or Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="name or address to listen on; 0.0.0.0 for everyone")
        parser.add_argument("--port", type=int, help="default: PORT of the environment, else 8000")
        parser.add_argument(
            "--workers", type=int, help="web processes, one for each core; default: WEB_WORKERS, else 1"
        )
        parser.add_argument("--app", default=serve_config()["app"], help="another ASGI application (for measurements)")

    def handle(self, *args: Any, **options: Any) -> None:
        port = _number(options["port"], "PORT", default=8000, lowest=0, highest=65_535)
        workers = _number(options["workers"], "WEB_WORKERS", default=1, lowest=1, highest=256)
        try:
            listener = listen(options["host"], port)
        except PortUnavailableError as exc:
            raise CommandError(str(exc)) from exc
        os.environ["WEB_WORKERS"] = str(workers)  # the workers' settings must know how many they are
        settings.WEB_WORKERS = workers
        self.check()
        raise_open_files_limit()
        self._hint_at_migrations()
        host, port = listener.getsockname()[:2]
        place = f"[{host}]" if ":" in host else host
        self.stdout.write(f"Serving on http://{place}:{port} with {workers} web process(es). Ctrl-C ends it.")
        self.stdout.flush()

        server = database.embedded() if database.is_embedded() else None
        supervisor = Supervisor(serve_config() | {"app": options["app"]}, listener, workers=workers)
        with server.watch() if server else nullcontext():
            ended_by_signal = supervisor.run()
        if started := database.started_here():
            self._stop_database(started)
        if not ended_by_signal:
            raise CommandError("The application could not start: the lines above say why.")

    def _hint_at_migrations(self) -> None:
        try:
            self.check_migrations()
        except OperationalError as exc:
            self.stderr.write(f"The database does not answer yet: {exc}")
        finally:
            connections.close_all()

    def _stop_database(self, server: EmbeddedPostgres) -> None:
        """Stop what this command started, unless somebody else uses it."""
        deadline = monotonic() + DATABASE_STOP_SECONDS
        try:
            if others := server.other_clients():
                self.stderr.write(f"The embedded PostgreSQL runs on: {others} other client(s) are connected to it.")
                return
            server.stop(wait_seconds=max(0.0, deadline - monotonic()))
        except (EmbeddedPostgresError, OperationalError) as exc:
            self.stderr.write(f"The embedded PostgreSQL was not stopped: {exc}")


def _number(given: int | None, variable: str, *, default: int, lowest: int, highest: int) -> int:
    text = str(given) if given is not None else os.environ.get(variable) or str(default)
    if not (text.isascii() and text.isdigit() and lowest <= int(text) <= highest):
        raise CommandError(f"{variable} is {text!r}: use a number from {lowest} to {highest}.")
    return int(text)
