"""Write a blank input workbook: columns that keep long ids, a list of modules, explanations."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xlsxwriter import Workbook  # type: ignore[import-untyped]  # comes without types
from xlsxwriter.exceptions import FileCreateError  # type: ignore[import-untyped]  # the same

from batchlock.core.rows import LONGEST_REASON

# The last row that Excel has, counted from 0.
_LAST_ROW = 1_048_575

# Title, width in characters, and the note that Excel shows beside a selected cell. Excel refuses a
# note of more than 255 characters.
_COLUMNS = (
    ("Module", 20, "Choose the module from the list, or type the API name of a custom module."),
    ("Record Id", 26, "All digits of the record's id. The column is text, so none gets lost."),
    ("Lock Id", 26, "All digits of the lock's id. Leave it empty to have batchlock look it up."),
    ("Reason", 60, f"The new reason for the lock: 1 to {LONGEST_REASON:,} characters."),
    ("Remarks", 30, "For you alone; it comes back in the results. Add more columns if you like."),
)
# Column, whether it is needed, what belongs there, example.
_GUIDE = (
    (
        "Module",
        "yes",
        (
            "The kind of record. Choose from the list. A custom module goes by its API name, which"
            " must also stand in the configuration, under input.custom_modules."
        ),
        "Sales_Orders",
    ),
    (
        "Record Id",
        "yes",
        (
            "The id of the locked record: 10 to 20 digits, with or without the zcrm_ of an export."
            " Paste it as text (Paste Special, Values): Excel keeps only 15 digits of a number, and"
            " batchlock refuses an id that has lost its end."
        ),
        "5843104000000425565",
    ),
    (
        "Lock Id",
        "no",
        (
            "The id of the record's lock; not the same as the record's id. When it is empty,"
            " batchlock asks Zoho for it, which costs one more call."
        ),
        "5843104000000911002",
    ),
    (
        "Reason",
        "yes",
        f"The new reason, at most {LONGEST_REASON:,} characters. Line breaks are kept.",
        "Contract under review until 31 March",
    ),
    ("Remarks", "no", "Whatever helps you. It is not sent, and comes back in the results.", ""),
)
_STEPS = (
    "1. Fill in the sheet Locks, one row for each locked record. Leave its titles as they are.",
    "2. Save the file as an Excel workbook (.xlsx) and close it.",
    "3. Have it checked; nothing is sent: batchlock check FILE",
    "4. Send it: batchlock run FILE",
)


def write_template(path: Path, modules: Sequence[str]) -> None:
    """Write a blank input workbook whose drop-down list has `modules`, at least one.

    Raises OSError when the file cannot be written.
    """
    with path.open("wb") as file:
        try:
            with Workbook(file, {"strings_to_formulas": False}) as book:
                _fill(book, modules)
        except FileCreateError as error:
            # XlsxWriter wraps the OSError, whose text says what is wrong with the disk.
            raise error.args[0] from error


def _fill(book: Any, modules: Sequence[str]) -> None:
    book.set_properties({"title": "Locks to update", "author": "batchlock"})
    locks = book.add_worksheet("Locks")
    guide = book.add_worksheet("How to fill this in")
    # In cells, because Excel refuses a list in the rule itself above 255 characters.
    module_list = book.add_worksheet("Modules")
    module_list.hide()
    module_list.write_column(0, 0, modules)
    _fill_locks(book, locks, f"=Modules!$A$1:$A${len(modules)}")
    _fill_guide(book, guide)


def _fill_locks(book: Any, sheet: Any, module_range: str) -> None:
    header = book.add_format(
        {"bold": True, "font_color": "#FFFFFF", "bg_color": "#1F4E79", "num_format": "@"}
    )
    text = book.add_format({"num_format": "@", "valign": "top"})
    wrapped = book.add_format({"num_format": "@", "valign": "top", "text_wrap": True})
    rules: dict[str, dict[str, Any]] = {
        "Module": {
            "validate": "list",
            "source": module_range,
            # Not "stop": the API name of a custom module may be typed.
            "error_type": "warning",
            "error_title": "Not in the list",
            "error_message": "A custom module goes by its API name, which must also stand in the"
            " configuration, under input.custom_modules. Keep it?",
        },
        "Reason": {
            "validate": "length",
            "criteria": "<=",
            "value": LONGEST_REASON,
            "error_title": "Too long",
            "error_message": f"Zoho takes at most {LONGEST_REASON:,} characters.",
        },
    }
    for column, (title, width, note) in enumerate(_COLUMNS):
        is_prose = title in ("Reason", "Remarks")
        sheet.set_column(column, column, width, wrapped if is_prose else text)
        sheet.write_string(0, column, title, header)
        rule = rules.get(title, {"validate": "any"})
        tooltip = {"input_title": title, "input_message": note}
        sheet.data_validation(1, column, _LAST_ROW, column, rule | tooltip)
    sheet.freeze_panes(1, 0)
    # No green triangle in every cell with an id.
    sheet.ignore_errors({"number_stored_as_text": "A1:E1048576"})
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)


def _fill_guide(book: Any, sheet: Any) -> None:
    title = book.add_format({"bold": True, "font_size": 16, "font_color": "#1F4E79"})
    header = book.add_format({"bold": True, "font_color": "#FFFFFF", "bg_color": "#1F4E79"})
    bold = book.add_format({"bold": True, "valign": "top"})
    text = book.add_format({"num_format": "@", "text_wrap": True, "valign": "top"})
    for column, width in enumerate((16, 12, 76, 38)):
        sheet.set_column(column, column, width)
    sheet.set_row(0, 24)
    sheet.write_string(0, 0, "How to fill this in", title)
    for row, step in enumerate(_STEPS, 2):
        sheet.write_string(row, 0, step)
    top = len(_STEPS) + 3
    for column, name in enumerate(("Column", "Needed", "What belongs there", "Example")):
        sheet.write_string(top, column, name, header)
    for row, (name, needed, explanation, example) in enumerate(_GUIDE, top + 1):
        # About 70 characters fit the column that is 76 wide; 15 points are one line.
        sheet.set_row(row, 15 * (1 + len(explanation) // 70))
        sheet.write_string(row, 0, name, bold)
        for column, cell in enumerate((needed, explanation, example), 1):
            sheet.write_string(row, column, cell, text)
    sheet.ignore_errors({"number_stored_as_text": "A1:D30"})
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
