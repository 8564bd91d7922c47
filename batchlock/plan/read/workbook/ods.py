"""Measure the sheets of an .ods before they are read, and find the cells that read as blank."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from xml.parsers import expat
from zipfile import ZIP_DEFLATED, ZipFile

from batchlock.plan.read.workbook.no_value import (
    MAX_CELLS,
    MAX_COLUMNS,
    MAX_ROWS,
    MAX_TEXT_BYTES,
    RowOverrides,
    SheetStats,
)
from batchlock.plan.read.workbook.ods_normalise import CLOCK, Rewriter
from batchlock.plan.read.workbook.ods_rows import CONTENT, stored_rows
from batchlock.plan.read.workbook.zip_safety import (
    Package,
    damaged,
    damaged_xml,
    protected,
    too_sparse,
    zip_bomb,
)

# What python-calamine does not read right. One by one, the patterns are found in a third of the
# time that a single pattern of all takes.
_NEEDS_REWRITE = (
    # White space around rows and cells, as Gnumeric and SheetJS write it: it raises an error.
    re.compile(rb">\s+<table:table-(?:row|cell)"),
    # Line breaks and tabs inside a text are elements, which it drops.
    re.compile(rb"<text:(?:line-break|tab)\b"),
    # Marked sections, whose text it drops; comments match too.
    re.compile(rb"<!"),
    # Drawings, whose text it adds to the text of the cell.
    re.compile(rb"<(?:draw|dr3d):"),
    # A cell with text but without a value or the type "string": it shows a blank. Attributes of
    # formulas contain ">", so quoted values are skipped; possessively, for linear time.
    re.compile(
        rb"<table:(?:covered-)?table-cell"
        rb"""(?![^>]*office:(?:(?:\w+-)?value=|value-type=["']string))"""
        rb"""(?:[^>"']|"[^"]*"|'[^']*')*+(?<!/)>\s*<(?!/)"""
    ),
)
# A time that no clock shows, which python-calamine returns as text such as PT26H30M00S.
_DURATION = re.compile(rf"""time-value=["'](?!{CLOCK.pattern}["'])""".encode())
# Formulas may have no stored value. LibreOffice marks errors with calcext:value-type="error".
_NEEDS_OVERRIDES = (re.compile(rb"formula="), re.compile(rb"""value-type=["']error["']"""))

# A hidden row, or a group of rows that is closed.
_HIDES_ROWS = re.compile(rb"""visibility=["'](?:collapse|filter)|:display=["']false""")

_ROW_END = b"</table:table-row>"
_ENCRYPTED = b"encryption-data"
_MANIFEST = "meta-inf/manifest.xml"
# A row of all 16,384 columns has a tenth of it.
_MAX_ROW_BYTES = 16 << 20
_TAG = re.compile(rb"""<table:(?:covered-)?table-(cell|row)\b((?:[^>"']|"[^"]*"|'[^']*')*+)>""")
# number-columns-repeated or number-rows-repeated: equal neighbours are stored once.
_REPEATED = re.compile(rb"""-repeated=["'](\d+)""")


@dataclass(frozen=True, slots=True)
class Ods:
    """The sheets of an .ods."""

    package: Package
    needs_overrides: bool
    needs_rewrite: bool
    """Whether it holds something that python-calamine does not read right."""
    hides_rows: bool

    def normalised(self) -> BytesIO:
        """Return the same file in the form that python-calamine reads right."""
        output = BytesIO()
        # Level 1: the copy lives in memory until it is read; speed counts more than size.
        with ZipFile(output, "w", ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
            with archive.open(CONTENT, "w", force_zip64=True) as file:
                rewriter = Rewriter()
                try:
                    for piece in self.package.pieces(CONTENT):
                        file.write(rewriter.feed(piece))
                    file.write(rewriter.feed(b"", last=True))
                except expat.ExpatError as error:
                    raise damaged_xml(self.package.path, error) from error
            archive.writestr("META-INF/manifest.xml", "<manifest/>")
        output.seek(0)
        return output

    def overrides(self, sheet: str) -> Iterator[RowOverrides]:
        """Yield the overrides of every row, from row 1 on."""
        # Rows without overrides are counted first, since nobody needs those at the end: most
        # programs fill a sheet up with a million blank rows.
        skipped = 0
        for name, row in stored_rows(self.package):
            if name != sheet:
                continue
            if row.overrides:
                yield from [()] * skipped
                yield from [row.overrides] * row.times
            skipped = 0 if row.overrides else skipped + row.times

    def hidden_rows(self, sheet: str) -> Iterator[int]:
        """Yield the number of each row that the spreadsheet does not show."""
        if not self.hides_rows:
            return
        last_row = 0
        for name, row in stored_rows(self.package):
            if name == sheet:
                if row.hidden:
                    yield from range(last_row + 1, last_row + row.times + 1)
                last_row += row.times


def open_workbook(package: Package) -> Ods:
    """Measure all sheets together, because python-calamine holds all of them in memory at once.

    Raises UnreadableFile when they are too large, or the file is encrypted or damaged.
    """
    path = package.path
    _check_encryption(package)
    if CONTENT not in package.parts:
        raise damaged(path)
    # python-calamine finds the parts by what these entries say, and refuses a file without them.
    needs_overrides = hides_rows = False
    needs_rewrite = not package.parts.keys() >= {"mimetype", _MANIFEST}
    size = _SizeEstimate()
    for rows in _row_pieces(package):
        has_durations = bool(_DURATION.search(rows))
        needs_overrides = (
            needs_overrides or has_durations or any(one.search(rows) for one in _NEEDS_OVERRIDES)
        )
        needs_rewrite = (
            needs_rewrite or has_durations or any(one.search(rows) for one in _NEEDS_REWRITE)
        )
        hides_rows = hides_rows or bool(_HIDES_ROWS.search(rows))
        size.add(rows)
    if not size.fits:
        _check_exact_size(package)
    return Ods(package, needs_overrides, needs_rewrite, hides_rows)


def _check_encryption(package: Package) -> None:
    """Raise UnreadableFile for an encrypted workbook.

    Each part is encrypted, or all of them together in one part (OpenDocument 1.3 and 1.4 part 2).
    """
    manifest = b""
    # OpenOffice 2 writes a DTD into it, which nobody reads.
    for piece in package.pieces(_MANIFEST, as_markup=False) if _MANIFEST in package.parts else ():
        manifest = manifest[-len(_ENCRYPTED) :] + piece
        if _ENCRYPTED in manifest:
            raise protected(package.path)
    if "encrypted-package" in package.parts:
        raise protected(package.path)


class _SizeEstimate:
    """An upper limit of the size of all sheets together, from a quick scan of their rows."""

    def __init__(self) -> None:
        self._rows = self._blank_rows = self._widest = self._text_bytes = 0

    @property
    def fits(self) -> bool:
        return self._rows * self._widest <= MAX_CELLS and self._text_bytes <= MAX_TEXT_BYTES

    def add(self, rows: bytes) -> None:
        for row in rows.split(_ROW_END):
            times, width = _estimate_row(row)
            # Blank rows count only when a filled one follows in the same sheet.
            if b"</table:table>" in row:
                self._blank_rows = 0
            if not width:
                self._blank_rows += times
                continue
            self._rows += self._blank_rows + times
            self._blank_rows = 0
            self._widest = max(self._widest, width)
            copies = times * (width if b"-columns-repeated" in row else 1)
            self._text_bytes += len(row) * copies


def _estimate_row(row: bytes) -> tuple[int, int]:
    """Return how often a row occurs, and the number of its last column with a filled cell."""
    # Most programs fill every row up to the last column with one blank cell, stored once.
    if row.endswith(b"/>"):
        last_cell = row.rfind(b"<table:table-cell")
        row = row if b"value" in row[last_cell:] else row[:last_cell]
    if b"-repeated=" not in row:
        return 1, row.count(b"<table:table-cell") + row.count(b"<table:covered")
    times, column, width = 1, 0, 0
    for kind, attributes in _TAG.findall(row):
        repeated = _REPEATED.search(attributes)
        count = int(repeated[1]) if repeated else 1
        if kind == b"row":
            times = count
            continue
        column = min(column + count, MAX_COLUMNS)
        if not attributes.endswith(b"/") or b"value-type" in attributes:
            width = column
    return min(times, MAX_ROWS), width


def _row_pieces(package: Package) -> Iterator[bytes]:
    """Yield the content in pieces that are cut only between rows."""
    rest = b""
    for piece in package.pieces(CONTENT):
        piece = rest + piece
        cut = piece.rfind(_ROW_END) + len(_ROW_END)
        if cut < len(_ROW_END):  # rfind found none
            cut = 0
        if len(piece) - cut > _MAX_ROW_BYTES:
            raise zip_bomb(package.path)
        yield piece[:cut]
        rest = piece[cut:]
    yield rest


def _check_exact_size(package: Package) -> None:
    """Raise UnreadableFile when one sheet, or all of them together, cannot be held in memory."""
    path = package.path
    sheets: dict[str, SheetStats] = {}
    last_row = text_bytes = 0
    for name, row in stored_rows(package):
        last_row = row.times + (last_row if name in sheets else 0)
        before = sheets.get(name, SheetStats())
        rows = last_row if row.width else before.rows
        stats = sheets[name] = SheetStats(rows, max(before.columns, row.width))
        text_bytes += row.text_length * row.times
        if not stats.fits:
            raise too_sparse(path, name, rows, stats.columns)
    if sum(sheet.area for sheet in sheets.values()) > MAX_CELLS or text_bytes > MAX_TEXT_BYTES:
        raise zip_bomb(path)
