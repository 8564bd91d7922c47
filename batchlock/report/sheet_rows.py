"""The rows of a results sheet, as the XML that a workbook holds them in.

XlsxWriter makes all else. It could write the rows, too, but each would cost three times as much,
and they are a fifth of a whole run.

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
from batchlock.report.cells import cells_of, cut, is_exact, legible, our_titles
from batchlock.report.styles import LINE_HEIGHT, Styles

_HEADER = 1
_ROWS_MEASURED = 200
_MOST_LINES = 3
_LONG = 10**10
"""From here on Excel shows a whole number as 5.84E+12, unless told not to."""
_DAY = timedelta(days=1)
_DAY_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 cells have no zone
_DATES_FROM = datetime(1900, 3, 1)  # noqa: DTZ001 the same; Excel is a day off before
_LONGEST_SPAN = timedelta(days=2_958_465)  # what Excel can show
_SURELY_FITS = 16_000
"""Characters that a cell has room for, whatever they are."""
_TO_ESCAPE = re.compile(r"[\x00-\x1f<>&\ud800-\udfff\ufffe\uffff]|_x[\dA-Fa-f]{4}_|^\s|\s$")
_LIKE_AN_ESCAPE = re.compile(r"_(?=x[\dA-Fa-f]{4}_)")


class Rows:
    """Rows of one sheet in a file, from top to bottom, the titles first."""

    def __init__(self, path: Path, styles: Styles, titles: Sequence[str]) -> None:
        self.path = path
        self.titles = (*titles, *our_titles(titles))
        self.count = 0
        """Of the rows below the titles."""
        self.widths = [len(title) + 4 for title in self.titles]  # room for the filter's button
        self.not_text: set[str] = set()
        """Columns that hold something else, too, by their letters."""
        self._styles = styles
        self.letters = [xl_col_to_name(column) for column in range(len(self.titles))]
        # Of our own columns only the first has a style, in a row of the usual height.
        ours = len(RESULT_TITLES)
        self._flat = [styles.text] * len(titles) + [styles.badge] + [None] * (ours - 1)
        self._tall = [styles.text] * len(titles) + [styles.badge] + [styles.plain] * (ours - 1)
        self._flat_numbers = [_number(style) for style in self._flat]
        headers = [styles.header] * len(titles) + [styles.our_header] * ours
        self._header = self._row(_HEADER, self.titles, headers)

    @property
    def reach(self) -> str:
        """The cells from the first to the last."""
        return f"A1:{self.letters[-1]}{self.count + 1}"

    def write(self, lines: Iterable[ResultRow]) -> None:
        """Write the titles and all the lines."""
        with self.path.open("w", encoding="utf-8", newline="") as file:
            file.write(self._header)
            for line in lines:
                file.write(self._line(line))

    def _line(self, line: ResultRow) -> str:
        """Return a line as a row: quick for what nearly all cells hold, text without markup."""
        cells = cells_of(line)
        self.count += 1
        if self.count <= _ROWS_MEASURED:
            self._measure(cells)
        number = self.count + 1
        parts = [f'<row r="{number}">']
        for letter, style, cell in zip(self.letters, self._flat_numbers, cells, strict=True):
            if isinstance(cell, str):
                if _TO_ESCAPE.search(cell) or len(cell) > _SURELY_FITS:
                    return self._row(number, cells, self._flat)
                if cell:
                    parts.append(
                        f'<c r="{letter}{number}"{style} t="inlineStr"><is><t>{cell}</t></is></c>'
                    )
            elif type(cell) is int and 0 <= cell < _LONG:
                self.not_text.add(letter)
                parts.append(f'<c r="{letter}{number}"><v>{cell}</v></c>')
            elif cell is not None:
                return self._row(number, cells, self._flat)
        parts.append("</row>")
        return "".join(parts)

    def _row(self, number: int, cells: Sequence[Cell], styles: Sequence[Any]) -> str:
        """Return any cells as a row."""
        lines = max(cell.count("\n") + 1 if isinstance(cell, str) else 1 for cell in cells)
        height = ""
        if lines > 1:
            height = f' ht="{LINE_HEIGHT * min(lines, _MOST_LINES)}" customHeight="1"'
            styles = styles if number == _HEADER else self._tall
        told = (
            self._cell(letter, number, cell, style)
            for letter, cell, style in zip(self.letters, cells, styles, strict=True)
        )
        return f'<row r="{number}"{height}>{"".join(told)}</row>'

    def _cell(self, letter: str, row: int, cell: Cell, style: Any) -> str:
        if cell is None or cell == "":
            return ""
        if not isinstance(cell, str):
            self.not_text.add(letter)
            if isinstance(cell, bool):
                return f'<c r="{letter}{row}" t="b"><v>{cell:d}</v></c>'
            number, dressed = self._value(cell)
            if number is not None:
                return f'<c r="{letter}{row}"{_number(dressed)}><v>{number!r}</v></c>'
            cell, style = display_text(cell), self._styles.text
        if "\n" in cell and row != _HEADER:
            style = self._styles.lines
        text = f'<t xml:space="preserve">{_escaped(cell)}</t>'
        return f'<c r="{letter}{row}"{_number(style)} t="inlineStr"><is>{text}</is></c>'

    def _value(self, cell: Cell) -> tuple[float | None, Any]:
        """Return what Excel keeps of a number or time, and its style; None if it has no such."""
        styles = self._styles
        match cell:
            case int() | float() if is_exact(cell):
                whole = int(cell)
                long = abs(cell) >= _LONG and cell == whole
                return whole if cell == whole else cell, styles.long_number if long else None
            case datetime() if cell.tzinfo is None and cell >= _DATES_FROM:
                style = styles.date if cell.time() == time.min else styles.datetime
                return (cell - _DAY_ZERO) / _DAY, style
            case date() if not isinstance(cell, datetime) and cell >= _DATES_FROM.date():
                return (cell - _DAY_ZERO.date()).days, styles.date
            case time() if cell.tzinfo is None:
                since = timedelta(
                    hours=cell.hour,
                    minutes=cell.minute,
                    seconds=cell.second,
                    microseconds=cell.microsecond,
                )
                return since / _DAY, styles.time
            case timedelta() if timedelta() <= cell <= _LONGEST_SPAN:
                return cell / _DAY, styles.span
        return None, None

    def _measure(self, cells: Sequence[Cell]) -> None:
        for column, cell in enumerate(cells):
            width = max(map(len, display_text(cell).splitlines()), default=0) + 2
            self.widths[column] = max(self.widths[column], width)


def _number(style: Any) -> str:
    """Return how a cell names its style.

    XlsxWriter numbers a style when a cell first asks for it, which only its own writer can do in
    public.
    """
    return "" if style is None else f' s="{style._get_xf_index()}"'  # noqa: SLF001  it has no other name


def _escaped(text: str) -> str:
    """Return any text as a cell can hold it."""
    text = escape(cut(legible(text)), quote=False)
    return _LIKE_AN_ESCAPE.sub("_x005F_", text).replace("\r", "_x000D_")
