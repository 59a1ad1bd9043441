#!/usr/bin/env python
"""Django's command line for this project: `python manage.py help` lists the commands."""

import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import OperationalError

from config import database


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        # Before the settings: only a cluster that exists can say where its socket is.
        database.ensure_running(sys.argv[1:])
        # Asked for here, because Django's own command line hides why settings could not be loaded.
        _ = settings.INSTALLED_APPS
    except ImproperlyConfigured as exc:
        sys.exit(f"manage.py: {exc}")
    try:
        execute_from_command_line(sys.argv)
    except OperationalError as exc:
        sys.exit(f"manage.py: the database could not do it: {exc}")


if __name__ == "__main__":
    main()
