"""Write the sample files: `python samples/make.py [FOLDER]`. The output is always the same.

lock_updates has 200 rows that are all updated. problem_rows has a row for every way in which a row
can end, with a description beside it. Its run ends with exit code 3 and takes about twenty seconds.
It leaves out the answers that would make it slow (no answer, since each attempt waits a minute, and
429 every time, since all calls wait), and those that end a run. The results not_sent and unknown
exist in an interrupted run only, so they cannot be in it either.
"""

import csv
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from xlsxwriter import Workbook  # type: ignore[import-untyped]  # comes without types

from batchlock.core.rows import MODULES
from batchlock.simulator import DEFAULT_REASON, MAGIC_RECORDS, lock_id_of

_ROWS = 200
# All ids of an org begin with the same digits.
_ORG = 5843104_000000_000000
_REASONS = (
    ("Audit hold until the year-end audit is closed", "asked for by Internal Audit"),
    ("Contract under review by Legal until 31 March", "ask N. Okafor"),
    ("Price agreement frozen until the board has decided", "see the minutes of 12 January"),
    ("Credit check pending; no changes before Finance releases it", "ask J. Müller, Finance"),
    ("Data protection request under way, case {case}", "release after the answer is sent"),
    ("Dispute with the customer, case {case}; Legal keeps this record", "ask N. Okafor"),
    ("Owner changes on 1 April; locked for the handover", "weekly handover list"),
    ("Invoiced; corrections only with a credit note", "month-end closing"),
    ("Duplicate of another record, merge planned for week 14", "data quality team"),
)


class Rounded(NamedTuple):
    """A long id in a number cell."""

    number: float
    text: str
    """The text that a spreadsheet shows for it, and saves in a CSV."""


class Error(NamedTuple):
    """A formula whose value is an error."""

    formula: str
    text: str


Row = Sequence[str | Rounded | Error]


def lock_updates() -> Iterator[Row]:
    """Yield the title row and rows that are all updated."""
    yield ("Module", "Record Id", "Lock Id", "Reason", "Remarks")
    for number in range(_ROWS):
        record_id = _ORG + 400_003 + number * 2_711 % 541_007 * 10
        reason, remark = _REASONS[number * 7 % len(_REASONS)]
        yield (
            MODULES[number % len(MODULES)],
            str(record_id),
            str(record_id + 6_000_004),
            reason.format(case=20_310 + number),
            remark,
        )


def problem_rows() -> Iterator[Row]:
    """Yield the title row and a row for every way in which a row can end."""
    yield ("Module", "Record Id", "Lock Id", "Reason", "What this row shows")
    yield from _ordinary_rows()
    yield from _invalid_rows()
    yield from _answers()


def _ordinary_rows() -> Iterator[Row]:
    reason = "Contract under review by Legal"
    looked_up = _id(425_565)
    yield ("Leads", _id(425_561), _id(911_001), reason, "updated: all is well")
    yield ("Deals", looked_up, "", reason, "updated: the lock id is blank and looked up")
    yield ("Deals", looked_up, "", reason, "duplicate: asks for the same as the row above")
    yield (
        "Accounts",
        _id(425_567),
        "",
        DEFAULT_REASON,
        "unchanged: the lock id is looked up, and the lock already has this reason",
    )
    yield (
        "sales orders",
        f"zcrm_{_id(425_569)}",
        _id(911_009),
        reason,
        "updated: the module in other words, and an id as an export has it",
    )


def _invalid_rows() -> Iterator[Row]:
    reason = "Audit hold until the year-end audit is closed"
    lock = _id(912_001)
    yield (
        "Invioces",
        _id(425_571),
        lock,
        reason,
        "invalid, unknown_module: two letters of Invoices have changed places",
    )
    yield ("Contacts", _id(425_573), _id(912_003), "", "invalid, missing_value: no reason")
    yield (
        "Contacts",
        "584310400O000425575",
        _id(912_005),
        reason,
        "invalid, bad_id: a letter O among the digits",
    )
    yield (
        "Contacts",
        Rounded(5.84310400000042e18, "5.8431E+18"),
        _id(912_007),
        reason,
        "invalid, lossy_number: a spreadsheet took the id for a number and dropped its end",
    )
    for record, lock_number in ((710_000, 912_011), (720_000, 912_013), (730_000, 912_015)):
        yield (
            "Cases",
            _id(record),
            _id(lock_number),
            reason,
            "invalid, rounded_id: three ids that end in zeros are no chance; they were rounded",
        )
    yield (
        "Quotes",
        _id(425_577),
        _id(912_017),
        "Audit hold. " * 251,
        "invalid, reason_too_long: Zoho takes 3,000 characters",
    )
    yield (
        "Quotes",
        _id(425_579),
        Error("=VLOOKUP(B15,E:F,2,FALSE)", "#N/A"),
        reason,
        "invalid, bad_value: the formula found no lock id",
    )
    for other_reason in ("Dispute with the customer", "Invoiced"):
        yield (
            "Invoices",
            _id(425_581),
            _id(912_019),
            other_reason,
            "invalid, conflict: two rows ask for different reasons on one record",
        )


# 207 and 307 never answer, 209 is always throttled, and 5xx end the run.
_LEFT_OUT = {207, 209, 307, *range(500, 600)}
# No answer arrives, but the change is made: a look-up then shows the new reason.
_UPDATED_WITHOUT_ANSWER = {204, 205, 206}
# The stand-in describes these for readers of its documentation; these are for readers of a row.
_MEANINGS = {
    108: "the method is not a valid one, under another HTTP status",
    313: "the access token was revoked before its time, in other words",
    401: "the record is not locked",
}


def _answers() -> Iterator[Row]:
    """Yield a row for each answer of the stand-in that concerns one row."""
    for magic in MAGIC_RECORDS:
        number = int(magic.record_id[-3:])
        meaning = magic.meaning.partition(" (index")[0]
        if number not in _LEFT_OUT:
            yield (
                MODULES[number % len(MODULES)],
                magic.record_id,
                "" if number in (214, 401, 402) else lock_id_of(magic.record_id),
                "Price agreement frozen until the board has decided",
                f"{_expected_result(number)}: {_MEANINGS.get(number, meaning)}",
            )


def _expected_result(number: int) -> str:
    if number < 200:
        return "rejected"
    if number < 300:
        return (
            "updated, every answer lost"
            if number in _UPDATED_WITHOUT_ANSWER
            else "failed, every time"
        )
    if number < 400:
        return "updated, at the second attempt"
    return "rejected" if number == 401 else "updated"


def _id(number: int) -> str:
    return str(_ORG + number)


def write_csv(path: Path, rows: Iterator[Row]) -> None:
    """Write the rows as a CSV with a byte order mark, without which Excel misreads the letters."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(
            [cell if isinstance(cell, str) else cell.text for cell in row] for row in rows
        )


def write_workbook(path: Path, rows: Iterator[Row]) -> None:
    """Write the rows as a workbook whose ids are text."""
    with Workbook(path, {"strings_to_formulas": False, "strings_to_urls": False}) as book:
        book.set_properties({"created": datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)})
        header = book.add_format({"bold": True, "font_color": "#FFFFFF", "bg_color": "#1F4E79"})
        text = book.add_format({"num_format": "@"})
        sheet = book.add_worksheet("Locks")
        for column, width in enumerate((18, 24, 24, 62, 62)):
            sheet.set_column(column, column, width, text)
        sheet.freeze_panes(1, 0)
        sheet.ignore_errors({"number_stored_as_text": "A1:E1000"})
        for number, row in enumerate(rows):
            for column, cell in enumerate(row):
                _write_cell(sheet, (number, column), cell, text if number else header)


def _write_cell(sheet: Any, place: tuple[int, int], cell: str | Rounded | Error, text: Any) -> None:
    match cell:
        case Rounded():
            sheet.write_number(*place, cell.number)
        case Error():
            sheet.write_formula(*place, cell.formula, None, cell.text)
        case _:
            sheet.write_string(*place, cell, text)


def main() -> None:
    """Write all samples to the folder in the arguments, or beside this file."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for rows in (lock_updates, problem_rows):
        write_workbook(folder / f"{rows.__name__}.xlsx", rows())
        write_csv(folder / f"{rows.__name__}.csv", rows())


if __name__ == "__main__":
    main()
