"""Read the rows of an .ods as they are stored: what python-calamine does not tell of them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO
from xml.etree import ElementTree as ET

from batchlock.core.rows import NoValue
from batchlock.plan.read.workbook.no_value import MAX_COLUMNS, MAX_ROWS, Override
from batchlock.plan.read.workbook.ods_normalise import CLOCK, duration_of
from batchlock.plan.read.workbook.zip_safety import Package, damaged

CONTENT = "content.xml"

_TABLE_NS = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE_NS = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TEXT_NS = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_CALC_NS = "{urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0}"
# Gnumeric and others write an error as the text of its formula. LibreOffice has its own errors,
# such as Err:502.
_ERROR_TEXT = re.compile(r"#(?:N/A|REF!|VALUE!|DIV/0!|NAME\?|NUM!|NULL!)|Err:\d{3}")
# How a row is not shown (OpenDocument 1.3 part 3, 19.749): by a person, or by a filter.
_UNSEEN = ("collapse", "filter")


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row as it is stored, which may stand for many equal ones."""

    times: int
    width: int
    """The number of the last column with a filled cell."""
    text_length: int
    hidden: bool
    overrides: list[Override | None]


def stored_rows(package: Package) -> Iterator[tuple[str, StoredRow]]:
    """Yield the rows of all sheets, each with the name of its sheet."""
    # iterparse needs a file that can be read at any speed; the zip yields pieces.
    with TemporaryFile() as file:
        for piece in package.pieces(CONTENT):
            file.write(piece)
        file.seek(0)
        try:
            yield from _parsed_rows(file)
        except (ET.ParseError, ValueError) as error:
            raise damaged(package.path) from error


def _parsed_rows(file: IO[bytes]) -> Iterator[tuple[str, StoredRow]]:
    table: ET.Element | None = None
    name = ""
    overrides: list[Override | None] = []
    closed_groups = 0
    column = width = text_length = row = 0
    # Entity bombs cannot occur: open_package refuses every part with a DTD.
    events = ET.iterparse(file, events=("start", "end"))  # noqa: S314
    for event, element in events:
        if event == "start":
            if element.tag == f"{_TABLE_NS}table" and table is None:
                table, row = element, 0
                name = element.get(f"{_TABLE_NS}name", "")
            elif element.tag == f"{_TABLE_NS}table-row":
                overrides, column, width, text_length = [], 0, 0, 0
            elif _closes_group(element):
                closed_groups += 1
        # Elements are cleared so that memory does not grow with the file.
        elif table is None:
            element.clear()
        elif element is table:
            table = None
            element.clear()
        elif element.tag in (f"{_TABLE_NS}table-cell", f"{_TABLE_NS}covered-table-cell"):
            count = int(element.get(f"{_TABLE_NS}number-columns-repeated", "1"))
            end = min(column + count, MAX_COLUMNS)
            if override := _override(element):
                overrides += [None] * (column - len(overrides))
                overrides += [override] * (end - column)
            text_length += sum(map(len, element.itertext())) * (end - column)
            column = end
            if len(element) or element.get(f"{_OFFICE_NS}value-type"):
                width = end
        elif element.tag == f"{_TABLE_NS}table-row":
            count = int(element.get(f"{_TABLE_NS}number-rows-repeated", "1"))
            count = min(count, MAX_ROWS - row)
            row += count
            hidden = closed_groups > 0 or element.get(f"{_TABLE_NS}visibility") in _UNSEEN
            yield name, StoredRow(count, width, text_length, hidden, overrides)
            element.clear()  # the rows of a group are no children of the table
            table.clear()
        elif _closes_group(element):
            closed_groups -= 1


def _closes_group(element: ET.Element) -> bool:
    """Tell whether an element is a group of rows that shows none of them."""
    return (
        element.tag == f"{_TABLE_NS}table-row-group"
        and element.get(f"{_TABLE_NS}display") == "false"
    )


def _override(cell: ET.Element) -> Override | None:
    """Return what to show for a cell, None for its own value."""
    formula = cell.get(f"{_TABLE_NS}formula")
    paragraph = cell.find(f"{_TEXT_NS}p")
    text = "" if paragraph is None else "".join(paragraph.itertext())
    if cell.get(f"{_CALC_NS}value-type") == "error" or (formula and _ERROR_TEXT.fullmatch(text)):
        return NoValue(text)
    # LibreOffice writes an empty paragraph for a formula whose result is an empty text.
    if formula and paragraph is None and cell.get(f"{_OFFICE_NS}value-type") is None:
        # The formula follows a prefix for its language, such as "of:=".
        return NoValue(formula[formula.find("=") :])
    length = cell.get(f"{_OFFICE_NS}time-value")
    return duration_of(length) if length and not CLOCK.fullmatch(length) else None
