import time

import pytest
from support.run_info import run_info, run_record

from batchlock.core.encodings import TextReading
from batchlock.core.runs import RunState
from batchlock.store.store import Store
from batchlock.store.uploads import ReadChoices, Upload, UploadState

READING = TextReading(encoding="cp1250", label="Central European", samples=("ž",))


def upload_of(store: Store, upload_id: str = "f1") -> Upload:
    """Return an upload that is in the table."""
    upload = store.uploads.get("acme", upload_id)
    assert upload is not None
    return upload


@pytest.fixture(autouse=True)
def upload(store: Store) -> None:
    """Add the upload f1 of a.csv."""
    store.uploads.add("f1", "acme", "a.csv", "Anna")


def test_a_new_upload_is_being_read(store: Store) -> None:
    upload = upload_of(store)
    assert (upload.name, upload.user, upload.state) == ("a.csv", "Anna", UploadState.READING)
    assert time.time() - 60 < upload.uploaded_at <= time.time()
    assert upload.choices == ReadChoices()
    assert store.uploads.unread("acme") == [upload]
    assert store.uploads.get("other", "f1") is None
    store.uploads.set_checked("f1")
    assert store.uploads.unread("acme") == []


def test_choices_are_read_as_they_were_saved(store: Store) -> None:
    choices = ReadChoices(
        columns={"module": "\ud800"}, constants={"reason": "audit"}, sheet="S", encoding="cp1250"
    )
    store.uploads.set_refused("f1", "It cannot be read.", readings=[READING])
    assert upload_of(store).readings == (READING,)
    store.uploads.set_reading("f1", choices, remembered=True)
    upload = upload_of(store)
    assert (upload.choices, upload.are_remembered) == (choices, True)
    assert (upload.state, upload.refusal, upload.readings) == (UploadState.READING, "", ())


def test_a_refusal_without_alternatives_keeps_the_earlier_ones(store: Store) -> None:
    store.uploads.set_refused("f1", "No column.", columns=["Modul", "Gründe"], sheets=["S"])
    store.uploads.set_refused("f1", "It cannot be read.")
    upload = upload_of(store)
    assert (upload.state, upload.refusal) == (UploadState.REFUSED, "It cannot be read.")
    assert (upload.columns, upload.sheets) == (("Modul", "Gründe"), ("S",))


def test_an_upload_has_a_run_when_a_record_names_it(store: Store) -> None:
    store.uploads.add("f2", "acme", "b.csv", "Anna")
    store.uploads.add("f3", "other", "c.csv", "Anna")
    store.runs.add(run_record(upload="f1"))
    store.runs.add(run_record(run_info(run_id="20260315-020304-1f3a"), upload=None))
    assert store.uploads.has_run("f1")
    assert not store.uploads.has_run("f2")
    assert [upload.id for upload in store.uploads.without_run("acme", limit=9)] == ["f2"]


def test_the_newest_uploads_without_a_run_come_first(store: Store) -> None:
    store.uploads.add("f2", "acme", "b.csv", "Anna")
    assert [upload.id for upload in store.uploads.without_run("acme", limit=9)] == ["f2", "f1"]
    assert [upload.id for upload in store.uploads.without_run("acme", limit=1)] == ["f2"]


@pytest.mark.parametrize(
    ("state", "is_old"),
    [
        (RunState.QUEUED, False),
        (RunState.RUNNING, False),
        (RunState.PAUSED, False),
        (RunState.STOPPED, True),
        (RunState.FINISHED, True),
    ],
)
def test_an_upload_is_old_unless_its_run_is_active(
    state: RunState, is_old: bool, store: Store
) -> None:
    store.runs.add(run_record(upload="f1", state=state))
    assert bool(store.uploads.older_than("acme", time.time() + 1)) is is_old
    assert store.uploads.older_than("acme", time.time() - 60) == []


def test_an_upload_that_is_removed_is_gone(store: Store) -> None:
    store.uploads.remove("f1")
    assert store.uploads.ids() == set()
