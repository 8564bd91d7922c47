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

    from batchlock.plan.read.row_above import RowAbove

# How an id begins that is damaged or too short: such a row has a problem of its own. Five digits,
# because a text may begin with a year.
_BEGINS_LIKE_ID = re.compile(r"'?(?:zcrm_|[0-9]{5}|[0-9][.,][0-9]+E)", re.IGNORECASE)
_ROWS = (
    "rows|records|lines|items|entries|zeilen|datensätze|einträge|lignes|enregistrements|filas"
    "|registros|linhas|righe|rijen"
)
# What programs write below a table: `Total: 12 rows`, `(12 rows affected)`, `Report generated on
# 2026-11-27`, `Page 1 of 3`, `End of report`. They begin with a capital, unlike the rest of a
# sentence.
_FOOTER = re.compile(
    r"(?:Grand )?(?:Total|TOTAL|Totals|Subtotal|Count|Sum|Rows|Records|Number of \w+|Anzahl|Summe"
    rf"|Gesamt|Insgesamt|Totale|Totaal|Suma)(?: (?i:{_ROWS}))?\s*[:=]?\s*[0-9][0-9., ]*"
    rf"(?: (?i:{_ROWS}))?\.?"
    rf"|\(?[0-9][0-9.,]* (?i:{_ROWS})(?: (?:affected|exported|selected|returned))?\)?\.?"
    r"|(?:(?:Report|File|List) (?i:generated|exported|created|printed)"
    r"|(?:Generated|Exported|Printed) (?:on|at|by|from))\b.{0,60}\b20[0-9]{2}\b.{0,60}"
    r"|(?:Page|Seite|Página|Pagina) [0-9]+(?:(?: of | von | de | di |/)[0-9]+)?"
    r"|[-*=# ]*(?:End|END) (?:of|OF) (?i:report|file|list|data|table|export)[-*=#. ]*"
)
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
    rows_above = chunk["above"].tolist()
    if not any(rows_above):
        return
    continuations: set[int] = set()
    columns = [chunk[position].tolist() for position in range(len(titles))]
    numbers = chunk.index.tolist()
    footers = _footers(rows_above, columns)
    for at, (row, above) in enumerate(zip(numbers, rows_above, strict=True)):
        if above is None or at in footers:
            continue
        # Then an id in the row may be the next cell of the row above.
        row_above = above.number
        is_likely = above.completes or row_above in continuations
        cells = [column[at] for column in columns]
        if not _is_continuation(cells, fields, modules, is_likely=is_likely):
            continue
        text = quoted(str(cells[0]))
        if row_above not in continuations:
            yield Problem(
                row_above,
                above.last_title,
                "broken_line",
                f"Row {row}, {text}, looks like the rest of this cell. {_REMEDY}",
            )
        yield Problem(
            row,
            titles[0],
            "broken_line",
            f"{text} looks like the rest of a cell in row {row_above}. {_REMEDY}",
        )
        continuations.add(row)


def _footers(
    rows_above: Sequence["RowAbove | None"], columns: Sequence[Sequence[Cell]]
) -> set[int]:
    """Return the positions of the last rows of a file that programs write below a table.

    They are problems as rows without a module. Below a row that lacks a cell there are none: the
    text may be the rest of it.
    """
    footers: list[int] = []
    for at in reversed(range(len(rows_above))):
        above = rows_above[at]
        texts = [text for column in columns if (text := _text(column[at]))]
        if above is None or not above.ends_file or not _FOOTER.fullmatch(" ".join(texts)):
            break
        footers.append(at)
    above = rows_above[footers[-1]] if footers else None
    return {*footers} if above is not None and above.is_whole else set()


def _is_continuation(
    cells: Sequence[Cell], fields: Mapping[Field, int], modules: ModuleNames, *, is_likely: bool
) -> bool:
    """Tell whether a row that may be the rest of a cell is no row of its own."""
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
