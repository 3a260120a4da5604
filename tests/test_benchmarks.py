"""Each benchmark works at its smallest size and says what it measured; how fast anything is, is not judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
COMMON = {"workload", "target", "ok", "quick"}
FIGURES = {
    "w1_throughput": {"workflows", "rounds", "in_flight_100", "in_flight_1000", "beside_computing"},
    "w2_latency": {"p50_ms", "p99_ms", "commits_per_workflow", "syncs_per_workflow", "bare_p50_ms", "ratio"},
    "w3_signals": {"signals", "senders", "rounds", "threads", "tasks", "one_sender", "hundred_workflows"},
    "w4_messages": {"messages", "rounds", "update", "query"},
    "w7_history": {"rounds", "live", "replay"},
    "w8_recovery": {
        "activity_s",
        "from_start_ms",
        "from_open_ms",
        "until_imported_ms",
        "bare_process_ms",
        "ratio",
    },
    "w9_relatives": {"child", "children_at_once", "continue_as_new", "signal", "bare_ms", "ratios"},
    "import_time": {"rounds", "best_ms", "median_ms", "ratio"},
    "overdue_turns": {"offenders", "threads_abandoned", "updates", "p99_ms", "held_up_max_ms"},
    "replay_beside_signals": {"turns", "signals", "p50_ms", "p99_ms", "alone_p99_ms", "ratio"},
    "crash_points": {"rounds", "commits", "points", "points_per_s", "points_per_cpu_s"},
    "actors": {"rounds", "sizes", "launched", "ours", "pykka", "ratios"},
    "signal_backlog": {"signals", "window", "handled", "unread", "ratio"},
}


LARGE = {
    "parking": {"max_residents", "100 that await a signal", "300, signal or far timer"},
    "turns beside the parked": {"passing", "wake", "updates_beside_few", "updates_beside_many"},
    "W6": {"parked", "ended", "killed", "killed_and_forgotten"},
    "oversleeping": {"parked", "ended_by_timer", "rss_anon_highest_mib", "all_done_s", "cpu_us_each"},
}


def run(*arguments: str, package: str = "benchmarks") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", package, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
@pytest.mark.aside
@pytest.mark.parametrize("name", FIGURES)
def test_a_benchmark_prints_one_line_of_json(name: str) -> None:
    done = run("--quick", name)

    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    report = json.loads(line)
    assert report.keys() >= COMMON | FIGURES[name]
    assert report["quick"] is True


@pytest.mark.aside
@pytest.mark.slow
def test_the_large_benchmarks_print_a_line_of_json_each() -> None:
    done = run("--quick", package="benchmarks.large")

    assert done.returncode == 0, done.stderr
    reports = {report["workload"]: report for report in map(json.loads, done.stdout.splitlines())}
    assert reports.keys() == LARGE.keys()
    assert all(report.keys() >= COMMON | LARGE[name] for name, report in reports.items())


def test_an_unknown_benchmark_is_refused_with_the_known_ones() -> None:
    done = run("w9_dreams")

    assert done.returncode == 2
    assert "no benchmark named w9_dreams" in done.stderr
    assert "w1_throughput" in done.stderr


def test_every_benchmark_is_tested_here() -> None:
    files = {path.stem for path in (ROOT / "benchmarks").glob("*.py") if "run(measure)" in path.read_text("utf-8")}

    assert files == set(FIGURES)
