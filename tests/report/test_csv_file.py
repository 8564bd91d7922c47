import csv
import re
from collections.abc import Sequence
from datetime import date, time, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.result_rows import TITLES, code_point, naive, result_row

from batchlock.core.results import ResultRow
from batchlock.core.rows import Cell, NoValue
from batchlock.report.csv_file import write_csv


def csv_of(folder: Path, result_rows: Sequence[ResultRow], titles: Sequence[str] = TITLES) -> Path:
    path = folder / "results.csv"
    write_csv(path, titles, result_rows)
    return path


def test_a_csv_has_the_form_that_excel_opens_right(tmp_path: Path) -> None:
    content = csv_of(tmp_path, [result_row(cells=("Müller", 'say "x"', None, "a,b"))]).read_bytes()
    assert content == (
        b"\xef\xbb\xbfModule,Record Id,Lock Id,Reason,Result,HTTP status,Code,Message,"
        b"Previous reason,What to do,Attempts,Finished at,Duration ms,Source row,Row check\r\n"
        b'M\xc3\xbcller,"say ""x""",,"a,b",updated,,,,,,0,,,2,\r\n'
    )


CSV_TEXTS = [
    ("=1+1", "'=1+1"),
    ("+49 30", "'+49 30"),
    ("-", "'-"),
    ("@home", "'@home"),
    ("'quoted", "''quoted"),
    ("\tx", "'\tx"),
    ("\rx", "'\rx"),
    ("two\r\nlines", "two\r\nlines"),
    ("a=b", "a=b"),
    (-5, "-5"),
    (-5.5, "-5.5"),
    (5.0, "5"),
    (1e-7, "0.0000001"),
    (-(10**15), "-1E+15"),
    (5843104000000420000, "5.84310400000042E+18"),
    (float("-inf"), "'-inf"),
    (float("nan"), "nan"),
    (True, "TRUE"),
    (date(2025, 3, 14), "2025-03-14"),
    (naive(2025, 3, 14, 5), "2025-03-14 05:00"),
    (naive(2025, 3, 14), "2025-03-14"),
    (time(5, 6, 7), "05:06:07"),
    (timedelta(hours=26, seconds=5), "26:00:05"),
    (timedelta(hours=-1), "'-01:00"),
    (NoValue("#N/A"), "#N/A"),
    (NoValue("=A1"), "'=A1"),
    (None, ""),
    ("nul\x00 lone \udc80", "nul[U+0000] lone [U+DC80]"),
]


@pytest.mark.parametrize(("cell", "text"), CSV_TEXTS)
def test_a_cell_becomes_csv_text(tmp_path: Path, cell: Cell, text: str) -> None:
    path = csv_of(tmp_path, [result_row(cells=[cell])], ["Any"])
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[1][0] == text


@given(text=st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_text_in_a_csv_can_be_restored(tmp_path: Path, text: str) -> None:
    path = csv_of(tmp_path, [result_row(cells=[text])], ["Any"])
    with path.open(encoding="utf-8-sig", newline="") as file:
        text_in_file = list(csv.reader(file))[1][0]
    assert not text_in_file.startswith(("=", "+", "-", "@", "\t", "\r"))
    control = "[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]"
    assert text_in_file.removeprefix("'") == re.sub(control, code_point, text)


def test_a_csv_title_is_never_a_formula(tmp_path: Path) -> None:
    assert csv_of(tmp_path, [], ["=A1"]).read_text("utf-8-sig").startswith("'=A1,Result,")
