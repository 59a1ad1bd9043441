"""
What wrk and pgbench printed, as numbers.

Contract:
- Pure: text in, frozen dataclasses out. Output that is not as expected is a `BrokenRunError`, never a zero.
- A save counts only where the server said 200 and "saved"; `check()` refuses a run in which more than 1 % did not.

Not here: running anything (`programs.py`), tables and JSON (`report.py`).
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

#: More answers than this that are not a save, and the figure would speak of something else.
OTHERS_SHARE_MAX = 0.01


class BrokenRunError(Exception):
    """The run says nothing about speed; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One run: how many a second, and how long one took. None where a tool does not tell."""

    per_second: float
    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None = None
    #: Requests that were answered at all, and those that did not count, by what came instead.
    requests: int = 0
    counted: int = 0
    others: dict[str, int] = field(default_factory=dict)


def from_wrk(output: str, *, counts_saves: bool) -> Figures:
    """The figures in the JSON line at the end of *output* (`saves.lua`, `pages.lua`)."""
    line = next((line for line in reversed(output.splitlines()) if line.startswith("{")), None)
    if line is None:
        raise BrokenRunError(f"wrk printed no figures:\n{output[-2000:]}")
    found = json.loads(line)
    others: Counter[str] = Counter()
    for thread in found["others"]:
        others.update(thread)
    others.update({"socket errors": found["socket_errors"], "time-outs": found["timeouts"]})
    counted = found["saved"] if counts_saves else found["requests"] - sum(others.values())
    if found["seconds"] <= 0:
        raise BrokenRunError("wrk measured no time.")
    return Figures(
        per_second=counted / found["seconds"],
        p50_ms=found["p50_ms"],
        p99_ms=found["p99_ms"],
        max_ms=found["max_ms"],
        requests=found["requests"],
        counted=counted,
        others={what: count for what, count in others.items() if count},
    )


def check(name: str, figures: Figures) -> Figures:
    """*figures*, or `BrokenRunError` where nothing was counted or more than 1 % of the answers did not count."""
    wrong = sum(figures.others.values())
    if figures.counted == 0:
        raise BrokenRunError(f"{name}: nothing was counted; {figures.others or 'no answer came'}.")
    if wrong > OTHERS_SHARE_MAX * (figures.counted + wrong):
        raise BrokenRunError(f"{name}: {wrong} of {figures.counted + wrong} answers did not count: {figures.others}.")
    return figures


def from_pgbench(output: str, log_lines: Iterable[str]) -> Figures:
    """
    The figures in pgbench's *output*, with percentiles from its transaction log (`--log`).

    A line of the log is "client transaction microseconds script epoch epoch_us"; PostgreSQL's manual, pgbench,
    "Per-Transaction Logging".
    """
    rate = re.search(r"^tps = ([0-9.]+) \(without initial connection time\)", output, re.MULTILINE)
    done = re.search(r"^number of transactions actually processed: (\d+)", output, re.MULTILINE)
    failed = re.search(r"^number of failed transactions: (\d+)", output, re.MULTILINE)
    if rate is None or done is None:
        raise BrokenRunError(f"pgbench printed no figures:\n{output[-2000:]}")
    took_ms = sorted(int(line.split()[2]) / 1000 for line in log_lines)
    return Figures(
        per_second=float(rate[1]),
        p50_ms=percentile(took_ms, 50),
        p99_ms=percentile(took_ms, 99),
        max_ms=took_ms[-1] if took_ms else None,
        requests=int(done[1]),
        counted=int(done[1]),
        others={"failed": int(failed[1])} if failed and int(failed[1]) else {},
    )


def percentile(ascending: Sequence[float], percent: float) -> float | None:
    """The nearest-rank percentile of *ascending*, or None of nothing."""
    if not ascending:
        return None
    return ascending[max(0, math.ceil(len(ascending) * percent / 100) - 1)]


def best(rounds: Sequence[Figures]) -> Figures:
    """The fastest round: what disturbs a run (another program, a checkpoint) only ever makes it slower."""
    return max(rounds, key=lambda figures: figures.per_second)
