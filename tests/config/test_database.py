"""What the environment says about the database, and what a real connection makes of it."""

import shutil
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError
from django.db.utils import ConnectionHandler
from psycopg.conninfo import make_conninfo

from config import database
from config.embedded_postgres import EmbeddedPostgres

URL = "postgresql://guru:rahasia@db.sekolah.id:6543/ujian"
SECRET = "rahasia"


def configure(url: str = URL, **variables: str) -> dict:
    return database.configure({"DATABASE_URL": url, **variables})


def test_a_url_becomes_django_settings():
    settings = configure()
    assert settings["ENGINE"] == "django.db.backends.postgresql"
    assert {name: settings[name] for name in ("NAME", "USER", "PASSWORD", "HOST", "PORT")} == {
        "NAME": "ujian",
        "USER": "guru",
        "PASSWORD": SECRET,
        "HOST": "db.sekolah.id",
        "PORT": "6543",
    }


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgres://db/ujian", {"HOST": "db", "PORT": "", "USER": ""}),
        ("postgresql:///ujian?host=/run/postgresql", {"HOST": "/run/postgresql"}),
        ("postgresql://%2Frun%2Fpg/ujian", {"HOST": "/run/pg"}),
        ("postgresql://a:1,b:2/ujian?target_session_attrs=read-write", {"HOST": "a,b", "PORT": "1,2"}),
        ("postgresql://[::1]:5432/ujian", {"HOST": "::1"}),
        ("postgresql://u:p%40ss%2Fw%25rd@db/ujian", {"PASSWORD": "p@ss/w%rd"}),
        ("postgresql://u:what?now@db/ujian", {"PASSWORD": "what?now"}),
        ("  postgresql://db/ujian\n", {"NAME": "ujian"}),
    ],
)
def test_every_form_of_a_url_is_understood(url, place):
    settings = configure(url)
    assert {name: settings[name] for name in place} == place
    make_conninfo(**{name: value for name, value in settings["OPTIONS"].items() if name != "pool"})


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (f"mysql://guru:{SECRET}@db/ujian", "must begin with postgresql://"),
        (f"postgres:/guru:{SECRET}@db/ujian", "must begin with postgresql://"),
        (f"host=db password={SECRET}", "must begin with postgresql://"),
        (f"{URL}?sslmod=require", "did you mean sslmode"),
        (f"{URL}?sslmode=require&sslrootcrt=/ca.pem", "did you mean sslrootcert"),
        (f"{URL}?zzzzzz=1", "unknown option"),
        (f"{URL}?sslmode=verify_full", "verify-ca, verify-full"),
        (f"postgresql://guru:{SECRET}@db:54x2/ujian", "port must be a number"),
        (f"postgresql://guru:{SECRET}@db:99999/ujian", "port must be a number"),
        (f"postgresql://guru:{SECRET}/x@db/ujian", "%2F"),
        (f"postgresql://guru:{SECRET}@x@db/ujian", "%40"),
        (f"postgresql://guru:{SECRET}%zz@db/ujian", "%25"),
        (f"postgresql://guru:{SECRET}@[::1/ujian", "cannot be read"),
        (f"postgresql://guru:{SECRET}@db", "name of the database is missing"),
    ],
)
def test_a_wrong_url_is_explained_without_the_password(url, says):
    with pytest.raises(ImproperlyConfigured, match=says) as caught:
        configure(url)
    assert "postgresql://user:password@host" in str(caught.value)
    shown = "".join(traceback.format_exception_only(caught.value)) + str(caught.value.__cause__)
    assert SECRET not in shown
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_tls_is_what_the_url_says():
    tls = "sslmode=verify-full&sslrootcert=/etc/ca.pem&sslcert=/etc/c.pem&sslkey=/etc/k.pem"
    options = configure(f"{URL}?{tls}")["OPTIONS"]
    assert {name: value for name, value in options.items() if name.startswith("ssl")} == {
        "sslmode": "verify-full",
        "sslrootcert": "/etc/ca.pem",
        "sslcert": "/etc/c.pem",
        "sslkey": "/etc/k.pem",
    }
    assert "sslmode" not in configure()["OPTIONS"]


def test_only_a_process_that_serves_has_a_pool(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.delenv("DATABASE_POOL", raising=False)
    command = database.configure()
    assert "pool" not in command["OPTIONS"]
    assert (command["CONN_MAX_AGE"], command["CONN_HEALTH_CHECKS"]) == (60, True)
    assert "statement_timeout" not in command["OPTIONS"]["options"]
    monkeypatch.setenv("DATABASE_POOL", "off")  # monkeypatch puts back what use_pool() sets
    database.use_pool()
    web = database.configure()
    assert (web["CONN_MAX_AGE"], web["CONN_HEALTH_CHECKS"]) == (0, True)
    assert web["OPTIONS"]["pool"] == {
        "min_size": 1,
        "max_size": 8,
        "timeout": 5,
        "max_idle": 30,
        "reconnect_timeout": 3,
    }
    assert web["OPTIONS"]["options"] == (
        "-c lock_timeout=5000 -c idle_in_transaction_session_timeout=30000 -c statement_timeout=15000"
    )


def test_the_serverless_profile_has_one_connection():
    settings = configure(DATABASE_PROFILE="serverless", DATABASE_POOL="on")
    pool = settings["OPTIONS"]["pool"]
    assert (pool["min_size"], pool["max_size"], pool["timeout"], pool["max_idle"]) == (0, 1, 2, 1)
    assert settings["DISABLE_SERVER_SIDE_CURSORS"] is True
    assert configure()["DISABLE_SERVER_SIDE_CURSORS"] is False
    assert database.profile({"DATABASE_PROFILE": "serverless"}).save_queue_connections == 1
    assert database.profile({}).save_queue_connections == 2


def test_an_unknown_profile_is_refused():
    with pytest.raises(ImproperlyConfigured, match="server, serverless"):
        configure(DATABASE_PROFILE="cluster")


def test_a_dead_server_is_noticed_over_tcp_only():
    assert configure()["OPTIONS"].items() >= {"keepalives": "1", "tcp_user_timeout": "10000"}.items()
    assert configure(f"{URL}?keepalives_idle=60")["OPTIONS"]["keepalives_idle"] == "60"
    assert "keepalives" not in configure("postgresql:///ujian?host=/run/pg")["OPTIONS"]
    assert configure("postgresql:///ujian?hostaddr=10.0.0.1")["OPTIONS"]["keepalives"] == "1"


def test_what_the_url_sets_itself_wins():
    options = configure(f"{URL}?application_name=tata-usaha&connect_timeout=9&options=-c%20lock_timeout%3D1")["OPTIONS"]
    assert (options["application_name"], options["connect_timeout"]) == ("tata-usaha", "9")
    assert options["options"].endswith(" -c lock_timeout=1")
    assert "options" not in configure(f"{URL}?options=")["OPTIONS"]  # for poolers that refuse any


@pytest.mark.parametrize(
    ("command", "needs"),
    [
        ("", False),
        ("help", False),
        ("--version", False),
        ("check", False),
        ("migrate --help", False),
        ("database stop", False),
        ("makemessages -l id", False),
        ("migrate", True),
        ("serve --port 80", True),
        ("test", True),
        ("asgi", True),
    ],
)
def test_only_commands_that_need_the_database_start_it(command, needs, monkeypatch, tmp_path):
    started: list[Path] = []

    def start(server: EmbeddedPostgres) -> bool:
        started.append(server.directory)
        return False

    monkeypatch.setenv("TAHAN_UJI_VAR", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setattr(EmbeddedPostgres, "start", start)
    monkeypatch.setattr(EmbeddedPostgres, "create_database", lambda self, name: None)
    database.ensure_running(command.split())
    assert started == ([tmp_path / "postgres"] if needs else [])
    started.clear()
    monkeypatch.setenv("DATABASE_URL", URL)
    database.ensure_running(command.split())
    assert started == []


def test_a_server_that_cannot_be_started_ends_the_command_with_a_message(monkeypatch, tmp_path):
    (tmp_path / "postgres").touch()
    monkeypatch.setenv("TAHAN_UJI_VAR", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(SystemExit, match=r"cannot be started: .*postgres"):
        database.ensure_running(["migrate"])


# On a real server


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="database-", dir="/tmp"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def running(place: Path) -> Iterator[EmbeddedPostgres]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAHAN_UJI_VAR", str(place))
        patch.delenv("DATABASE_URL", raising=False)
        patch.setattr(database, "_started_here", None)
        database.ensure_running(["migrate"])
        server = database.started_here()
        assert server is not None
        began = monotonic()
        database.ensure_running(["migrate"])
        assert monotonic() - began < 0.5  # 8 ms on an idle machine
        assert database.started_here() is server
        yield server
    server.stop("immediate")


@pytest.fixture
def unblocked(django_db_blocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


def connect(place: Path, **variables: str):
    """A connection of Django's own, as the settings would make it."""
    settings = database.configure({"TAHAN_UJI_VAR": str(place), **variables})
    return ConnectionHandler({"default": {}, "tried": settings})["tried"]


def show(connection, name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return cursor.fetchone()[0]


def test_the_time_outs_reach_the_server(running, place, unblocked):
    for pooled, statement in (("on", "15s"), ("off", "0")):
        connection = connect(place, DATABASE_POOL=pooled)
        try:
            assert show(connection, "statement_timeout") == statement
            assert show(connection, "lock_timeout") == "5s"
            assert show(connection, "idle_in_transaction_session_timeout") == "30s"
            assert show(connection, "application_name").startswith("tahan-uji ")
        finally:
            connection.close()
            connection.close_pool()


def test_an_ordinary_connection_to_the_embedded_server_works(running):
    with psycopg.connect(running.url(database.DATABASE_NAME)) as connection:
        assert connection.info.dbname == "tahan_uji"


def test_the_pool_replaces_the_connections_of_a_killed_server(running, place, unblocked):
    connection = connect(place, DATABASE_POOL="on")
    try:
        assert show(connection, "port")
        connection.close()  # as at the end of a request: back into the pool
        running.kill()
        running.start()
        assert show(connection, "port")  # no error and no second try
    finally:
        connection.close()
        connection.close_pool()


def test_a_database_that_is_away_is_an_error_within_the_pools_wait_and_used_again_when_it_is_back(
    running, place, unblocked
):
    connection = connect(place, DATABASE_POOL="on", DATABASE_PROFILE="serverless")
    try:
        running.stop()
        began = monotonic()
        for _ in range(3):
            with pytest.raises(OperationalError, match="couldn't get a connection"):
                connection.ensure_connection()
        assert monotonic() - began < 3 * 2 + 1
        running.start()
        began = monotonic()
        assert eventually(connection)
        assert monotonic() - began < 6
    finally:
        connection.close()
        connection.close_pool()


def eventually(connection) -> bool:
    for _ in range(3):
        try:
            connection.ensure_connection()
        except OperationalError:
            continue
        return True
    return False
