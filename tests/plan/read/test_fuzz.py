import io
import json
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter  # type: ignore[import-untyped]  # comes without types
import xlwt  # type: ignore[import-untyped]  # the same
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odf.opendocument import OpenDocumentSpreadsheet  # type: ignore[import-untyped]  # the same
from odf.table import Table, TableCell, TableRow  # type: ignore[import-untyped]  # the same
from odf.text import P  # type: ignore[import-untyped]  # the same
from support.commands import Run
from support.sheets import TITLES, lock, record

from batchlock.core.errors import UnreadableFile, UsageError
from batchlock.plan.child_main import ReadRequest
from batchlock.plan.child_main import plan_file as read
from batchlock.store.journal import Journal, RunInfo

Rows = Sequence[Sequence[str]]

ABOUT = RunInfo(
    run_id="x",
    kind="check",
    org="acme",
    environment="production",
    api_url="https://example.invalid",
    file="in",
    sha256="ab",
    identity="cd",
    started_at=datetime(2026, 3, 14, tzinfo=UTC),
    version="1",
)
SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def xlsx_of_openpyxl(path: Path, rows: Rows) -> None:
    book = openpyxl.Workbook(write_only=True)
    page = book.create_sheet("Sheet")
    for row in rows:
        cells = [openpyxl.cell.WriteOnlyCell(page, value=cell or None) for cell in row]
        for cell in cells:
            cell.data_type = "s" if cell.value else "n"
        page.append(cells)
    book.save(path)


def xlsx_of_xlsxwriter(path: Path, rows: Rows) -> None:
    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet()
        for at, row in enumerate(rows):
            for column, cell in enumerate(row):
                page.write_string(at, column, cell)


def xls_of_xlwt(path: Path, rows: Rows) -> None:
    book = xlwt.Workbook(encoding="utf-8")
    page = book.add_sheet("Sheet")
    for at, row in enumerate(rows):
        for column, cell in enumerate(row):
            page.write(at, column, cell)
    book.save(str(path))


def ods_of_odfpy(path: Path, rows: Rows) -> None:
    book = OpenDocumentSpreadsheet()
    table = Table(name="Sheet")
    book.spreadsheet.addElement(table)
    for row in rows:
        line = TableRow()
        table.addElement(line)
        for text in row:
            cell = TableCell(valuetype="string") if text else TableCell()
            if text:
                cell.addElement(P(text=text))
            line.addElement(cell)
    book.save(str(path))


WRITERS = {
    "openpyxl": ("xlsx", xlsx_of_openpyxl),
    "xlsxwriter": ("xlsx", xlsx_of_xlsxwriter),
    "xlwt": ("xls", xls_of_xlwt),
    "odfpy": ("ods", ods_of_odfpy),
}
# No spaces: OpenDocument folds them, unless a writer knows how to keep them.
REASON = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co", "Zs", "Zl", "Zp"]),
    min_size=1,
    max_size=20,
).filter(lambda text: not text.startswith("#"))


def planned(file: Path, journal: Path) -> Journal:
    journal.unlink(missing_ok=True)
    read(ReadRequest(file=file, journal=journal, run_info=ABOUT))
    return Journal.open(journal)


@pytest.mark.parametrize("writer", WRITERS)
@settings(max_examples=15, deadline=None, suppress_health_check=SLOW)
@given(reasons=st.lists(REASON, max_size=8), above=st.integers(0, 5))
def test_a_table_of_any_writer_asks_for_what_is_in_it(
    tmp_path: Path, writer: str, reasons: list[str], above: int
) -> None:
    ending, write = WRITERS[writer]
    file = tmp_path / f"in.{ending}"
    rows = [("Leads", record(n), lock(n), reason) for n, reason in enumerate(reasons, 1)]
    write(file, [*[("", "a heading")] * above, TITLES, *rows])
    with planned(file, tmp_path / "journal") as journal:
        found = journal.commit_batch((), claim=100)
        assert list(journal.problems()) == []
    assert [(one.module, one.record_id, one.lock_id, one.reason) for one in found] == rows
    assert [one.row for one in found] == list(range(above + 2, above + 2 + len(rows)))


HEADS = ("", "Module,Record Id,Reason\n", "sep=;\r\nModule;Record Id;Reason;Result;Row check\r\n")


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(
    head=st.sampled_from(HEADS),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    rest=st.binary(max_size=400)
    | st.text("Leads,;\t|\" \r\n='5843104000000425565€é\u0085", max_size=200),
)
def test_bytes_are_a_table_or_a_sentence(
    tmp_path: Path, head: str, encoding: str, rest: bytes | str
) -> None:
    content = rest if isinstance(rest, bytes) else rest.encode(encoding, "replace")
    file = tmp_path / "in.csv"
    file.write_bytes(head.encode(encoding) + content)
    try:
        with planned(file, tmp_path / "journal") as journal:
            assert sum(journal.counts().values()) == len(list(journal.result_rows()))
    except (UnreadableFile, UsageError) as refused:
        told = str(refused)
    else:
        told = "in.csv is a table"
    assert told.startswith("in.csv")
    assert len(told.splitlines()) == 1


def good(writer: str, folder: Path) -> bytes:
    ending, write = WRITERS[writer]
    file = folder / f"good.{ending}"
    write(file, [TITLES, *[("Leads", record(n), lock(n), f"reason {n}") for n in range(1, 31)]])
    return file.read_bytes()


Damage = tuple[float, bytes]
DAMAGE = st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=8)), max_size=3)
CUT = st.none() | st.floats(0, 1)


def damaged(content: bytes, damages: Sequence[Damage], cut: float | None) -> bytes:
    changed = bytearray(content)
    for share, what in damages:
        at = int(share * len(changed))
        changed[at : at + len(what)] = what
    return bytes(changed if cut is None else changed[: int(cut * len(changed))])


def damaged_inside(content: bytes, damages: Sequence[Damage], part: float) -> bytes:
    """Damage one entry of an archive, and pack it again: its checksum is right."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w") as new:
        names = old.namelist()
        chosen = names[min(int(part * len(names)), len(names) - 1)]
        for name in names:
            entry = old.read(name)
            new.writestr(name, damaged(entry, damages, None) if name == chosen else entry)
    return target.getvalue()


def assert_a_clean_end(here: Run, file: Path) -> None:
    done = here("check", file, "--json")
    assert done.code in (0, 2, 3, 4)
    told: dict[str, Any] = json.loads(done.out)
    assert told["exit_code"] == done.code
    assert "Traceback" not in done.err
    if done.code in (2, 4):
        assert len(done.err.splitlines()) <= 2
        assert file.name in done.err


@pytest.mark.parametrize("writer", WRITERS)
@settings(max_examples=5, deadline=None, suppress_health_check=SLOW)
@given(damages=DAMAGE, cut=CUT)
def test_a_damaged_workbook_ends_in_a_sentence(
    tmp_path: Path, here: Run, writer: str, damages: list[Damage], cut: float | None
) -> None:
    file = tmp_path / f"in.{WRITERS[writer][0]}"
    file.write_bytes(damaged(good(writer, tmp_path), damages, cut))
    assert_a_clean_end(here, file)


@pytest.mark.parametrize("writer", ["openpyxl", "xlsxwriter", "odfpy"])
@settings(max_examples=5, deadline=None, suppress_health_check=SLOW)
@given(damages=DAMAGE, part=st.floats(0, 1))
def test_a_workbook_damaged_in_one_part_ends_in_a_sentence(
    tmp_path: Path, here: Run, writer: str, damages: list[Damage], part: float
) -> None:
    file = tmp_path / f"in.{WRITERS[writer][0]}"
    file.write_bytes(damaged_inside(good(writer, tmp_path), damages, part))
    assert_a_clean_end(here, file)


def test_an_archive_with_a_name_that_is_no_text_ends_in_a_sentence(
    tmp_path: Path, here: Run
) -> None:
    file = tmp_path / "in.xlsx"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("xl/wörkbook.xml", "x")
    file.write_bytes(file.read_bytes().replace("ö".encode(), b"\xe5x"))
    assert_a_clean_end(here, file)
    assert here("check", file, "--json").code == 4
