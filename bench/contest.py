"""
The runs themselves: naive, ours, ceiling, floor in turn, then saves beside pages.

Contract:
- Each is measured on the same PostgreSQL, alone: only the server that is being measured runs. A warm-up comes first, a
  VACUUM and a CHECKPOINT come between.
- Saves are counted by what the server answered, and the rows they must have left are then counted in the table.

Not here: reading what the programs print (`figures.py`), what the result looks like (`report.py`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import programs
from bench.figures import BrokenRunError, Figures, check
from bench.postgres import Database
from bench.report import Gate

WARM_UP_SECONDS = 2
PGBENCH_CLIENTS = 10
PAGE_CONNECTIONS = 200
#: 20 connections with 90 ms between two saves: about 200 saves/s, as long as a save takes little.
STEADY_CONNECTIONS, STEADY_DELAY_MS = 20, 90
#: The warm-up begins half-way through the pairs (the file has each twice): none of them may come again within 2 s.
_WARM_UP_OFFSET = 0.25

NAIVE_SETTINGS = "bench.peers.naive.settings"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long, how wide, how often."""

    seconds: float
    connections: int
    rounds: int
    students: int
    questions: int
    naive_students: int
    page: str


@dataclass(frozen=True)
class Requests:
    """A file of requests for saves.lua and how many different (student, question) it holds."""

    path: Path
    pairs: int


class Contest:
    """All runs of one comparison. *say* prints a line of progress, *directory* takes the files."""

    def __init__(
        self,
        plan: Plan,
        database: Database,
        environment: Mapping[str, str],
        directory: Path,
        say: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._database = database
        self._environment = {**environment, "DATABASE_URL": database.url}
        self._naive_environment = self._environment | {"DJANGO_SETTINGS_MODULE": NAIVE_SETTINGS}
        self._directory = directory
        self._say = say

    def prepare(self) -> None:
        """Tables, students and tickets on both sides, and the files of requests."""
        plan = self._plan
        self._say("Preparing the tables, the students and their requests")
        programs.manage("migrate", "--verbosity=0", environment=self._environment)
        load_file = self._directory / "load.json"
        sizes = (f"--students={plan.students}", f"--questions={plan.questions}")
        programs.manage("make_load", *sizes, f"--out={load_file}", environment=self._environment)
        self._load: dict[str, Any] = json.loads(load_file.read_text())
        path = f"/api/siswa/ujian/{self._load['exam']}/save-answer"
        self._requests = self._write_requests("requests.txt", path, self._load["attempts"])

        attempts = self._load["attempts"][: plan.naive_students]
        naive_file = self._directory / "naive.json"
        naive_file.write_text(json.dumps({"exam": self._load["exam"], "attempts": [one["id"] for one in attempts]}))
        made = programs.run(
            [sys.executable, "-m", "bench.peers.naive.prepare", str(naive_file)], self._naive_environment
        )
        tokens: list[str] = json.loads(made.splitlines()[-1])
        self._naive_requests = self._write_requests(
            "naive-requests.txt", f"/exams/{self._load['exam']}/answers", [{"ticket": token} for token in tokens]
        )

    def _write_requests(self, name: str, path: str, attempts: list[dict[str, Any]]) -> Requests:
        """
        Student after student, question after question, twice: the second time with another answer.

        No revision is sent, so the server takes its clock: each save is newer than the one before, however often wrk
        begins the file again.
        """
        file = self._directory / name
        questions = self._load["questions"]
        with file.open("w") as out:
            for turn in range(2):
                for question in questions:
                    body = json.dumps({"questionId": question["id"], "answer": question["answers"][turn]})
                    out.writelines(f"{path}\t{attempt['ticket']}\t{body}\n" for attempt in attempts)
        return Requests(file, len(questions) * len(attempts))

    def run(self) -> dict[str, list[Figures]]:
        """All rounds of the four, in turn, so that a slow minute of the machine meets each of them."""
        legs: dict[str, Callable[[], Figures]] = {
            "naive": self._naive,
            "ours": self._ours,
            "ceiling": self._ceiling,
            "floor": self._floor,
        }
        rounds: dict[str, list[Figures]] = {name: [] for name in legs}
        for number in range(1, self._plan.rounds + 1):
            for name, leg in legs.items():
                self._database.come_to_rest()
                figures = check(name, leg())
                rounds[name].append(figures)
                self._say(f"Round {number}: {name} {figures.per_second:,.0f}/s, p99 {figures.p99_ms} ms")
        return rounds

    # -- the servers -----------------------------------------------------------------------------------------------

    @contextmanager
    def _our_server(self) -> Iterator[str]:
        port = programs.free_port()
        command = [sys.executable, "manage.py", "serve", "--workers", "1", "--port", str(port)]
        log = self._directory / "ours.log"
        with programs.server(command, self._environment, port=port, ready_path="/readyz", log=log) as url:
            yield url

    @contextmanager
    def _naive_server(self) -> Iterator[str]:
        port = programs.free_port()
        command = [
            *(sys.executable, "-m", "gunicorn", "bench.peers.naive.wsgi:application"),
            *("--workers=2", "--threads=4", "--worker-class=gthread", f"--bind=127.0.0.1:{port}"),
        ]
        log = self._directory / "naive.log"
        with programs.server(command, self._naive_environment, port=port, ready_path="/alive", log=log) as url:
            yield url

    # -- the legs --------------------------------------------------------------------------------------------------

    def _naive(self) -> Figures:
        with self._naive_server() as url:
            return self._saves(url, self._naive_requests, "naive_answers")

    def _ours(self) -> Figures:
        with self._our_server() as url:
            return self._saves(url, self._requests, "answers")

    def _saves(self, url: str, requests: Requests, table: str) -> Figures:
        connections = self._plan.connections
        programs.wrk_saves(url, requests.path, connections=connections, seconds=WARM_UP_SECONDS, offset=_WARM_UP_OFFSET)
        since = self._database.now()
        figures = programs.wrk_saves(url, requests.path, connections=connections, seconds=self._plan.seconds, offset=0)
        stored = self._database.rows_saved_since(table, since)
        wanted = min(figures.counted, requests.pairs)
        if stored < wanted:
            raise BrokenRunError(f"{table}: {wanted} different answers were acknowledged, {stored} are in the table.")
        return figures

    def _ceiling(self) -> Figures:
        ids = {
            "attempt": [attempt["id"] for attempt in self._load["attempts"]],
            "question": [question["id"] for question in self._load["questions"]],
        }
        variables: dict[str, int] = {}
        for name, numbers in ids.items():
            first, last = min(numbers), max(numbers)
            if last - first + 1 != len(numbers):
                raise BrokenRunError(f"The {name} ids have gaps: pgbench would violate foreign keys.")
            variables |= {f"first_{name}": first, f"last_{name}": last}
        for seconds in (WARM_UP_SECONDS, self._plan.seconds):
            figures = programs.pgbench(
                self._database.pgbench,
                self._database.url,
                variables,
                clients=PGBENCH_CLIENTS,
                seconds=seconds,
                log_dir=self._directory,
            )
        return figures

    def _floor(self) -> Figures:
        with self._our_server() as url:
            for seconds in (WARM_UP_SECONDS, self._plan.seconds):
                figures = programs.wrk_pages(f"{url}/healthz", connections=self._plan.connections, seconds=seconds)
        return figures

    # -- saves beside pages -----------------------------------------------------------------------------------------

    def gate(self) -> Gate:
        """The same steady saves twice: alone, and while many connections load pages as fast as they get them."""
        seconds = max(5.0, self._plan.seconds / 2)
        self._database.come_to_rest()
        with self._our_server() as url, ThreadPoolExecutor(1) as beside:
            page = url + self._plan.page
            programs.wrk_pages(page, connections=4, seconds=WARM_UP_SECONDS)
            self._steady(url, seconds=WARM_UP_SECONDS, offset=0.9)
            alone = self._steady(url, seconds=seconds, offset=0)
            # The pages begin before the saves and end after them.
            pages = beside.submit(
                programs.wrk_pages, page, connections=PAGE_CONNECTIONS, seconds=seconds + 2 * WARM_UP_SECONDS
            )
            self._steady(url, seconds=WARM_UP_SECONDS, offset=0.8)
            beside_pages = self._steady(url, seconds=seconds, offset=0.4)
            found = pages.result()
        if found.counted == 0:
            raise BrokenRunError(f"No page was served beside the saves: {found.others}.")
        return Gate(
            alone=check("steady saves", alone),
            beside_pages=check("steady saves beside pages", beside_pages),
            pages=found,
            page=self._plan.page,
            page_connections=PAGE_CONNECTIONS,
        )

    def _steady(self, url: str, *, seconds: float, offset: float) -> Figures:
        return programs.wrk_saves(
            url,
            self._requests.path,
            connections=STEADY_CONNECTIONS,
            seconds=seconds,
            offset=offset,
            delay_ms=STEADY_DELAY_MS,
        )
