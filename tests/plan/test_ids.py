from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.chunks import LOCK_ID_NEEDED, RECORD, only_problem, row, valid_update

from batchlock.core.rows import Problem
from batchlock.plan.validate import ValidationRules


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
    update = valid_update(row(record=cell, lock=cell))
    assert (update.record_id, update.lock_id) == (digits, digits)


@given(
    st.integers(10**9, 10**20 - 1), st.sampled_from(["{}", "zcrm_{}", "'{}", '="{}"', " {}\xa0"])
)
def test_an_id_keeps_every_digit(number: int, form: str) -> None:
    assert valid_update(row(record=form.format(number))).record_id == str(number)


@pytest.mark.parametrize("column", ["Record Id", "Lock Id"])
@pytest.mark.parametrize(
    ("cell", "quoted"),
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
def test_a_rounded_number_is_refused_as_an_id(column: str, cell: object, quoted: str) -> None:
    problem = only_problem(row(record=cell) if column == "Record Id" else row(lock=cell))
    assert problem == Problem(
        2,
        column,
        "lossy_number",
        f'"{quoted}" is a number that a spreadsheet has rounded; the last digits are gone. '
        "Format the column as text and paste the id again from Zoho.",
    )


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("123456789", '"123456789" is not an id: it has 9 digits, and an id has 10 to 20.'),
        ("1" * 21, "it has 21 digits"),
        (123456789, "it has 9 digits"),
        (0, "it has 1 digit, and"),
        (1234567890.5, '"1234567890.5" is not an id: an id has digits only.'),
        (float("inf"), "an id has digits only"),
        (float("nan"), "it says that there is none"),
        (-5843104000, '"-5843104000" is not an id: an id has digits only.'),
        (-5843104000000425565.0, "an id has digits only"),
        ("+5843104000", "an id has digits only"),
        ("5,843,104,000", "an id has digits only"),
        ("58431 04000", "an id has digits only"),
        ("5843104000.0", "an id has digits only"),
        ("٥٨٤٣١٠٤٠٠٠", "its digits are not the usual ones"),
        ("5843104000\u0660", "its digits are not the usual ones"),
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
def test_a_value_that_is_not_an_id_is_refused(cell: object, expected: str) -> None:
    problem = only_problem(row(record=cell))
    assert (problem.column, problem.code) == ("Record Id", "bad_id")
    assert expected in problem.message
    assert "from Zoho" in problem.message


ADDRESSES = [
    "https://crm.zoho.com/crm/org123/tab/Potentials/5843104000000425565",
    "https://crm.zoho.eu/crm/tab/Deals/5843104000000425565",
    "crm.zoho.com.au/crm/org7/tab/Potentials/5843104000000425565?tab=notes",
    "https://crmsandbox.zoho.in/crm/box/tab/Deals/5843104000000425565/timeline",
    "https://one.zoho.com/zohoone/x/home/cxapp/crm/org1/tab/Potentials/5843104000000425565",
    "https://crmplus.zoho.com/x/index.do#/cxapp/crm/org1/tab/Potentials/5843104000000425565",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_address_of_a_record_is_its_id(address: str) -> None:
    assert valid_update(row("Deals", record=address)).record_id == RECORD


def test_the_address_of_a_record_must_fit_the_module() -> None:
    problem = only_problem(row("Leads", record=ADDRESSES[0]))
    assert problem.code == "bad_id"
    assert "is the address of a record in Potentials, and the row's module is Leads" in (
        problem.message
    )
    assert only_problem(row("Nothing", record=ADDRESSES[0])).code == "unknown_module"


def test_the_number_of_a_custom_module_in_an_address_fits_a_custom_module_only() -> None:
    address = f"https://crm.zoho.com/crm/org1/tab/CustomModule2/{RECORD}"
    rules = ValidationRules(custom_modules=("Visits",))
    assert valid_update(row("Visits", record=address), rules=rules).record_id == RECORD
    assert only_problem(row("Deals", record=address), rules=rules).code == "bad_id"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("https://crm.zoho.com/crm/org123/tab/Potentials", "an address, but not that of a record"),
        ("https://example.com/tab/Deals/5843104000000425565", "an address, but not that of a"),
        ("\uff15\uff18\uff14\uff13\uff11\uff10\uff14\uff10\uff10\uff10", "another script or width"),
        ("N/A", "it says that there is none"),
        ("null", "it says that there is none"),
    ],
)
def test_what_is_no_id_has_a_message_of_its_own(cell: str, expected: str) -> None:
    problem = only_problem(row(record=cell))
    assert problem.code == "bad_id"
    assert expected in problem.message


@pytest.mark.parametrize("cell", ["null", "NULL", "none", "None", "n/a", "N/A", "-", " - "])
def test_a_lock_id_that_says_there_is_none_is_blank(cell: str) -> None:
    assert valid_update(row(lock=cell)).lock_id is None
    assert only_problem(row(lock=cell), rules=LOCK_ID_NEEDED).code == "missing_value"


def test_an_address_is_no_lock_id() -> None:
    problem = only_problem(row("Deals", lock=ADDRESSES[0]))
    assert problem.code == "bad_id"
    assert "is the address of a record, not a lock id" in problem.message
