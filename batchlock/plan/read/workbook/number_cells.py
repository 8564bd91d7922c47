"""Read numbers by the format of their cell: as a date, a time, a length of time or a number.

python-calamine decides this everywhere, so that a file is read alike whichever way its sheet is
read. Where a sheet is taken apart here, its numbers go to python-calamine in one column of a small
workbook, together with the formats of the file.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import islice
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr
from zipfile import ZIP_STORED, ZipFile

from python_calamine import CalamineError, CalamineWorkbook

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

# The ids from 164 on are free for the formats of a workbook.
_FIRST_CUSTOM_ID = 164
_DATE_TYPE = ' t="d"'
_LINK_TYPES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"

# Rows that are read before their numbers are converted together: a small workbook costs as much as
# some 200 cells.
_ROWS_AT_ONCE = 1_000
# Cells of these rows at most: a row may have 16,384.
_CELLS_AT_ONCE = 100_000
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
        """Yield every row from row 1 on, with all cells from column A on."""
        rows = iter(rows)
        last_row = 0
        while batch := _batch(rows):
            self._convert(batch)
            for row in batch:
                for _ in range(row.number - last_row - 1):
                    yield ()
                cells: list[Cell] = [None] * (row.cells[-1][0] + 1 if row.cells else 0)
                for column, cell in row.cells:
                    cells[column] = self.known[cell] if isinstance(cell, Number) else cell
                yield cells
                last_row = row.number

    def _convert(self, batch: Sequence[RawRow]) -> None:
        """Let `known` have every number of these rows."""
        if len(self.known) > _REMEMBERED:
            self.known.clear()
        numbers = {cell for row in batch for _, cell in row.cells if isinstance(cell, Number)}
        formatted = []
        for number in numbers - self.known.keys():
            if number.style is None and not number.is_date:
                self.known[number] = normalise_cell(self.path, float(number.text))
            else:
                formatted.append(number)
        if not formatted:
            return
        try:
            with CalamineWorkbook.from_filelike(self._one_column(formatted)) as workbook:
                column = [row[0] for row in workbook.get_sheet_by_index(0).iter_rows()]
        except CalamineError as error:
            raise damaged(self.path) from error
        for number, cell in zip(formatted, column, strict=True):
            self.known[number] = normalise_cell(self.path, cell)

    def _one_column(self, numbers: Sequence[Number]) -> BytesIO:
        """Return a workbook that has the numbers in column A, from row 1 on."""
        codes = list(dict.fromkeys(self._format(number) for number in numbers))
        ids = {code: at for at, code in enumerate(codes, _FIRST_CUSTOM_ID)}
        formats = "".join(
            f'<numFmt numFmtId="{at}" formatCode={quoteattr(code)}/>' for code, at in ids.items()
        )
        styles = "".join(f'<xf numFmtId="{at}"/>' for at in ids.values())
        rows = "".join(
            f'<row r="{row}"><c r="A{row}" s="{codes.index(self._format(number))}"'
            f"{_DATE_TYPE if number.is_date else ''}><v>{escape(number.text)}</v></c></row>"
            for row, number in enumerate(numbers, 1)
        )
        output = BytesIO()
        with ZipFile(output, "w", ZIP_STORED) as archive:
            for name, content in {
                "_rels/.rels": _relationship("officeDocument", "xl/workbook.xml"),
                "xl/_rels/workbook.xml.rels": _relationship("worksheet", "worksheets/sheet1.xml"),
                "xl/workbook.xml": f'<workbook><workbookPr date1904="{int(self.since_1904)}"/>'
                '<sheets><sheet name="S" sheetId="1" id="a"/></sheets></workbook>',
                "xl/styles.xml": f"<styleSheet><numFmts>{formats}</numFmts>"
                f"<cellXfs>{styles}</cellXfs></styleSheet>",
                "xl/worksheets/sheet1.xml": f"<worksheet><sheetData>{rows}</sheetData></worksheet>",
            }.items():
                archive.writestr(name, content)
        output.seek(0)
        return output

    def _format(self, number: Number) -> str:
        at = number.style
        return self.formats[at] if at is not None and at < len(self.formats) else ""


def format_code(number: int, custom: Mapping[int, str]) -> str:
    """Return the number format with this id; one that the workbook defines goes first."""
    return custom.get(number) or _BUILT_IN.get(number, "")


def _relationship(kind: str, target: str) -> str:
    link = f'<Relationship Id="a" Type="{_LINK_TYPES}{kind}" Target="{target}"/>'
    return f"<Relationships>{link}</Relationships>"


def _batch(rows: Iterator[RawRow]) -> Sequence[RawRow]:
    batch = []
    cells = 0
    for row in islice(rows, _ROWS_AT_ONCE):
        batch.append(row)
        cells += len(row.cells)
        if cells > _CELLS_AT_ONCE:
            break
    return batch
