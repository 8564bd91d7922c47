from datetime import date, datetime, time, timedelta

import pytest
from support.chunks import only_problem, row, valid_update

from batchlock.plan.validate import ValidationRules


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
        ("a nan too many", "a nan too many"),
        ("none yet", "none yet"),
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
def test_a_reason_is_the_text_that_a_person_sees_in_the_cell(cell: object, reason: str) -> None:
    assert valid_update(row(reason=cell)).reason == reason


def test_a_reason_that_is_too_long_is_refused_and_quoted_in_part() -> None:
    problem = only_problem(row(reason="word " * 601))
    assert (problem.column, problem.code) == ("Reason", "reason_too_long")
    assert "has 3,004 characters, and Zoho takes 3,000. Shorten it." in problem.message
    assert len(problem.message) < 150


@pytest.mark.parametrize(
    "cell",
    ["nan", "NaN", "NULL", " None ", "(blank)", "N/A", "-", "\u2013", "undefined", "<NA>", "#n/a",
     "NaT", "\\N", "(Leer)", "#NV"],
)  # fmt: skip
def test_a_reason_that_says_there_is_none_is_refused(cell: str) -> None:
    problem = only_problem(row(reason=cell))
    assert (problem.column, problem.code) == ("Reason", "placeholder_reason")
    assert "would be sent as it stands. Type the reason, or delete the row." in problem.message


def test_the_error_n_a_as_text_is_a_placeholder_in_a_workbook_and_an_error_in_a_text_file() -> None:
    assert only_problem(row(reason="#N/A")).code == "bad_value"
    rules = ValidationRules(from_text=False)
    assert only_problem(row(reason="#N/A"), rules=rules).code == "placeholder_reason"
