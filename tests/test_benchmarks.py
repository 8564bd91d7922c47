import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.paths import ROOT

ROWS = (
    "whole",
    "csv",
    "latency",
    "long",
    "cap",
    "check",
    "memory",
    "journal",
    "results",
    "first",
    "help",
)
BUDGETS = {
    "CPU against the plain script",
    "peak memory against the plain script",
    "CPU of a CSV run against a bare aiohttp pool",
    "latency-bound: share of the ideal",
    "latency-bound, sending alone",
    "cap below the workers: share of the ideal",
    "cap below the workers: extra calls",
    "CPU of a check against bare python-calamine",
    "memory of a check against bare python-calamine",
    "memory growth of a CSV run",
    "journal: CPU per row",
    "results: CPU against bare openpyxl write-only",
    "first PUT after start",
    "--help against python -c pass",
}


def output(module: str, *options: str) -> str:
    """Run a benchmark; return what it has printed."""
    completed = subprocess.run(
        [sys.executable, "-m", module, *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot fork")
def test_nights_lose_nothing_and_tell_what_has_happened() -> None:
    kinds = ("refused", "reboot", "revoked", "away")
    printed = output("benchmarks.nights", "--nights", "9", "--rows", "8", "--only", *kinds)
    nights = {line.split("|")[1].strip() for line in printed.splitlines() if "|" in line}
    assert {
        "rows refused",
        "reboot: the night after",
        "sign-in revoked in the middle: mended",
        "outage until batchlock gives up: the night after",
    } <= nights


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no number of open files")
def test_people_use_the_page() -> None:
    printed = output("benchmarks.page", "--people", "11", "--minutes", "0.1")
    assert "Failures: none" in printed
    views = {line.split("|")[1].strip() for line in printed.splitlines() if "|" in line}
    assert {"sign in", "upload", "start", "first page"} <= views


@pytest.mark.skipif(sys.platform == "win32", reason="CPU and memory are those of os.wait4")
def test_the_table_has_a_verdict_for_every_budget(tmp_path: Path) -> None:
    sizes = ("--rows", "--latency-rows", "--long-rows", "--many-rows", "--most-rows")
    small = [argument for size in sizes for argument in (size, "20")]
    slow = ("--delay-ms", "5", "--jitter-ms", "2")
    options = ("--rounds", "1", *small, *slow, "--growth", "10", "--folder", str(tmp_path))
    printed = output("benchmarks", *options, "--only", *ROWS)
    lines = [line.split("|")[1:-1] for line in printed.splitlines() if line.startswith("|")]
    verdicts = {line[0].strip(): line[5].strip() for line in lines if len(line) == 7}
    assert set(verdicts) >= BUDGETS
    assert {verdicts[budget] for budget in BUDGETS} <= {"stretch", "pass", "SHORT"}
    phases = [line[1].strip() for line in lines if line[0].strip() == "10"]
    assert phases == ["plan", "send", "report, csv", "report, xlsx"]
    assert list(tmp_path.iterdir()) == []
