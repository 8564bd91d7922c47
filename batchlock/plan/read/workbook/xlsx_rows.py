"""Read a worksheet in XML element by element, however it is written.

This is six times slower than python-calamine, but holds one row at a time, and reads what XML and
Open XML allow: comments, character references, white space around numbers, cells far outside. The
sheets that need it are found in `xlsx`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.parsers import expat

from batchlock.core.rows import Cell, NoValue
from batchlock.plan.read.workbook.cell_refs import position
from batchlock.plan.read.workbook.no_value import MAX_COLUMNS, MAX_ROWS
from batchlock.plan.read.workbook.number_cells import NUMBER, Number, RawRow
from batchlock.plan.read.workbook.xlsx_texts import TextParser

# Numbers in attributes and cells may have white space around them, a sign, and zeros behind the
# point: `7 `, `+7`, `7.0`. Excel and LibreOffice read all of them as 7.
_WHOLE = re.compile(r"\+?(\d{1,10})(?:\.0*)?", re.ASCII)
_REF = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})", re.ASCII)
_TRUTHS = {"1": True, "true": True, "0": False, "false": False}
_SPACE = " \t\r\n"


class OutOfPlace(ValueError):
    """A row or a cell occurs twice, or stands in another place than its reference says."""


@dataclass(slots=True)
class _OpenCell:
    """A cell between its tags."""

    column: int
    kind: str
    style: int | None
    value: str = ""
    formula: str | None = None
    has_value: bool = False
    inline: bool = False


class SheetParser(TextParser):
    """The rows of a worksheet."""

    def __init__(self, texts: Sequence[str], *, recalculated: bool) -> None:
        super().__init__()
        self.rows: list[RawRow] = []
        """The rows that have ended since the caller last took them out."""
        self.ended_data = False
        self._texts = texts
        self._recalculated = recalculated
        self._in_data = self._in_row = False
        self._row = self._column = 0
        # The columns of a row's cells so far, to find one that occurs twice.
        self._seen: set[int] = set()
        self._hidden = False
        self._cell: _OpenCell | None = None
        self._cells: dict[int, Cell | Number] = {}

    def started(self, name: str, attributes: Mapping[str, str], /) -> None:
        """Handle a start tag; raises ValueError for a reference that has no meaning."""
        if not self._in_data:
            self._in_data = name == "sheetData" and not self.ended_data
        elif name == "row":
            self._begin_row(attributes)
        elif name == "c" and self._in_row:
            self._begin_cell(attributes)
        elif self._cell is None:
            return
        elif name in ("v", "f"):
            if name == "v" and self._cell.has_value:
                raise ValueError("two values in one cell")
            self._cell.has_value = self._cell.has_value or name == "v"
            self.collect()
        elif name == "is":
            self._cell.inline = True
            self.begin_text()

    def ended(self, name: str) -> None:
        """Handle an end tag; raises ValueError for a value that has no meaning."""
        if not self._in_data:
            return
        if name == "sheetData":
            self._in_data, self.ended_data = False, True
        elif name == "row":
            cells = sorted(self._cells.items())
            self.rows.append(RawRow(self._row, cells, hidden=self._hidden))
            self._cells.clear()
            self._in_row = False
        elif self._cell is None:
            return
        elif name == "v":
            self._cell.value = self.collected()
        elif name == "f":
            self._cell.formula = self.collected()
        elif name == "is":
            self._cell.value = self.text()
        elif name == "c":
            cell = self._value(self._cell)
            if cell is not None and cell != "":
                self._cells[self._cell.column] = cell
            self._cell = None

    def _begin_row(self, attributes: Mapping[str, str]) -> None:
        number = attributes.get("r")
        row = self._row + 1 if number is None else _whole(number)
        if row <= self._row:
            raise OutOfPlace
        if row > MAX_ROWS:
            raise ValueError("a row beyond the last one")
        self._row, self._column = row, -1
        height = attributes.get("ht", "").strip(_SPACE)
        self._hidden = attributes.get("hidden", "").strip(_SPACE) in ("1", "true") or (
            NUMBER.fullmatch(height) is not None and float(height) == 0
        )
        self._in_row = True
        self._seen.clear()

    def _begin_cell(self, attributes: Mapping[str, str]) -> None:
        column = self._column + 1
        if (text := attributes.get("r")) is not None:
            ref = _REF.fullmatch(text.strip(_SPACE))
            if not ref:
                raise ValueError("no reference of a cell")
            column = position(ref[1].encode())
            if int(ref[2]) != self._row:
                raise OutOfPlace
        if column in self._seen:
            raise OutOfPlace
        if column >= MAX_COLUMNS:
            raise ValueError("a column beyond the last one")
        self._seen.add(column)
        self._column = column
        style = _WHOLE.fullmatch(attributes.get("s", "").strip(_SPACE))
        self._cell = _OpenCell(
            column, attributes.get("t", "n").strip(_SPACE), int(style[1]) if style else None
        )

    def _value(self, cell: _OpenCell) -> Cell | Number:
        """Return what a cell shows, and None for a blank one."""
        text = cell.value.strip(_SPACE)
        if cell.kind == "e":
            return NoValue(text or "#VALUE!")
        if cell.formula is not None:
            not_calculated = not text or (self._recalculated and text in ("0", "0.0"))
            # The result of ="" has the type "str"; a formula without a result has no type.
            if not_calculated and (text or cell.kind != "str"):
                return NoValue("=" + cell.formula)
        if cell.inline or cell.kind == "str":
            return cell.value
        if not text:
            return None
        match cell.kind:
            case "s":
                index = _whole(text)
                if index >= len(self._texts):
                    raise ValueError("no such shared string")
                return self._texts[index]
            case "b" if text.lower() in _TRUTHS:
                return _TRUTHS[text.lower()]
            case "d":
                return Number(text, cell.style, is_date=True)
            case "n" if NUMBER.fullmatch(text):
                return Number(text, cell.style)
        raise ValueError("no value of this type")


def parsed_rows(
    pieces: Iterable[bytes], texts: Sequence[str], *, recalculated: bool
) -> Iterator[RawRow]:
    """Yield the rows of a worksheet; raises expat.ExpatError or ValueError for a damaged one.

    OutOfPlace and CellTooLong are the ValueErrors that have messages of their own.
    """
    parser = SheetParser(texts, recalculated=recalculated)
    for piece in pieces:
        # What follows the rows does not matter: it is unpacked only to verify its size.
        if not parser.ended_data:
            parser.feed(piece)
            yield from parser.rows
            parser.rows.clear()
    if not parser.ended_data:
        raise expat.ExpatError("no end of the rows")


def _whole(text: str) -> int:
    match = _WHOLE.fullmatch(text.strip(_SPACE))
    if not match:
        raise ValueError("no whole number")
    return int(match[1])
