"""The store as a whole: records with their journals."""

import os
import stat
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.journals import Home, make_outcome, simple_update
from support.run_info import INTERRUPTED, figures_of, run_info, run_record

from batchlock.core.errors import BatchlockError, UsageError
from batchlock.core.runs import Run, RunState, superseded_by
from batchlock.core.stop import COMPLETED, StopCode
from batchlock.store.earlier import last_finished
from batchlock.store.journals import JournalFiles
from batchlock.store.store import Store

FIRST, SECOND = "20260314-020304-1f3a", "20260315-020304-1f3a"
RUN = run_record(run_info(run_id=FIRST))


def journal_path(store: Store) -> Path:
    return JournalFiles(store.state / "runs").path(RUN.info)


def add_newer(store: Store, **info: object) -> Run:
    newer = run_record(run_info(run_id=SECOND, **info), parent=FIRST)
    store.runs.add(newer, superseded=superseded_by(newer.info))
    return newer


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
def test_only_this_user_can_read_the_journals(embedded_store: Store) -> None:
    embedded_store.journals.prepare("acme")
    folder = journal_path(embedded_store).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_of_journals_that_cannot_be_made_is_reported(embedded_store: Store) -> None:
    (embedded_store.state / "runs").write_text("a file")
    with pytest.raises(UsageError, match="state_directory"):
        embedded_store.journals.prepare("acme")


def test_drafts_of_killed_plans_are_deleted_after_a_while(embedded_store: Store) -> None:
    embedded_store.journals.prepare("acme")
    folder = journal_path(embedded_store).parent
    old, new, table = (folder / f"{name}.partial" for name in ("old", "new", "table"))
    journal = folder / "run.journal"
    for path in (old, new, journal):
        path.touch()
    table.mkdir()
    (table / "sheet.xml").touch()
    for path in (old, table, journal):
        os.utime(path, (time.time() - 7200,) * 2)
    embedded_store.journals.prepare("acme")
    assert sorted(folder.iterdir()) == [new, journal]


def test_a_run_that_is_recorded_as_running_was_killed_when_its_org_is_free(
    store: Store, tmp_path: Path
) -> None:
    store.journals.prepare("acme")
    Home(store.journals, tmp_path).plan([simple_update(2), simple_update(3)], RUN.info)
    with store.open_journal(RUN) as journal:
        journal.commit_batch([], claim=1)
        journal.commit_batch([make_outcome(2)])
    store.runs.add(RUN)
    store.runs.start_session(RUN)
    with store.lock("acme"):
        run = store.runs.get(FIRST)
        assert run is not None
        assert run.state is RunState.STOPPED
        assert run.reason is not None
        assert run.reason.code is StopCode.KILLED
        assert (run.figures.settled, run.figures.remaining) == (1, 1)


@pytest.mark.parametrize("content", [None, b"", b"not a database, but long enough for one" * 9])
def test_a_killed_run_without_its_journal_keeps_the_figures_of_its_record(
    content: bytes | None, embedded_store: Store
) -> None:
    embedded_store.journals.prepare("acme")
    if content is not None:
        journal_path(embedded_store).write_bytes(content)
    embedded_store.runs.add(replace(RUN, figures=figures_of(updated=1, left=2)))
    embedded_store.runs.start_session(RUN)
    with embedded_store.lock("acme"):
        run = embedded_store.runs.get(FIRST)
        assert run is not None
        assert (run.state, run.figures) == (RunState.STOPPED, figures_of(updated=1, left=2))
        with pytest.raises(BatchlockError), embedded_store.open_journal(run) as journal:
            journal.remaining()


def test_a_run_can_be_resumed_until_it_is_closed(store: Store) -> None:
    store.runs.add(RUN)
    assert store.not_resumable_because(RUN) == ""
    store.runs.end_session(FIRST, RunState.STOPPED, INTERRUPTED)
    assert store.not_resumable_because(RUN) == ""
    store.runs.end_session(FIRST, RunState.FINISHED, COMPLETED)
    assert store.not_resumable_because(RUN) == "It has ended."


def test_a_run_whose_rows_went_on_in_a_retry_cannot_be_resumed(store: Store) -> None:
    store.runs.add(RUN)
    retry = add_newer(store, retry_of=FIRST, identity="retry")
    moved = f"The remaining rows were moved to run {SECOND}."
    assert store.not_resumable_because(RUN) == moved
    assert store.not_resumable_because(retry) == ""


def test_a_run_whose_place_another_took_cannot_be_resumed(store: Store) -> None:
    store.runs.add(RUN)
    newer = add_newer(store, identity="another identity")
    replaced = f"A new run of the file was started: {SECOND}."
    assert store.not_resumable_because(RUN) == replaced
    assert store.not_resumable_because(newer) == ""


def test_the_newest_run_that_came_to_its_end_says_when_the_file_was_finished() -> None:
    first, second = (datetime(2026, 3, day, tzinfo=UTC) for day in (14, 15))
    runs = [
        replace(RUN, state=RunState.SUPERSEDED, finished_at=datetime(2026, 3, 16, tzinfo=UTC)),
        replace(RUN, state=RunState.FINISHED, reason=INTERRUPTED, finished_at=second),
        replace(RUN, state=RunState.FINISHED, finished_at=first),
    ]
    assert last_finished(runs, runs[0].info) == second
    assert last_finished(runs[:1], runs[0].info) is None
    assert last_finished([], runs[0].info) is None
    locks = replace(runs[1], info=replace(RUN.info, action="lock"))
    assert last_finished([locks, runs[2]], runs[0].info) == first


def test_a_state_folder_may_have_a_relative_path(isolated: Path) -> None:
    with Store(Path("state")) as store:
        store.runs.add(RUN)
        assert store.runs.get(FIRST) == RUN
