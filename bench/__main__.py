"""
`python -m bench`: how fast our save path is beside a plain Django view and beside PostgreSQL itself, in one run.

Exit code: 0 when the run is sound, whether or not the targets are reached; 1 when it says nothing (too many answers
that are not saves, fsync off, a server that does not start); 2 when a program is missing. docs/howto/measure.md
explains it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import postgres, programs
from bench.contest import PGBENCH_CLIENTS, WARM_UP_SECONDS, Contest, Plan
from bench.figures import BrokenRunError
from bench.report import Result, as_json, as_table
from config.embedded_postgres import EmbeddedPostgresError


def main() -> int:
    arguments = _parser().parse_args()
    try:
        programs.find_wrk()
        result = _measure(arguments)
    except programs.ProgramMissingError as exc:
        print(exc, file=sys.stderr)
        return 2
    except (BrokenRunError, EmbeddedPostgresError) as exc:
        print(f"The run is broken: {exc}", file=sys.stderr)
        return 1
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(as_json(result), indent=2) + "\n")
    print(f"\n{as_table(result)}\n\nWritten to {arguments.out}.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Compare ways to save answers, in one run.")
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement (default: 10)")
    parser.add_argument("--connections", type=int, default=64, help="that save at once (default: 64)")
    parser.add_argument("--rounds", type=int, default=2, help="of all four; the faster one counts (default: 2)")
    parser.add_argument("--students", type=int, default=1200, help="more on a machine over 30,000 saves/s")
    parser.add_argument("--questions", type=int, default=60)
    parser.add_argument("--page", default="/admin/login/", help="the Django page that is loaded beside the saves")
    parser.add_argument("--no-gate", action="store_true", help="leave out the saves beside pages")
    parser.add_argument("--out", type=Path, default=Path("var/bench.json"))
    return parser


def _measure(arguments: argparse.Namespace) -> Result:
    plan = Plan(
        seconds=arguments.seconds,
        connections=arguments.connections,
        rounds=arguments.rounds,
        students=arguments.students,
        questions=arguments.questions,
        # A save takes the plain view far longer, so fewer pairs do: its rows, too, are first made and then updated.
        naive_students=min(arguments.students, 50),
        page=arguments.page,
    )
    directory = programs.PROJECT / "var" / "bench"
    directory.mkdir(parents=True, exist_ok=True)
    machine = _machine() | {"flush_8k_ms": round(postgres.flush_ms(directory), 3)}
    _say(", ".join(f"{name} {value}" for name, value in machine.items()))
    with postgres.database(directory) as database:
        on = ", ".join(f"{name} {database.settings[name]}" for name in ("fsync", "synchronous_commit"))
        _say(f"PostgreSQL {database.settings['server_version']}: {on}")
        contest = Contest(plan, database, _environment(), directory, _say)
        contest.prepare()
        rounds = contest.run()
        gate = None if arguments.no_gate else contest.gate()
    settings = {
        **database.settings,
        "seconds": plan.seconds,
        "warm_up_seconds": WARM_UP_SECONDS,
        "connections": plan.connections,
        "rounds": plan.rounds,
        "counts": "the faster round",
        "students": plan.students,
        "questions": plan.questions,
        "pgbench_clients": PGBENCH_CLIENTS,
        "shared_by": "client, server and database on one machine",
    }
    return Result(rounds=rounds, gate=gate, settings=settings, machine=machine)


def _environment() -> dict[str, str]:
    """What both servers get: nothing of the developer's own settings."""
    return {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "DEBUG": "false",
        "HTTPS": "false",
        "ALLOWED_HOSTS": "127.0.0.1",
        "DATABASE_PROFILE": "server",
        "LOG_LEVEL": "WARNING",
        "REDIS_URL": "",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "WEB_WORKERS": "1",
    }


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "processor": _first(_processor_from_proc, platform.processor, platform.machine),
        "system": f"{platform.system()} {platform.release()}",
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "python": platform.python_version(),
        "wrk": _wrk_version(),
        "load_average_before": round(os.getloadavg()[0], 2),
    }


def _first(*ways: Callable[[], str]) -> str:
    return next((found for way in ways if (found := way())), "unknown")


def _processor_from_proc() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        return ""  # not Linux
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _wrk_version() -> str:
    # wrk prints its version with its usage, and then fails.
    shown = subprocess.run([programs.find_wrk(), "--version"], capture_output=True, text=True, check=False, timeout=10)
    return " ".join(shown.stdout.split()[:2]).removeprefix("wrk ")


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
