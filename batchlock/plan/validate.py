"""Turn the rows of a table into updates, and say what is wrong with each cell that cannot be.

What needs the whole file (conflicts, duplicates, rounded ids) is not found here.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import repeat
from typing import TYPE_CHECKING, Any

from batchlock.core.cell_text import INEXACT_FROM, display_text
from batchlock.core.rows import (
    LONGEST_REASON,
    MODULES,
    Cell,
    Field,
    LockId,
    NoValue,
    Problem,
    RecordId,
    Update,
)

if TYPE_CHECKING:
    import pandas as pd


_WORDS = {
    Field.MODULE: "The module",
    Field.RECORD_ID: "The record id",
    Field.LOCK_ID: "The lock id",
    Field.REASON: "The reason",
}
_MISSING_TITLE = "Lock Id"
_DONE = frozenset({"updated", "unchanged"})
_INVALID = "invalid"
_SHOWN = 60

# Tab, LF and CR are white space; every other control character is a problem, at the ends too.
_SPACE = " \t\n\r\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
_SPACE += "\u2028\u2029\u202f\u205f\u3000"
_INVISIBLE = re.compile(
    "[\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]+"
)
_ODD = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_STAND_IN = re.compile(r"\A(?:=|#\S+\Z|Err:)|\[U\+[0-9A-F]{4}\]")
"""What results show in the place of a formula, an error and a control character."""
_SO_IT_IS = "If it is right as it is, empty the row's cell under Result."
_ENDS_IN_ZEROS = re.compile(r"[0-9]{15}0+")
_ID = re.compile(r"[0-9]{10,20}")
_WRAPPED = re.compile(r'="([^"]*)"')
_PREFIX = re.compile(r"\Azcrm_", re.IGNORECASE)
_ROUNDED = re.compile(r"[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]{1,3}")
_ERROR = re.compile(
    r"#(?:N/A|REF!|VALUE!|DIV/0!|NAME\?|NUM!|NULL!|SPILL!|CALC!|GETTING_DATA|FIELD!|BLOCKED!"
    r"|CONNECT!|UNKNOWN!|BUSY!|EXTERNAL!|PYTHON!)|Err:[0-9]{3}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationRules:
    """What an org allows beyond the ordinary."""

    custom_modules: tuple[str, ...] = ()
    """API names, as Zoho spells them."""
    lookup_lock_ids: bool = True
    """Whether a blank lock id is looked up, instead of being a problem."""


@dataclass(frozen=True, slots=True)
class CheckedRows:
    """What the rows of a chunk ask for, and what is wrong with them."""

    updates: list[Update] = field(default_factory=list)
    """One for each row whose own cells are good, in order: those with something beyond as well."""
    problems: list[Problem] = field(default_factory=list)
    """All of them, at most one for a cell, in row order."""
    finished: list[int] = field(default_factory=list)
    """Rows with an update that a results file given back says are done, and that nobody changed."""


@dataclass(frozen=True, slots=True)
class _Fault:
    code: str
    message: str


def check(
    chunk: "pd.DataFrame",
    titles: Sequence[str],
    fields: Mapping[Field, int],
    rules: ValidationRules,
) -> CheckedRows:
    """Return the updates that a chunk's rows ask for, and every problem in its cells.

    `chunk` is one that `loader.read` yields: row numbers as its index, columns 0, 1, … of dtype
    object for `titles`, then `beyond`, `previous_result` and `previous_check`. `fields` says which
    columns to read; all others are never a problem.
    """
    checked = CheckedRows()
    modules = _Modules(rules.custom_modules)
    missing = {
        each: _Fault("missing_value", f"{words} is blank. Fill it in, or delete the row.")
        for each, words in _WORDS.items()
    }
    blank_lock = None if rules.lookup_lock_ids else missing[Field.LOCK_ID]
    names = [titles[fields[each]] if each in fields else _MISSING_TITLE for each in Field]
    for row, module_cell, record_cell, lock_cell, reason_cell, beyond, given in _rows(
        chunk, fields
    ):
        module = modules.read(module_cell) or missing[Field.MODULE]
        record_id = _id(record_cell) or missing[Field.RECORD_ID]
        lock_id = _id(lock_cell) or blank_lock
        reason = _reason(reason_cell) or missing[Field.REASON]
        if (
            isinstance(module, _Fault)
            or isinstance(record_id, _Fault)
            or isinstance(lock_id, _Fault)
            or isinstance(reason, _Fault)
        ):
            cells = zip(names, (module, record_id, lock_id, reason), strict=True)
            checked.problems.extend(_problems(row, cells, beyond))
            continue
        lock = None if lock_id is None else LockId(lock_id)
        update = Update(row, module, RecordId(record_id), lock, reason)
        checked.updates.append(update)
        if beyond is not None:
            checked.problems.extend(_problems(row, (), beyond))
        elif given[0] == _INVALID:
            cells = zip(names, _still_wrong(update, given[1]), strict=True)
            checked.problems.extend(_problems(row, cells, None))
        elif given[0] in _DONE and given[1] in _checks(update):
            checked.finished.append(row)
    return checked


def _checks(update: Update) -> set[str]:
    """Return what the row's check may be: spreadsheets change the line ends within a cell."""
    lines = update.reason.replace("\r\n", "\n").replace("\r", "\n")
    reasons = {update.reason, *(lines.replace("\n", end) for end in ("\n", "\r\n", "\r"))}
    return {replace(update, reason=reason).check for reason in reasons}


def _still_wrong(update: Update, previous_check: str | None) -> tuple[_Fault | None, ...]:
    """Return what is wrong, by field, with a row that results call invalid and that looks good.

    Results cannot show all that made a row invalid: a control character and a formula stand there
    as text, most of the rounded ids may have been corrected, and what stood beyond the last title
    is gone: a row in which that was all has a check.
    """
    reason = None
    if _STAND_IN.search(update.reason):
        reason = _Fault(
            "bad_value",
            f"{_quoted(update.reason)} is what results show for a cell that could not be read. "
            f"Type the reason. {_SO_IT_IS}",
        )
    elif previous_check in _checks(update):
        reason = _Fault(
            "bad_value",
            f"{_quoted(update.reason)} was followed by a cell beyond the last title, which "
            f"results do not hold. Type the whole reason. {_SO_IT_IS}",
        )
    return None, _zeros(update.record_id), _zeros(update.lock_id), reason


def _zeros(id_: str | None) -> _Fault | None:
    if id_ is None or not _ENDS_IN_ZEROS.fullmatch(id_):
        return None
    return _Fault(
        "rounded_id",
        f'"{id_}" looks rounded: a spreadsheet kept 15 digits and made the rest zeros. '
        f"Paste the id again from Zoho. {_SO_IT_IS}",
    )


def _rows(chunk: "pd.DataFrame", fields: Mapping[Field, int]) -> Iterator[tuple[Any, ...]]:
    """Yield each row's number, the cells of the four fields, and what stands beside them."""
    columns = (
        chunk[fields[each]].tolist() if each in fields else repeat(None, len(chunk))
        for each in Field
    )
    given = zip(chunk["previous_result"].tolist(), chunk["previous_check"].tolist(), strict=True)
    return zip(chunk.index.tolist(), *columns, chunk["beyond"].tolist(), given, strict=True)


def _problems(
    row: int, cells: Iterable[tuple[str, object]], beyond: tuple[str, str] | None
) -> Iterator[Problem]:
    for column, cell in cells:
        if isinstance(cell, _Fault):
            yield Problem(row, column, cell.code, cell.message)
    if beyond is not None:
        column, text = beyond
        yield Problem(
            row,
            f"column {column}",
            "bad_value",
            f"{_quoted(text)} stands beyond the last title. In a text file, put the cell that "
            "holds the delimiter in quotation marks; in a workbook, empty the cell or give it a "
            "title.",
        )


class _Modules:
    """The modules of an org, and how each way of writing them reads."""

    def __init__(self, custom: Sequence[str]) -> None:
        # The last one wins: a custom module never stands in for an ordinary one.
        names = (*custom, *MODULES)
        self._by_loose_name = {_loose(name): name for name in names}
        self._read: dict[str, str | _Fault | None] = {name: name for name in names}

    def read(self, cell: Cell) -> str | _Fault | None:
        """Return a module's API name, None for a blank cell."""
        if not isinstance(cell, str):
            return _unread(cell) if isinstance(cell, NoValue) else self._find(display_text(cell))
        if cell not in self._read:
            self._read[cell] = self._find(_bare(cell))
        return self._read[cell]

    def _find(self, text: str) -> str | _Fault | None:
        if not text:
            return None
        known = self._by_loose_name.get(_loose(text))
        return known or _unusable(text) or self._unknown(text)

    def _unknown(self, text: str) -> _Fault:
        near = get_close_matches(_loose(text)[:_SHOWN], self._by_loose_name, n=1)
        hint = f'; did you mean "{self._by_loose_name[near[0]]}"?' if near else "."
        return _Fault(
            "unknown_module",
            f"{_quoted(text)} is not a module that can be locked{hint} "
            "A custom module is added under input.custom_modules.",
        )


def _id(cell: Cell) -> str | _Fault | None:
    """Return the digits of an id, None for a blank cell."""
    if isinstance(cell, str):
        return cell if _ID.fullmatch(cell) else _id_of_text(cell)
    if cell is None:
        return None
    if isinstance(cell, NoValue):
        return _unread(cell)
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return _bad_id(display_text(cell))
    return _id_of_number(cell)


def _id_of_text(cell: str) -> str | _Fault | None:
    text = _bare(cell)
    if wrapped := _WRAPPED.fullmatch(text):
        text = _bare(wrapped[1])
    digits = _PREFIX.sub("", text)
    if not digits:
        return None if not text else _bad_id(text)
    if _ID.fullmatch(digits):
        return digits
    if fault := _unusable(text):
        return fault
    return _rounded(text) if _ROUNDED.fullmatch(digits) else _bad_id(text)


def _id_of_number(cell: float) -> str | _Fault:
    if isinstance(cell, float) and not cell.is_integer():
        return _bad_id(display_text(cell))
    if cell >= INEXACT_FROM:
        return _rounded(f"{cell:.5g}".upper())
    digits = str(int(cell))
    return digits if _ID.fullmatch(digits) else _bad_id(digits)


def _rounded(text: str) -> _Fault:
    return _Fault(
        "lossy_number",
        f"{_quoted(text)} is a number that a spreadsheet has rounded; the last digits are gone. "
        "Format the column as text and paste the id again from Zoho.",
    )


def _bad_id(text: str) -> _Fault:
    why = "an id has digits only"
    if text.isascii() and text.isdigit():
        why = f"it has {len(text)} digit{'' if len(text) == 1 else 's'}, and an id has 10 to 20"
    return _Fault("bad_id", f"{_quoted(text)} is not an id: {why}. Paste it again from Zoho.")


def _reason(cell: Cell) -> str | _Fault | None:
    """Return the reason as it is sent, None for a blank cell."""
    if isinstance(cell, str):
        text = cell.strip(_SPACE)
    elif isinstance(cell, NoValue):
        return _unread(cell)
    else:
        text = display_text(cell)
    if len(text) > LONGEST_REASON:
        return _Fault(
            "reason_too_long",
            f"{_quoted(text)} has {len(text):,} characters, and Zoho takes "
            f"{LONGEST_REASON:,}. Shorten it.",
        )
    return _unusable(text) or text


def _unusable(text: str) -> _Fault | None:
    """Return what makes a text one that nobody means to send, whatever it stands for."""
    if not text.isprintable() and (odd := _ODD.search(text)):
        return _Fault(
            "bad_value",
            f"{_quoted(text)} holds a character that is no text (U+{ord(odd[0]):04X}, character "
            f"{odd.start() + 1}). Delete it, or type the cell again.",
        )
    if text[:1] in {"#", "E"} and _ERROR.fullmatch(text):
        return _error(text)
    return None


def _unread(cell: NoValue) -> _Fault:
    if not cell.text.startswith("="):
        return _error(cell.text)
    return _Fault(
        "bad_value",
        f"{_quoted(cell.text)} is a formula that no program has worked out yet. "
        "Open the file in Excel, let it calculate and save it.",
    )


def _error(text: str) -> _Fault:
    return _Fault(
        "bad_value",
        f"{_quoted(text)} is an error of the spreadsheet. Mend the formula, or type the value.",
    )


def _bare(text: str) -> str:
    """Take away what nobody sees, and the apostrophe that marks a cell as text."""
    text = _INVISIBLE.sub("", text).strip(_SPACE)
    return text.removeprefix("'").strip(_SPACE)


def _loose(name: str) -> str:
    return "".join(name.replace("_", " ").split()).casefold()


def _quoted(text: str) -> str:
    """Return a cell's content as a message shows it: on one line, and not too long."""
    text = " ".join(_ODD.sub("\ufffd", text).split())
    return f'"{text}"' if len(text) <= _SHOWN else f'"{text[:_SHOWN]}…"'
