"""Read the ids of records and locks. A damaged id is refused, never repaired.

A repaired id could be that of another record.
"""

import re
from dataclasses import dataclass

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
# The address of a record: https://crm.zoho.<tld>/crm/org<number>/tab/<module>/<id>, without the org
# in older ones. Sandboxes, CRM Plus and Zoho One have other hosts and longer paths. Behind the id
# may follow a page, a query or a fragment.
_ADDRESS = re.compile(
    r"(?:https?://)?(?:[a-z0-9-]+\.)+zoho(?:cloud|sandbox)?\.[a-z]{2,4}(?:\.[a-z]{2})?"
    r"/(?:[^\s?]*/)?tab/([A-Za-z0-9_]+)/([0-9]{10,20})(?:[/?#]\S*)?",
    re.IGNORECASE,
)
# Longer than any address: a cell of a million characters is not searched.
_MAX_ADDRESS_LENGTH = 2_000
# Any other address, so that the message can say what is expected of one.
_ANY_ADDRESS = re.compile(r"(?:https?://|www\.|[a-z0-9.-]+\.[a-z]{2,}/)\S*", re.IGNORECASE)
# What databases and people write where there is no value. A lock id that says so is blank. `nan` is
# not among them: it is what programs make of a damaged number too.
NO_ID = frozenset({"null", "none", "n/a", "-"})
# The same for record ids, which every row needs.
_NO_RECORD_ID = NO_ID | {"nan", "na", "nil", "#n/a", "undefined", "--", "?", "(blank)", "unknown"}
# A spreadsheet keeps 15 digits of a number, and makes all others zeros.
_ZEROS_AFTER_15_DIGITS = re.compile(r"[0-9]{15}0+")


@dataclass(frozen=True, slots=True)
class RecordAddress:
    """The address of a record in Zoho, which a person has pasted in place of the id."""

    module: str
    """The module as Zoho's addresses name it: `Potentials` is Deals."""
    record_id: str
    text: str


def read_id(cell: Cell) -> str | RecordAddress | Fault | None:
    """Return the digits of an id, the address of a record, a fault, or None for a blank cell."""
    if isinstance(cell, str):
        return cell if _ID.fullmatch(cell) else _id_of_text(cell)
    if cell is None:
        return None
    if isinstance(cell, NoValue):
        return no_value_fault(cell)
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return _bad_id(display_text(cell))
    return _id_of_number(cell)


def read_lock_id(cell: Cell) -> str | Fault | None:
    """Return the digits of a lock id, a fault, or None for a cell that is blank or says so."""
    lock_id = read_id(cell)
    if isinstance(lock_id, Fault) and isinstance(cell, str):
        return None if strip_invisible(cell).casefold() in NO_ID else lock_id
    if isinstance(lock_id, RecordAddress):
        return Fault(
            "bad_id",
            f"{quoted(lock_id.text)} is the address of a record, not a lock id. Paste the lock id, "
            "or leave the cell blank: then Zoho is asked for it.",
        )
    return lock_id


def looks_rounded(id_: str | None) -> bool:
    """Tell whether an id ends in zeros as a spreadsheet leaves them."""
    return id_ is not None and _ZEROS_AFTER_15_DIGITS.fullmatch(id_) is not None


def _id_of_text(cell: str) -> str | RecordAddress | Fault | None:
    text = strip_invisible(cell)
    if match := _FORMULA_TEXT.fullmatch(text):
        text = strip_invisible(match[1])
    digits = _ZOHO_PREFIX.sub("", text)
    if not digits:
        return None if not text else _bad_id(text)
    if _ID.fullmatch(digits):
        return digits
    if len(text) <= _MAX_ADDRESS_LENGTH and (match := _ADDRESS.fullmatch(text)):
        return RecordAddress(match[1], match[2], text)
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
    remedy = "Paste it again from Zoho."
    if text.isascii() and text.isdigit():
        digits = f"{len(text)} digit{'' if len(text) == 1 else 's'}"
        reason = f"it has {digits}, and an id has 10 to 20"
    elif len(text) <= _MAX_ADDRESS_LENGTH and _ANY_ADDRESS.fullmatch(text):
        reason = "it is an address, but not that of a record"
        remedy = (
            "Open the record in Zoho and paste its address, which ends in /tab/, the module and "
            "the id; or paste the id alone."
        )
    elif text.isdecimal() or (text.startswith("zcrm_") and text[5:].isdecimal()):
        reason = "its digits are not the usual ones (0 to 9) but those of another script or width"
        remedy = "Switch the keyboard to plain digits and type it again, or paste it from Zoho."
    elif text.casefold() in _NO_RECORD_ID:
        reason = "it says that there is none"
        remedy = "Paste the id from Zoho, or delete the row."
    else:
        reason = "an id has digits only"
    return Fault("bad_id", f"{quoted(text)} is not an id: {reason}. {remedy}")
