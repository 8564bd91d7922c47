"""What makes two runs of a file the same run."""

from pathlib import Path

import pytest

from batchlock.config import Settings
from batchlock.core.options import RunOptions
from batchlock.plan.run_info import new_run_info

WITHOUT = RunOptions()


@pytest.mark.parametrize(
    "options",
    [
        RunOptions(encoding="windows-1250"),
        RunOptions(earlier_encoding="windows-1250"),
        RunOptions(visible_only=True),
        RunOptions(constants={"module": "Leads"}),
        RunOptions(constants={"action": "lock"}),
    ],
)
def test_another_reading_makes_another_run(tmp_path: Path, options: RunOptions) -> None:
    file = tmp_path / "in.csv"
    file.write_text("Module,Record Id,Reason\n")
    with_choice, again, without = (
        new_run_info(file, Settings(), "acme", one).identity for one in (options, options, WITHOUT)
    )
    assert with_choice == again
    assert with_choice != without


def test_a_lock_and_an_unlock_of_a_file_are_two_runs(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_text("Module,Record Id,Reason\n")
    lock, unlock = (
        new_run_info(file, Settings(), "acme", RunOptions(constants={"action": action}))
        for action in ("lock", "unlock")
    )
    assert (lock.action, unlock.action) == ("lock", "unlock")
    assert lock.identity != unlock.identity
