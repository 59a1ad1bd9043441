"""The product's settings as tests run them: in a known environment, with a database that runs."""

import os

os.environ["SECRET_KEY"] = "tests-only-" * 6
os.environ["HTTPS"] = "false"
os.environ["DEBUG"] = "false"
os.environ.setdefault("LOG_LEVEL", "WARNING")

from config import database

database.ensure_running(["test"])

from config.settings import *  # noqa: E402, F403
