import errno
import os
from pathlib import Path
from typing import Any

import pytest

from batchlock.core.errors import BatchlockError
from batchlock.report.publish import Place, publish, writable_place


def writes(text: str) -> Any:
    return lambda draft: draft.write_text(text)


# The titles of results, as CSV.
OLD = "Module,Result,Row check"
RUN_ID = "20260314-020304-1f3a"


def files_of(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def test_results_replace_the_target_in_one_step(tmp_path: Path) -> None:
    target = tmp_path / "results.xlsx"
    target.write_text(OLD)
    observed = []

    def write(draft: Path) -> None:
        draft.write_text("new")
        observed.append((draft.parent, draft.name[0], target.read_text()))

    assert publish(write, target, tmp_path / "state", run_id=RUN_ID).path == target
    assert observed == [(tmp_path, ".", OLD)]
    assert files_of(tmp_path) == {"results.xlsx": "new"}
    assert not (tmp_path / "state").exists()


def test_results_get_a_free_name_beside_a_target_that_cannot_be_replaced(tmp_path: Path) -> None:
    target = tmp_path / "results.xlsx"
    target.mkdir()
    (tmp_path / "results (2).xlsx").write_text("someone's")
    place = writable_place(target, tmp_path / "state")
    put = publish(writes("new"), target, tmp_path / "state", run_id=RUN_ID)
    assert put == place
    assert put == Place(tmp_path / "results (3).xlsx", f"{target} is a folder")
    assert files_of(tmp_path) == {"results (2).xlsx": "someone's", "results (3).xlsx": "new"}


@pytest.mark.parametrize("blocker", ["missing", "file"])
def test_results_go_to_the_fallback_folder(tmp_path: Path, blocker: str) -> None:
    (tmp_path / "file").write_text("")
    target = tmp_path / blocker / "results.xlsx"
    state = tmp_path / "state" / "results"
    assert writable_place(target, state).path == state / "results.xlsx"
    assert publish(writes("first"), target, state, run_id=RUN_ID).path == state / "results.xlsx"
    assert writable_place(target, state).path == state / "results (2).xlsx"
    assert (
        publish(writes("second"), target, state, run_id=RUN_ID).path == state / "results (2).xlsx"
    )
    assert files_of(state) == {"results.xlsx": "first", "results (2).xlsx": "second"}


def test_a_full_disk_moves_the_results_to_the_fallback_folder(tmp_path: Path) -> None:
    target, state = tmp_path / "results.xlsx", tmp_path / "state"

    def write(draft: Path) -> None:
        draft.write_text("part")
        if draft.parent == tmp_path:
            raise OSError(errno.ENOSPC, "No space left on device")

    assert publish(write, target, state, run_id=RUN_ID).path == state / "results.xlsx"
    assert files_of(tmp_path) == {}


def test_two_unwritable_folders_are_reported_with_both_reasons(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    target = tmp_path / "missing" / "results.xlsx"
    with pytest.raises(BatchlockError) as probing:
        writable_place(target, tmp_path / "file")
    with pytest.raises(BatchlockError) as publishing:
        publish(writes(""), target, tmp_path / "file", run_id=RUN_ID)
    for error in (probing, publishing):
        assert f"{target} (No such file or directory)" in str(error.value)
        assert f"{tmp_path / 'file' / 'results.xlsx'} (File exists)" in str(error.value)
    assert f"batchlock report {RUN_ID}." in str(publishing.value)
    assert f"batchlock report {RUN_ID}." not in str(probing.value)


def test_stale_drafts_of_killed_reports_are_removed(tmp_path: Path) -> None:
    young, old = ".batchlock-0123abcd.part", ".batchlock-00000000.part"
    other_files = [
        ".batchlock-notes.part",
        "batchlock-00000000.part",
        ".batchlock-00000000.part.old",
    ]
    for name in (young, old, *other_files):
        (tmp_path / name).write_text("part")
        if name != young:
            os.utime(tmp_path / name, (0, 0))
    publish(writes("new"), tmp_path / "results.xlsx", tmp_path / "state", run_id=RUN_ID)
    remaining = dict.fromkeys([young, *other_files], "part")
    assert files_of(tmp_path) == {"results.xlsx": "new", **remaining}


@pytest.mark.parametrize("exists", [True, False])
def test_probing_changes_nothing(tmp_path: Path, exists: bool) -> None:
    target = tmp_path / "results.xlsx"
    if exists:
        target.write_text(OLD)
    assert writable_place(target, tmp_path / "state") == Place(target)
    assert files_of(tmp_path) == ({"results.xlsx": OLD} if exists else {})


def test_any_other_error_is_raised_and_leaves_no_draft(tmp_path: Path) -> None:
    def write(draft: Path) -> None:
        raise KeyError(draft.name)

    with pytest.raises(KeyError):
        publish(write, tmp_path / "results.xlsx", tmp_path / "state", run_id=RUN_ID)
    assert files_of(tmp_path) == {}
