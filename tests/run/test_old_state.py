"""The commands go on with the runs of 0.1.0."""

import json
from pathlib import Path

import pytest
from support.commands import RunCommand
from support.old_state import unpack_old_state
from support.runs import STATE
from support.sheets import balanced
from support.zoho import ORG_CALLS

from batchlock.store.store import Store

CONFIG = ("--config", "old.yaml")


@pytest.fixture(autouse=True)
def config() -> None:
    """Use the state folder of 0.1.0."""
    unpack_old_state(STATE)
    Path("old.yaml").write_text(f"org: acme\nstate_directory: {STATE.absolute().as_posix()}\n")


def test_the_runs_are_listed(run_in_process: RunCommand) -> None:
    runs = json.loads(run_in_process("runs", *CONFIG, "--json").out)["runs"]
    assert [(Path(run["file"]).name, run["rows"], run["settled"]) for run in runs] == [
        ("waiting.csv", 4, 0),
        ("working.csv", 60, 42),
        ("stopped.csv", 4, 0),
        ("paused.csv", 60, 36),
        ("deadline.csv", 12, 0),
        ("anew.csv", 10, 10),
        ("anew.csv", 10, 0),
        ("strict.csv", 5, 0),
        ("refused.csv", 2, 0),
        ("refused.csv", 8, 6),
        ("finished.csv", 12, 12),
        ("killed.csv", 100, 76),
    ]


def test_a_run_that_was_killed_is_resumed(run_in_process: RunCommand) -> None:
    with Store(STATE) as store:
        run = store.runs.all_unfinished("simulator")[0]
    assert run is not None
    resumed = run_in_process(
        "resume", *CONFIG, "--simulate", "--in-flight", 8, "--json", "-o", "results.csv"
    )
    assert resumed.code == 0, resumed.err
    assert resumed.json["run_id"] == run.run_id
    assert balanced(resumed.json) == {"updated": 100}
    # 24 rows were left, and 8 of them were in doubt: each of these was asked for first.
    assert resumed.json["requests"] - run.figures.totals.requests == 24 + 8 + ORG_CALLS
    nothing = run_in_process("resume", *CONFIG, "--simulate")
    assert "no unfinished run" in nothing.out
