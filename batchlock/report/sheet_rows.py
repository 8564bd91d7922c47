"""The rows of a results sheet, as the XML in which a workbook holds them.

XlsxWriter makes everything else of the workbook. It could write the rows too, but this module
needs a third of the time per row, and writing the rows was a fifth of the CPU time of a run.

Source: ECMA-376, SpreadsheetML: sheetData, row, c (18.3.1), ST_Xstring (22.9.2.19).
"""

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from html import escape
from pathlib import Path
from typing import Any

from xlsxwriter.utility import xl_col_to_name  # type: ignore[import-untyped]  # comes untyped

from batchlock.core.cell_text import display_text
from batchlock.core.results import RESULT_TITLES, ResultRow
from batchlock.core.rows import Cell
from batchlock.report.cells import cells_of, is_exact, result_titles, truncated, writable
from batchlock.report.styles import LINE_HEIGHT, Styles

_HEADER_ROW = 1

# The widths of the columns follow the first rows only: measuring takes longer than writing, and a
# person sees these rows first.
_MEASURED_ROWS = 200

# A cell of many lines would push all other rows off the screen.
_MAX_LINES_SHOWN = 3

# From here on Excel shows a whole number as 5.84E+12, unless its format says otherwise.
_LONG_NUMBER = 10**10

_DAY = timedelta(days=1)

# Excel stores a time as days since this date. It counts 29 February 1900, which never was, so only
# dates from 1 March 1900 have the right number.
_DAY_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 cells have no zone
_FIRST_RIGHT_DATE = datetime(1900, 3, 1)  # noqa: DTZ001 the same

# The number of 31 December 9999. Excel shows ##### for a longer span.
_LONGEST_SPAN = timedelta(days=2_958_465)

# At most this many characters fit a cell for certain: each has one or two of its 32,767 units.
_SURELY_FITS = 16_000

# Text that cannot stand in the fast path: control characters (an LF needs another style, and an XML
# parser changes CR), markup, characters that XML forbids, text that Excel would decode (`_x0041_`),
# and spaces at either end, which Excel drops without xml:space.
_NEEDS_ESCAPE = re.compile(r"[\x00-\x1f<>&\ud800-\udfff\ufffe\uffff]|_x[\dA-Fa-f]{4}_|^\s|\s$")

# The `_` of text that Excel would decode as a character, by ST_Xstring.
_LOOKS_ENCODED = re.compile(r"_(?=x[\dA-Fa-f]{4}_)")


class SheetRows:
    """Writes the rows of one sheet to a file, from top to bottom, the titles first."""

    def __init__(self, path: Path, styles: Styles, titles: Sequence[str]) -> None:
        self.path = path
        self.titles = (*titles, *result_titles(titles))
        self.count = 0
        """The number of rows below the titles."""
        # In characters. 4 more leave room for the button of the filter.
        self.widths = [len(title) + 4 for title in self.titles]
        self.not_text: set[str] = set()
        """The letters of the columns that hold something other than text too."""
        self._styles = styles
        self.letters = [xl_col_to_name(column) for column in range(len(self.titles))]
        # Of the result columns only the first has a style, in a row of the usual height.
        added = len(RESULT_TITLES)
        self._row_styles = [styles.text] * len(titles) + [styles.badge] + [None] * (added - 1)
        self._tall_styles = (
            [styles.text] * len(titles) + [styles.badge] + [styles.plain] * (added - 1)
        )
        self._style_attributes = [_style_attribute(style) for style in self._row_styles]
        headers = [styles.header] * len(titles) + [styles.result_header] * added
        self._header = self._row_of_any_cells(_HEADER_ROW, self.titles, headers)

    @property
    def dimension(self) -> str:
        """The range of all cells: `A1:N200`."""
        return f"A1:{self.letters[-1]}{self.count + 1}"

    def write(self, result_rows: Iterable[ResultRow]) -> None:
        """Write the titles and all rows."""
        with self.path.open("w", encoding="utf-8", newline="") as file:
            file.write(self._header)
            for result_row in result_rows:
                file.write(self._row(result_row))

    def _row(self, result_row: ResultRow) -> str:
        """Return a result row as XML.

        The fast path: nearly all cells are text that needs no escape, or small numbers. The first
        other cell sends the whole row to `_row_of_any_cells`.
        """
        cells = cells_of(result_row)
        self.count += 1
        if self.count <= _MEASURED_ROWS:
            self._measure(cells)
        number = self.count + 1
        parts = [f'<row r="{number}">']
        for letter, style, cell in zip(self.letters, self._style_attributes, cells, strict=True):
            if isinstance(cell, str):
                if _NEEDS_ESCAPE.search(cell) or len(cell) > _SURELY_FITS:
                    return self._row_of_any_cells(number, cells, self._row_styles)
                if cell:
                    parts.append(
                        f'<c r="{letter}{number}"{style} t="inlineStr"><is><t>{cell}</t></is></c>'
                    )
            elif type(cell) is int and 0 <= cell < _LONG_NUMBER:
                self.not_text.add(letter)
                parts.append(f'<c r="{letter}{number}"><v>{cell}</v></c>')
            elif cell is not None:
                return self._row_of_any_cells(number, cells, self._row_styles)
        parts.append("</row>")
        return "".join(parts)

    def _row_of_any_cells(self, number: int, cells: Sequence[Cell], styles: Sequence[Any]) -> str:
        line_count = max(cell.count("\n") + 1 if isinstance(cell, str) else 1 for cell in cells)
        height = ""
        if line_count > 1:
            points = LINE_HEIGHT * min(line_count, _MAX_LINES_SHOWN)
            height = f' ht="{points}" customHeight="1"'
            styles = styles if number == _HEADER_ROW else self._tall_styles
        content = "".join(
            self._cell(letter, number, cell, style)
            for letter, cell, style in zip(self.letters, cells, styles, strict=True)
        )
        return f'<row r="{number}"{height}>{content}</row>'

    def _cell(self, letter: str, row: int, cell: Cell, style: Any) -> str:
        if cell is None or cell == "":
            return ""
        if not isinstance(cell, str):
            self.not_text.add(letter)
            if isinstance(cell, bool):
                return f'<c r="{letter}{row}" t="b"><v>{cell:d}</v></c>'
            number, number_style = self._number(cell)
            if number is not None:
                return f'<c r="{letter}{row}"{_style_attribute(number_style)}><v>{number!r}</v></c>'
            cell, style = display_text(cell), self._styles.text
        if "\n" in cell and row != _HEADER_ROW:
            style = self._styles.lines
        text = f'<t xml:space="preserve">{_escaped(cell)}</t>'
        return f'<c r="{letter}{row}"{_style_attribute(style)} t="inlineStr"><is>{text}</is></c>'

    def _number(self, cell: Cell) -> tuple[float | None, Any]:
        """Return the number that Excel stores for a number, date or time, and its style.

        None when Excel has no such number; the cell is then written as text.
        """
        styles = self._styles
        match cell:
            case int() | float() if is_exact(cell):
                whole = int(cell)
                is_long = abs(cell) >= _LONG_NUMBER and cell == whole
                return whole if cell == whole else cell, styles.long_number if is_long else None
            case datetime() if cell.tzinfo is None and cell >= _FIRST_RIGHT_DATE:
                style = styles.date if cell.time() == time.min else styles.datetime
                return (cell - _DAY_ZERO) / _DAY, style
            case date() if not isinstance(cell, datetime) and cell >= _FIRST_RIGHT_DATE.date():
                return (cell - _DAY_ZERO.date()).days, styles.date
            case time() if cell.tzinfo is None:
                since_midnight = timedelta(
                    hours=cell.hour,
                    minutes=cell.minute,
                    seconds=cell.second,
                    microseconds=cell.microsecond,
                )
                return since_midnight / _DAY, styles.time
            case timedelta() if timedelta() <= cell <= _LONGEST_SPAN:
                return cell / _DAY, styles.span
        return None, None

    def _measure(self, cells: Sequence[Cell]) -> None:
        for column, cell in enumerate(cells):
            width = max(map(len, display_text(cell).splitlines()), default=0) + 2
            self.widths[column] = max(self.widths[column], width)


def _style_attribute(style: Any) -> str:
    """Return the attribute by which a cell names its style.

    XlsxWriter gives a style its number when a cell first uses it, and has no public method for
    it.
    """
    return "" if style is None else f' s="{style._get_xf_index()}"'  # noqa: SLF001  it has no other name


def _escaped(text: str) -> str:
    text = escape(truncated(writable(text)), quote=False)
    # CR goes last: its own `_x000D_` must stay encoded.
    return _LOOKS_ENCODED.sub("_x005F_", text).replace("\r", "_x000D_")
