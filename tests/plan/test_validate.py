from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchlock.core.rows import MODULES, Field, LockId, NoValue, Problem, RecordId, Update
from batchlock.plan.validate import CheckedRows, ValidationRules, check

TITLES = ("Module", "Record Id", "Lock Id", "Reason", "Note")
FIELDS = dict(zip(Field, range(4), strict=True))
RECORD, LOCK = "5843104000000425565", "5843104000000425777"
GOOD = ("Leads", RECORD, LOCK, "Under review", None)
STRICT = ValidationRules(lookup_lock_ids=False)


def chunk(*rows: Sequence[object], **beside: Sequence[object]) -> pd.DataFrame:
    blanks = [None] * len(rows)
    columns: dict[object, Sequence[object]] = dict(enumerate(zip(*rows, strict=True)))
    for name in ("beyond", "previous_result", "previous_check"):
        columns[name] = beside.get(name, blanks)
    return pd.DataFrame(columns, index=range(2, len(rows) + 2), dtype=object)


def checked(
    *rows: Sequence[object], rules: ValidationRules | None = None, **beside: Sequence[object]
) -> CheckedRows:
    return check(chunk(*rows, **beside), TITLES, FIELDS, rules or ValidationRules())


def row(
    module: object = "Leads", record: object = RECORD, lock: object = LOCK, reason: object = "why"
) -> tuple[object, ...]:
    return module, record, lock, reason, None


def update(*cells: Sequence[object], rules: ValidationRules | None = None) -> Update:
    found = checked(*cells, rules=rules)
    assert found.problems == []
    return found.updates[0]


def problem(*cells: Sequence[object], rules: ValidationRules | None = None) -> Problem:
    found = checked(*cells, rules=rules)
    assert found.updates == []
    assert len(found.problems) == 1
    return found.problems[0]


def test_good_rows_become_updates_in_order() -> None:
    found = checked(GOOD, row("Deals", reason="Closed"))
    assert found.updates == [
        Update(2, "Leads", RecordId(RECORD), LockId(LOCK), "Under review"),
        Update(3, "Deals", RecordId(RECORD), LockId(LOCK), "Closed"),
    ]
    assert found.problems == []
    assert found.finished == []


def test_no_rows_are_no_trouble() -> None:
    frame = chunk(GOOD).iloc[:0]
    assert check(frame, TITLES, FIELDS, ValidationRules()) == CheckedRows([], [], [])


# --- modules -----------------------------------------------------------------------------------


def test_every_module_is_taken_as_it_is() -> None:
    assert len(MODULES) == 13
    found = checked(*[row(name) for name in MODULES])
    assert [each.module for each in found.updates] == list(MODULES)


@pytest.mark.parametrize(
    ("cell", "custom", "module"),
    [
        ("leads", (), "Leads"),
        (" LEADS\xa0", (), "Leads"),
        ("sales orders", (), "Sales_Orders"),
        ("SalesOrders", (), "Sales_Orders"),
        ("sales_orders", (), "Sales_Orders"),
        ("pricebooks", (), "Price_Books"),
        ("'Deals", (), "Deals"),
        ("\u200bDeals\u202c\ufeff", (), "Deals"),
        ("my module", ("My_Module",), "My_Module"),
        ("My_Module", ("My_Module", "MyModule"), "My_Module"),
        ("MyModule", ("MyModule", "My_Module"), "MyModule"),
        ("deals", ("DEALS",), "Deals"),
    ],
)
def test_modules_are_made_canonical(cell: str, custom: tuple[str, ...], module: str) -> None:
    assert update(row(cell), rules=ValidationRules(custom_modules=custom)).module == module


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (
            "Lead",
            '"Lead" is not a module that can be locked; did you mean "Leads"? A custom module',
        ),
        (
            "xyz",
            '"xyz" is not a module that can be locked. A custom module',
        ),
        (42, '"42" is not a module that can be locked.'),
        (True, '"TRUE" is not a module that can be locked.'),
        ("My Modul", '"My Modul" is not a module that can be locked; did you mean "My_Module"?'),
        ("x" * 200, f'"{"x" * 60}…" is not a module that can be locked.'),
    ],
)
def test_an_unknown_module_is_told_with_the_nearest(cell: object, message: str) -> None:
    found = problem(row(cell), rules=ValidationRules(custom_modules=("My_Module",)))
    assert (found.row, found.column, found.code) == (2, "Module", "unknown_module")
    assert found.message.startswith(message)
    assert found.message.endswith("A custom module is added under input.custom_modules.")


# --- ids ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "digits"),
    [
        (RECORD, RECORD),
        ("1234567890", "1234567890"),
        ("12345678901234567890", "12345678901234567890"),
        ("0012345678901", "0012345678901"),
        (f"\xa0 {RECORD}\t\r\n\u3000", RECORD),
        (f"\u200e{RECORD}\u202c\ufeff\xad", RECORD),
        (f"'{RECORD}", RECORD),
        (f"zcrm_{RECORD}", RECORD),
        (f"ZCRM_{RECORD}", RECORD),
        (f"' Zcrm_{RECORD} ", RECORD),
        (f'="{RECORD}"', RECORD),
        (f'="zcrm_{RECORD}"', RECORD),
        (f'\'=" {RECORD}"', RECORD),
        (5843104000, "5843104000"),
        (5843104000.0, "5843104000"),
        (999_999_999_999_999, "999999999999999"),
    ],
)
def test_ids_are_read_as_digits(cell: object, digits: str) -> None:
    found = update(row(record=cell, lock=cell))
    assert (found.record_id, found.lock_id) == (digits, digits)


@given(
    st.integers(10**9, 10**20 - 1), st.sampled_from(["{}", "zcrm_{}", "'{}", '="{}"', " {}\xa0"])
)
def test_no_digit_of_an_id_is_ever_lost(number: int, form: str) -> None:
    assert update(row(record=form.format(number))).record_id == str(number)


@pytest.mark.parametrize("column", ["Record Id", "Lock Id"])
@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (5843104000000425565.0, "5.8431E+18"),
        (1_000_000_000_000_000, "1E+15"),
        (1234567890123456, "1.2346E+15"),
        ("5.8431E+18", "5.8431E+18"),
        ("5,8431E+18", "5,8431E+18"),
        ("5e18", "5e18"),
        ("zcrm_5.8E+18", "zcrm_5.8E+18"),
        ('="5.8E18"', "5.8E18"),
    ],
)
def test_a_number_that_was_rounded_is_no_id(column: str, cell: object, shown: str) -> None:
    found = problem(row(record=cell) if column == "Record Id" else row(lock=cell))
    assert found == Problem(
        2,
        column,
        "lossy_number",
        f'"{shown}" is a number that a spreadsheet has rounded; the last digits are gone. '
        "Format the column as text and paste the id again from Zoho.",
    )


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("123456789", '"123456789" is not an id: it has 9 digits, and an id has 10 to 20.'),
        ("1" * 21, "it has 21 digits"),
        (123456789, "it has 9 digits"),
        (0, "it has 1 digit, and"),
        (1234567890.5, '"1234567890.5" is not an id: an id has digits only.'),
        (float("inf"), "an id has digits only"),
        (float("nan"), "an id has digits only"),
        (-5843104000, '"-5843104000" is not an id: an id has digits only.'),
        (-5843104000000425565.0, "an id has digits only"),
        ("+5843104000", "an id has digits only"),
        ("5,843,104,000", "an id has digits only"),
        ("58431 04000", "an id has digits only"),
        ("5843104000.0", "an id has digits only"),
        ("٥٨٤٣١٠٤٠٠٠", "an id has digits only"),
        ("5843104000\u0660", "an id has digits only"),
        ("5843104000²", "an id has digits only"),
        ("zcrm_", '"zcrm_" is not an id'),
        ("zcrm_zcrm_5843104000", "an id has digits only"),
        ("5843104000-zcrm_", "an id has digits only"),
        ("5.8E-18", "an id has digits only"),
        (True, '"TRUE" is not an id'),
        (date(2025, 3, 14), '"2025-03-14" is not an id'),
        (timedelta(days=1), '"24:00" is not an id'),
        ("5843104000\n5843104001", '"5843104000 5843104001" is not an id'),
    ],
)
def test_what_is_no_id_is_refused(cell: object, said: str) -> None:
    found = problem(row(record=cell))
    assert (found.column, found.code) == ("Record Id", "bad_id")
    assert said in found.message
    assert found.message.endswith("Paste it again from Zoho.")


# --- blanks ------------------------------------------------------------------------------------

BLANKS = [None, "", " ", "\xa0\u3000\t\r\n"]


@pytest.mark.parametrize("blank", [*BLANKS, "\u200b", "'", '=""'])
def test_a_blank_id_is_missing(blank: object) -> None:
    found = problem(row(record=blank))
    assert found == Problem(
        2, "Record Id", "missing_value", "The record id is blank. Fill it in, or delete the row."
    )


@pytest.mark.parametrize("blank", [*BLANKS, "\u200b", "'"])
def test_a_blank_lock_id_is_missing_only_when_it_is_not_looked_up(blank: object) -> None:
    assert update(row(lock=blank)).lock_id is None
    found = problem(row(lock=blank), rules=STRICT)
    assert (found.column, found.code) == ("Lock Id", "missing_value")


@pytest.mark.parametrize("blank", BLANKS)
def test_a_blank_module_or_reason_is_missing(blank: object) -> None:
    assert problem(row(module=blank)).code == "missing_value"
    assert problem(row(reason=blank)).code == "missing_value"


def test_the_column_of_the_lock_id_may_be_absent() -> None:
    fields = {Field.MODULE: 0, Field.RECORD_ID: 1, Field.REASON: 3}
    assert check(chunk(GOOD), TITLES, fields, ValidationRules()).updates[0].lock_id is None
    found = check(chunk(GOOD), TITLES, fields, STRICT).problems
    assert [(each.column, each.code) for each in found] == [("Lock Id", "missing_value")]


# --- reasons -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (" \xa0a reason\u2003\n", "a reason"),
        ("two\nlines\r\nthree\tcells", "two\nlines\r\nthree\tcells"),
        ("=SUM(A1)", "=SUM(A1)"),
        ("'quoted'", "'quoted'"),
        ("審査中 قيد المراجعة 👩‍🔬", "審査中 قيد المراجعة 👩‍🔬"),
        ("a\u200bb\u2028c", "a\u200bb\u2028c"),
        ("#N/A is what it says", "#N/A is what it says"),
        ("#n/a", "#n/a"),
        ("Err:5", "Err:5"),
        ("Excellent", "Excellent"),
        ("x" * 3_000, "x" * 3_000),
        (42, "42"),
        (42.0, "42"),
        (0.1, "0.1"),
        (0.00001, "0.00001"),
        (-1.5, "-1.5"),
        (5843104000000425565.0, "5.84310400000043E+18"),
        (0.1 + 0.2, "0.3"),
        (-2.5e-10, "-2.5E-10"),
        (0.0, "0"),
        (True, "TRUE"),
        (False, "FALSE"),
        (date(2025, 3, 14), "2025-03-14"),
        (datetime(2025, 3, 14), "2025-03-14"),  # noqa: DTZ001 - cells have no time zone
        (datetime(2025, 3, 14, 5, 0), "2025-03-14 05:00"),  # noqa: DTZ001 - the same
        (datetime(2025, 3, 14, 5, 0, 7), "2025-03-14 05:00:07"),  # noqa: DTZ001 - the same
        (time(5, 0), "05:00"),
        (time(5, 0, 9), "05:00:09"),
        (time(4, 59, 59, 999_600), "05:00"),
        (datetime(2025, 3, 14, 4, 59, 59, 999_999), "2025-03-14 05:00"),  # noqa: DTZ001  cells have no zone
        (datetime(9999, 12, 31, 23, 59, 59, 999_999), "9999-12-31 23:59:59"),  # noqa: DTZ001  the same
        (timedelta(hours=30, minutes=5), "30:05"),
        (timedelta(minutes=5, seconds=9), "00:05:09"),
        (timedelta(minutes=-30), "-00:30"),
    ],
)
def test_reasons_are_what_a_person_sees(cell: object, reason: str) -> None:
    assert update(row(reason=cell)).reason == reason


def test_a_reason_that_is_too_long_is_refused_and_shown_in_short() -> None:
    found = problem(row(reason="word " * 601))
    assert (found.column, found.code) == ("Reason", "reason_too_long")
    assert "has 3,004 characters, and Zoho takes 3,000. Shorten it." in found.message
    assert len(found.message) < 150


@pytest.mark.parametrize(
    "character", ["\x00", "\x07", "\x0b", "\x1f", "\x7f", "\x85", "\x9f", "\ud800"]
)
@pytest.mark.parametrize("place", ["a{}b", "{}b", "a{}"])
def test_characters_that_are_no_text_are_refused(character: str, place: str) -> None:
    found = problem(row(reason=place.format(character)))
    assert (found.column, found.code) == ("Reason", "bad_value")
    assert f"(U+{ord(character):04X}, character {place.index('{') + 1})" in found.message
    found.message.encode()


@pytest.mark.parametrize("cell", ["Le\x00ads", "584310\x074000"])
def test_such_characters_are_refused_in_ids_and_modules_too(cell: str) -> None:
    assert problem(row(module=cell)).code == "bad_value"
    assert problem(row(record=cell)).code == "bad_value"
    assert problem(row(lock=cell)).code == "bad_value"


# --- errors ------------------------------------------------------------------------------------

ERRORS = ["#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!"]
ERRORS += ["#GETTING_DATA", "#FIELD!", "#BLOCKED!", "#CONNECT!", "#UNKNOWN!", "#BUSY!"]
ERRORS += ["#EXTERNAL!", "#PYTHON!", "Err:502"]


@pytest.mark.parametrize("error", ERRORS)
def test_errors_of_the_spreadsheet_are_no_values(error: str) -> None:
    for cell in (error, f" {error}\xa0", NoValue(error)):
        found = checked(row(cell, cell, cell, cell)).problems
        assert [(each.column, each.code) for each in found] == [
            (title, "bad_value") for title in TITLES[:4]
        ]
        assert {each.message for each in found} == {
            f'"{error}" is an error of the spreadsheet. Mend the formula, or type the value.'
        }


def test_a_formula_without_a_value_is_no_blank() -> None:
    cell = NoValue("=VLOOKUP(A2, Locks, 2)")
    found = checked(row(cell, cell, cell, cell)).problems
    assert [each.code for each in found] == ["bad_value"] * 4
    assert found[2] == Problem(
        2,
        "Lock Id",
        "bad_value",
        '"=VLOOKUP(A2, Locks, 2)" is a formula that no program has worked out yet. '
        "Open the file in Excel, let it calculate and save it.",
    )


# --- all of a row ------------------------------------------------------------------------------


def test_every_problem_of_a_row_is_told_and_other_rows_go_on() -> None:
    found = checked(row("Lead", "12", "5.8E+18", ""), GOOD, row(record=None))
    assert [(each.row, each.column, each.code) for each in found.problems] == [
        (2, "Module", "unknown_module"),
        (2, "Record Id", "bad_id"),
        (2, "Lock Id", "lossy_number"),
        (2, "Reason", "missing_value"),
        (4, "Record Id", "missing_value"),
    ]
    assert [each.row for each in found.updates] == [3]


def test_other_columns_are_never_a_problem() -> None:
    assert update((*GOOD[:4], NoValue("#N/A"))).row == 2


def test_a_cell_beyond_the_last_title_is_a_problem() -> None:
    found = checked(GOOD, row(record=""), beyond=[("F", "of the text"), ("AB", "x")]).problems
    assert [(each.row, each.column, each.code) for each in found] == [
        (2, "column F", "bad_value"),
        (3, "Record Id", "missing_value"),
        (3, "column AB", "bad_value"),
    ]
    assert found[0].message.startswith('"of the text" stands beyond the last title.')


def test_the_title_of_a_problem_is_that_of_the_file() -> None:
    fields = {Field.MODULE: 1, Field.RECORD_ID: 0, Field.REASON: 3}
    found = check(
        chunk(("", "", "", "")), ("ID-Nr", "Modul", "", "Grund"), fields, ValidationRules()
    )
    assert [each.column for each in found.problems] == ["Modul", "ID-Nr", "Grund"]


# --- results that are given back ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "left_alone"),
    [
        ("updated", True),
        ("unchanged", True),
        ("failed", False),
        ("duplicate", False),
        (None, False),
    ],
)
def test_rows_that_are_done_and_unchanged_are_left_alone(
    result: str | None, left_alone: bool
) -> None:
    known = update(GOOD).check
    found = checked(GOOD, previous_result=[result], previous_check=[known])
    assert len(found.updates) == 1
    assert found.finished == ([2] if left_alone else [])


@pytest.mark.parametrize(
    "changed",
    [
        row("Deals", reason=GOOD[3]),
        row(record="1" * 12, reason=GOOD[3]),
        row(lock=None, reason=GOOD[3]),
        row(reason="other"),
    ],
)
def test_a_row_that_was_changed_since_goes_out_again(changed: tuple[object, ...]) -> None:
    known = update(GOOD).check
    assert checked(changed, previous_result=["updated"], previous_check=[known]).finished == []


def test_a_row_that_was_spoiled_since_is_a_problem() -> None:
    known = update(GOOD).check
    found = checked(row(record="12"), previous_result=["updated"], previous_check=[known])
    assert (len(found.problems), found.updates, found.finished) == (1, [], [])


def test_the_check_may_lack() -> None:
    assert checked(GOOD, previous_result=["updated"], previous_check=[None]).finished == []
