"""
`manage.py runserver`: what developers are used to type, serving what the school's server serves.

Contract: Django's arguments are understood, the application is `config.asgi:application` with the same bounds as under
`manage.py serve`, in one process, started again when code, templates or translations change (not with `--noreload`).

`exams` must stand before `django.contrib.staticfiles` in INSTALLED_APPS, which has a command of this name too.
"""

import logging
from contextlib import suppress
from typing import Any

import uvicorn
from django.conf import settings
from django.contrib.staticfiles.management.commands.runserver import Command as DjangosRunserver
from django.core.management.base import CommandError
from django.db import connections
from django.utils import autoreload
from uvicorn.supervisors import ChangeReload

from config.http import serve_config
from config.supervisor import PortUnavailableError, listen


class Command(DjangosRunserver):
    help = "Serves the ASGI application for development and starts it again when the code changes."
    addr: str
    port: str

    def run(self, **options: Any) -> None:
        # manage.py holds back what went wrong while the settings were loaded, for Django's own reloader.
        autoreload.raise_last_exception()
        if not options["skip_checks"]:
            self.check(display_num_errors=True)
        self.check_migrations()
        connections.close_all()
        try:
            listener = listen(self.addr, int(self.port))
        except PortUnavailableError as exc:
            raise CommandError(str(exc).replace("--port ", "manage.py runserver ")) from exc
        place = f"[{self.addr}]" if ":" in self.addr else self.addr
        self.stdout.write(f"Serving on http://{place}:{listener.getsockname()[1]} for development. Ctrl-C ends it.")
        self.stdout.flush()
        watched: dict[str, Any] = {
            "reload": True,
            # Not `var`: the embedded database writes there all the time.
            "reload_dirs": [
                str(part)
                for part in settings.BASE_DIR.iterdir()
                if part.is_dir() and part.name != "var" and not part.name.startswith(".")
            ],
            "reload_includes": ["*.py", "*.html", "*.mo"],
        }
        logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it tells of every file, also of those not watched
        config = uvicorn.Config(**serve_config() | (watched if options["use_reloader"] else {}))
        server = uvicorn.Server(config)
        if options["use_reloader"]:
            ChangeReload(config, target=server.run, sockets=[listener]).run()
        else:
            with suppress(KeyboardInterrupt):  # uvicorn has ended in order and passes the Ctrl-C on
                server.run(sockets=[listener])
