"""
The result of a run as a table for people and as JSON for machines.

Contract: `as_json()` has the keys `naive`, `ours`, `ceiling`, `floor` (each with `per_second`, `p50_ms`, `p99_ms`),
`ratios` (`to_naive`, `to_ceiling`), `targets`, `gate`, `settings` and `machine`. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.figures import Figures, best

#: What issue and design ask for, and what is tried for.
TO_NAIVE, TO_NAIVE_HOPED = 15.0, 30.0
TO_CEILING, TO_CEILING_HOPED = 0.35, 0.6

_TITLES = {
    "naive": "(a) naive: DRF view, update_or_create, gunicorn 2 x 4",
    "ours": "(b) ours: manage.py serve, one process, every check",
    "ceiling": "(c) ceiling: pgbench, the bare upsert, 10 clients",
    "floor": "(d) floor: our server's /healthz",
}


@dataclass(frozen=True, kw_only=True)
class Gate:
    """Saves at a steady rate without pages and beside them, and the pages that were loaded meanwhile."""

    alone: Figures
    beside_pages: Figures
    pages: Figures
    page: str
    page_connections: int

    @property
    def p99_ratio(self) -> float | None:
        if self.alone.p99_ms is None or self.beside_pages.p99_ms is None:
            return None
        return self.beside_pages.p99_ms / self.alone.p99_ms


@dataclass(frozen=True, kw_only=True)
class Result:
    """Everything that was measured: for each of the four all rounds, in order."""

    rounds: Mapping[str, Sequence[Figures]]
    gate: Gate | None
    settings: Mapping[str, Any]
    machine: Mapping[str, Any]

    @property
    def figures(self) -> dict[str, Figures]:
        return {name: best(rounds) for name, rounds in self.rounds.items()}

    @property
    def ratios(self) -> dict[str, float]:
        figures = self.figures
        ours = figures["ours"].per_second
        return {"to_naive": ours / figures["naive"].per_second, "to_ceiling": ours / figures["ceiling"].per_second}


def as_json(result: Result) -> dict[str, Any]:
    ratios = result.ratios
    return {
        **{
            name: _figures(result.figures[name]) | {"rounds": [_figures(figures) for figures in rounds]}
            for name, rounds in result.rounds.items()
        },
        "ratios": {name: round(ratio, 3) for name, ratio in ratios.items()},
        "targets": {
            "to_naive": {"asked": TO_NAIVE, "hoped": TO_NAIVE_HOPED, "reached": ratios["to_naive"] >= TO_NAIVE},
            "to_ceiling": {
                "asked": TO_CEILING,
                "hoped": TO_CEILING_HOPED,
                "reached": ratios["to_ceiling"] >= TO_CEILING,
            },
        },
        "gate": None if result.gate is None else _gate(result.gate),
        "settings": dict(result.settings),
        "machine": dict(result.machine),
    }


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "per_second": round(figures.per_second, 1),
        "p50_ms": _rounded(figures.p50_ms),
        "p99_ms": _rounded(figures.p99_ms),
        "counted": figures.counted,
        "others": figures.others,
    }


def _gate(gate: Gate) -> dict[str, Any]:
    return {
        "alone": _figures(gate.alone),
        "beside_pages": _figures(gate.beside_pages),
        "pages": _figures(gate.pages),
        "pages_per_second": round(gate.pages.per_second, 1),
        "page": gate.page,
        "page_connections": gate.page_connections,
        "p99_ratio": _rounded(gate.p99_ratio),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def as_table(result: Result) -> str:
    """What a person reads in a terminal."""
    lines = [f"{'':56} {'per second':>11} {'p50 ms':>8} {'p99 ms':>8}   each round"]
    for name, figures in result.figures.items():
        each = ", ".join(f"{one.per_second:,.0f}" for one in result.rounds[name])
        lines.append(f"{_TITLES[name]:56} {_row(figures)}   {each}")
    ratios = result.ratios
    lines += [
        "",
        _verdict("b/a, ours to naive", ratios["to_naive"], TO_NAIVE, TO_NAIVE_HOPED),
        _verdict("b/c, ours to ceiling", ratios["to_ceiling"], TO_CEILING, TO_CEILING_HOPED),
    ]
    if (gate := result.gate) is not None:
        lines += [
            "",
            f"{'(e) saves at a steady rate, no pages':56} {_row(gate.alone)}",
            f"{f'    the same beside {gate.page_connections} page connections':56} {_row(gate.beside_pages)}",
            f"{f'    those pages: {gate.page}':56} {_row(gate.pages)}",
            f"    p99 of saves beside pages to p99 alone: {gate.p99_ratio or float('nan'):.1f}",
        ]
        if gate.pages.others:
            lines.append(f"    pages that were refused or cut off: {gate.pages.others}")
    return "\n".join(lines)


def _row(figures: Figures) -> str:
    return f"{figures.per_second:>11,.0f} {_cell(figures.p50_ms)} {_cell(figures.p99_ms)}"


def _cell(milliseconds: float | None) -> str:
    return f"{'?':>8}" if milliseconds is None else f"{milliseconds:>8.2f}"


def _verdict(what: str, ratio: float, asked: float, hoped: float) -> str:
    said = "REACHED" if ratio >= asked else "NOT REACHED"
    more = f"; {hoped:g} is tried for" + (", and reached" if ratio >= hoped else "")
    return f"{what}: {ratio:.2f} (target {asked:g}: {said}{more})"
