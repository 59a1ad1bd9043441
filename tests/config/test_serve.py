"""`manage.py serve` and `runserver` as a school runs them: real processes, signals and sockets."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import psycopg
import pytest
from django.core.management import get_commands
from httpx import Client, TransportError

from config.embedded_postgres import EmbeddedPostgres
from config.postgres_in_use import until

BASE_DIR = Path(__file__).resolve().parent.parent.parent
NOT_OURS = ("DATABASE_URL", "DATABASE_POOL", "DJANGO_SETTINGS_MODULE", "PORT", "WEB_WORKERS")


@pytest.fixture(scope="module")
def var() -> Iterator[Path]:
    """Where the cluster of these tests is; each `serve` finds it running unless a test stops it."""
    var = Path(tempfile.mkdtemp(prefix="serve-", dir="/tmp"))
    var.chmod(0o755)
    server = EmbeddedPostgres(var / "postgres")
    server.start()
    yield var
    if server.is_running():
        server.stop("immediate")
    shutil.rmtree(var)


class Served:
    def __init__(self, process: subprocess.Popen, log: Path) -> None:
        self.process, self.log = process, log
        self.port = 0

    def wait_until_it_listens(self) -> None:
        assert until(lambda: bool(self.found()) or self.process.poll() is not None, 30), self.log.read_text()
        assert self.process.poll() is None, self.log.read_text()
        match = self.found()
        assert match is not None
        self.port = int(match[1])

    def found(self) -> re.Match | None:
        return re.search(r"Serving on http://[^ ]*:(\d+) ", self.log.read_text())

    def get(self, path: str = "/") -> str:
        # a connection each: a kept one would always meet the same worker
        with Client(base_url=f"http://127.0.0.1:{self.port}", timeout=15) as client:
            return client.get(path).text

    def worker(self) -> int:
        return int(self.get().split()[0])

    def workers(self, count: int) -> set[int]:
        """Ask until *count* different workers have answered."""
        met: set[int] = set()

        def all_met() -> bool:
            met.add(self.worker())
            return len(met) == count

        assert until(all_met, 20), self.log.read_text()
        return met

    def end(self, number: int = signal.SIGTERM) -> float:
        """Send the signal; the seconds until the end."""
        began = monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout=15)
        return monotonic() - began


@contextmanager
def manage(var: Path, *arguments: str, **variables: str) -> Iterator[Served]:
    environ = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
    environ |= {"TAHAN_UJI_VAR": str(var), "LOG_LEVEL": "INFO", **variables}
    with tempfile.NamedTemporaryFile(prefix="serve-", suffix=".log") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=BASE_DIR,
            env=environ,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield Served(process, Path(log.name))
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def serve(var: Path, *arguments: str, **variables: str) -> Iterator[Served]:
    small = ("serve", "--port=0", "--app=tests.config.small_app:application")
    with manage(var, *small, *arguments, **variables) as served:
        served.wait_until_it_listens()
        yield served


def test_it_serves_and_lets_what_has_begun_end(var, tmp_path):
    log = tmp_path / "lifespan"
    with serve(var, LIFESPAN_LOG=str(log)) as served:
        assert served.get().endswith(" 1")
        with Client() as client, client.stream("GET", f"http://127.0.0.1:{served.port}/slow") as response:
            lines = response.iter_lines()
            assert next(lines) == "began"
            served.process.send_signal(signal.SIGTERM)
            assert next(lines) == "ended"
        assert served.process.wait(timeout=10) == 0
        assert log.read_text() == "drained"


def test_a_killed_worker_is_replaced_and_the_others_serve_on(var):
    with serve(var, "--workers=2") as served:
        workers = served.workers(2)
        assert served.get().endswith(" 2")
        killed = workers.pop()
        os.kill(killed, signal.SIGKILL)
        assert served.worker() != killed
        assert killed not in served.workers(2)
        assert served.end(signal.SIGINT) < 10
        assert served.process.returncode == 0


def test_a_worker_that_hangs_at_its_end_is_killed_in_time(var):
    with serve(var, HANG_AT_END="1") as served:
        worker = served.worker()
        assert served.end() < 10.5  # 10 s and what a loaded machine adds
        assert served.process.returncode == 0
        assert not Path(f"/proc/{worker}").exists()


def test_workers_do_not_outlive_a_killed_parent(var):
    with serve(var) as served:
        assert served.worker()
        served.process.kill()
        served.process.wait()
        assert until(lambda: is_free(served.port), 12)


def is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def test_a_busy_port_is_one_clear_line(var):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with manage(var, "serve", PORT=str(port)) as served:
            assert served.process.wait(timeout=20) == 1
            (line,) = served.log.read_text().strip().splitlines()
    assert f"Port {port} on 127.0.0.1 is in use" in line
    assert f"PORT={port + 1}" in line


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--port=99999"], "from 0 to 65535"),
        (["--workers=0"], "from 1 to 256"),
        (["--host=203.0.113.7"], "Cannot listen on 203.0.113.7"),
        (["--app=tests.config.small_app:application", "--port=0"], "could not start"),
    ],
)
def test_what_cannot_be_served_ends_with_1_and_a_reason(var, arguments, says):
    with manage(var, "serve", *arguments, FAIL_AT_START="1") as served:
        assert served.process.wait(timeout=30) == 1
        assert says in served.log.read_text()


def test_it_keeps_the_embedded_database_running_and_stops_what_it_started(var):
    database = EmbeddedPostgres(var / "postgres")
    database.start()
    database.stop()
    with serve(var) as served:
        assert "Started the embedded PostgreSQL" in served.log.read_text()
        assert served.worker()
        database.kill()
        assert until(lambda: not database.is_answering(), 5)
        assert until(database.is_answering, 15), served.log.read_text()
        served.end()
        assert until(lambda: not database.is_running(), 10), served.log.read_text()

    with serve(var) as served, psycopg.connect(database.url("postgres")):
        served.end()
        assert "1 other client(s)" in served.log.read_text()
        assert database.is_answering()

    with serve(var) as served:
        served.end()
        assert database.is_answering()  # it ran before


def test_the_embedded_database_by_hand(var):
    database = EmbeddedPostgres(var / "postgres")
    database.start()
    for action, code, says in (
        ("url", 0, f"host={database.socket_dir}"),
        ("stop", 0, "Stopped: "),
        ("stop", 0, "Not running: "),
        ("status", 3, "Not running: "),
        ("start", 0, "Started: "),
        ("status", 0, "Running: "),
    ):
        with manage(var, "database", action) as served:
            assert served.process.wait(timeout=20) == code, served.log.read_text()
            assert says in served.log.read_text()
    with manage(var, "database", "stop", DATABASE_URL="postgresql://db/x") as served:
        assert served.process.wait(timeout=20) == 1
        assert "DATABASE_URL is set" in served.log.read_text()


def test_runserver_is_ours():
    assert get_commands()["runserver"] == "config"


@pytest.mark.parametrize("reload", [[], ["--noreload"]])
def test_runserver_serves_the_same_application(var, reload):
    with manage(var, "runserver", "127.0.0.1:0", *reload, DEBUG="true") as served:
        served.wait_until_it_listens()
        assert until(lambda: "alive" in asked(served, "/healthz"), 20), served.log.read_text()
        os.killpg(served.process.pid, signal.SIGINT)
        assert served.process.wait(timeout=15) in (0, -signal.SIGINT)
        assert "Traceback" not in served.log.read_text()


def asked(served: Served, path: str) -> str:
    try:
        return served.get(path)
    except TransportError:
        return ""  # its worker is about to start


def test_runserver_refuses_a_port_that_is_none(var):
    with manage(var, "runserver", "99999999") as served:
        assert served.process.wait(timeout=20) == 1
        assert "no port 99999999" in served.log.read_text()


def test_runserver_names_a_busy_port(var):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with manage(var, "runserver", str(port)) as served:
            assert served.process.wait(timeout=20) == 1
            assert f"Port {port} on 127.0.0.1 is in use" in served.log.read_text()
