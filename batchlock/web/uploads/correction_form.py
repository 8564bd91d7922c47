"""The form in which a person corrects cells: what it shows, and what comes back with it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from batchlock.core.corrections import Correction, text_mark
from batchlock.core.errors import BatchlockError
from batchlock.core.reading import FileReading
from batchlock.core.results import Result, ResultRow
from batchlock.core.rows import Field, Problem
from batchlock.core.runs import RunInfo
from batchlock.store.corrections import CellChange
from batchlock.store.uploads import Upload
from batchlock.web.templating import Page
from batchlock.web.translation import gettext as _
from batchlock.web.uploads.rows import CheckedColumn, checked_columns

# Characters in all cells of a form: with nine bytes for each, as Chinese takes in a form, the form
# is half as large as the server takes.
_FORM_CHARACTERS = 28_000
# What a cell of a spreadsheet holds.
MAX_CELL = 32_767
# Other cells of a row, by which a person recognises it.
_CONTEXT_CELLS = 4
_NAME = re.compile(r"new-([0-9]{1,7})-([a-z_]{1,20})")


@dataclass(frozen=True, slots=True, kw_only=True)
class CellInput:
    """A cell of a row that can be corrected."""

    column: CheckedColumn
    name: str
    """The row and the field, as the names of the inputs end."""
    text: str
    """What the input shows: what stands in the cell now, or what a person has typed."""
    current: str
    """What stands in the cell now."""
    problems: Sequence[str]
    correction: Correction | None
    """The correction of the cell."""
    is_applied: bool
    """Whether the correction stands in the cell; not if the file is read in another way now."""
    is_outdated: bool = False
    """Whether another person has changed the cell since the one who typed has seen it."""

    @property
    def seen(self) -> str:
        """A hash of what stands in the cell now, which comes back with the form."""
        return text_mark(self.current)

    @property
    def is_long(self) -> bool:
        """Whether the input has several lines: a browser drops line breaks from a single one."""
        return self.column.field is Field.REASON or "\n" in self.text or "\r" in self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class RowInputs:
    """A row of the form."""

    row: int
    is_invalid: bool
    cells: Sequence[CellInput]
    others: Sequence[tuple[str, str]]
    """Title and text of some cells that are not sent, and of the values of all rows."""
    other_problems: Sequence[Problem]
    """Those that no correction of a cell can solve."""

    @property
    def size(self) -> int:
        """The characters of its cells."""
        return sum(len(cell.current) for cell in self.cells)


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectPage(Page):
    """The form in which a person corrects cells of an upload."""

    template: ClassVar[str] = "correct.html"
    upload: Upload
    info: RunInfo
    rows: Sequence[RowInputs]
    invalid: int
    """Rows of the whole file that have problems."""
    only_row: int | None
    """The row that was asked for; None: the first rows with problems."""
    modules: Sequence[str]
    open_run: str | None
    """A run of the upload that is not finished, so that nothing can be corrected."""
    max_length: int = MAX_CELL

    @property
    def is_outdated(self) -> bool:
        """Whether nothing was saved, because another person has changed a cell."""
        return any(cell.is_outdated for row in self.rows for cell in row.cells)


def row_inputs(
    row: ResultRow,
    info: RunInfo,
    reading: FileReading,
    problems: Sequence[Problem],
    corrections: Mapping[tuple[int, Field], Correction],
) -> RowInputs:
    """Return a row of the form; `corrections` are those of the upload, by row and field."""
    columns = checked_columns(info.titles, reading.fields, is_whole=False).columns
    sent = {one.field: one for one in columns if one.field is not None and one.index is not None}
    first_of = {column.title: column for column in reversed(sent.values())}
    row_problems = [problem for problem in problems if problem.row == row.row]
    others = [
        (column.label or column.title, text)
        for column in columns
        if column.field not in sent and (text := column.text_in(row))
    ]
    return RowInputs(
        row=row.row,
        is_invalid=row.result is Result.INVALID,
        cells=[
            CellInput(
                column=column,
                name=f"{row.row}-{field}",
                text=column.text_in(row),
                current=column.text_in(row),
                problems=[
                    one.message for one in row_problems if first_of.get(one.column) is column
                ],
                correction=corrections.get((row.row, field)),
                is_applied=corrections.get((row.row, field)) in reading.corrections,
            )
            for field, column in sent.items()
        ],
        others=others[:_CONTEXT_CELLS],
        other_problems=[one for one in row_problems if one.column not in first_of],
    )


def first_that_fit(rows: Iterable[RowInputs]) -> Iterator[RowInputs]:
    """Yield the rows whose cells a form can hold, and the first one in any case."""
    size = 0
    for number, row in enumerate(rows):
        size += row.size
        if number and size > _FORM_CHARACTERS:
            return
        yield row


def texts_in(form: Mapping[str, object]) -> dict[tuple[int, str], str]:
    """Return the texts in the inputs of a submitted form, by row and field."""
    texts: dict[tuple[int, str], str] = {}
    for name, text in form.items():
        if (match := _NAME.fullmatch(name)) is not None and isinstance(text, str):
            # A browser sends each line break of a text field as CR LF.
            texts[int(match[1]), match[2]] = text.replace("\r\n", "\n")
    return texts


def filled_in(
    page: CorrectPage, texts: Mapping[tuple[int, str], str], form: Mapping[str, object]
) -> CorrectPage:
    """Return the form with the texts that a person has typed into it."""

    def fill_in(row: int, cell: CellInput) -> CellInput:
        text, seen = texts.get((row, str(cell.column.field))), form.get(f"seen-{cell.name}")
        if text is None or text == cell.current or text_mark(text) == seen:
            return cell
        return replace(cell, text=text, is_outdated=cell.seen != seen)

    return replace(
        page,
        rows=[
            replace(row, cells=[fill_in(row.row, cell) for cell in row.cells]) for row in page.rows
        ],
    )


def cell_changes(page: CorrectPage) -> Iterator[CellChange]:
    """Yield the changes that a person has typed into a form, see `filled_in`."""
    for row in page.rows:
        for cell in row.cells:
            if cell.text == cell.current or cell.column.field is None:
                continue
            old = cell.correction
            yield CellChange(
                row=row.row,
                field=cell.column.field,
                sheet=page.info.sheet,
                column=cell.column.title,
                in_file=old.old if old is not None and cell.is_applied else cell.current,
                seen=cell.current if old is None else old.new,
                new=cell.text,
            )


def reversal_in(form: Mapping[str, object], corrections: Sequence[Correction]) -> CellChange | None:
    """Return the change that takes a correction back; None for a form that takes none back.

    Raises BatchlockError when that cell has been corrected again, or the correction is gone.
    """
    name = form.get("take_back")
    if name is None:
        return None
    for one in corrections:
        if name == f"{one.row}-{one.field}" and form.get(f"seen-{name}") == one.mark:
            return CellChange(
                row=one.row,
                field=one.field,
                sheet=one.sheet,
                column=one.column,
                in_file=one.old,
                seen=one.new,
                new=one.old,
            )
    raise BatchlockError(
        _(
            "This correction was changed or taken back since the page was opened, so nothing was "
            "changed. Open the check of the file again."
        )
    )
