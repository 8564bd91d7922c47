"""Find the lines of a text file that look like the continuation of a cell without quotation marks.

A line break in such a cell ends its row: the row above has the first part of the text, and looks
whole when the cell is its last one.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from batchlock.core.rows import Cell, Field, Problem
from batchlock.plan.faults import quoted, strip_invisible
from batchlock.plan.ids import RecordAddress, read_id
from batchlock.plan.modules import ModuleNames

if TYPE_CHECKING:
    import pandas as pd

# How an id begins that is damaged or too short: such a row has a problem of its own. Five digits,
# because a text may begin with a year.
_BEGINS_LIKE_ID = re.compile(r"'?(?:zcrm_|[0-9]{5}|[0-9][.,][0-9]+E)", re.IGNORECASE)
_REMEDY = (
    "A line break stands in a cell without quotation marks. Put that cell in quotation marks, or "
    "save the file again from a spreadsheet program."
)


def broken_lines(
    chunk: "pd.DataFrame", titles: Sequence[str], fields: Mapping[Field, int], modules: ModuleNames
) -> Iterator[Problem]:
    """Yield two problems for each continuation: one for the row above, one for the row itself.

    `chunk` is one of `batchlock.plan.read.Table.chunks`.
    """
    short = chunk["short"].tolist()
    if not any(short):
        return
    continuations: set[int] = set()
    columns = [chunk[position].tolist() for position in range(len(titles))]
    for at, (row, one) in enumerate(zip(chunk.index.tolist(), short, strict=True)):
        if one is None:
            continue
        # Then an id in the row may be the next cell of the row above.
        is_likely = one.completes or one.row_above in continuations
        cells = [column[at] for column in columns]
        if not _is_continuation(cells, fields, modules, is_likely=is_likely):
            continue
        text = quoted(str(cells[0]))
        if one.row_above not in continuations:
            yield Problem(
                one.row_above,
                one.title_above,
                "broken_line",
                f"Row {row}, {text}, looks like the rest of this cell. {_REMEDY}",
            )
        yield Problem(
            row,
            titles[0],
            "broken_line",
            f"{text} looks like the rest of a cell in row {one.row_above}. {_REMEDY}",
        )
        continuations.add(row)


def _is_continuation(
    cells: Sequence[Cell], fields: Mapping[Field, int], modules: ModuleNames, *, is_likely: bool
) -> bool:
    """Tell whether a row that is shorter than the titles is no row of its own."""
    if not _text(cells[0]):
        return False
    module = _text(cells[fields[Field.MODULE]]) if Field.MODULE in fields else ""
    if module and modules.find(module) is not None:
        return False
    if module and is_likely:
        return True
    record_cell = _text(cells[fields[Field.RECORD_ID]])
    is_id = isinstance(read_id(record_cell), str | RecordAddress)
    return not is_id and not _BEGINS_LIKE_ID.match(record_cell)


def _text(cell: Cell) -> str:
    return strip_invisible(cell) if isinstance(cell, str) else ""
