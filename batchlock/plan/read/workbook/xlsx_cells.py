"""Find the cells of a worksheet in XML that python-calamine reads as blank."""

import re
from html import unescape

from batchlock.core.rows import NoValue

# The first four patterns tell whether a piece of a sheet holds such a cell at all. The types of
# cells (ECMA-376 part 1, 18.18.11) are "e" error, "s" shared string, "str" text of a formula, and
# "inlineStr" text in the cell itself. Every tag may have a namespace prefix.
_ERROR_CELL = re.compile(rb"""<(?:\w+:)?c\s[^>]*\bt=["']e["']""")
_FORMULA_END = rb"(?:</(?:\w+:)?f\s*>|<(?:\w+:)?f(?:\s[^>]*)?/>)\s*"
# A formula that is followed by the end of the cell or by an empty <v>, as openpyxl writes it.
_NO_STORED_VALUE = re.compile(
    _FORMULA_END + rb"(?:</|<(?:\w+:)?v\s*/>|<(?:\w+:)?v(?:\s[^>]*)?>\s*</)"
)
# XlsxWriter and Perl's writers store 0 for every formula, with the request to recalculate.
_ZERO_VALUE = re.compile(_FORMULA_END + rb"<(?:\w+:)?v(?:\s[^>]*)?>0(?:\.0)?</")
# The other patterns take a single cell apart: the attributes of its tag, then its content.
_TYPE_ERROR = re.compile(rb"""\st\s*=\s*["']e["']""")
_TYPE_FORMULA_TEXT = re.compile(rb"""\st\s*=\s*["']str["']""")
# The formula is the group; it is empty for the later cells of a shared formula (<f t="shared"/>).
_FORMULA = re.compile(rb"\s*<(?:\w+:)?f(?:\s[^>]*?)?(?:/>|>(.*?)</(?:\w+:)?f\s*>)", re.DOTALL)
# The value is the group; a cell that ends here, or has an empty <v/>, has none.
_VALUE = re.compile(
    rb"\s*(?:</|<(?:\w+:)?v\s*/>|<(?:\w+:)?v(?:\s[^>]*)?>(.*?)</(?:\w+:)?v\s*>)", re.DOTALL
)


def has_no_value(piece: bytes, *, recalculated: bool) -> bool:
    """Tell whether a piece of a sheet has an error, or a formula without a stored value.

    `recalculated` says that the workbook asks for a recalculation, so that 0 is no value.
    """
    if _may_match(piece, b"e", b'="e"', b"='e'") and _ERROR_CELL.search(piece):
        return True
    if not _may_match(piece, b"f", b"<f", b":f"):
        return False
    return bool(_NO_STORED_VALUE.search(piece) or (recalculated and _ZERO_VALUE.search(piece)))


def override_of(
    piece: bytes, start: int, attributes: bytes, *, recalculated: bool
) -> NoValue | None:
    """Return what to show for the cell whose content starts there; None for its own value."""
    formula = _FORMULA.match(piece, start)
    value = _VALUE.match(piece, formula.end() if formula else start)
    text = (value[1] or b"").strip() if value else b""
    if _TYPE_ERROR.search(attributes):
        return NoValue(unescape(text.decode(errors="replace")) or "#VALUE!")
    if not formula or (text and not (recalculated and text in (b"0", b"0.0"))):
        return None
    # The result of ="" has the type "str"; a formula without a result has no type.
    if not text and _TYPE_FORMULA_TEXT.search(attributes):
        return None
    return NoValue("=" + unescape((formula[1] or b"").decode(errors="replace")))


def _may_match(piece: bytes, letter: bytes, *substrings: bytes) -> bool:
    # A single byte is searched faster than a substring, and most sheets do not contain it.
    return letter in piece and any(substring in piece for substring in substrings)
