import os
from pathlib import Path

import pytest
from support.journals import plan_journal, result_by_row, simple_update
from support.run_info import run_info

from batchlock.core.errors import BatchlockError
from batchlock.core.results import Result
from batchlock.core.runs import Totals
from batchlock.store.journal import Journal


def test_the_facts_of_a_run_are_read_back(path: Path) -> None:
    info = run_info(sheet="Sheet1", encoding="cp1252", delimiter=";", output="x.csv")
    with Journal.create(path, run_info()) as journal:
        assert journal.info == run_info()
        journal.set_info(info)
    with Journal.open(path) as journal:
        assert journal.info == info
        assert journal.totals == Totals()


def test_a_file_name_that_is_not_unicode_is_kept(path: Path) -> None:
    info = run_info(file=os.fsdecode(b"/data/caf\xe9.csv"), titles=("a\ud800",))
    with Journal.create(path, info) as journal:
        assert journal.info == info


def test_a_second_plan_of_the_same_path_is_refused(path: Path) -> None:
    plan_journal(path, [simple_update(2)])
    with pytest.raises(BatchlockError, match="cannot be used"):
        Journal.create(path, run_info())
    with Journal.open(path) as journal:
        assert result_by_row(journal) == {2: Result.NOT_SENT}
