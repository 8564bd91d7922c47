"""The table of a check: the columns that are sent come first, then the others of the file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from batchlock.core.cell_text import display_text
from batchlock.core.corrections import Correction
from batchlock.core.reading import FieldSource
from batchlock.core.results import ResultRow
from batchlock.core.rows import Action, Field, Problem, Update
from batchlock.store.journal import KnownReason, Record
from batchlock.web.translation import N_
from batchlock.web.translation import gettext as _

# The columns beside those that are sent which fit a screen with them.
_OTHER_COLUMNS = 6
# More make a page of several MB, which no browser shows in time; a file may have 16,384.
_MOST_COLUMNS = 200
_LABELS = {
    Field.MODULE: N_("Module"),
    Field.RECORD_ID: N_("Record id"),
    Field.LOCK_ID: N_("Lock id"),
    Field.REASON: N_("Reason"),
    Field.ACTION: N_("Action"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedColumn:
    """A column of the table."""

    title: str
    """Its title in the file; the name of the field where no column serves it."""
    index: int | None
    """Its place in the file, from 0; None where no column serves the field."""
    field: Field | None = None
    """What it is read as; None for a column that is not sent."""
    value: str = ""
    """The one value of all rows, or that the lock id is looked up; where no column serves it."""

    @property
    def label(self) -> str:
        """The name of the field, in words; empty for a column that is not sent."""
        return "" if self.field is None else _(_LABELS[self.field])

    def text_in(self, row: ResultRow) -> str:
        """Return the cell of a row in this column, or the value of all rows."""
        if self.index is None:
            return self.value
        return display_text(row.cells[self.index]) if self.index < len(row.cells) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedColumns:
    """Which columns the table shows, and how many of the file it does not."""

    columns: Sequence[CheckedColumn]
    is_whole: bool
    """Whether the other columns are shown too, as far as a page can."""
    foldable: int
    """How many columns more or less the other way of showing the table has."""
    hidden: int
    """How many columns of the file are not shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedCell:
    """A cell of the table, with the problems that it has."""

    column: CheckedColumn
    text: str
    problems: Sequence[str]
    correction: Correction | None = None
    """What a person has corrected in it."""
    old: KnownReason | None = None
    """What the lock said when that was last known, if this is the reason and it differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedRow:
    """A row of the table."""

    row: ResultRow
    cells: Sequence[CheckedCell]
    other_problems: Sequence[Problem]
    """Those of columns that the table does not show."""


def checked_columns(
    titles: Sequence[str], sources: Sequence[FieldSource], *, is_whole: bool
) -> CheckedColumns:
    """Return the columns of the table: those that are sent, in a fixed order, then the others.

    `sources` say where each field comes from. With `is_whole`, all others that fit a page follow.
    """
    by_field = {source.field: source for source in sources}
    sent = [
        _sent_column(by_field[field], titles)
        for field in _LABELS
        if field in by_field and (field is not Field.ACTION or by_field[field].title is not None)
    ]
    used = {column.index for column in sent}
    others = [
        CheckedColumn(title=title, index=index)
        for index, title in enumerate(titles)
        if index not in used
    ]
    few, many = others[:_OTHER_COLUMNS], others[:_MOST_COLUMNS]
    visible = many if is_whole else few
    return CheckedColumns(
        columns=[*sent, *visible],
        is_whole=is_whole,
        foldable=len(many) - len(few),
        hidden=len(others) - len(visible),
    )


def checked_row(
    row: ResultRow,
    columns: Sequence[CheckedColumn],
    problems: Sequence[Problem],
    update: Update | None,
    known: Mapping[Record, KnownReason],
    corrections: Sequence[Correction],
) -> CheckedRow:
    """Return a row of the table, with each problem on its cell if the table shows that.

    `update` is what the row asks for, if it can be sent; `known` has the locks whose reason
    changes, and `corrections` the corrected cells of all rows.
    """
    corrected = {one.field: one for one in corrections if one.row == row.row}
    row_problems = [problem for problem in problems if problem.row == row.row]
    # Two columns may have the same title; the one that is read is the one with the problem.
    first_of: Mapping[str, CheckedColumn] = {one.title: one for one in reversed(columns)}
    old = None
    if update is not None and update.action is not Action.UNLOCK:
        old = known.get((update.module, update.record_id))
    return CheckedRow(
        row=row,
        cells=[
            CheckedCell(
                column=column,
                text=column.text_in(row),
                problems=[
                    one.message for one in row_problems if first_of.get(one.column) is column
                ],
                correction=corrected.get(column.field) if column.field else None,
                old=old if column.field is Field.REASON else None,
            )
            for column in columns
        ],
        other_problems=[problem for problem in row_problems if problem.column not in first_of],
    )


def _sent_column(source: FieldSource, titles: Sequence[str]) -> CheckedColumn:
    if source.title is not None and source.title in titles:
        index = titles.index(source.title)
        return CheckedColumn(title=source.title, index=index, field=source.field)
    value = _("looked up") if source.value is None else source.value
    return CheckedColumn(
        title=_(_LABELS[source.field]), index=None, field=source.field, value=value
    )
