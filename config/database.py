"""
Which PostgreSQL, how many connections, and how long anything may wait for it.

Contract:
- `configure()` returns Django's `DATABASES["default"]`: from `DATABASE_URL`, else for the embedded server.
- `profile()` has the numbers of `DATABASE_PROFILE`; a name that is unknown is an `ImproperlyConfigured`.
- A process has a connection pool only after `use_pool()`, which web processes call before the settings load. Commands
  and the worker, which forks, never have one: a pool's threads do not survive a fork.
- `ensure_running()` starts the embedded server where the command at hand needs it and no `DATABASE_URL` is set.
- TLS is what the URL says. Nothing here switches it off or makes it weaker.

Importable before Django's settings. Not here: what the URL may look like (`database_url.py`), how the embedded server
is run (`embedded_postgres.py`), what is answered while the database is away (`exams`).
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config import database_url
from config.embedded_postgres import SUPERUSER, EmbeddedPostgres, EmbeddedPostgresError

BASE_DIR = Path(__file__).resolve().parent.parent
DATABASE_NAME = "tahan_uji"


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The connections of one web process; DESIGN.md, section 9."""

    pool_min: int
    pool_max: int
    pool_wait_seconds: float  # then the request is answered 503
    pool_idle_seconds: float  # then a connection beyond the minimum is closed
    save_queue_connections: int  # beside the pool: pages must not take them from the saves


PROFILES = {
    # One school, one server: PostgreSQL's 100 connections are enough for ten such processes.
    "server": Profile(pool_min=1, pool_max=8, pool_wait_seconds=5, pool_idle_seconds=30, save_queue_connections=2),
    # Many short-lived processes before one database, often behind its provider's pooler.
    "serverless": Profile(pool_min=0, pool_max=1, pool_wait_seconds=2, pool_idle_seconds=1, save_queue_connections=1),
}

#: Ends what a web request asks: the proxy in front gives up after 30 s, a student long before.
STATEMENT_TIMEOUT_MS = 15_000
#: No lock of ours is held for seconds; a migration that cannot get its lock must not queue every save behind it.
LOCK_TIMEOUT_MS = 5_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 30_000
CONNECT_TIMEOUT_SECONDS = 3
#: The pool doubles its pause after each failed connection; giving up early lets the next request try at once, so that a
#: database that was away for minutes is used again within seconds. (The pool's default is 300.)
POOL_RECONNECT_SECONDS = 3

#: A server that vanishes without a word (power cut, pulled cable) is noticed within about 25 s, or within 10 s where
#: data is in flight.
TCP_OPTIONS = {
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}

#: Management commands that do not touch the database. `database` starts and stops the server itself.
COMMANDS_WITHOUT_DATABASE = frozenset(
    [
        *("help", "version", "check", "diffsettings", "database"),
        *("makemessages", "compilemessages", "collectstatic", "findstatic", "spectacular", "startapp"),
    ]
)

_started_here: EmbeddedPostgres | None = None


def profile(environ: Mapping[str, str] = os.environ) -> Profile:
    """The numbers of `DATABASE_PROFILE` (default: server)."""
    name = environ.get("DATABASE_PROFILE") or "server"
    try:
        return PROFILES[name]
    except KeyError:
        raise ImproperlyConfigured(f"DATABASE_PROFILE is {name!r}: use one of {', '.join(PROFILES)}.") from None


def use_pool() -> None:
    """This process serves requests: give it a pool. Call before the settings load."""
    os.environ["DATABASE_POOL"] = "on"


def configure(environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Django's `DATABASES["default"]`. Raises ImproperlyConfigured with what to type."""
    numbers = profile(environ)
    pooled = environ.get("DATABASE_POOL") == "on"
    url = environ.get("DATABASE_URL", "").strip()
    found = database_url.parse(url) if url else _embedded_options(environ)
    place = {setting: found.pop(name, "") for setting, name in _PLACE.items()}
    options: dict[str, Any] = _defaults(place["HOST"], found, pooled=pooled) | found
    options["options"] = _server_settings(found, pooled=pooled)
    if not options["options"]:
        del options["options"]
    if pooled:
        options["pool"] = {
            "min_size": numbers.pool_min,
            "max_size": numbers.pool_max,
            "timeout": numbers.pool_wait_seconds,
            "max_idle": numbers.pool_idle_seconds,
            "reconnect_timeout": POOL_RECONNECT_SECONDS,
        }
    return {
        "ENGINE": "django.db.backends.postgresql",
        **place,
        "OPTIONS": options,
        # With a pool Django hands the connection back after each request (anything but 0 is an error there), and health
        # checks make the pool test a connection before it gives it out: a restarted server is no error for anyone.
        "CONN_MAX_AGE": 0 if pooled else 60,
        "CONN_HEALTH_CHECKS": True,
        # Behind a provider's pooler the next fetch of a server-side cursor may reach another connection.
        "DISABLE_SERVER_SIDE_CURSORS": numbers is PROFILES["serverless"],
    }


_PLACE = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}


def _embedded_options(environ: Mapping[str, str]) -> dict[str, str]:
    try:
        return {"dbname": DATABASE_NAME, "user": SUPERUSER, "host": str(embedded(environ).socket_dir)}
    except EmbeddedPostgresError as exc:
        raise ImproperlyConfigured(str(exc)) from exc


def _defaults(host: str, found: Mapping[str, str], *, pooled: bool) -> dict[str, str]:
    defaults = {
        "connect_timeout": str(CONNECT_TIMEOUT_SECONDS),
        "application_name": "tahan-uji web" if pooled else "tahan-uji command",
    }
    over_tcp = "hostaddr" in found or any(name and not name.startswith(("/", "@")) for name in host.split(","))
    return defaults | TCP_OPTIONS if over_tcp else defaults


def _server_settings(found: Mapping[str, str], *, pooled: bool) -> str:
    """What the server is told at the start of a connection; the URL's own `options` come last, so they win."""
    own = found.get("options")
    if own == "":
        return ""  # `?options=`: the provider's pooler refuses them, the time-outs are set on the role instead
    settings = {
        "lock_timeout": LOCK_TIMEOUT_MS,
        "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_TIMEOUT_MS,
    }
    if pooled:  # a migration or an import may rightly take longer
        settings["statement_timeout"] = STATEMENT_TIMEOUT_MS
    ours = " ".join(f"-c {name}={value}" for name, value in settings.items())
    return f"{ours} {own}" if own else ours


def embedded(environ: Mapping[str, str] = os.environ) -> EmbeddedPostgres:
    """The embedded server of `TAHAN_UJI_VAR` (default: `var` in the checkout), running or not."""
    return EmbeddedPostgres(Path(environ.get("TAHAN_UJI_VAR") or BASE_DIR / "var") / "postgres")


def is_embedded(environ: Mapping[str, str] = os.environ) -> bool:
    return not environ.get("DATABASE_URL", "").strip()


def ensure_running(argv: list[str]) -> None:
    """
    Start the embedded server and create its database, unless it runs, `DATABASE_URL` is set or the command needs none.

    *argv* is the command line after the program's name. Meant for entry points: a server that cannot be started ends
    the process with a message (SystemExit).
    """
    global _started_here
    if not is_embedded() or not _needs_database(argv):
        return
    server = embedded()
    try:
        if server.start():
            _started_here = server
            print(f"Started the embedded PostgreSQL in {server.directory}", file=sys.stderr)
        server.create_database(DATABASE_NAME)
    except EmbeddedPostgresError as exc:
        raise SystemExit(str(exc)) from exc


def started_here() -> EmbeddedPostgres | None:
    """The embedded server, where it was this process that started it."""
    return _started_here


def _needs_database(argv: list[str]) -> bool:
    if not argv or argv[0].startswith("-") or argv[0] in COMMANDS_WITHOUT_DATABASE:
        return False
    return not {"-h", "--help", "--version"} & set(argv)
