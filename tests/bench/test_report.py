"""The result as JSON and as a table: names that other programs and the documentation rely on."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from bench.figures import Figures
from bench.programs import PROJECT, WRK_MISSING
from bench.report import Gate, Result, as_json, as_table


def figures(per_second: float, p99_ms: float | None = 9.0) -> Figures:
    return Figures(per_second=per_second, p50_ms=4.0, p99_ms=p99_ms, requests=10, counted=10)


RESULT = Result(
    rounds={
        "naive": [figures(180), figures(200)],
        "ours": [figures(6000), figures(5000)],
        "ceiling": [figures(15000), figures(10000)],
        "floor": [figures(20000), figures(20000)],
    },
    gate=Gate(
        alone=figures(200, 10.0),
        beside_pages=figures(190, 45.0),
        pages=figures(100),
        page="/admin/login/",
        page_connections=200,
    ),
    settings={"fsync": "on", "synchronous_commit": "on"},
    machine={"cores": 2},
)


def test_the_json_has_the_keys_that_were_promised():
    found = json.loads(json.dumps(as_json(RESULT)))
    for name in ("naive", "ours", "ceiling", "floor"):
        assert {"per_second", "p50_ms", "p99_ms"} <= set(found[name])
        assert len(found[name]["rounds"]) == 2
    assert found["ratios"] == {"to_naive": 30.0, "to_ceiling": 0.4}
    assert found["gate"]["p99_ratio"] == 4.5
    assert found["settings"]["fsync"] == found["settings"]["synchronous_commit"] == "on"


@pytest.mark.parametrize(
    ("ours", "to_naive", "to_ceiling"), [(6000.0, True, True), (5100.0, True, False), (2900.0, False, False)]
)
def test_the_targets_are_judged(ours, to_naive, to_ceiling):
    result = replace(RESULT, rounds={**RESULT.rounds, "ours": [figures(ours)]})
    targets = as_json(result)["targets"]
    assert (targets["to_naive"]["reached"], targets["to_ceiling"]["reached"]) == (to_naive, to_ceiling)
    table = as_table(result)
    assert table.count("NOT REACHED") == [to_naive, to_ceiling].count(False)
    assert table.count("target") == 2


def test_the_table_says_what_was_measured():
    table = as_table(RESULT)
    for expected in ("6,000, 5,000", "30.00 (target 15: REACHED", "0.40 (target 0.35: REACHED", "/admin/login/", "4.5"):
        assert expected in table


def test_a_run_without_the_gate_has_a_table_too():
    result = replace(RESULT, gate=None)
    assert as_json(result)["gate"] is None
    assert "page" not in as_table(result)


def test_without_wrk_one_message_says_how_to_get_it():
    done = subprocess.run(
        [sys.executable, "-m", "bench"],
        cwd=PROJECT,
        env={"PATH": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.strip() == WRK_MISSING
    assert "apt-get install wrk" in done.stderr
    assert "brew install wrk" in done.stderr
