"""Tables that Hypothesis makes, from each writer; and files with random damage."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter  # type: ignore[import-untyped]  # comes without types
import xlwt  # type: ignore[import-untyped]  # the same
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odf.opendocument import OpenDocumentSpreadsheet  # type: ignore[import-untyped]  # the same
from odf.table import Table, TableCell, TableRow  # type: ignore[import-untyped]  # the same
from odf.text import P  # type: ignore[import-untyped]  # the same
from support.commands import RunCommand
from support.examples import examples
from support.plans import open_plan_of
from support.sheets import TITLES, lock, record

from batchlock.core.errors import UnreadableFile, UsageError
from batchlock.plan.reasons import read_reason

Rows = Sequence[Sequence[str]]

# The folder is the same for all examples of a test, and each example replaces the file in it.
SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def write_openpyxl(path: Path, rows: Rows) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Sheet")
    for row in rows:
        cells = [openpyxl.cell.WriteOnlyCell(sheet, value=cell or None) for cell in row]
        for cell in cells:
            cell.data_type = "s" if cell.value else "n"
        sheet.append(cells)
    book.save(path)


def write_xlsxwriter(path: Path, rows: Rows) -> None:
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for row_index, row in enumerate(rows):
            for column, cell in enumerate(row):
                sheet.write_string(row_index, column, cell)


def write_xlwt(path: Path, rows: Rows) -> None:
    book = xlwt.Workbook(encoding="utf-8")
    sheet = book.add_sheet("Sheet")
    for row_index, row in enumerate(rows):
        for column, cell in enumerate(row):
            sheet.write(row_index, column, cell)
    book.save(str(path))


def write_odfpy(path: Path, rows: Rows) -> None:
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
    "openpyxl": ("xlsx", write_openpyxl),
    "xlsxwriter": ("xlsx", write_xlsxwriter),
    "xlwt": ("xls", write_xlwt),
    "odfpy": ("ods", write_odfpy),
}
# No spaces: OpenDocument merges them, unless a writer marks each one. No # at the start: the whole
# text could be an error of the spreadsheet.
REASON = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co", "Zs", "Zl", "Zp"]),
    min_size=1,
    max_size=20,
).filter(lambda text: isinstance(read_reason(text), str))


@pytest.mark.parametrize("writer", WRITERS)
@settings(max_examples=examples(15), deadline=None, suppress_health_check=SLOW)
@given(reasons=st.lists(REASON, max_size=8), above=st.integers(0, 5))
def test_a_table_of_any_writer_becomes_the_same_updates(
    tmp_path: Path, writer: str, reasons: list[str], above: int
) -> None:
    ending, write = WRITERS[writer]
    file = tmp_path / f"in.{ending}"
    rows = [("Leads", record(n), lock(n), reason) for n, reason in enumerate(reasons, 1)]
    write(file, [*[("", "a heading")] * above, TITLES, *rows])
    with open_plan_of(file, tmp_path / "journal") as journal:
        updates = journal.commit_batch((), claim=100)
        assert list(journal.problems()) == []
    assert [
        (update.module, update.record_id, update.lock_id, update.reason) for update in updates
    ] == rows
    assert [update.row for update in updates] == list(range(above + 2, above + 2 + len(rows)))


HEADS = ("", "Module,Record Id,Reason\n", "sep=;\r\nModule;Record Id;Reason;Result;Row check\r\n")


@settings(max_examples=examples(150), deadline=None, suppress_health_check=SLOW)
@given(
    head=st.sampled_from(HEADS),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    rest=st.binary(max_size=400)
    | st.text("Leads,;\t|\" \r\n='5843104000000425565€é\u0085", max_size=200),
)
def test_any_bytes_are_a_table_or_an_error_of_one_sentence(
    tmp_path: Path, head: str, encoding: str, rest: bytes | str
) -> None:
    content = rest if isinstance(rest, bytes) else rest.encode(encoding, "replace")
    file = tmp_path / "in.csv"
    file.write_bytes(head.encode(encoding) + content)
    try:
        with open_plan_of(file, tmp_path / "journal") as journal:
            assert sum(journal.counts().values()) == len(list(journal.result_rows()))
    except (UnreadableFile, UsageError) as error:
        message, is_choice = str(error), bool(error.readings)
        assert message.startswith("in.csv")
        # A choice of encodings shows one reading on each line; all other messages are one line.
        assert len(message.splitlines()) == 1 or is_choice


def undamaged(writer: str, folder: Path) -> bytes:
    ending, write = WRITERS[writer]
    file = folder / f"undamaged.{ending}"
    write(file, [TITLES, *[("Leads", record(n), lock(n), f"reason {n}") for n in range(1, 31)]])
    return file.read_bytes()


# The position as a share of the length, and the bytes that overwrite what is there.
Damage = tuple[float, bytes]
DAMAGE = st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=8)), max_size=3)
CUT = st.none() | st.floats(0, 1)


def damaged(content: bytes, damages: Sequence[Damage], cut: float | None) -> bytes:
    changed = bytearray(content)
    for share, replacement in damages:
        start = int(share * len(changed))
        changed[start : start + len(replacement)] = replacement
    return bytes(changed if cut is None else changed[: int(cut * len(changed))])


def damaged_inside(content: bytes, damages: Sequence[Damage], part: float) -> bytes:
    """Damage one entry of an archive, and write the archive again, so that its checksum fits."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w") as new:
        names = old.namelist()
        target_name = names[min(int(part * len(names)), len(names) - 1)]
        for name in names:
            entry = old.read(name)
            new.writestr(name, damaged(entry, damages, None) if name == target_name else entry)
    return target.getvalue()


def assert_ends_with_a_message(run_in_process: RunCommand, file: Path) -> None:
    """Check that `check` ends with one of its exit codes and without a traceback."""
    completed = run_in_process("check", file, "--json")
    assert completed.code in (0, 2, 3, 4)
    assert completed.json["exit_code"] == completed.code
    assert "Traceback" not in completed.err
    if completed.code in (2, 4):
        assert len(completed.err.splitlines()) <= 2
        assert file.name in completed.err


@pytest.mark.parametrize("writer", WRITERS)
@settings(max_examples=examples(5), deadline=None, suppress_health_check=SLOW)
@given(damages=DAMAGE, cut=CUT)
def test_a_damaged_workbook_never_ends_in_a_traceback(
    tmp_path: Path,
    run_in_process: RunCommand,
    writer: str,
    damages: list[Damage],
    cut: float | None,
) -> None:
    file = tmp_path / f"in.{WRITERS[writer][0]}"
    file.write_bytes(damaged(undamaged(writer, tmp_path), damages, cut))
    assert_ends_with_a_message(run_in_process, file)


@pytest.mark.parametrize("writer", ["openpyxl", "xlsxwriter", "odfpy"])
@settings(max_examples=examples(5), deadline=None, suppress_health_check=SLOW)
@given(damages=DAMAGE, part=st.floats(0, 1))
def test_a_workbook_damaged_in_one_part_never_ends_in_a_traceback(
    tmp_path: Path, run_in_process: RunCommand, writer: str, damages: list[Damage], part: float
) -> None:
    file = tmp_path / f"in.{WRITERS[writer][0]}"
    file.write_bytes(damaged_inside(undamaged(writer, tmp_path), damages, part))
    assert_ends_with_a_message(run_in_process, file)


def test_an_archive_with_an_undecodable_name_is_refused_in_a_sentence(
    tmp_path: Path, run_in_process: RunCommand
) -> None:
    file = tmp_path / "in.xlsx"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("xl/wörkbook.xml", "x")
    file.write_bytes(file.read_bytes().replace("ö".encode(), b"\xe5x"))
    assert_ends_with_a_message(run_in_process, file)
    assert run_in_process("check", file, "--json").code == 4
