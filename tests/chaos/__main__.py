"""
`python -m tests.chaos --seconds N`: load on two web processes, kills and pauses, and then every acknowledged answer is
looked up.

Exit code: 0 when nothing acknowledged was lost and every promise was kept; 1 when one was broken, or when the run
proves nothing (no load, an event that did not happen). It takes 10 to 25 s longer than N.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import secrets
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.embedded_postgres import EmbeddedPostgresError
from tests.chaos.faults import Faults
from tests.chaos.ledger import Ledger
from tests.chaos.schedule import KILLS, Event, plan
from tests.chaos.stage import PROJECT, Stage, StageError
from tests.chaos.student import Exam, Student
from tests.chaos.verdict import Verdict, judge

_PROGRESS_SECONDS = 5.0
#: After the load, when everything runs again: every answer that waits must get through, back-offs of 6 s included.
_SETTLE_SECONDS = 14.0
#: A run that is not over by then hangs.
_SPARE_SECONDS = 75.0


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run is made of, and what came out of it."""

    seconds: float
    seed: int
    events: list[Event]
    ledger: Ledger
    faults: Faults
    verdict: Verdict
    unacknowledged: int
    logged_errors: int

    def as_json(self) -> dict[str, Any]:
        ledger = self.ledger
        return {
            "kills": sum(count for kind, count in self.faults.happened.items() if kind in KILLS),
            "sent": ledger.sent,
            "acknowledged": ledger.acknowledged,
            "lost": self.verdict.lost,
            "longest_outage_s": round(ledger.longest_outage_seconds, 3),
            "passed": self.verdict.passed,
            "failures": self.verdict.failures,
            "seconds": self.seconds,
            "seed": self.seed,
            "events": {str(kind): count for kind, count in sorted(self.faults.happened.items())},
            "hang_ups": ledger.hang_ups,
            "statuses": dict(sorted(ledger.statuses.items())),
            "outcomes": dict(sorted(ledger.outcomes.items())),
            "answers": len(ledger.stories),
            "unacknowledged": self.unacknowledged,
            "longest_stop_s": round(self.faults.longest_stop_seconds, 3),
            "logged_errors": self.logged_errors,
        }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Kill everything; nothing may be lost.")
    parser.add_argument("--seconds", type=float, default=60, help="of load (default: 60)")
    parser.add_argument("--out", type=Path, default=PROJECT / "var" / "chaos.json")
    parser.add_argument("--seed", type=int, default=None, help="repeats the order of a run's events")
    parser.add_argument("--students", type=int, default=300)
    parser.add_argument("--questions", type=int, default=40)
    arguments = parser.parse_args()
    seed = secrets.randbelow(2**31) if arguments.seed is None else arguments.seed
    try:
        run = asyncio.run(_guarded(arguments, seed))
    except (StageError, EmbeddedPostgresError) as exc:
        print(f"The run is broken (seed {seed}): {exc}", file=sys.stderr)
        return 1
    except TimeoutError:
        print(f"The run hangs (seed {seed}).", file=sys.stderr)
        return 1
    found = run.as_json()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(found, indent=2) + "\n")
    for name in (
        "kills",
        "events",
        "sent",
        "acknowledged",
        "statuses",
        "outcomes",
        "hang_ups",
        "longest_outage_s",
        "lost",
    ):
        print(f"{name:>16}: {found[name]}")
    for failure in run.verdict.failures:
        print(f"BROKEN: {failure}")
    print(f"{'0 lost' if run.verdict.passed else 'FAILED'} (seed {seed}); written to {arguments.out}")
    return 0 if run.verdict.passed else 1


async def _guarded(arguments: argparse.Namespace, seed: int) -> Run:
    task = asyncio.current_task()
    assert task is not None
    # SIGTERM would otherwise end us without tearing the stage down.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    logs = PROJECT / "var" / "chaos"
    logs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tahan-uji-chaos-") as directory:
        async with asyncio.timeout(arguments.seconds + _SPARE_SECONDS):
            sizes = {"students": arguments.students, "questions": arguments.questions}
            async with Stage(Path(directory), logs, **sizes) as stage:
                return await _shake(stage, arguments, seed)


async def _shake(stage: Stage, arguments: argparse.Namespace, seed: int) -> Run:
    chance = random.Random(seed)
    events = plan(arguments.seconds, chance)
    ledger = Ledger()
    started = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {what}", flush=True)

    faults = Faults(stage.webs, stage.database, say)
    students = _students(stage, ledger, chance)
    load_ends = started + arguments.seconds
    say(f"{len(students)} students, {len(events)} events, seed {seed}")
    async with asyncio.TaskGroup() as group:
        progress = group.create_task(_report(ledger, students, say))
        sitting = [
            group.create_task(student.sit(until=load_ends, give_up_at=load_ends + _SETTLE_SECONDS))
            for student in students
        ]
        trouble = [group.create_task(_at(started + event.at_seconds, faults, event)) for event in events]
        await asyncio.gather(*trouble)
        await asyncio.gather(*sitting)
        progress.cancel()
    unacknowledged = sum(student.unacknowledged for student in students)

    # Quiet: what was accepted is committed before the processes end, so the table is final after this.
    for seconds, code in await asyncio.gather(*(web.stop() for web in stage.webs)):
        if code != 0:
            faults.broken_promises.append(f"The last SIGTERM took {seconds:.1f} s and ended with {code}")
    verdict = judge(
        ledger,
        await stage.database.answers(),
        events={str(kind): count for kind, count in faults.happened.items()},
        wanted_events=frozenset(str(event.kind) for event in events),
        students=len(students),
        seconds=arguments.seconds,
        unacknowledged=unacknowledged,
    )
    verdict.failures.extend(faults.broken_promises)
    return Run(
        seconds=arguments.seconds,
        seed=seed,
        events=events,
        ledger=ledger,
        faults=faults,
        verdict=verdict,
        unacknowledged=unacknowledged,
        logged_errors=stage.logged_errors(),
    )


def _students(stage: Stage, ledger: Ledger, chance: random.Random) -> list[Student]:
    exam = Exam(
        path=f"/api/siswa/ujian/{stage.load['exam']}/save-answer",
        options={question["id"]: question["answers"] for question in stage.load["questions"]},
    )
    ports = [web.port for web in stage.webs]
    return [
        Student(attempt["id"], attempt["ticket"], exam, ports, ledger, random.Random(chance.randrange(2**32)))
        for attempt in stage.load["attempts"]
    ]


async def _at(when: float, faults: Faults, event: Event) -> None:
    await asyncio.sleep(max(0.0, when - time.monotonic()))
    await faults.happen(event)


async def _report(ledger: Ledger, students: list[Student], say: Any) -> None:
    while True:
        await asyncio.sleep(_PROGRESS_SECONDS)
        waiting = sum(student.unacknowledged for student in students)
        say(f"{ledger.sent} sent, {ledger.acknowledged} acknowledged, {waiting} waiting")


if __name__ == "__main__":
    sys.exit(main())
