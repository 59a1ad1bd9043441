"""
Does anything still use this data directory? Asked of the kernel, not of process ids.

A process id in a file cannot say it: ids are reused, zombies keep them, and orphans outlive the postmaster. So each
server inherits an open, locked file (`in-use`) and hands it on to each of its own processes. The kernel gives the lock
back when the last of them is gone, whatever killed them. A second file (`lock`) lets those who start or stop take
turns.

Contract: nothing here waits without end, and nothing is removed that a living PostgreSQL could need.
"""

import fcntl
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import IO


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Ask for *condition* until it holds (True) or the time is over (False); at least once."""
    deadline = monotonic() + seconds
    pause = threading.Event()
    while not condition():
        if monotonic() > deadline:
            return False
        pause.wait(0.05)
    return True


def lock(file: IO[str]) -> bool:
    """Lock *file* for this process and those that inherit it; False where another one has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_free(path: Path) -> bool:
    """Whether nobody holds the lock of *path*."""
    try:
        with path.open() as file:
            return lock(file)
    except FileNotFoundError:
        return True


def pid_in(pid_file: Path) -> int | None:
    """The process id in the first line of *pid_file*; nobody says that the process still runs."""
    try:
        return int(pid_file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def remove_stale(pid_file: Path, data_dir: Path) -> None:
    """
    Remove *pid_file* where its process lives but does not serve *data_dir*. Only while the lock `in-use` is held.

    PostgreSQL ignores the file of a process that is gone, but refuses to start where the id lives on as a zombie (a
    container whose first process does not collect them) or as any other process. The lock says that no server of ours
    is alive; a server that somebody started by hand does not hold it, so where we cannot tell, the file stays and
    PostgreSQL decides.
    """
    pid = pid_in(pid_file)
    if pid is not None and _serves_something_else(pid, data_dir):
        pid_file.unlink()


def _serves_something_else(pid: int, data_dir: Path) -> bool:
    """Whether *pid* is a zombie, another program or another cluster's; False where it is gone or we cannot tell."""
    process = Path("/proc") / str(pid)
    try:
        # "pid (name) state ...": the name may itself hold brackets and spaces
        name, _, rest = (process / "stat").read_text().partition("(")[2].rpartition(")")
        if name != "postgres" or rest.split()[0] in "ZX":
            return True
        return not (process / "cwd").samefile(data_dir)  # all of a server's processes work in its data directory
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False
