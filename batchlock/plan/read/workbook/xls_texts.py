"""Decode the texts of an .xls of Excel 5 and 95 (BIFF5), which are bytes in a code page.

The record CODEPAGE names it. Some programs write none, and then the character set of the cell's
font tells, as Windows has it. LibreOffice goes by the font too.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from xlrd.biffh import encoding_from_codepage  # type: ignore[import-untyped]  # comes without types

from batchlock.core.errors import UnreadableFile
from batchlock.plan.read.candidates import WESTERN
from batchlock.plan.read.readings import MARGIN, compare, margin, parse_line

RAW_ENCODING = "iso-8859-1"
"""The encoding that xlrd is given, so that every byte becomes one character and none is lost."""

# The encodings of the character sets of Windows ([MS-WMF] 2.1.1.5).
_CHARACTER_SETS = {
    0: "cp1252",
    77: "mac_roman",
    128: "cp932",
    129: "cp949",
    134: "gbk",
    136: "big5",
    161: "cp1253",
    162: "cp1254",
    163: "cp1258",
    177: "cp1255",
    178: "cp1256",
    186: "cp1257",
    204: "cp1251",
    222: "cp874",
    238: "cp1250",
}
# The set 0 is what a program writes that knows of no other, so it says nothing against a code page,
# and counts without one only where the texts read as a Western European language.
_NEUTRAL = "cp1252"
_ASCII = bytes(range(0x20, 0x7F))
# Texts that are looked at for that; hundreds show what thousands do.
_SAMPLE = 400


class TextDecoder:
    """Decode the texts of one workbook."""

    def __init__(self, book: Any, fonts: Sequence[int]) -> None:
        """Take a workbook that xlrd has opened, and the font of each cell format."""
        self._code_page = _encoding_of_code_page(book.codepage)
        self._encodings = [_CHARACTER_SETS.get(font.character_set) for font in book.font_list]
        self._fonts = fonts
        self._texts = [*islice(_texts_beyond_ascii(book), _SAMPLE)]

    def cell(self, path: Path, text: str, sheet: Any, row: int, column: int) -> str:
        """Return the text of a cell, which xlrd has decoded with RAW_ENCODING.

        Raises UnreadableFile when the file does not say for certain what the text is.
        """
        if text.isascii():
            return text
        encodings: list[str | None] = []
        cell_format = sheet.cell_xf_index(row, column) if self._fonts else 0
        # Report generators name formats that they do not write: such a cell has no known font.
        for font in self._fonts[cell_format : cell_format + 1]:
            # There is no font 4: the numbers go on with 5 ([MS-XLS] 2.5.129), but xlrd has one.
            encodings += self._encodings[font : font + 1]
        return self._decode(path, text, encodings)

    def name(self, path: Path, text: str) -> str:
        """Return the name of a sheet, which has no font of its own."""
        return text if text.isascii() else self._decode(path, text, self._encodings)

    def _read_western(self) -> bool:
        readings = compare([parse_line(text.encode(RAW_ENCODING)) for text in self._texts])
        western = next((one for one in readings if one.codec == WESTERN.codec), None)
        return western is not None and margin(readings, western) >= MARGIN

    def _decode(self, path: Path, text: str, by_font: Sequence[str | None]) -> str:
        named = {encoding for encoding in by_font if encoding not in (None, _NEUTRAL)}
        if self._code_page:
            named.add(self._code_page)
        elif not named and _NEUTRAL in by_font and self._read_western():
            named.add(_NEUTRAL)
        readings = set()
        for encoding in named:
            try:
                readings.add(_decoded(text.encode(RAW_ENCODING), encoding or ""))
            except (UnicodeError, LookupError):
                readings.clear()
                break
        if len(readings) != 1:
            raise UnreadableFile(
                f"{path.name} is from Excel 95 or older and does not say for certain in which "
                "encoding its texts are. Open it in a spreadsheet program, see whether they read "
                "right, and save it as .xlsx."
            )
        return readings.pop()


def _decoded(content: bytes, encoding: str) -> str:
    """Decode a text; raises LookupError for an encoding that is none of a spreadsheet program.

    Those of mainframes (EBCDIC) and UTF-16, which a damaged code page may name, have no ASCII.
    """
    if _ASCII.decode(encoding) != _ASCII.decode():
        raise LookupError(encoding)
    return content.decode(encoding)


def _encoding_of_code_page(code_page: int | None) -> str | None:
    if code_page is None:
        return None
    return str(encoding_from_codepage.get(code_page, f"cp{code_page}"))


def _texts_beyond_ascii(book: Any) -> Iterator[str]:
    for sheet in book.sheets():
        for row in range(sheet.nrows):
            for value in sheet.row_values(row):
                if isinstance(value, str) and not value.isascii():
                    yield value
