"""Runs after one whose journal is damaged or gone."""

from pathlib import Path

import pytest
from support.commands import RunCommand
from support.run_info import INTERRUPTED, figures_of
from support.runs import journals, open_store
from support.sheets import rows, sheet
from support.zoho import StandIn

from batchlock.core.runs import RunState


def damage(journal: Path) -> None:
    journal.write_bytes(b"SQLite format 3" + bytes(4096))


def empty(journal: Path) -> None:
    journal.write_bytes(b"")


def remove(journal: Path) -> None:
    journal.unlink()


@pytest.fixture(params=[damage, empty, remove])
def lost(request: pytest.FixtureRequest, org: StandIn, run_in_process: RunCommand) -> str:
    """Return the id of a run that was killed with rows left, and whose journal is lost."""
    run_id: str = run_in_process("run", sheet("in.csv", rows(3)), "--json").json["run_id"]
    (journal,) = journals()
    request.param(journal)
    with open_store() as store:
        store.runs.end_session(run_id, RunState.STOPPED, INTERRUPTED, figures=figures_of(left=3))
        store.runs.start_session(store.runs.find(["default"], run_id))
    return run_id


def test_a_run_whose_journal_is_lost_stops_no_other_run(
    lost: str, run_in_process: RunCommand
) -> None:
    completed = run_in_process("run", sheet("other.csv", rows(2)), "--json")
    assert completed.code == 0
    assert completed.json["counts"]["updated"] == 2
    with open_store() as store:
        run = store.runs.get(lost)
    assert run is not None
    assert run.state is RunState.STOPPED


def test_the_file_of_a_lost_journal_begins_anew(lost: str, run_in_process: RunCommand) -> None:
    had_file = bool(journals())
    completed = run_in_process("run", "in.csv", "--json")
    assert completed.code == 0
    assert completed.json["run_id"] != lost
    assert completed.json["counts"]["updated"] == 3
    assert lost in completed.err
    assert "Its run cannot be resumed." in completed.err
    with open_store() as store:
        run = store.runs.get(lost)
    assert run is not None
    assert run.state is RunState.SUPERSEDED
    # No file was made in the place of a missing one.
    assert [path.stem == lost for path in journals()] == ([True, False] if had_file else [False])


def test_resume_without_an_id_passes_over_a_lost_journal(
    lost: str, run_in_process: RunCommand
) -> None:
    assert "no unfinished run" in run_in_process("resume").out
    assert run_in_process("resume", lost).code == 1
