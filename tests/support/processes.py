"""Wait for commands in other processes, end them, and check what they have done."""

import signal
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from support.commands import TIMEOUT_SECONDS, Process
from support.sheets import balanced, lines
from support.zoho import StandIn

EXIT_CODES = {"SIGHUP": 129, "SIGINT": 130, "SIGTERM": 143}
STATE = Path("state")
RUNS = STATE / "runs" / "default"


def wait_until(condition: Callable[[], bool], process: Process) -> None:
    """Wait until a condition is true or the process has ended."""
    end = time.monotonic() + TIMEOUT_SECONDS
    while not condition() and process.poll() is None:
        assert time.monotonic() < end, "the condition was never true"
        time.sleep(0.02)


def kill(process: Process) -> None:
    """Kill a process, and wait for its end."""
    process.kill()
    process.wait(TIMEOUT_SECONDS)


def signal_number(name: str) -> signal.Signals:
    """Return the number of a signal, which Windows may not have."""
    return signal.Signals[name]


def rows_in_doubt(journal: Path) -> int:
    """Return how many rows a journal has marked as being sent."""
    sql = sqlite3.connect(journal)
    try:
        (count,) = sql.execute("SELECT count(*) FROM progress WHERE status = 'sending'").fetchone()
    finally:
        sql.close()
    return int(count)


def check_results(summary: Mapping[str, Any], zoho: StandIn) -> dict[str, int]:
    """Compare the results of a finished command with the stand-in's own record.

    `summary` is the object of `--json`. Returns its counts that are not zero.
    """
    counts = balanced(summary)
    results = lines(summary["output"])
    locks = zoho.locks()
    names = [result["Result"] for result in results]
    assert [int(result["Source row"]) for result in results] == list(range(2, summary["rows"] + 2))
    assert {name: names.count(name) for name in counts} == counts
    for result in results:
        reason = locks.get(f"Leads/{result['Record Id']}", {}).get("reason")
        if result["Result"] == "updated":
            assert reason == result["Reason"]
        elif result["Result"] == "not_sent":
            assert reason is None
    return counts
