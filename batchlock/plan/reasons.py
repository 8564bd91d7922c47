"""Read the reasons, and find those that only say that there is none."""

from batchlock.core.cell_text import display_text
from batchlock.core.rows import LONGEST_REASON, Cell, NoValue
from batchlock.plan.faults import WHITE_SPACE, Fault, no_value_fault, quoted, text_fault

# What programs write for a cell without a value: pandas and R (nan, NaT, <NA>, NA), databases
# (NULL, \N), programming languages (None, nil, undefined), people (n/a, -) and pivot tables, which
# translate their (blank). Only the whole reason counts, so that a reason may speak of them.
_PLACEHOLDERS = frozenset(
    {
        *("nan", "nat", "<na>", "na", "null", "(null)", "<null>", "[null]", "\\n"),
        *("none", "(none)", "nil", "undefined", "n/a", "n.a.", "#n/a n/a", "#na"),
        *("-", "--", "---", "\u2013", "\u2014"),
        *("(blank)", "(empty)", "(leer)", "(vide)", "(en blanco)", "(vuoto)", "(vazio)"),
        *("(em branco)", "(leeg)", "(puste)", "(пусто)", "(空白)"),
        # #N/A, also as Excel shows it in German, French and Spanish.
        *("#n/a", "#nv", "#n/d"),
    }
)
OR_DELETE_THE_ROW = ", or delete the row"
"""The part of a remedy that fits a row, and not one reason for all rows."""
_LONGEST_PLACEHOLDER = max(map(len, _PLACEHOLDERS))
# How a spreadsheet writes the error into a text file. In the cell of a workbook it is a text.
_NOT_AVAILABLE = "#N/A"


def read_reason(cell: Cell, *, from_text: bool = True) -> str | Fault | None:
    """Return the reason as it is sent, a fault, or None or an empty text for a blank cell.

    `from_text`: the cell is from a text file, where an error of a spreadsheet is text too.
    """
    if isinstance(cell, str):
        text = cell.strip(WHITE_SPACE)
    elif isinstance(cell, NoValue):
        return no_value_fault(cell)
    else:
        text = display_text(cell)
    if len(text) <= _LONGEST_PLACEHOLDER:
        is_error = from_text and text == _NOT_AVAILABLE
        if not is_error and text.casefold() in _PLACEHOLDERS:
            return Fault(
                "placeholder_reason",
                f"{quoted(text)} says that there is no reason, and would be sent as it stands. "
                f"Type the reason{OR_DELETE_THE_ROW}.",
            )
    elif len(text) > LONGEST_REASON:
        return Fault(
            "reason_too_long",
            f"{quoted(text)} has {len(text):,} characters, and Zoho takes "
            f"{LONGEST_REASON:,}. Shorten it.",
        )
    return text_fault(text) or text
