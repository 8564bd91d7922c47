"""Choose the sheet of a workbook that holds the table.

xlrd reads an .xls (see `xls`), and `zipped` opens everything else.
"""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

from batchlock.core.errors import UnreadableFile, UsageError
from batchlock.core.rows import Cell
from batchlock.plan.read.action_column import with_actions
from batchlock.plan.read.detect import FileKind
from batchlock.plan.read.header import FirstRows, find_header, low_header_row
from batchlock.plan.read.header_error import header_error, hidden_sheet_error, low_header_error
from batchlock.plan.read.table import ReadOptions, Sheet, SheetHandle
from batchlock.plan.read.workbook import xls
from batchlock.plan.read.workbook.zipped import open_zipped

# Hidden sheets are looked at for a message only. Each may be large.
_MAX_HIDDEN_SHEETS = 5


def open_sheet(path: Path, kind: FileKind, options: ReadOptions) -> Sheet:
    """Return the one visible sheet that has the header, or the sheet that the options name.

    Raises UsageError when several sheets have it or the named one does not exist, UnreadableFile
    when no sheet has it or the workbook cannot be read safely.
    """
    opened = (
        nullcontext(xls.sheet_handles(path)) if kind is FileKind.XLS else open_zipped(path, kind)
    )
    with opened as handles:
        sheets: list[Sheet] = []
        low_headers: dict[str, int] = {}
        for handle in _candidates(path, handles, options.sheet):
            rows = handle.open()
            head = FirstRows(rows())
            header = with_actions(find_header(head, options), rows, options)
            # Whether a sheet that is damaged holds a table is not known, so no other one is taken.
            if header.missing and head.error is not None:
                raise head.error
            # Only the first sheet with a header can be the result. The rows of all others are
            # released at once, since a sheet may take a gigabyte.
            candidate = not header.missing and all(sheet.header.missing for sheet in sheets)
            sheets.append(
                Sheet(
                    name=handle.name,
                    header=header,
                    rows=rows if candidate else _released,
                    hidden_rows=handle.hidden_rows,
                    all_names=tuple(one.name for one in handles),
                )
            )
            if header.missing and (row := low_header_row(rows(), options)) is not None:
                low_headers[handle.name] = row
            del rows
        if all(sheet.header.missing for sheet in sheets):
            hidden = _hidden_sheet_with_header(handles, options)
            if hidden is not None and not low_headers:
                raise hidden_sheet_error(path.name, hidden, sheets[0].header.missing)
            for name, row in low_headers.items():
                raise low_header_error(f"{path.name}, sheet {name}", row, sheets[0].header.missing)
    return _sheet_with_header(path, sheets, options)


def _hidden_sheet_with_header(handles: Sequence[SheetHandle], options: ReadOptions) -> str | None:
    """Return the name of a hidden sheet that has the titles which no visible sheet has."""
    if options.sheet is not None:
        return None
    for handle in [handle for handle in handles if not handle.visible][:_MAX_HIDDEN_SHEETS]:
        # A hidden sheet that cannot be read is nobody's table.
        with suppress(UnreadableFile):
            rows = handle.open()
            if not with_actions(find_header(rows(), options), rows, options).missing:
                return handle.name
    return None


def _released() -> Iterator[Sequence[Cell]]:
    raise AssertionError("the rows of a sheet that is not the result are never read")


def _candidates(
    path: Path, handles: Sequence[SheetHandle], name: str | None
) -> Sequence[SheetHandle]:
    """Return the visible sheets, or the one with this name, hidden or not."""
    if name is not None:
        # Excel takes two names that differ only in case for the same.
        for form in (str, str.casefold):
            for handle in handles:
                if form(handle.name) == form(name):
                    return [handle]
        names = [handle.name for handle in handles]
        raise UsageError(
            f'{path.name} has no sheet "{name}". Its sheets are: {", ".join(names)}.',
            sheets=names,
        )
    visible = [handle for handle in handles if handle.visible]
    if not visible:
        raise UnreadableFile(
            f"{path.name} has no visible sheet. Name one with --sheet NAME.",
            sheets=[handle.name for handle in handles],
            page_message=f"{path.name} has no visible sheet. Choose one below.",
        )
    return visible


def _sheet_with_header(path: Path, sheets: Sequence[Sheet], options: ReadOptions) -> Sheet:
    complete = [sheet for sheet in sheets if not sheet.header.missing]
    if len(complete) > 1:
        names = [str(sheet.name) for sheet in complete]
        fact = f"{path.name} has more than one sheet with such columns: {', '.join(names)}."
        raise UsageError(
            f'{fact} Name the right one with --sheet "{names[0]}".',
            sheets=names,
            page_message=f"{fact} Choose the right one below.",
        )
    # Without a complete header, the message is about the sheet that has most of the columns.
    best = max(
        complete or sheets,
        key=lambda sheet: (len(sheet.header.fields), bool(sheet.header.titles)),
    )
    name = path.name if len(sheets) == 1 else f"{path.name}, sheet {best.name}"
    if problem := header_error(name, best.header, options):
        if len(best.all_names) > 1:
            problem.sheets = best.all_names
        raise problem
    return best
