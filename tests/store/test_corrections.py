"""The corrections of uploads, with both homes of the store."""

from dataclasses import replace

import pytest
from support.run_info import run_record

from batchlock.core.rows import Field
from batchlock.core.runs import RunState
from batchlock.store.corrections import CellChange, SaveResult
from batchlock.store.store import Store
from batchlock.store.uploads import UploadState

CHANGE = CellChange(
    row=3,
    field=Field.REASON,
    sheet="S\ud800",
    column="Reason",
    in_file="old\0",
    seen="old\0",
    new="new\ud800",
)


@pytest.fixture(autouse=True)
def upload(store: Store) -> None:
    """Add the upload f1 of a.csv, which is checked."""
    store.uploads.add("f1", "acme", "a.csv", "Anna")
    store.uploads.set_checked("f1")


def state(store: Store) -> UploadState:
    upload = store.uploads.get("acme", "f1")
    assert upload is not None
    return upload.state


def test_a_correction_is_stored_and_the_upload_is_read_again(store: Store) -> None:
    assert store.corrections.save("f1", [CHANGE], "Anna") == SaveResult()
    (one,) = store.corrections.of_upload("f1")
    assert (one.row, one.field, one.sheet, one.column) == (3, Field.REASON, "S\ud800", "Reason")
    assert (one.old, one.new, one.person) == ("old\0", "new\ud800", "Anna")
    assert state(store) is UploadState.READING
    assert store.corrections.of_upload("f2") == []


def test_nothing_is_changed_while_the_upload_is_read(store: Store) -> None:
    store.corrections.save("f1", [CHANGE], "Anna")
    later = replace(CHANGE, seen="new\ud800", new="newer")
    assert store.corrections.save("f1", [later], "Ben") == SaveResult(is_busy=True)
    store.uploads.set_checked("f1")
    assert store.corrections.save("f1", [later], "Ben") == SaveResult()
    (one,) = store.corrections.of_upload("f1")
    assert (one.old, one.new, one.person) == ("old\0", "newer", "Ben")


def test_who_has_not_seen_a_correction_changes_nothing(store: Store) -> None:
    store.corrections.save("f1", [CHANGE], "Anna")
    store.uploads.set_checked("f1")
    other = replace(CHANGE, row=4)
    late = replace(CHANGE, new="late")
    assert store.corrections.save("f1", [other, late], "Ben") == SaveResult(outdated=(late,))
    assert [one.row for one in store.corrections.of_upload("f1")] == [3]
    assert state(store) is UploadState.CHECKED


def test_a_correction_is_taken_back_and_goes_with_its_upload(store: Store) -> None:
    store.corrections.save("f1", [CHANGE, replace(CHANGE, row=4)], "Anna")
    store.uploads.set_checked("f1")
    back = replace(CHANGE, seen="new\ud800", new="old\0")
    store.corrections.save("f1", [back], "Ben")
    assert [one.row for one in store.corrections.of_upload("f1")] == [4]
    store.uploads.remove("f1")
    assert store.corrections.of_upload("f1") == []


def test_an_upload_has_an_open_run_until_it_is_closed(store: Store) -> None:
    assert store.uploads.open_run("f1") is None
    run = replace(run_record(), upload="f1", state=RunState.STOPPED)
    store.runs.add(run)
    assert store.uploads.open_run("f1") == run.run_id
    assert store.uploads.open_run("f2") is None
    store.runs.remove(run.run_id)
    store.runs.add(replace(run, state=RunState.FINISHED))
    assert store.uploads.open_run("f1") is None
