"""What wrk and pgbench print, read as numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.figures import BrokenRunError, Figures, best, check, from_pgbench, from_wrk, percentile

WRK = """\
Running 10s test @ http://127.0.0.1:8000
  1 threads and 64 connections
Requests/sec:   3729.89
{"seconds": 10.0, "requests": 1010, "saved": 1000, "others": [{"429": 4, "200 without saved": 1}, {"429": 5}], \
"p50_ms": 16.793, "p99_ms": 144.470, "max_ms": 206.217, "socket_errors": 2, "timeouts": 1}
"""

PGBENCH = """\
pgbench (16.14)
transaction type: bench/ceiling.sql
query mode: prepared
number of clients: 10
number of transactions actually processed: 158120
number of failed transactions: 3 (0.002%)
latency average = 0.632 ms
initial connection time = 12.345 ms
tps = 15812.123456 (without initial connection time)
"""


def test_wrk_only_counts_what_was_saved():
    figures = from_wrk(WRK, counts_saves=True)
    assert figures.per_second == 100.0
    assert (figures.p50_ms, figures.p99_ms, figures.max_ms) == (16.793, 144.470, 206.217)
    assert figures.others == {"429": 9, "200 without saved": 1, "socket errors": 2, "time-outs": 1}


def test_wrk_counts_pages_that_were_not_refused():
    output = WRK.replace('"saved": 1000', '"saved": 0').replace(
        '{"429": 4, "200 without saved": 1}, {"429": 5}', '{"refused": 7}'
    )
    assert from_wrk(output, counts_saves=False).counted == 1010 - 7 - 3


@pytest.mark.parametrize("output", ["", "unable to connect to 127.0.0.1:1 Connection refused\n"])
def test_wrk_without_figures_is_a_broken_run(output):
    with pytest.raises(BrokenRunError, match="no figures"):
        from_wrk(output, counts_saves=True)


def test_pgbench_has_its_rate_and_the_percentiles_of_its_log():
    log = [f"0 {number} {number * 100} 0 1767600000 5" for number in range(1, 101)]
    figures = from_pgbench(PGBENCH, reversed(log))
    assert figures.per_second == 15812.123456
    assert (figures.p50_ms, figures.p99_ms, figures.max_ms) == (5.0, 9.9, 10.0)
    assert figures.counted == 158120
    assert figures.others == {"failed": 3}


def test_pgbench_without_a_log_has_no_percentiles():
    figures = from_pgbench(PGBENCH, [])
    assert (figures.p50_ms, figures.p99_ms) == (None, None)


def test_pgbench_that_failed_is_a_broken_run():
    with pytest.raises(BrokenRunError, match="violates foreign key"):
        from_pgbench("pgbench: error: client 0 aborted: violates foreign key", [])


def test_one_answer_in_a_hundred_may_be_no_save_and_not_one_more():
    fine = Figures(per_second=1, p50_ms=1, p99_ms=1, counted=990, others={"429": 10})
    assert check("ours", fine) is fine
    with pytest.raises(BrokenRunError, match=r"ours: 11 of 1001 answers did not count: \{'429': 11\}"):
        check("ours", Figures(per_second=1, p50_ms=1, p99_ms=1, counted=990, others={"429": 11}))


def test_a_run_that_counted_nothing_is_broken():
    with pytest.raises(BrokenRunError, match="nothing was counted"):
        check("ours", Figures(per_second=0, p50_ms=0, p99_ms=0, counted=0))


@pytest.mark.parametrize(
    ("percent", "expected"), [(50, 2), (99, 4), (1, 1), (100, 4)], ids=["median", "p99", "lowest", "highest"]
)
def test_percentiles_are_values_that_occurred(percent, expected):
    assert percentile([1, 2, 3, 4], percent) == expected


def test_the_faster_round_counts():
    rounds = [Figures(per_second=rate, p50_ms=None, p99_ms=None) for rate in (5.0, 9.0, 7.0)]
    assert best(rounds).per_second == 9.0


def test_the_json_line_is_what_the_scripts_print():
    # The scripts' formats are strings in Lua: the keys must be the ones that are read.
    keys = set(json.loads(WRK.splitlines()[-1]))
    for script in ("saves.lua", "pages.lua"):
        text = (Path(__file__).parents[2] / "bench" / script).read_text()
        assert {key for key in keys if f'"{key}":' in text} == keys
