from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.journals import OpenPlan, make_outcome, make_update, open_every_status
from support.previews import FIELDS, NOTE, preview

from batchlock.core.preview import ModuleRows
from batchlock.core.reading import EncodingSource, FieldSource, FileReading, Note, Origin
from batchlock.core.results import Status
from batchlock.core.rows import Action, Field, Problem, Update
from batchlock.report.preview import preview_lines, preview_of
from batchlock.report.summaries import refusal_of
from batchlock.store.journal import Journal, copy_unsettled_rows

CELLS = "cells separated by semicolons, titles in row 1"


def locked(row: int, lock_id: str | None = "", **fields: Any) -> Update:
    """Return an update of a record and a lock of its own."""
    return make_update(row, lock_id=f"68431040000{row:07}1" if lock_id == "" else lock_id, **fields)


def test_a_preview_counts_rows_by_module_and_a_call_for_each_look_up(open_plan: OpenPlan) -> None:
    journal = open_plan(
        [
            locked(2, module="Deals"),
            locked(3, module="Deals", lock_id=None),
            locked(4, module="Leads", lock_id=None),
            replace(locked(4, None, module="Leads"), row=5),
            locked(6, module="Deals"),
        ],
        problems=[Problem(7, "Why", "missing_value", "It is blank.")],
        finished=[6],
    )
    read_as = preview_of(journal).read_as
    assert read_as.modules == (
        ModuleRows(module="Deals", action="update", rows=2),
        ModuleRows(module="Leads", action="update", rows=1),
    )
    assert (read_as.rows, read_as.lookups, read_as.calls, read_as.credits) == (3, 2, 5, 5)
    assert [sample.row for sample in read_as.samples] == [2, 3, 4]
    assert [sample.lock_id for sample in read_as.samples[1:]] == [None, None]


def test_a_preview_is_the_same_after_the_rows_are_sent(open_plan: OpenPlan) -> None:
    journal = open_plan([locked(row) for row in range(2, 8)], finished=[4])
    before = preview_of(journal)
    journal.commit_batch([], claim=9)
    at = datetime(2026, 3, 14, tzinfo=UTC)
    journal.commit_batch(
        [
            make_outcome(2, finished_at=at),
            make_outcome(3, Status.UNCHANGED, finished_at=at),
            make_outcome(5, Status.FAILED, finished_at=at),
        ]
    )
    assert preview_of(journal) == before
    assert before.read_as.rows == 5


def test_rows_with_letters_beyond_ascii_are_shown_first(open_plan: OpenPlan) -> None:
    reasons = ["plain", "5 € a day", "zażółć", "plain", "Prüfung", "plain"]
    journal = open_plan([locked(row, reason=text) for row, text in enumerate(reasons, 2)])
    samples = preview_of(journal).read_as.samples
    assert [(sample.row, sample.reason) for sample in samples] == [
        (4, "zażółć"),
        (6, "Prüfung"),
        (2, "plain"),
    ]


def test_a_plan_without_rows_to_send_has_no_samples(open_plan: OpenPlan) -> None:
    read_as = preview_of(open_plan([locked(2)], finished=[2])).read_as
    assert (read_as.modules, read_as.samples, read_as.calls) == ((), (), 0)


def test_a_retry_is_read_as_its_run_was(open_plan: OpenPlan, tmp_path: Path) -> None:
    source = open_every_status(open_plan)
    source.set_reading(FileReading(header_row=3, notes=(NOTE,)))
    path = tmp_path / "retry.journal"
    copy_unsettled_rows(source, path, source.info)
    with Journal.open(path) as retry:
        assert retry.reading == source.reading


def test_the_lines_say_how_the_file_is_read_and_what_that_costs() -> None:
    lines = [f"{line.label}: {line.text}" for line in preview_lines(preview(notes=(NOTE,)))]
    assert lines == [
        f"Read as: text in UTF-8 (its bytes fit no other encoding), {CELLS}",
        'Columns: module "Module", record id "Record Id", lock id "Lock Id", reason "Reason"',
        "To send: 2 updates: Leads 2",
        "Takes: 3 calls (1 to look up lock ids), 3 credits",
        "Note: A filter hides these rows, and they are sent. (rows 3-4)",
        "Sample: row 2: Leads 5843104000000425561, lock id looked up, reason: Prüfung",
    ]


def test_the_rows_are_counted_by_action_and_the_calls_that_each_takes(
    open_plan: OpenPlan,
) -> None:
    journal = open_plan(
        [
            locked(2, module="Deals", action=Action.UNLOCK, reason=""),
            locked(3, None, module="Deals", action=Action.LOCK),
            locked(4, None, module="Leads", action=Action.LOCK),
            locked(5, module="Leads"),
            locked(6, None, module="Leads"),
        ]
    )
    found = preview_of(journal)
    assert (found.read_as.calls, found.read_as.credits) == (7, 7)
    texts = [f"{line.label}: {line.text}" for line in preview_lines(found)]
    samples = found.read_as.samples
    assert texts[-5:] == [
        "To send: 2 updates: Leads 2; 2 locks: Deals 1, Leads 1; 1 unlock: Deals 1",
        "Takes: 7 calls (2 to look at locks first), 7 credits",
        f"Sample: row 2: unlock Deals {samples[0].record_id}, lock {samples[0].lock_id}",
        f"Sample: row 3: lock Deals {samples[1].record_id}, reason: {samples[1].reason}",
        f"Sample: row 4: lock Leads {samples[2].record_id}, reason: {samples[2].reason}",
    ]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"sheet": "Locks", "encoding": None, "encoding_source": None, "delimiter": None},
            'sheet "Locks", titles in row 1',
        ),
        (
            {"encoding": "windows-1252", "encoding_source": EncodingSource.GUESS},
            f"text in Windows-1252 (a guess from its letters), {CELLS}",
        ),
        (
            {"sheet": "Locks", "encoding": None, "delimiter": None, "rows_left_out": 8,
             "archive_member": "a.xlsx"},
            '"a.xlsx" in the archive, sheet "Locks", titles in row 1, 8 hidden rows left out',
        ),
        ({"header_row": 0, "encoding_source": None, "delimiter": "^"},
         'text in UTF-8, cells separated by "^"'),
    ],
)  # fmt: skip
def test_the_form_of_a_file_in_words(changes: dict[str, Any], text: str) -> None:
    assert next(preview_lines(preview(**changes))).text == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (FieldSource(field=Field.LOCK_ID, origin=Origin.LOOKUP), "lock id looked up in Zoho"),
        (
            FieldSource(field=Field.MODULE, origin=Origin.FILE, value="Deals"),
            "module Deals in all rows (known from the file)",
        ),
        (
            FieldSource(field=Field.RECORD_ID, origin=Origin.VALUES, title="Datensatz-ID"),
            'record id "Datensatz-ID" (recognised by its values)',
        ),
        (
            FieldSource(field=Field.REASON, origin=Origin.OPTION, title="Grund"),
            'reason "Grund" (as you named it)',
        ),
        (
            FieldSource(field=Field.ACTION, origin=Origin.OPTION, value="lock"),
            "action lock in all rows",
        ),
    ],
)
def test_the_source_of_a_field_in_words(source: FieldSource, text: str) -> None:
    assert list(preview_lines(preview(fields=(source,))))[1].text == text


def test_nothing_to_send_takes_no_calls() -> None:
    empty = preview(fields=FIELDS, modules=(), lookups=0, samples=())
    assert [line.text for line in preview_lines(empty)][-1] == "nothing"


def test_a_strict_refusal_names_the_notes(open_plan: OpenPlan) -> None:
    journal = open_plan([locked(2)], problems=[Problem(3, "Why", "bad_value", "No.")])
    journal.set_reading(FileReading(notes=(NOTE, Note(code="guessed_encoding", message="So."))))
    refusal = refusal_of(journal)
    assert refusal is not None
    assert refusal.sentence == (
        "Nothing was sent, because 1 row has problems and there are 2 notes (hidden rows, guessed "
        "encoding). Correct the file, then run it again; to confirm the encoding, name it with "
        "--encoding; if the notes are as they are meant, run it without --strict."
    )
    assert refusal.is_final


def test_a_strict_refusal_of_a_file_that_was_finished_names_the_way_to_send_it_again(
    open_plan: OpenPlan,
) -> None:
    journal = open_plan([locked(2)])
    journal.set_reading(FileReading(notes=(Note(code="finished_before", message="So."),)))
    refusal = refusal_of(journal)
    assert refusal is not None
    assert refusal.sentence == (
        "Nothing was sent, because there is a note (finished before). To send every row again, add "
        "--fresh; if the notes are as they are meant, run it without --strict."
    )


def test_notes_without_problems_refuse_a_strict_run_too(open_plan: OpenPlan) -> None:
    journal = open_plan([locked(2)])
    assert refusal_of(journal) is None
    journal.set_reading(FileReading(notes=(NOTE,)))
    refusal = refusal_of(journal)
    assert refusal is not None
    assert "because there is a note (hidden rows)." in refusal.sentence


def test_a_note_about_rows_keeps_them_for_the_marks() -> None:
    note = Note.of_rows("hidden_rows", "Hidden.", [2, 3, 4, 9])
    assert (note.rows, note.ranges, note.spans) == (4, "2-4, 9", ((2, 4), (9, 9)))
    assert Note.of_rows("x", "y", range(0, 40_000, 2)).spans == ()
    reading = FileReading(notes=(note,))
    assert FileReading.from_json(reading.to_json()) == reading
