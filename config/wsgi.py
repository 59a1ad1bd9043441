"""The pages on a WSGI server, for a school that keeps the ASGI processes for saving alone (`gunicorn config.wsgi`)."""

import os

from config import database

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
database.use_pool()
database.ensure_running(["wsgi"])

from django.core.wsgi import get_wsgi_application  # noqa: E402

application = get_wsgi_application()
