"""The journals of all runs, as the store keeps them."""

from pathlib import Path

import pytest
from support.journals import make_outcome, plan_journal, result_by_row, simple_update
from support.run_info import run_info

from batchlock.core.errors import BatchlockError
from batchlock.core.results import Result
from batchlock.store.journal import Journal
from batchlock.store.journals import JournalFiles

INFO = run_info()
OTHER = run_info(run_id="20260315-020304-aaaa", kind="retry")


@pytest.fixture
def journals(tmp_path: Path) -> JournalFiles:
    """Return the journals of an empty state folder."""
    journals = JournalFiles(tmp_path / "runs")
    journals.prepare(INFO.org)
    return journals


def test_a_retry_never_overwrites_a_run(journals: JournalFiles) -> None:
    plan_journal(journals.path(INFO), [simple_update(2)])
    plan_journal(journals.path(OTHER), [simple_update(5)])
    with journals.open(INFO) as journal, pytest.raises(BatchlockError, match="there already"):
        journals.add_unsettled_rows(journal, OTHER)
    with journals.open(OTHER) as unchanged:
        assert result_by_row(unchanged) == {5: Result.NOT_SENT}


def test_nothing_is_left_of_a_journal_that_is_removed(journals: JournalFiles) -> None:
    path = plan_journal(journals.path(INFO), [simple_update(2)])
    journal = Journal.open(path)
    journal.commit_batch([], claim=1)
    left = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    assert len(left) == 3
    journal.close()
    for name, content in left.items():  # as a killed process leaves them
        path.with_name(name).write_bytes(content)
    journals.remove(INFO)
    assert list(path.parent.iterdir()) == []
    journals.remove(INFO)


@pytest.mark.parametrize("content", [b"", b"not a database, but long enough for one" * 9])
def test_a_damaged_journal_decides_nothing(journals: JournalFiles, content: bytes) -> None:
    journals.path(OTHER).write_bytes(content)
    with Journal.open(plan_journal(journals.path(INFO), [simple_update(2)])) as journal:
        journal.commit_batch([make_outcome(2)])
    third = run_info(run_id="20260316-020304-aaaa")
    with Journal.open(plan_journal(journals.path(third), [simple_update(2)])) as journal:
        journals.leave_done_rows(journal, [OTHER, INFO])
        assert result_by_row(journal) == {2: Result.UNCHANGED}
        assert journal.is_compared


def test_the_version_of_a_journal_changes_with_each_commit(journals: JournalFiles) -> None:
    plan_journal(journals.path(INFO), [simple_update(2)])
    before = journals.version(INFO)
    with journals.open(INFO) as journal:
        journal.commit_batch([], claim=1)
    assert journals.version(INFO) != before
