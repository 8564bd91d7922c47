"""Scan the records of an .xls for what xlrd does not tell; [MS-XLS] 2.1.4 describes them."""

import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO

from xlrd.book import unpack_SST_table  # type: ignore[import-untyped]  # comes without types
from xlrd.compdoc import (  # type: ignore[import-untyped]  # the same
    SIGNATURE,
    CompDoc,
    CompDocError,
)

# Record types ([MS-XLS] 2.3.2): the begin and end of a substream, BoundSheet8, the shared strings,
# and the continuation of a record that is longer than 8,224 bytes.
_BOF, _EOF, _SHEET, _STRINGS, _CONTINUE = 0x0809, 0x000A, 0x0085, 0x00FC, 0x003C
# Formula: the first is that of BIFF5 and BIFF8, the others are those of BIFF3 and BIFF4.
_FORMULAS = (0x0006, 0x0206, 0x0406)
# The flag of a formula that asks for a calculation on opening (OpenOffice's documentation of the
# Excel file format, 5.50).
_CALCULATE_ON_OPENING = 0x0002
# The stored values 0 and "empty text" ([MS-XLS] 2.5.133 FormulaValue).
_NOT_CALCULATED = (bytes(8), b"\x03\0\0\0\0\0\xff\xff")
# The record of a row ([MS-XLS] 2.4.220), the position of its flags, and that of a hidden row.
_ROW, _ROW_FLAGS, _ROW_HIDDEN = 0x0208, 12, 0x20
# The position of the number of shared strings in their record, and the shortest string.
_COUNT, _SHORTEST_STRING = 4, 3


@dataclass(frozen=True, slots=True)
class ScannedSheet:
    """What xlrd does not tell about a sheet."""

    uncalculated: Mapping[int, Sequence[int]]
    """The columns of the formulas that have never been calculated, by row, both counted from 0."""
    hidden_rows: frozenset[int]
    """Their row numbers, as a spreadsheet shows them."""


def workbook_stream(content: bytes) -> tuple[bytes, bool]:
    """Return the records of the workbook, and whether its container is intact.

    Raises an exception of any kind when there is no workbook in it.
    """
    # Report generators write the workbook without a container.
    if not content.startswith(SIGNATURE):
        return content, True
    try:
        return _stream(CompDoc(content, logfile=StringIO())), True
    except CompDocError:
        # Some writers count a sector twice, which Excel does not mind.
        document = CompDoc(content, logfile=StringIO(), ignore_workbook_corruption=True)
        return _stream(document), False


def _stream(document: CompDoc) -> bytes:
    # BIFF8 calls the stream Workbook, BIFF5 calls it Book; xlrd ignores case here.
    for name in ("Workbook", "Book"):
        stream, start, length = document.locate_named_stream(name)
        if stream:
            return bytes(stream[start : start + length])
    raise ValueError("no workbook in the container")


def scan_sheets(stream: bytes) -> list[ScannedSheet]:
    """Scan every worksheet; raises struct.error or IndexError for a damaged one."""
    # BoundSheet8: the offset of the sheet, whether it is hidden, and its type; 0 is a worksheet.
    offsets = [
        struct.unpack_from("<I", stream, at)[0]
        for kind, at, _ in _records(stream, 0)
        if kind == _SHEET and stream[at + 5] == 0
    ]
    return [_scan_sheet(stream, offset) for offset in offsets]


def _scan_sheet(stream: bytes, offset: int) -> ScannedSheet:
    columns: dict[int, list[int]] = defaultdict(list)
    hidden_rows = set()
    for kind, at, length in _records(stream, offset):
        if kind in _FORMULAS:
            row, column, _, value, flags = struct.unpack_from("<HHH8sH", stream, at)
            if flags & _CALCULATE_ON_OPENING and value in _NOT_CALCULATED:
                columns[row].append(column)
        elif kind == _ROW and length > _ROW_FLAGS and stream[at + _ROW_FLAGS] & _ROW_HIDDEN:
            hidden_rows.add(struct.unpack_from("<H", stream, at)[0] + 1)
    return ScannedSheet(columns, frozenset(hidden_rows))


def with_true_count(stream: bytes) -> bytes | None:
    """Return the records with the number of shared strings that there are.

    None when the number is right, or when no number makes sense. xlrd believes the number: it
    misses strings, or reads beyond the last one.
    """
    blocks: list[bytes] = []
    position = 0
    for kind, at, length in _records(stream, 0):
        if kind == _STRINGS and not blocks:
            position = at + _COUNT
        elif not blocks or kind != _CONTINUE:
            if blocks:
                break
            continue
        blocks.append(stream[at : at + length])
    if not blocks:
        return None
    # unpack_SST_table fails when it is asked for more strings than there are.
    low, high = 0, sum(map(len, blocks)) // _SHORTEST_STRING
    while low < high:
        middle = (low + high + 1) // 2
        if _has_strings(blocks, middle):
            low = middle
        else:
            high = middle - 1
    count = struct.pack("<I", low)
    if stream[position : position + len(count)] == count:
        return None
    return stream[:position] + count + stream[position + len(count) :]


def _has_strings(blocks: Sequence[bytes], count: int) -> bool:
    try:
        strings, _ = unpack_SST_table(blocks, count)
    except (AssertionError, IndexError, ValueError, struct.error):
        return False
    return len(strings) == count


def _records(stream: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """Yield the type of each record of a substream, and the start and length of its content."""
    depth = 0  # a chart in a sheet is a substream of its own
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        depth += (kind == _BOF) - (kind == _EOF)
        yield kind, at + 4, length
        if depth <= 0:
            return
        at += 4 + length
