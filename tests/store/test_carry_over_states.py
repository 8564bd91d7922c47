"""The states of the runs of 0.1.0 that the folder in tests/data/state does not have."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.journals import make_outcome, simple_update
from support.run_info import run_info

from batchlock.core.results import Status
from batchlock.core.runs import Run, RunState
from batchlock.core.stop import StopCode
from batchlock.store.carry_over.old_runs import read_runs
from batchlock.store.carry_over.web_database import RequestedRun
from batchlock.store.journal import Journal
from batchlock.store.journal.old_end import SessionEnd
from batchlock.store.journal.sql import Sql

ENDED_AT = datetime(2026, 3, 14, 3, tzinfo=UTC)
FIRST, SECOND, THIRD = "20260314-020304-1f3a", "20260315-020304-1f3a", "20260316-020304-1f3a"
AddRun = Callable[..., None]


@pytest.fixture
def add_run(tmp_path: Path) -> AddRun:
    """Add a journal with rows 2 to 4, of which some were updated and some are in doubt."""

    def add(
        run_id: str = FIRST,
        *,
        updated: int = 0,
        in_doubt: int = 0,
        end: dict[str, Any] | None = None,
        **info: Any,
    ) -> None:
        folder = tmp_path / "runs" / "acme"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{run_id}.journal"
        updates = [simple_update(row) for row in (2, 3, 4)]
        with Journal.create(path, run_info(**{"identity": run_id, "run_id": run_id} | info)) as new:
            new.add([(one.row, ("x",)) for one in updates], updates=updates, problems=[])
        with Journal.open(path) as journal:
            rows = journal.commit_batch([], claim=updated + in_doubt)[:updated]
            done = [make_outcome(row.row, Status.UPDATED, finished_at=ENDED_AT) for row in rows]
            journal.commit_batch(done)
            if end is not None:
                with journal.database.transaction() as sql:
                    put_end(sql, **end)

    return add


def put_end(sql: Sql, **fields: Any) -> None:
    values: dict[str, Any] = {
        "exit_code": 0,
        "ended_by": "",
        "output": None,
        "closed": False,
    } | fields
    end = SessionEnd(finished_at=ENDED_AT, **values)
    value = json.dumps(asdict(end) | {"finished_at": ENDED_AT.isoformat()})
    sql.execute("INSERT INTO run VALUES ('end', ?)", (value,))


def requested(state: str, reason: str = "") -> RequestedRun:
    return RequestedRun(
        state=state,
        reason=reason,
        file_name="a.csv",
        user="Anna",
        upload="f1",
        requested_at=ENDED_AT,
        starts=1,
    )


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., dict[str, Run]]:
    """Return the records of all runs by their ids; `first` is what the page has of the first."""

    def read(first: RequestedRun | None = None) -> dict[str, Run]:
        runs = read_runs(tmp_path / "runs", {} if first is None else {FIRST: first})
        return {run.run_id: run for run in runs}

    return read


Read = Callable[..., dict[str, Run]]


def state_of(run: Run) -> tuple[RunState, StopCode | None]:
    return run.state, None if run.reason is None else run.reason.code


def test_a_run_of_which_nothing_was_sent_is_planned(add_run: AddRun, read: Read) -> None:
    add_run()
    run = read()[FIRST]
    assert (state_of(run), run.finished_at) == ((RunState.PLANNED, None), None)


@pytest.mark.parametrize(("updated", "in_doubt"), [(1, 0), (0, 1)])
def test_a_run_without_an_end_was_killed(
    updated: int, in_doubt: int, add_run: AddRun, read: Read
) -> None:
    add_run(updated=updated, in_doubt=in_doubt)
    assert state_of(read()[FIRST]) == (RunState.STOPPED, StopCode.KILLED)


def test_a_run_without_an_end_and_without_remaining_rows_is_finished(
    add_run: AddRun, read: Read
) -> None:
    add_run(updated=3)
    run = read()[FIRST]
    assert state_of(run) == (RunState.FINISHED, StopCode.COMPLETED)
    assert run.finished_at == ENDED_AT  # so that it is pruned one day


@pytest.mark.parametrize(
    ("exit_code", "sentence", "code"),
    [
        (6, "Stopped: the time for this run is over.", StopCode.DEADLINE),
        (6, "Stopped: 50 rows in a row failed.", StopCode.RULE),
        (5, "Zoho does not accept the refresh token.", StopCode.SIGN_IN),
        (2, "The org has no such module.", StopCode.SETUP),
        (130, "Interrupted by SIGINT.", StopCode.SIGNAL),
        (3, "Nothing more was sent, because 1 row has problems.", StopCode.ERROR),
    ],
)
def test_a_run_that_ended_early_can_be_resumed(
    exit_code: int, sentence: str, code: StopCode, add_run: AddRun, read: Read
) -> None:
    add_run(updated=1, end={"exit_code": exit_code, "ended_by": sentence})
    run = read()[FIRST]
    assert state_of(run) == (RunState.STOPPED, code)
    assert run.reason is not None
    assert run.reason.sentence == sentence
    assert (run.exit_code, run.finished_at) == (exit_code, ENDED_AT)


def test_a_signal_after_the_last_row_leaves_the_run_finished(add_run: AddRun, read: Read) -> None:
    sentence = "Interrupted by SIGINT."
    add_run(updated=3, end={"exit_code": 130, "ended_by": sentence, "closed": True})
    assert state_of(read()[FIRST]) == (RunState.FINISHED, StopCode.SIGNAL)


def test_a_refusal_after_rows_were_sent_is_no_refused_run(add_run: AddRun, read: Read) -> None:
    sentence = "Nothing was sent, because 1 row has problems."
    add_run(updated=1, end={"ended_by": sentence, "closed": True})
    add_run(SECOND, end={"ended_by": sentence, "closed": True}, sha256="ef" * 32)
    assert read()[FIRST].state is RunState.SUPERSEDED
    assert state_of(read()[SECOND]) == (RunState.REFUSED, StopCode.STRICT)


def test_a_retry_took_the_rows_over_although_the_run_was_not_closed(
    add_run: AddRun, read: Read
) -> None:
    add_run(updated=1)
    add_run(SECOND, kind="retry", retry_of=FIRST, updated=1)
    add_run(THIRD, kind="retry", retry_of=SECOND)
    runs = read()
    assert [run.state for run in runs.values()] == [
        RunState.SUPERSEDED,
        RunState.SUPERSEDED,
        RunState.PLANNED,
    ]
    reason = runs[FIRST].reason
    assert reason is not None
    assert reason.sentence == f"The remaining rows were moved to run {SECOND}."
    assert {run.parent for run in runs.values()} == {FIRST}


def test_retries_of_a_run_that_was_removed_belong_together(add_run: AddRun, read: Read) -> None:
    add_run(SECOND, kind="retry", retry_of=FIRST)
    add_run(THIRD, kind="retry", retry_of=SECOND)
    assert {run.parent for run in read().values()} == {FIRST}


@pytest.mark.parametrize(
    ("newer", "is_superseded"),
    [
        ({"identity": FIRST, "sha256": "ef" * 32}, True),  # the same identity
        ({}, True),  # the same content, read in another way
        ({"sha256": "ef" * 32}, False),
        ({"sheet": "Other"}, False),
        ({"environment": "sandbox"}, False),
        ({"api_url": "https://www.zohoapis.eu"}, False),
    ],
)
def test_a_newer_run_of_the_same_content_supersedes_an_open_run(
    newer: dict[str, str], is_superseded: bool, add_run: AddRun, read: Read
) -> None:
    add_run(updated=1)
    add_run(SECOND, updated=1, **newer)
    runs = read()
    assert runs[SECOND].state is RunState.STOPPED
    if is_superseded:
        assert state_of(runs[FIRST]) == (RunState.SUPERSEDED, StopCode.SUPERSEDED)
        reason = runs[FIRST].reason
        assert reason is not None
        assert reason.sentence == f"A new run of the file was started: {SECOND}."
    else:
        assert runs[FIRST].state is RunState.STOPPED


def test_a_newer_run_that_was_refused_supersedes_no_run_of_another_identity(
    add_run: AddRun, read: Read
) -> None:
    add_run(updated=1)
    add_run(SECOND, end={"ended_by": "Nothing was sent, because it is so.", "closed": True})
    assert read()[FIRST].state is RunState.STOPPED


SIGNAL = {"exit_code": 143, "ended_by": "Interrupted by SIGTERM."}
RULE = {"exit_code": 6, "ended_by": "Stopped: 50 rows in a row failed."}
DONE = {"exit_code": 0, "closed": True}


@pytest.mark.parametrize(
    ("state", "reason", "end", "expected"),
    [
        ("waiting", "", None, (RunState.QUEUED, None)),
        ("waiting", "", RULE, (RunState.QUEUED, None)),  # a person resumed it
        ("working", "", None, (RunState.QUEUED, None)),  # its worker was killed
        ("working", "", SIGNAL, (RunState.QUEUED, None)),
        ("working", "", RULE, (RunState.STOPPED, StopCode.RULE)),
        ("paused", "Paused by Anna.", RULE, (RunState.PAUSED, StopCode.PAUSED)),
        ("ended", "Stopped by Anna.", None, (RunState.STOPPED, StopCode.STOPPED)),
        ("ended", "It ended unexpectedly.", None, (RunState.STOPPED, StopCode.KILLED)),
        ("ended", "", None, (RunState.PLANNED, None)),
        ("waiting", "", DONE, (RunState.SUPERSEDED, StopCode.SUPERSEDED)),
    ],
)
def test_a_run_of_the_page_keeps_its_place(
    state: str,
    reason: str,
    end: dict[str, Any] | None,
    expected: tuple[RunState, StopCode | None],
    add_run: AddRun,
    read: Read,
) -> None:
    add_run(end=end)
    run = read(first=requested(state, reason))[FIRST]
    assert state_of(run) == expected
    assert (run.requested_by, run.file_name, run.upload) == ("Anna", "a.csv", "f1")
    assert (run.queued_at, run.starts) == (ENDED_AT, 1)
    if reason:
        assert run.reason is not None
        assert run.reason.sentence == reason


def test_a_journal_belongs_to_the_org_and_the_id_of_its_path(
    tmp_path: Path, add_run: AddRun, read: Read
) -> None:
    add_run()
    (tmp_path / "runs" / "acme").rename(tmp_path / "runs" / "renamed")
    assert read()[FIRST].info.org == "renamed"
    add_run()  # the same id, in the folder of another org
    assert len(read()) == 1
