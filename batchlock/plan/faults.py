"""What can be wrong with any cell, whatever its field, and how messages quote a cell."""

import re
from dataclasses import dataclass

from batchlock.core.rows import NoValue

# All white space but control characters: of those only tab, LF and CR are white space, every other
# one is a problem, at the ends of a cell too. `str.strip` alone would remove \x0b, \x1f and \x85.
WHITE_SPACE = (
    " \t\n\r\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
# Soft hyphen, zero-width characters, direction marks and the byte order mark: they come along when
# an id is copied from a web page or a chat, and nobody can see and delete them.
_INVISIBLE = re.compile(
    "[\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]+"
)
# Control characters other than tab, LF and CR, lone surrogates, and two code points that Unicode
# excludes from text. Most of them cannot be written to a workbook or sent as UTF-8.
_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
# The errors of Excel, and those that LibreOffice writes as Err:502. A CSV export holds them as
# text. Only the whole cell counts, so that a reason may speak of #N/A.
_SPREADSHEET_ERROR = re.compile(
    r"#(?:N/A|REF!|VALUE!|DIV/0!|NAME\?|NUM!|NULL!|SPILL!|CALC!|GETTING_DATA|FIELD!|BLOCKED!"
    r"|CONNECT!|UNKNOWN!|BUSY!|EXTERNAL!|PYTHON!)|Err:[0-9]{3}"
)
# Characters of a cell that a message quotes: enough to recognise the cell by, on one line.
MAX_QUOTED = 60


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one cell: a problem without its row and column."""

    code: str
    message: str


def text_fault(text: str) -> Fault | None:
    """Return why a text cannot be meant as a value of any field, None if it can."""
    # isprintable is many times faster than the search, and true of nearly all text.
    if not text.isprintable() and (match := _NOT_TEXT.search(text)):
        return Fault(
            "bad_value",
            f"{quoted(text)} holds a character that is not allowed in text "
            f"(U+{ord(match[0]):04X}, character {match.start() + 1}). "
            "Delete it, or type the cell again.",
        )
    if text[:1] in {"#", "E"} and _SPREADSHEET_ERROR.fullmatch(text):
        return _error_fault(text)
    return None


def no_value_fault(cell: NoValue) -> Fault:
    """Return the fault of a cell that is an error, or a formula without a stored value."""
    if not cell.text.startswith("="):
        return _error_fault(cell.text)
    return Fault(
        "bad_value",
        f"{quoted(cell.text)} is a formula that has not been calculated yet. "
        "Open the file in Excel, let it calculate and save it.",
    )


def strip_invisible(text: str) -> str:
    """Remove invisible characters, and the apostrophe with which Excel marks a cell as text."""
    text = _INVISIBLE.sub("", text).strip(WHITE_SPACE)
    return text.removeprefix("'").strip(WHITE_SPACE)


def quoted(text: str) -> str:
    """Return a cell's text as messages quote it: on one line, and not too long."""
    text = " ".join(_NOT_TEXT.sub("\ufffd", text).split())
    return f'"{text}"' if len(text) <= MAX_QUOTED else f'"{text[:MAX_QUOTED]}…"'


def _error_fault(text: str) -> Fault:
    return Fault(
        "bad_value",
        f"{quoted(text)} is an error of the spreadsheet. Correct the formula, or type the value.",
    )
