"""Find the rows that a filter or a person hides in a worksheet in XML.

No reader of these formats tells which rows are hidden.
"""

import re
from collections.abc import Iterator

# A row of an .xlsx is hidden by an attribute (ECMA-376 part 1, 18.3.1.73), or has no height.
_XLSX_HIDES = re.compile(
    rb"""\s(?:hidden\s*=\s*["']\s*(?:1|true)|ht\s*=\s*["']\s*0(?:\.0+)?\s*["'])"""
)
# Every tag may have a namespace prefix.
_XLSX_ROW = re.compile(rb"<(?:\w+:)?row((?:\s[^>]*)?)>")


def xlsx_hides(piece: bytes) -> bool:
    """Tell whether a piece of a sheet may hide rows; columns are hidden before the first row."""
    return b"hidden" in piece or b'ht="0' in piece or b"ht='0" in piece


def xlsx_hidden(piece: bytes, numbers: list[int]) -> Iterator[int]:
    """Yield the numbers of the hidden ones among the rows of a piece of a sheet."""
    for number, attributes in zip(numbers, _XLSX_ROW.findall(piece), strict=False):
        if _XLSX_HIDES.search(attributes):
            yield number
