"""The page with the check of an upload: counts, forecast, problems on their cells."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from batchlock.core.corrections import Correction
from batchlock.core.preview import Preview
from batchlock.core.results import Cause, Result
from batchlock.core.rows import LONGEST_REASON, Action, Field, Update
from batchlock.core.runs import ACTIVE, Run, RunInfo, RunState
from batchlock.plan.finished import FINISHED_BEFORE
from batchlock.plan.notes import HIDDEN_ROWS
from batchlock.report.preview import (
    NOTE_LABEL,
    SAMPLE_LABEL,
    PreviewLine,
    note_in_words,
    preview_lines,
    preview_of,
)
from batchlock.report.summaries import causes_of
from batchlock.store.earlier import last_finished, last_known_reasons
from batchlock.store.journal import Journal, KnownReason, Record, RowFilter
from batchlock.store.uploads import Upload
from batchlock.web.action_labels import ActionCounts, action_counts
from batchlock.web.approvals.rule import ApprovalView, FourEyes
from batchlock.web.context import AppContext
from batchlock.web.runs.table import PAGE_ROWS, PageOfTable, search_words
from batchlock.web.templating import Page
from batchlock.web.uploads.columns import (
    ENCODINGS,
    FIELDS,
    SAMPLE_ROWS,
    ColumnChoice,
    EncodingChoice,
    FieldChoice,
    column_choices,
)
from batchlock.web.uploads.compared import compared_plan
from batchlock.web.uploads.forecast import Forecast, forecast_of
from batchlock.web.uploads.rows import CheckedColumns, CheckedRow, checked_columns, checked_row

_FILTERS = {
    "problems": frozenset({Result.INVALID}),
    "ready": frozenset({Result.NOT_SENT, Result.UNKNOWN}),
    "duplicates": frozenset({Result.DUPLICATE}),
    "done": frozenset({Result.UNCHANGED}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedRun:
    """A run of the same content that is not finished."""

    run_id: str
    remaining: int
    rows: int
    is_same: bool
    """Whether it reads the file in the same way, so that it can be resumed in place of a new run.
    """
    is_approved: bool
    """Whether it may be resumed as it is: two people have started it, or that is not required."""
    state: RunState | None
    """None when it neither waits nor is being sent nor is paused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPage(Page):
    """The page of a checked upload."""

    template: ClassVar[str] = "check.html"
    upload: Upload
    info: RunInfo
    counts: Mapping[Result, int]
    lookups: int
    forecast: Forecast
    causes: Sequence[Cause]
    preview: Preview
    columns: CheckedColumns
    choices: Sequence[ColumnChoice]
    """The columns to choose from, when a person reads them differently."""
    sheets: Sequence[str]
    """The sheets to choose from; at most one where there is no choice."""
    rows: Sequence[CheckedRow]
    corrections: Sequence[Correction]
    """The cells that people have corrected on the page."""
    not_applied: Sequence[Correction]
    """Those of them that are not applied, because the file is read in another way now."""
    is_strict: bool
    known_reasons: Mapping[Record, KnownReason]
    """What the locks of the shown rows and samples said when that was last known, where the new
    reason is another one.
    """
    selected: str
    """The filter of the table: a key of the select, or `all`."""
    table: PageOfTable
    finished_before: datetime | None
    """When a run of the same content was finished."""
    unfinished: UnfinishedRun | None
    """The newest unfinished run of the same content."""
    approval: ApprovalView | None
    """How the request about the upload stands; None where a start needs no approval."""
    modules: Sequence[str]
    """The modules that can be chosen for all rows."""
    fields: Sequence[FieldChoice] = FIELDS
    encodings: Sequence[EncodingChoice] = ENCODINGS
    longest_reason: int = LONGEST_REASON

    @property
    def known_at(self) -> datetime | None:
        """The time of the oldest of the known reasons; None when there are none."""
        return min((known.at for known in self.known_reasons.values()), default=None)

    @property
    def read_as(self) -> Sequence[PreviewLine]:
        """What the file is read as, in words, without the notes and samples."""
        lines = preview_lines(self.preview)
        return [line for line in lines if line.label not in (NOTE_LABEL, SAMPLE_LABEL)]

    @property
    def read_columns(self) -> Mapping[str, str]:
        """The title of the column that each field is read from, by field."""
        fields = self.preview.read_as.fields
        return {one.field.value: one.title for one in fields if one.title is not None}

    @property
    def actions(self) -> ActionCounts:
        """What a new run does with the records, in numbers."""
        return action_counts(self.preview.read_as.modules, default=self.preview.action)

    @property
    def unlocks(self) -> int:
        """How many records a new run unlocks."""
        modules = self.preview.read_as.modules
        return sum(one.rows for one in modules if one.action == Action.UNLOCK)

    @property
    def can_choose_action(self) -> bool:
        """Whether one action is chosen for all rows, because no column says the action."""
        fields = self.preview.read_as.fields
        return not any(one.field is Field.ACTION and one.title is not None for one in fields)

    @property
    def chosen_action(self) -> str:
        """The action that was chosen for all rows."""
        return self.upload.constants.get(Field.ACTION, Action.UPDATE)

    @property
    def has_actions(self) -> bool:
        """Whether the samples say their action: not all of them are updates."""
        return any(one.action != Action.UPDATE for one in self.preview.read_as.samples)

    @property
    def notes(self) -> Sequence[str]:
        """The notes in words, without that of an earlier run, which has a place of its own."""
        return [
            note_in_words(note.for_page)
            for note in self.preview.notes
            if note.code != FINISHED_BEFORE
        ]

    @property
    def has_hidden_rows(self) -> bool:
        """Whether leaving out hidden rows makes a difference, or was chosen."""
        is_noted = any(note.code == HIDDEN_ROWS for note in self.preview.notes)
        return is_noted or self.upload.visible_only

    @property
    def is_refused(self) -> bool:
        """Whether nothing is sent before the problems and notes are gone."""
        return self.is_strict and bool(self.invalid or self.preview.notes)

    @property
    def row_count(self) -> int:
        """Rows of the file that are not blank."""
        return sum(self.counts.values())

    @property
    def ready(self) -> int:
        """Rows that a new run sends, with those of which Zoho is asked first."""
        return self.counts[Result.NOT_SENT] + self.counts[Result.UNKNOWN]

    @property
    def done(self) -> int:
        """Rows that an earlier run has done."""
        return self.counts[Result.UNCHANGED]

    @property
    def invalid(self) -> int:
        """Rows that have problems."""
        return self.counts[Result.INVALID]


def check_page(
    context: AppContext,
    upload: Upload,
    plan: Path,
    query: Mapping[str, str],
    person: str,
) -> CheckPage:
    """Return the page of a checked upload for a person, with the part of its table of a query."""
    four_eyes = FourEyes(context)
    corrections = context.store.corrections.of_upload(upload.id)
    with compared_plan(plan, context.store) as journal:
        info, counts = journal.info, journal.counts()
        selected, row_filter, table = _requested_rows(
            journal, query, has_invalid=counts[Result.INVALID] > 0
        )
        rows = journal.page(row_filter, offset=table.offset, limit=table.size)
        numbers = [row.row for row in rows]
        first_rows = journal.page(RowFilter(), offset=0, limit=SAMPLE_ROWS)
        sheets, applied = journal.reading.sheets, journal.reading.corrections
        problems, updates = list(journal.problems(numbers)), journal.updates(numbers)
        lookups, remaining = journal.to_look_up(), journal.remaining()
        causes = causes_of(journal)
        preview = preview_of(journal)
    columns = checked_columns(
        info.titles, preview.read_as.fields, is_whole=query.get("columns") == "all"
    )
    known = _changed_reasons(context, info, updates.values(), preview)
    same = context.same_content(info)
    return CheckPage(
        upload=upload,
        info=info,
        counts=counts,
        lookups=lookups,
        forecast=forecast_of(context, remaining + lookups),
        causes=[cause for cause in causes if cause.result is Result.INVALID],
        preview=preview,
        columns=columns,
        choices=column_choices(info.titles, [row.cells for row in first_rows]),
        sheets=sheets,
        rows=[
            checked_row(row, columns.columns, problems, updates.get(row.row), known, applied)
            for row in rows
        ],
        corrections=corrections,
        not_applied=[one for one in corrections if one not in applied],
        known_reasons=known,
        is_strict=context.settings.input.strict,
        selected=selected,
        table=table,
        finished_before=last_finished(same, info),
        unfinished=_unfinished_run(context, four_eyes, same, info.identity),
        approval=four_eyes.view_of_upload(upload, person),
        modules=context.modules,
    )


def _requested_rows(
    journal: Journal, query: Mapping[str, str], *, has_invalid: bool
) -> tuple[str, RowFilter, PageOfTable]:
    """Return the name of the filter of a query, the filter, and the page of the table.

    A query with a row number shows all rows, on the page that has this row.
    """
    row = query.get("row", "")
    row_number = int(row) if re.fullmatch("[0-9]{1,7}", row) else None
    is_all = row_number is not None or not has_invalid
    selected = query.get("show", "all" if is_all else "problems")
    row_filter = RowFilter(results=_FILTERS.get(selected, frozenset()), text=search_words(query))
    if row_number is not None:
        above = journal.count_rows(replace(row_filter, above=row_number))
        query = {**query, "page": str(above // PAGE_ROWS + 1)}
    return selected, row_filter, PageOfTable.requested(query, journal.count_rows(row_filter))


def _changed_reasons(
    context: AppContext, info: RunInfo, updates: Iterable[Update], preview: Preview
) -> dict[Record, KnownReason]:
    """Return what is known of the locks of some rows that get another reason."""
    samples = preview.read_as.samples
    reasons = {
        (one.module, one.record_id): one.reason for one in samples if one.action != Action.UNLOCK
    } | {
        (one.module, str(one.record_id)): one.reason
        for one in updates
        if one.action is not Action.UNLOCK
    }
    known = last_known_reasons(context.store, info, reasons)
    return {record: old for record, old in known.items() if old.reason != reasons[record]}


def _unfinished_run(
    context: AppContext, four_eyes: FourEyes, same_content: Sequence[Run], identity: str
) -> UnfinishedRun | None:
    run = next((run for run in same_content if not run.is_closed), None)
    if run is None:
        return None
    figures = context.store.figures(run)
    return UnfinishedRun(
        run_id=run.run_id,
        remaining=figures.remaining,
        rows=figures.rows,
        is_same=run.info.identity == identity,
        is_approved=not four_eyes.is_on or four_eyes.is_approved(run),
        state=run.state if run.state in ACTIVE else None,
    )
