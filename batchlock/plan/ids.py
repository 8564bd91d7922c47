"""Read the ids of records and locks. A damaged id is refused, never repaired.

A repaired id could be that of another record.
"""

import re

from batchlock.core.cell_text import INEXACT_FROM, display_text
from batchlock.core.rows import Cell, NoValue
from batchlock.plan.faults import Fault, no_value_fault, quoted, strip_invisible, text_fault

# Zoho promises no length. Ids of 13 and of 17 to 19 digits have been seen; an unsigned 64-bit
# integer has at most 20. [0-9], because \d takes the digits of all scripts.
_ID = re.compile(r"[0-9]{10,20}")
# How exports keep a spreadsheet from turning an id into a number: a formula that is a text.
_FORMULA_TEXT = re.compile(r'="([^"]*)"')
# Zoho's exports and reports put this before each id; the API takes the digits only.
_ZOHO_PREFIX = re.compile(r"\Azcrm_", re.IGNORECASE)
# What a spreadsheet writes for a number that is too long for its cell, with the decimal point or
# comma of the country.
_SCIENTIFIC = re.compile(r"[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]{1,3}")
# A spreadsheet keeps 15 digits of a number, and makes all others zeros.
_ZEROS_AFTER_15_DIGITS = re.compile(r"[0-9]{15}0+")


def read_id(cell: Cell) -> str | Fault | None:
    """Return the digits of an id, a fault, or None for a blank cell."""
    if isinstance(cell, str):
        return cell if _ID.fullmatch(cell) else _id_of_text(cell)
    if cell is None:
        return None
    if isinstance(cell, NoValue):
        return no_value_fault(cell)
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return _bad_id(display_text(cell))
    return _id_of_number(cell)


def looks_rounded(id_: str | None) -> bool:
    """Tell whether an id ends in zeros as a spreadsheet leaves them."""
    return id_ is not None and _ZEROS_AFTER_15_DIGITS.fullmatch(id_) is not None


def _id_of_text(cell: str) -> str | Fault | None:
    text = strip_invisible(cell)
    if match := _FORMULA_TEXT.fullmatch(text):
        text = strip_invisible(match[1])
    digits = _ZOHO_PREFIX.sub("", text)
    if not digits:
        return None if not text else _bad_id(text)
    if _ID.fullmatch(digits):
        return digits
    if fault := text_fault(text):
        return fault
    return _lossy_number(text) if _SCIENTIFIC.fullmatch(digits) else _bad_id(text)


def _id_of_number(cell: float) -> str | Fault:
    if isinstance(cell, float) and not cell.is_integer():
        return _bad_id(display_text(cell))
    if cell >= INEXACT_FROM:
        return _lossy_number(f"{cell:.5g}".upper())
    digits = str(int(cell))
    return digits if _ID.fullmatch(digits) else _bad_id(digits)


def _lossy_number(text: str) -> Fault:
    return Fault(
        "lossy_number",
        f"{quoted(text)} is a number that a spreadsheet has rounded; the last digits are gone. "
        "Format the column as text and paste the id again from Zoho.",
    )


def _bad_id(text: str) -> Fault:
    reason = "an id has digits only"
    if text.isascii() and text.isdigit():
        reason = f"it has {len(text)} digit{'' if len(text) == 1 else 's'}, and an id has 10 to 20"
    return Fault("bad_id", f"{quoted(text)} is not an id: {reason}. Paste it again from Zoho.")
