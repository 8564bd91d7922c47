"""Read numbers by the format of their cell: as a date, a time, a length of time or a number.

python-calamine decides this where it reads a sheet. Where a sheet is taken apart here, openpyxl
knows which formats show dates, and turns the numbers into them. Both read the same numbers alike
(`tests/plan/read/workbook/test_number_cells.py`), so that a file is read alike whichever way its
sheet is read.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path

from batchlock.core.rows import Cell
from batchlock.plan.read.cells import normalise_cell
from batchlock.plan.read.workbook.zip_safety import damaged

NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
"""A number as XML Schema writes a double; without INF and NaN, which no spreadsheet shows."""

# The number formats that a workbook need not define, and that show a date or time: ECMA-376 part 1,
# 18.8.30. Those from 27 to 36 and from 50 to 58 are dates in the East Asian languages, and Excel
# shows them as dates everywhere. All others show numbers.
_DATE, _DURATION = "yyyy-mm-dd hh:mm", "[h]:mm:ss"
_BUILT_IN: Mapping[int, str] = {
    **dict.fromkeys((*range(14, 23), *range(27, 37), 45, 47, *range(50, 59)), _DATE),
    46: _DURATION,
}
EAST_ASIAN_DATES = frozenset((*range(27, 37), *range(50, 59)))
"""The ones of them that python-calamine shows as numbers."""

# Most tables repeat few dates. Beyond this many different numbers the memory is given back.
_REMEMBERED = 100_000


@dataclass(frozen=True, slots=True)
class Number:
    """The number in a cell, before it is known what the cell shows for it."""

    text: str
    style: int | None
    """The index of its cell format; None for a cell without one, which shows the number."""
    is_date: bool = False
    """Whether the text is a date of ISO 8601 and no number."""


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row with its filled cells, each with its column, which counts from 0."""

    number: int
    cells: Sequence[tuple[int, Cell | Number]]
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class NumberReader:
    """Turn numbers into what their cells show."""

    path: Path
    formats: Sequence[str]
    """The number format of each cell format."""
    since_1904: bool
    """Whether dates count from 1904, as on old Macs."""
    known: dict[Number, Cell] = field(default_factory=dict)

    def rows(self, rows: Iterable[RawRow]) -> Iterator[Sequence[Cell]]:
        """Yield every row from row 1 on, with all cells from column A on.

        Raises UnreadableFile for a NUL in a text, as `normalise_cell` does.
        """
        last_row = 0
        for row in rows:
            for _ in range(row.number - last_row - 1):
                yield ()
            cells: list[Cell] = [None] * (row.cells[-1][0] + 1 if row.cells else 0)
            for column, cell in row.cells:
                if isinstance(cell, Number):
                    cell = self._shown(cell)
                elif isinstance(cell, str) and "\0" in cell:
                    raise damaged(self.path)
                cells[column] = cell
            yield cells
            last_row = row.number

    def _shown(self, number: Number) -> Cell:
        if number not in self.known:
            if len(self.known) > _REMEMBERED:
                self.known.clear()
            self.known[number] = normalise_cell(self.path, self._value(number))
        return self.known[number]

    def _value(self, number: Number) -> Cell:
        # Imported here, because few workbooks have sheets that are taken apart.
        from openpyxl.styles.numbers import is_date_format, is_timedelta_format
        from openpyxl.utils.datetime import MAC_EPOCH, WINDOWS_EPOCH, from_excel

        if number.is_date:
            kind = datetime if "T" in number.text else time if ":" in number.text else date
            try:
                return kind.fromisoformat(number.text.removesuffix("Z"))
            except ValueError:
                return number.text
        value = float(number.text)
        code = self._format(number)
        is_duration = is_timedelta_format(code)
        if not is_duration and not is_date_format(code):
            return value
        try:
            moment: Cell = from_excel(
                value, MAC_EPOCH if self.since_1904 else WINDOWS_EPOCH, timedelta=is_duration
            )
        except OverflowError:  # beyond the year 9999, where Excel shows #### and no date
            return value
        # Whole days are dates; only a fraction shows a time of day.
        if isinstance(moment, datetime) and value.is_integer():
            return moment.date()
        return moment

    def _format(self, number: Number) -> str:
        at = number.style
        return self.formats[at] if at is not None and at < len(self.formats) else ""


def format_code(number: int, custom: Mapping[int, str]) -> str:
    """Return the number format with this id; one that the workbook defines goes first."""
    return custom.get(number) or _BUILT_IN.get(number, "")
