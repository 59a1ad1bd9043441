"""
The programs that a run consists of: wrk, pgbench, and the servers that are measured.

Contract:
- Every program has a time limit and has ended, or was killed, when its function or `with` block is left.
- A server is given to the block only when it answers 200; what it printed is in its log file.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from bench.figures import BrokenRunError, Figures, from_pgbench, from_wrk

PROJECT = Path(__file__).resolve().parent.parent
HERE = Path(__file__).resolve().parent
_START_SECONDS = 60
_STOP_SECONDS = 15
#: Beyond its own duration: connecting, and the last answers.
_SPARE_SECONDS = 30

WRK_MISSING = (
    "wrk, the HTTP load generator, is not installed. Get it with `apt-get install wrk` (Debian, Ubuntu) or "
    "`brew install wrk` (macOS), then run this again."
)


class ProgramMissingError(Exception):
    """A program that must be installed first; the text says how."""


def find_wrk() -> str:
    found = shutil.which("wrk")
    if found is None:
        raise ProgramMissingError(WRK_MISSING)
    return found


def run(command: Sequence[str], environment: Mapping[str, str] | None = None, *, seconds: float = 300) -> str:
    """Run *command* in the project and return what it printed; `BrokenRunError` with the end of it where it failed."""
    try:
        done = subprocess.run(
            command,
            cwd=PROJECT,
            env={**os.environ, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise BrokenRunError(f"{command[0]} did not end within {seconds:.0f} s.") from exc
    if done.returncode != 0:
        raise BrokenRunError(f"`{' '.join(command[:4])} ...` failed:\n{done.stdout[-3000:]}")
    return done.stdout


def manage(*arguments: str, environment: Mapping[str, str]) -> str:
    """Run a management command of the product."""
    return run([sys.executable, "manage.py", *arguments], environment)


def wrk_saves(
    url: str, requests: Path, *, connections: int, seconds: float, offset: float, delay_ms: int = 0
) -> Figures:
    """Send the saves in *requests* to *url*, from the share *offset* of the file on; see saves.lua."""
    command = [*_wrk("saves.lua", url, connections, seconds), "--", str(requests), str(offset), str(delay_ms)]
    return from_wrk(run(command, seconds=seconds + _SPARE_SECONDS), counts_saves=True)


def wrk_pages(url: str, *, connections: int, seconds: float) -> Figures:
    """Load the page at *url* over and over."""
    command = _wrk("pages.lua", url, connections, seconds)
    return from_wrk(run(command, seconds=seconds + _SPARE_SECONDS), counts_saves=False)


def _wrk(script: str, url: str, connections: int, seconds: float) -> list[str]:
    # One thread: the requests of a file are then sent in its order, and a thread more would only take from the server.
    return [find_wrk(), "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout=10s", f"-s{HERE / script}", url]


def pgbench(
    program: Path, url: str, variables: Mapping[str, int], *, clients: int, seconds: float, log_dir: Path
) -> Figures:
    """pgbench with ceiling.sql, prepared statements and *clients* connections."""
    for old in log_dir.glob("pgbench.*"):
        old.unlink()
    output = run(
        [
            *(str(program), "--no-vacuum", "--protocol=prepared", f"--client={clients}", "--jobs=2"),
            *(f"--time={seconds:.0f}", f"--file={HERE / 'ceiling.sql'}"),
            # One transaction in ten is enough for a percentile, and costs pgbench next to nothing.
            *("--log", f"--log-prefix={log_dir / 'pgbench'}", "--sampling-rate=0.1"),
            *(f"--define={name}={value}" for name, value in variables.items()),
            url,
        ],
        seconds=seconds + _SPARE_SECONDS,
    )
    lines = [line for log in log_dir.glob("pgbench.*") for line in log.read_text().splitlines()]
    return from_pgbench(output, lines)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def server(
    command: Sequence[str], environment: Mapping[str, str], *, port: int, ready_path: str, log: Path
) -> Iterator[str]:
    """Run a server for the block and give it its address."""
    url = f"http://127.0.0.1:{port}"
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C is for us: we then end it politely
        )
        try:
            _wait_until_ready(process, url + ready_path, log)
            yield url
        finally:
            _end(process)


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = monotonic() + _START_SECONDS
    pause = threading.Event()
    while monotonic() < deadline:
        if process.poll() is not None:
            raise BrokenRunError(f"The server ended with {process.returncode}:\n{log.read_text()[-3000:]}")
        try:
            with urllib.request.urlopen(url, timeout=5) as reply:
                if reply.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pause.wait(0.1)  # not listening yet
    raise BrokenRunError(f"The server does not answer at {url}:\n{log.read_text()[-3000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(_STOP_SECONDS)
