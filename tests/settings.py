"""The product's settings as tests run them: in a known environment, with a database that runs."""

import os
from contextlib import redirect_stderr
from io import StringIO

os.environ["SECRET_KEY"] = "tests-only-" * 6
os.environ["HTTPS"] = "false"
os.environ["DEBUG"] = "false"
os.environ.setdefault("LOG_LEVEL", "WARNING")

from config import database

# Quietly: pytest would keep the line and print it behind its own summary, which closes the log.
with redirect_stderr(StringIO()):
    database.ensure_running(["test"])

from config.settings import *  # noqa: F403
