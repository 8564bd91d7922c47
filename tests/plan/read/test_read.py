import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
import xlsxwriter  # type: ignore[import-untyped]  # comes without types
import xlwt  # type: ignore[import-untyped]  # the same
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odf.opendocument import OpenDocumentSpreadsheet  # type: ignore[import-untyped]  # the same
from odf.style import Style, TableProperties  # type: ignore[import-untyped]  # the same
from odf.table import Table as OdfTable  # type: ignore[import-untyped]  # the same
from odf.table import TableCell, TableRow
from odf.text import P  # type: ignore[import-untyped]  # the same

from batchlock.core.errors import UnreadableFile, UsageError
from batchlock.core.results import RESULT_TITLES
from batchlock.core.rows import Field, NoValue
from batchlock.plan.read import ReadOptions, Table
from batchlock.plan.read import read_table as read

HEADER = ("Module", "Record Id", "Lock Id", "Reason")
ROW = ("Leads", "5843104000000425565", "5843104000000425777", "Under review")
MODULE, RECORD_ID, LOCK_ID, REASON = Field


@dataclass
class Seen:
    table: Table
    rows: dict[int, tuple[object, ...]]
    beyond: dict[int, object]
    given: dict[int, tuple[object, object]]


def see(path: Path, **reading: object) -> Seen:
    table = read(path, ReadOptions(**reading))  # type: ignore[arg-type]  # each test knows its own
    chunks = list(table.chunks)
    seen = Seen(table, {}, {}, {})
    for chunk in chunks:
        assert set(chunk.dtypes) == {pd.Series([], dtype=object).dtype}
        positions = range(len(table.titles))
        assert list(chunk.columns) == [*positions, "beyond", "given_result", "given_check"]
        numbers = chunk.index.tolist()
        cells = zip(*(chunk[i].tolist() for i in positions), strict=True)
        seen.rows.update(zip(numbers, cells, strict=True))
        seen.beyond.update(zip(numbers, chunk["beyond"].tolist(), strict=True))
        given_back = zip(chunk["given_result"], chunk["given_check"], strict=True)
        seen.given.update(zip(numbers, given_back, strict=True))
    return seen


def refusal(path: Path, **reading: object) -> str:
    with pytest.raises(UnreadableFile) as caught:
        see(path, **reading)
    return str(caught.value)


def misuse(path: Path, **reading: object) -> str:
    with pytest.raises(UsageError) as caught:
        see(path, **reading)
    return str(caught.value)


def text(tmp_path: Path, content: str | bytes, name: str = "orders.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def lines(*rows: Sequence[str], delimiter: str = ",", end: str = "\n") -> str:
    return "".join(delimiter.join(row) + end for row in rows)


def with_openpyxl(path: Path, *sheets: Iterable[Sequence[Any]]) -> Path:
    book = openpyxl.Workbook(write_only=True)
    for rows in sheets:
        sheet = book.create_sheet()
        for row in rows:
            sheet.append(tuple(row))
    book.save(path)
    return path


def with_xlsxwriter(path: Path, **sheets: Iterable[Sequence[object]]) -> Path:
    with xlsxwriter.Workbook(path, {"strings_to_formulas": False}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for at, row in enumerate(rows):
                sheet.write_row(at, 0, row)
    return path


def with_xlwt(path: Path, rows: Iterable[Sequence[object]]) -> Path:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Sheet")
    for at, row in enumerate(rows):
        for column, cell in enumerate(row):
            if cell is not None:
                sheet.write(at, column, cell)
    book.save(str(path))
    return path


def odf_text(content: str, **attributes: object) -> TableCell:
    cell = TableCell(valuetype="string", **attributes)
    for line in content.split("\n"):
        cell.addElement(P(text=line))
    return cell


def with_odfpy(path: Path, rows: Iterable[Sequence[object]], *, hidden: Iterable[str] = ()) -> Path:
    book = OpenDocumentSpreadsheet()
    table = OdfTable(name="Sheet")
    book.spreadsheet.addElement(table)
    for row in rows:
        line = TableRow()
        table.addElement(line)
        for cell in row:
            line.addElement(odf_text(cell) if isinstance(cell, str) else cell or TableCell())
    unseen = Style(name="unseen", family="table")
    unseen.addElement(TableProperties(display="false"))
    book.automaticstyles.addElement(unseen)
    for name in hidden:
        book.spreadsheet.addElement(OdfTable(name=name, stylename="unseen"))
    book.save(str(path))
    return path


# --- text: encodings ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "known_as"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("cp1252", "windows-1252"),
    ],
)
def test_the_encoding_is_found(tmp_path: Path, encoding: str, known_as: str) -> None:
    path = text(tmp_path, lines(HEADER, (*ROW[:3], "Prüfung: 5 €")).encode(encoding))
    seen = see(path)
    assert seen.rows == {2: (*ROW[:3], "Prüfung: 5 €")}
    assert seen.table.encoding == known_as
    assert seen.table.sheet is None


def test_utf_16_with_its_bytes_the_other_way_round(tmp_path: Path) -> None:
    content = b"\xfe\xff" + lines(HEADER, (*ROW[:3], "審査中")).encode("utf-16-be")
    assert see(text(tmp_path, content)).rows == {2: (*ROW[:3], "審査中")}


def test_one_odd_byte_in_the_last_of_many_lines_makes_it_windows_1252(tmp_path: Path) -> None:
    rows = lines(HEADER, *[ROW] * 30_000)
    path = text(tmp_path, rows.encode() + b"Leads,5843104000000425565,,caf\xe9")
    seen = see(path)
    assert seen.table.encoding == "windows-1252"
    assert seen.rows[30_002][3] == "café"


@pytest.mark.parametrize(
    "reason",
    [
        "REFUSÉ\xa0!",
        "STATUT REFUSÉ\xa0: ATTENTE",
        "DOSSIER FERMÉ…",
        "QUALITÉ\u2019",
        "CAFÉ™",
        "SOCIÉTÉ® X",
        "MENÜ\u2013A",
        "CONTROLLATO LUNEDÌ…",
        "PERÒ\xa0NO",
        "VOCÊ…",
        "REVISIÓ\xa0?",
        "GIÙ…",
        "DET GÅR PÅ…",
        "Spaß…",
        "payé\xa0\u2013 reste",
        "Paket 2 \xd7\xa03 / Ø\xa05",
    ],
)
@pytest.mark.parametrize("other", ["plain", "qualité für", "«VALIDITÉ»", "REFUSÉ\xa0?"])
def test_words_of_windows_1252_that_fit_utf_8_by_chance_are_not_taken_for_it(
    tmp_path: Path, reason: str, other: str
) -> None:
    path = text(tmp_path, lines(HEADER, (*ROW[:3], reason), (*ROW[:3], other)).encode("cp1252"))
    seen = see(path)
    assert [row[3] for row in seen.rows.values()] == [reason, other]
    assert seen.table.encoding == "windows-1252"


LONE = (
    "проверка|в ПРОВЕРКЕ и|Δ|Δέλτα|Đã duyệt|CƠ QUAN|đi|VERGİ|TATİL|İstanbul|dağ|ŞUBE|Və|Wǒ|Yɔ|"
    "středa|Dvořák|KOŘ|Při tom|SPRZEDAŻ|STRAŻ|Są|Tę|KOŃ|łódź|TOMAŠ|VAŠ PAŠTAS|SUTARTĖ|VIETĒ|AKMEŅI|"
    "Aș vrea|ȘI|ŢARĂ|IDŐ|GYŰJTŐ|Hawai\u02bbi|KO\u02bbP|œuvre|CŒUR|NÃO|São|Ångström|naïve|€|™|😀|"
    "X\u0305|E\u0301|IDO\u030b|審査中|a項|頻|नमस्ते|سلام|5 م|שלום"
)


@pytest.mark.parametrize("reason", LONE.split("|"))
def test_a_lone_letter_of_any_script_is_still_utf_8(tmp_path: Path, reason: str) -> None:
    seen = see(text(tmp_path, lines(HEADER, (*ROW[:3], reason), ROW)))
    assert (seen.rows[2][3], seen.table.encoding) == (reason, "utf-8")


@pytest.mark.parametrize(
    ("parts", "line", "other"),
    [
        ((b"a,\xc3\xa9\n", b"plain\n", b"b,\xe9\n"), 4, 2),
        ((b"b,\xe9\r", b"a,\xc3\xa9\r"), 3, 2),
        ((b"a,\xc3\xa9\n", b"cut,\xc3"), 3, 2),
    ],
)
def test_lines_in_different_encodings_are_refused(
    tmp_path: Path, parts: tuple[bytes, ...], line: int, other: int
) -> None:
    end = b"\r" if parts[0].endswith(b"\r") else b"\n"
    path = text(tmp_path, b"Module,Record Id,Reason" + end + b"".join(parts))
    message = refusal(path)
    assert message.startswith(f"orders.csv, line {line}:")
    assert f"unlike line {other}" in message


def test_a_piece_boundary_in_a_letter_does_no_harm(tmp_path: Path) -> None:
    content = lines(HEADER, *[(*ROW[:3], "ü" * 997)] * 1_200)
    seen = see(text(tmp_path, content))
    assert seen.table.encoding == "utf-8"
    assert {row[3] for row in seen.rows.values()} == {"ü" * 997}


@pytest.mark.parametrize(
    ("content", "encoding", "said"),
    [
        (b"Module,Record Id,Reason\nLeads,1\x002,x\n", "auto", "line 2: holds a NUL"),
        (b"\xff\xfeM\x00\x00\xd8x\x00", "auto", "line 1: is not in UTF-16"),
        (b"Module,Record Id,Reason\n\x81\xe9,1,x\n", "auto", "line 2: is not in WINDOWS-1252"),
        (b"Module,Record Id,Reason\nLeads,1,caf\xe9\n", "utf-8", "line 2: is not in UTF-8"),
        (b"Module,Record Id,Reason\nLeads,1,x\n", "utf-16", "line 1: is not in UTF-16"),
    ],
)
def test_what_is_no_text_is_refused_naming_the_line(
    tmp_path: Path, content: bytes, encoding: str, said: str
) -> None:
    message = refusal(text(tmp_path, content), encoding=encoding)
    assert message.startswith(f"orders.csv, {said}")


def test_the_encoding_can_be_set(tmp_path: Path) -> None:
    path = text(tmp_path, lines(HEADER, (*ROW[:3], "проверка")).encode("cp1251"))
    seen = see(path, encoding="cp1251")
    assert seen.rows[2][3] == "проверка"
    assert seen.table.encoding == "cp1251"


def test_utf_8_that_was_set_may_begin_with_its_mark(tmp_path: Path) -> None:
    path = text(tmp_path, lines(HEADER, ROW).encode("utf-8-sig"))
    assert see(path, encoding="UTF8").rows == {2: ROW}


@pytest.mark.parametrize("encoding", ["utf-9", "hex", "", "a\0b"])
def test_an_unknown_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    message = misuse(text(tmp_path, lines(HEADER, ROW)), encoding=encoding)
    assert "There is no encoding named" in message


# --- text: cells and rows ----------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    reason = ", ; | ".replace(delimiter, "") + " a, b, c"
    row = (*ROW[:3], reason if delimiter != "," else "plain")
    seen = see(text(tmp_path, lines(HEADER, row, delimiter=delimiter)))
    assert seen.rows == {2: row}
    assert seen.table.delimiter == delimiter


def test_commas_in_the_reasons_do_not_hide_the_semicolons(tmp_path: Path) -> None:
    row = (*ROW[:3], "one, two, three, four")
    seen = see(text(tmp_path, lines(HEADER, *[row] * 50, delimiter=";")))
    assert seen.table.delimiter == ";"
    assert seen.rows[51] == row


@pytest.mark.parametrize("first", ["sep=^\n", '"sep=^"\r\n', "SEP=^\n"])
def test_a_sep_line_is_honoured_and_does_not_count(tmp_path: Path, first: str) -> None:
    seen = see(text(tmp_path, first + lines(HEADER, ROW, delimiter="^")))
    assert seen.rows == {2: ROW}
    assert seen.table.delimiter == "^"


@pytest.mark.parametrize(
    ("setting", "delimiter"), [("tab", "\t"), ("\\t", "\t"), ("Semicolon", ";"), ("~", "~")]
)
def test_the_delimiter_can_be_set(tmp_path: Path, setting: str, delimiter: str) -> None:
    seen = see(text(tmp_path, lines(HEADER, ROW, delimiter=delimiter)), delimiter=setting)
    assert seen.rows == {2: ROW}


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n"])
def test_what_cannot_be_a_delimiter_is_refused(tmp_path: Path, delimiter: str) -> None:
    path = text(tmp_path, lines(HEADER, ROW))
    assert "cannot be a delimiter" in misuse(path, delimiter=delimiter)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_works(tmp_path: Path, end: str) -> None:
    content = lines(HEADER, ROW, (*ROW[:3], f'"two{end}lines"'), ROW, end=end)
    assert see(text(tmp_path, content)).rows == {2: ROW, 3: (*ROW[:3], f"two{end}lines"), 4: ROW}


def test_rows_have_the_number_that_a_spreadsheet_shows(tmp_path: Path) -> None:
    content = lines(
        ("A title",), HEADER, ROW, (), (" ", "\xa0", "", ""), (*ROW[:3], '"a\n\nb"'), (), ROW
    )
    assert list(see(text(tmp_path, content)).rows) == [3, 6, 8]


def test_ragged_rows_are_filled_up_and_their_excess_is_told(tmp_path: Path) -> None:
    content = lines(HEADER, ROW[:2], (*ROW, "", "too much", "more"), (*ROW, " ", ""))
    seen = see(text(tmp_path, content))
    assert seen.rows[2] == (*ROW[:2], None, None)
    assert seen.beyond == {2: None, 3: ("F", "too much"), 4: None}


def test_titles_that_are_blank_or_twice_there_are_kept(tmp_path: Path) -> None:
    content = lines(("Note", "", *HEADER, "Note", "", " "), ("a", "b", *ROW, "c"))
    seen = see(text(tmp_path, content))
    assert seen.table.titles == ("Note", "", *HEADER, "Note")
    assert seen.table.fields == {MODULE: 2, RECORD_ID: 3, LOCK_ID: 4, REASON: 5}
    assert seen.rows == {2: ("a", "b", *ROW, "c")}


def test_line_separators_of_other_kinds_stay_inside_their_cell(tmp_path: Path) -> None:
    row = (*ROW[:3], "a\u2028b\u0085c\x0bd")
    assert see(text(tmp_path, lines(HEADER, row))).rows == {2: row}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('Leads,5843104000000425565,,"never closed\nLeads,1,,x\n', "orders.csv, line 3:"),
        ('Leads,5843104000000425565,,"said "no" twice"\n', "orders.csv, line 3:"),
    ],
)
def test_a_quotation_mark_that_swallows_rows_is_refused(
    tmp_path: Path, row: str, said: str
) -> None:
    assert refusal(text(tmp_path, lines(HEADER, ROW) + row)).startswith(said)


def test_a_quotation_mark_in_the_header_is_refused_as_such(tmp_path: Path) -> None:
    path = text(tmp_path, '"Module,Record Id,Reason\nLeads,1,x\n')
    assert refusal(path).startswith("orders.csv, line 1: a quotation mark")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_lines_that_are_quoted_as_a_whole_are_told(tmp_path: Path, delimiter: str) -> None:
    rows = [f'"{delimiter.join(row)}"' for row in (('""Module""', *HEADER[1:]), ROW)]
    message = refusal(text(tmp_path, "\n".join(rows)))
    assert message.startswith("orders.csv: each line stands in quotation marks as a whole")


def test_a_long_cell_is_read(tmp_path: Path) -> None:
    row = (*ROW[:3], "x" * 500_000)
    assert see(text(tmp_path, lines(HEADER, row))).rows == {2: row}


def test_many_rows_come_in_chunks(tmp_path: Path) -> None:
    table = read(text(tmp_path, lines(HEADER, *[ROW] * 2_001)), ReadOptions())
    assert [len(chunk) for chunk in table.chunks] == [2_000, 1]


def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    assert see(text(tmp_path, lines(HEADER))).rows == {}


# --- the header --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "titles",
    [
        ("MODULE", "record_id", "lock-id", "reason"),
        ("Module Name", "ID of Record", "Locking ID", "Locked Reason"),
        ("module api name", "Id", "Record Locking Id", "Locked_Reason__s"),
        (" Module\xa0", "RecordID", "LockId", "REASON "),
    ],
)
def test_titles_match_in_all_their_spellings(tmp_path: Path, titles: tuple[str, ...]) -> None:
    seen = see(text(tmp_path, lines(titles, ROW)))
    assert seen.table.fields == {MODULE: 0, RECORD_ID: 1, LOCK_ID: 2, REASON: 3}


def test_the_more_exact_title_wins(tmp_path: Path) -> None:
    titles = ("ID", "Record Id", "Module Name", "Module", "Locked Reason", "Reason")
    seen = see(text(tmp_path, lines(titles, titles)))
    assert seen.table.fields == {RECORD_ID: 1, MODULE: 3, REASON: 5}


@pytest.mark.parametrize(
    ("titles", "fitting", "remedy"),
    [
        (
            ("Module", "Record Id", "RECORD_ID", "Reason"),
            "the record id: Record Id, RECORD_ID",
            'Rename one of them, or name the right one with --column record_id="Record Id".',
        ),
        (
            ("Module", "Id", "Reason", "Reason"),
            "the reason: Reason, Reason",
            "Rename one of them.",
        ),
    ],
)
def test_two_equally_good_titles_are_refused(
    tmp_path: Path, titles: tuple[str, ...], fitting: str, remedy: str
) -> None:
    message = refusal(text(tmp_path, lines(titles, titles)))
    assert message == f"orders.csv: more than one column fits {fitting}. {remedy}"


def test_a_missing_column_is_told_with_the_nearest_title(tmp_path: Path) -> None:
    path = text(tmp_path, lines(("Module", "ID-Nr", "Reason"), ROW[:3]))
    assert refusal(path) == (
        "orders.csv: no column for the record id. The columns are: Module, ID-Nr, Reason. "
        'Name it with --column record_id="ID-Nr".'
    )


def test_several_missing_columns_are_told_together(tmp_path: Path) -> None:
    path = text(tmp_path, lines(("Modul", "Nummer", "Grund"), ROW[:3]))
    message = refusal(path)
    assert "no column for the module and the record id and the reason" in message
    assert '--column module="Modul" --column record_id="TITLE"' in message


def test_many_long_titles_do_not_flood_the_message(tmp_path: Path) -> None:
    path = text(tmp_path, lines([f"{i} {'long ' * 30}" for i in range(60)]))
    message = refusal(path)
    assert "and 20 more" in message
    assert len(message) < 3_000


def test_the_header_may_stand_in_row_20_and_no_lower(tmp_path: Path) -> None:
    above = [("Locks to renew",), *[()] * 18]
    assert list(see(text(tmp_path, lines(*above, HEADER, ROW))).rows) == [21]
    assert "no column for" in refusal(text(tmp_path, lines((), *above, HEADER, ROW)))


def test_a_row_that_is_almost_a_header_is_not_taken_for_one(tmp_path: Path) -> None:
    path = text(tmp_path, lines(("Reason", "to renew"), HEADER, ROW))
    assert see(path).rows == {3: ROW}


def test_the_lock_id_column_may_be_missing_only_when_lock_ids_are_looked_up(
    tmp_path: Path,
) -> None:
    path = text(tmp_path, lines(("Module", "Record Id", "Reason"), ROW[:3]))
    assert LOCK_ID not in see(path).table.fields
    assert "no column for the lock id" in refusal(path, lock_id_needed=True)


def test_further_titles_are_added_and_go_first(tmp_path: Path) -> None:
    columns = {"record_id": ("ID-Nr", "Kennung"), "reason": ("Grund",)}
    path = text(tmp_path, lines(("Module", "Id", "kennung", "Reason"), ROW))
    fields = see(path, columns=columns).table.fields
    assert fields == {MODULE: 0, RECORD_ID: 2, REASON: 3}


def test_a_title_named_for_this_file_is_the_only_one_taken(tmp_path: Path) -> None:
    path = text(tmp_path, lines(("Module", "Record Id", "ID", "Reason", "Lock"), (*ROW, "1")))
    explicit_columns = {"record_id": "id", "lock_id": "Lock"}
    fields = see(path, explicit_columns=explicit_columns).table.fields
    assert fields == {MODULE: 0, RECORD_ID: 2, REASON: 3, LOCK_ID: 4}


def test_a_title_spelled_as_in_the_file_settles_which_of_two_is_meant(tmp_path: Path) -> None:
    path = text(tmp_path, lines(("Module", "Record Id", "RECORD_ID", "Reason"), ROW))
    assert see(path, explicit_columns={"record_id": "RECORD_ID"}).table.fields[RECORD_ID] == 2


def test_a_column_named_for_one_field_serves_no_other(tmp_path: Path) -> None:
    path = text(tmp_path, lines(("Module", "Id", "Text"), ROW[:3]))
    assert "no column for the record id" in refusal(path, explicit_columns={"reason": "Id"})


@pytest.mark.parametrize(
    ("explicit_columns", "said"),
    [
        ({"reason": "Raeson"}, 'there is no column "Raeson" for the reason. The columns are: '),
        ({"lock_id": "zzz"}, 'there is no column "zzz" for the lock id'),
        ({"rec": "Id"}, "The fields are: module, record_id, lock_id, reason"),
        ({"lock_id": "Id", "reason": "Id"}, 'The column "Id" is named for more than one field'),
    ],
)
def test_naming_a_column_wrongly_is_refused(
    tmp_path: Path, explicit_columns: dict[str, str], said: str
) -> None:
    path = text(tmp_path, lines(("Module", "Record Id", "Reason"), ROW[:3]))
    assert said in misuse(path, explicit_columns=explicit_columns)


def test_the_nearest_title_is_offered_for_one_that_is_not_there(tmp_path: Path) -> None:
    path = text(tmp_path, lines(("Module", "Record Id", "Grund der Sperre"), ROW[:3]))
    message = misuse(path, explicit_columns={"reason": "Grund der Spere"})
    assert message.endswith('Did you mean "Grund der Sperre"?')


# --- results that are given back ---------------------------------------------------------------

OURS = ("updated", "200", "SUCCESS", "ok", "", "1", "2025-03-14T05:00:00Z", "12", "2", "abc")


def test_our_own_columns_of_a_results_file_are_taken_off(tmp_path: Path) -> None:
    failed = ("", *OURS[1:9], " ")
    content = lines((*HEADER, *RESULT_TITLES), (*ROW, *OURS), (*ROW, *failed))
    seen = see(text(tmp_path, content))
    assert seen.table.titles == HEADER
    assert seen.rows == {2: ROW, 3: ROW}
    assert seen.given == {2: ("updated", "abc"), 3: (None, None)}


def test_a_column_of_the_input_that_is_titled_like_ours_stays(tmp_path: Path) -> None:
    ours = [f"{title} (batchlock)" if title == "Code" else title for title in RESULT_TITLES]
    path = with_xlsxwriter(
        tmp_path / "r.xlsx", Results=[("Code", *HEADER, *ours), ("own", *ROW, *OURS)]
    )
    seen = see(path)
    assert seen.table.titles == ("Code", *HEADER)
    assert seen.table.fields[MODULE] == 1
    assert seen.rows == {2: ("own", *ROW)}


def test_an_input_with_titles_like_some_of_ours_is_no_results_file(tmp_path: Path) -> None:
    seen = see(text(tmp_path, lines((*HEADER, "Result", "Code"), (*ROW, "done", "x"))))
    assert seen.table.titles == (*HEADER, "Result", "Code")
    assert seen.given == {2: (None, None)}


@pytest.mark.parametrize(
    ("written", "cell"),
    [
        ("'=1+1", "=1+1"),
        ("''quoted", "'quoted"),
        ("'-", "-"),
        ("'\ttab", "\ttab"),
        ("'plain", "'plain"),
        ("'", "'"),
    ],
)
def test_the_apostrophes_of_our_csv_are_taken_off(tmp_path: Path, written: str, cell: str) -> None:
    header = (*HEADER, "'=Note", *RESULT_TITLES)
    seen = see(text(tmp_path, lines(header, (*ROW[:3], written, "", *OURS))))
    assert seen.table.titles == (*HEADER, "=Note")
    assert seen.rows[2][3] == cell
    other = see(text(tmp_path, lines(HEADER, (*ROW[:3], written))))
    assert other.rows[2][3] == written


def test_the_column_beyond_is_counted_in_the_file(tmp_path: Path) -> None:
    content = lines((*HEADER, *RESULT_TITLES), (*ROW, *OURS, "x"))
    assert see(text(tmp_path, content)).beyond == {2: ("O", "x")}
    content = lines((*HEADER, *"x" * 22, "y"), (*ROW, *"x" * 23, "z"))
    assert see(text(tmp_path, content)).beyond == {2: ("AB", "z")}


# --- workbooks ---------------------------------------------------------------------------------

CELLS = (
    5843104000,
    0.5,
    5843104000000425565,
    True,
    date(2025, 3, 14),
    datetime(2025, 3, 14, 5, 30),  # noqa: DTZ001 - cells have no time zone
    " x\ny ",
)
READ = (5843104000, 0.5, 5843104000000425565.0, True, *CELLS[4:])


def test_cells_of_an_xlsx_keep_their_type(tmp_path: Path) -> None:
    header = (*HEADER, *"abcdefghi")
    cells = (*ROW, *CELLS, time(5, 0), timedelta(hours=30))
    seen = see(with_openpyxl(tmp_path / "a.xlsx", [header, cells]))
    expected = (*ROW, *READ, time(5, 0), timedelta(hours=30))
    assert seen.rows == {2: expected}
    assert [type(cell) for cell in seen.rows[2]] == [type(cell) for cell in expected]
    assert (seen.table.sheet, seen.table.encoding, seen.table.delimiter) == ("Sheet", None, None)


def test_cells_of_an_xls_keep_their_type(tmp_path: Path) -> None:
    path = with_xlwt(tmp_path / "a.xls", [(*HEADER, *"abcd"), (*ROW, *CELLS[:4]), (), ROW])
    assert see(path).rows == {2: (*ROW, *READ[:4]), 4: (*ROW, *[None] * 4)}


@pytest.mark.parametrize(
    ("form", "number", "cell"),
    [
        ("[h]:mm:ss", 26.5 / 24, timedelta(hours=26.5)),
        ("[HH]:mm", 0.5, timedelta(hours=12)),
        ("[m]", -1.25, timedelta(hours=-30)),
        ('"so many "[s]', 2.0, timedelta(days=2)),
        ("[s]", 1e300, 1e300),
        ("h:mm", 0.5, time(12)),
        ("[Red]h:mm", 0.5, time(12)),
        ('0.0" [h]"', 0.5, 0.5),
    ],
)
def test_a_length_of_time_in_an_xls_is_no_date(
    tmp_path: Path, form: str, number: float, cell: object
) -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Sheet")
    for row, cells in enumerate((HEADER, ROW[:3])):
        for column, each in enumerate(cells):
            sheet.write(row, column, each)
    sheet.write(1, 3, number, xlwt.easyxf(num_format_str=form))
    book.save(str(tmp_path / "a.xls"))
    assert see(tmp_path / "a.xls").rows == {2: (*ROW[:3], cell)}


def test_cells_of_an_ods_keep_their_type(tmp_path: Path) -> None:
    typed = [
        TableCell(valuetype="float", value=5843104000),
        TableCell(valuetype="date", datevalue="2025-03-14"),
        TableCell(valuetype="time", timevalue="PT05H00M00S"),
        TableCell(valuetype="boolean", booleanvalue="true"),
    ]
    path = with_odfpy(tmp_path / "a.ods", [(*HEADER, *"abcd"), (*ROW[:3], "a\nb", *typed)])
    cells = (*ROW[:3], "a\nb", 5843104000, date(2025, 3, 14), time(5, 0), True)
    assert see(path).rows == {2: cells}


def test_the_table_may_begin_anywhere_in_the_sheet(tmp_path: Path) -> None:
    rows = [[], [], [None, None, *HEADER], [], [None, None, *ROW]]
    seen = see(with_openpyxl(tmp_path / "a.xlsx", rows))
    assert seen.rows == {5: (None, None, *ROW)}
    assert seen.table.titles == ("", "", *HEADER)


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (with_openpyxl, "orders.csv"),
        (with_openpyxl, "orders.xlsm"),
        (with_openpyxl, "orders.xls"),
        (with_openpyxl, "orders"),
        (with_xlwt, "orders.xlsx"),
        (with_xlwt, "orders.ods"),
        (with_odfpy, "orders.xlsx"),
        (with_odfpy, "orders.tsv"),
    ],
)
def test_the_content_decides_and_not_the_name(
    tmp_path: Path, write: Callable[[Path, object], Path], name: str
) -> None:
    made = write(tmp_path / "made.xlsx", [HEADER, ROW])
    assert see(made.rename(tmp_path / name)).rows == {2: ROW}


def test_text_that_is_named_like_a_workbook_is_read_as_text(tmp_path: Path) -> None:
    assert see(text(tmp_path, lines(HEADER, ROW, delimiter="\t"), "orders.xls")).rows == {2: ROW}


def test_formatting_down_to_the_last_row_makes_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        bold = book.add_format({"bold": True})
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, ROW)
        for row in (*range(2, 500), 1_048_575):
            sheet.write_blank(row, 0, None, bold)
    assert list(see(path).rows) == [2]


def test_the_one_sheet_with_a_header_is_taken(tmp_path: Path) -> None:
    path = with_xlsxwriter(tmp_path / "a.xlsx", Notes=[("Read me",)], Data=[HEADER, ROW], Empty=[])
    assert see(path).table.sheet == "Data"


def test_several_sheets_with_a_header_need_a_name(tmp_path: Path) -> None:
    path = with_xlsxwriter(tmp_path / "a.xlsx", May=[HEADER, ROW], Junk=[], June=[HEADER])
    message = misuse(path)
    assert "May, June" in message
    assert '--sheet "May"' in message
    assert see(path, sheet="June").rows == {}
    assert see(path, sheet="may").rows == {2: ROW}


def test_a_sheet_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = with_xlsxwriter(tmp_path / "a.xlsx", May=[HEADER, ROW], June=[HEADER])
    assert misuse(path, sheet="July") == 'a.xlsx has no sheet "July". Its sheets are: May, June.'
    assert "has no sheets to choose" in misuse(text(tmp_path, lines(HEADER)), sheet="May")


def test_a_hidden_sheet_counts_only_when_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        for name in ("Old", "New"):
            book.add_worksheet(name).write_row(0, 0, HEADER)
        book.get_worksheet_by_name("Old").hide()
        book.get_worksheet_by_name("New").activate()
        book.get_worksheet_by_name("New").set_first_sheet()
        book.add_chartsheet("Chart").set_chart(chart_of(book))
    assert see(path).table.sheet == "New"
    assert see(path, sheet="Old").table.sheet == "Old"


def chart_of(book: xlsxwriter.Workbook) -> object:
    chart = book.add_chart({"type": "line"})
    chart.add_series({"values": "=New!$A$1:$A$2"})
    return chart


def test_a_workbook_whose_sheets_are_all_hidden_is_refused(tmp_path: Path) -> None:
    book = OpenDocumentSpreadsheet()
    unseen = Style(name="unseen", family="table")
    unseen.addElement(TableProperties(display="false"))
    book.automaticstyles.addElement(unseen)
    book.spreadsheet.addElement(OdfTable(name="Old", stylename="unseen"))
    book.save(str(tmp_path / "a.ods"))
    assert "no visible sheet" in refusal(tmp_path / "a.ods")


def test_the_sheet_that_comes_nearest_is_named_when_none_fits(tmp_path: Path) -> None:
    path = with_xlsxwriter(
        tmp_path / "a.xlsx", Notes=[("Read me",)], Data=[("Module", "ID-Nr", "Reason")]
    )
    assert refusal(path) == (
        "a.xlsx, sheet Data: no column for the record id. The columns are: Module, ID-Nr, Reason. "
        'Name it with --column record_id="ID-Nr".'
    )


def test_hidden_rows_count(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for at, row in enumerate((HEADER, ROW, ROW)):
            sheet.write_row(at, 0, row)
        sheet.set_row(1, None, None, {"hidden": True})
    assert list(see(path).rows) == [2, 3]


# --- errors, and formulas without a value ------------------------------------------------------


def test_errors_and_formulas_without_a_value_are_no_blanks(tmp_path: Path) -> None:
    rows = [
        HEADER,
        ("Leads", "=A1+B1", "#N/A", "why"),
        ROW,
        (None, "=A4", None, None),
        (),
        (None, None, None, None, "=A5"),
    ]
    seen = see(with_openpyxl(tmp_path / "a.xlsx", rows))
    assert seen.rows == {
        2: ("Leads", NoValue("=A1+B1"), NoValue("#N/A"), "why"),
        3: ROW,
        4: (None, NoValue("=A4"), None, None),
        6: (None,) * 4,
    }
    assert seen.beyond[6] == ("E", "=A5")


def test_formulas_with_a_value_give_it(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, ROW)
        sheet.write_formula(1, 1, "=B9", None, "5843104000000425565")
        sheet.write_formula(1, 3, "=1/0", None, "#DIV/0!")
        sheet.write_formula(2, 3, "=21*2", None, 42)
    seen = see(path)
    assert seen.rows == {2: (*ROW[:3], NoValue("#DIV/0!")), 3: (None, None, None, 42)}


def rewritten(path: Path, **changes: Callable[[bytes], bytes]) -> Path:
    """Write a zip again with some of its entries, named by the end of their names, changed."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            for end, change in changes.items():
                if name.endswith((f"{end}.xml", f"{end}.xml.rels")):
                    content = change(content)
            archive.writestr(name, content)
    return path


def test_a_formula_whose_value_is_an_empty_text_is_a_blank(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, ROW)
        for row in range(1, 9):
            sheet.write_formula(row, 2, '=""', None, "gone")
    rewritten(path, sheet1=lambda xml: xml.replace(b"<v>gone</v>", b"<v></v>"))
    assert see(path).rows == {2: (*ROW[:2], None, ROW[3])}


def test_other_kinds_of_formulas_without_a_value_are_shown(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        for row in (1, 2):
            sheet.write_row(row, 0, ROW)
        sheet.write_array_formula(1, 2, 1, 2, "{=SUM(A1:A2)}", None, "gone")
        sheet.write_formula(2, 2, "=X", None, "gone")
    formula = b'<f t="shared" si="0"/>'
    rewritten(
        path,
        sheet1=lambda xml: (
            xml.replace(b'r="C2" t="str"', b'r="C2"')
            .replace(b'r="C3" t="str"', b'r="C3"')
            .replace(b"<f>X</f>", formula)
            .replace(b"<v>gone</v>", b"")
        ),
    )
    assert see(path).rows == {
        2: (*ROW[:2], NoValue("=SUM(A1:A2)"), ROW[3]),
        3: (*ROW[:2], NoValue("="), ROW[3]),
    }


def test_a_sheet_is_found_by_a_relative_link(tmp_path: Path) -> None:
    path = with_openpyxl(tmp_path / "a.xlsx", [HEADER, (*ROW[:2], "#REF!", ROW[3])])
    rewritten(path, workbook=lambda xml: xml.replace(b"/xl/worksheets/", b"worksheets/"))
    assert see(path).rows[2][2] == NoValue("#REF!")


def test_a_sheet_is_found_in_a_workbook_with_folders_of_its_own(tmp_path: Path) -> None:
    path = with_openpyxl(tmp_path / "a.xlsx", [HEADER, (*ROW[:2], "#REF!", ROW[3])])
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("xl/", "x/"), content.replace(b"xl/", b"x/"))
    assert see(path).rows[2][2] == NoValue("#REF!")


@pytest.mark.parametrize("part", ["workbook", "sharedStrings", "styles"])
def test_parts_are_found_by_their_links_and_not_by_their_names(tmp_path: Path, part: str) -> None:
    path = with_openpyxl(tmp_path / "a.xlsx", [HEADER, (*ROW[:3], date(2025, 3, 14))])
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            renamed = content.replace(f"{part}.xml".encode(), f"{part}22.xml".encode())
            archive.writestr(name.replace(f"{part}.xml", f"{part}22.xml"), renamed)
    assert see(path).rows == {2: (*ROW[:3], date(2025, 3, 14))}


def test_errors_of_another_sheet_do_no_harm(tmp_path: Path) -> None:
    path = with_openpyxl(tmp_path / "a.xlsx", [HEADER, ROW], [["#N/A"]])
    assert see(path).rows == {2: ROW}


def test_a_damaged_part_that_is_not_needed_does_no_harm(tmp_path: Path) -> None:
    path = with_openpyxl(tmp_path / "a.xlsx", [HEADER, (*ROW[:2], "#REF!", ROW[3])])
    rewritten(path, core=lambda _: b"<broken")
    assert see(path).rows[2][2] == NoValue("#REF!")


CALC = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"


def test_errors_and_formulas_without_a_value_of_an_ods_are_no_blanks(tmp_path: Path) -> None:
    error = odf_text("#N/A", formula="of:=NA()", stringvalue="")
    unknown = TableCell(formula="of:=foo([.A1])")
    empty = TableCell(formula='of:=""')
    empty.addElement(P(text=""))
    table = [
        [TableCell(numbercolumnsrepeated=2), error, "why"],
        ["Leads", "5843104000000425565", empty, "why"],
        [],
        ["Leads", unknown],
    ]
    path = with_odfpy(tmp_path / "a.ods", [HEADER, *table], hidden=["Old"])
    rewritten(
        path,
        content=lambda xml: xml.replace(
            b"<office:document-content ", f'<office:document-content xmlns:x="{CALC}" '.encode(), 1
        ).replace(b'of:=NA()"', b'of:=NA()" x:value-type="error"'),
    )
    assert see(path).rows == {
        2: (None, None, NoValue("#N/A"), "why"),
        3: ("Leads", "5843104000000425565", None, "why"),
        5: ("Leads", NoValue("=foo([.A1])"), None, None),
    }


def test_rows_of_an_ods_that_are_stored_once_are_counted(tmp_path: Path) -> None:
    book = OpenDocumentSpreadsheet()
    table = OdfTable(name="Sheet")
    book.spreadsheet.addElement(table)
    formula = TableCell(formula="of:=1+1")
    for times, cells in (
        (1, HEADER),
        (1_000, ()),
        (2, (formula, *ROW[1:])),
        (1, ROW),
        (1_047_000, ()),
    ):
        row = TableRow(numberrowsrepeated=times)
        table.addElement(row)
        for cell in cells:
            row.addElement(odf_text(cell) if isinstance(cell, str) else cell)
    book.save(str(tmp_path / "a.ods"))
    blank = (NoValue("=1+1"), *ROW[1:])
    assert see(tmp_path / "a.ods").rows == {1002: blank, 1003: blank, 1004: ROW}


# --- files that are no table -------------------------------------------------------------------


def zipped(**entries: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return file.getvalue()


OLE = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "there are no rows in it"),
        (b"\n\n  \n", "there are no rows in it"),
        (b"%PDF-1.7\n...", "is a PDF document"),
        (b"\x89PNG\r\n\x1a\n", "is a picture"),
        (b"\xff\xd8\xff\xe0", "is a picture"),
        (b"\x1f\x8b\x08", "is a compressed archive"),
        (b"{\\rtf1", "is a text document"),
        (b"<html><table><tr><td>Module", "is a web page"),
        (b"\xef\xbb\xbf\n <!DOCTYPE HTML>", "is a web page"),
        ("\ufeff<table>".encode("utf-16-le"), "is a web page"),
        (b'<?xml version="1.0"?><Workbook>', "is a web page"),
        (b"MIME-Version: 1.0\r\n", "is a web page"),
        (zipped(a_txt=b"x"), "is a ZIP archive or a document"),
        (zipped(word__document_xml=b"x"), "is a ZIP archive or a document"),
        (
            zipped(mimetype=b"application/vnd.oasis.opendocument.text", content_xml=b"x"),
            "is a ZIP archive or a document",
        ),
        (b"PK\x03\x04cut", "is damaged"),
        (zipped(xl__workbook_xml=b"x"), "is damaged"),
        (zipped(xl__workbook_bin=b"x"), "is damaged"),
        (zipped(content_xml=b"x"), "is damaged"),
        (OLE, "is an old Office document"),
        (OLE + "EncryptedPackage".encode("utf-16-le"), "is protected with a password"),
        (OLE + "Workbook\0".encode("utf-16-le"), "is damaged"),
    ],
)
def test_what_is_no_spreadsheet_is_refused_in_a_sentence(
    tmp_path: Path, content: bytes, said: str
) -> None:
    message = refusal(text(tmp_path, content, "orders.xls"))
    assert message.startswith("orders.xls")
    assert said in message


def test_a_workbook_without_any_rows_is_refused(tmp_path: Path) -> None:
    assert "there are no rows in it" in refusal(with_openpyxl(tmp_path / "a.xlsx", []))


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path, name: str) -> None:
    assert "cannot be opened" in refusal(tmp_path / name)


def test_a_workbook_protected_with_a_password_is_refused(tmp_path: Path) -> None:
    path = with_xlwt(tmp_path / "a.xls", [HEADER, ROW])
    content = path.read_bytes()
    # A record that says "encrypted" in the place of the one that says "written by".
    start = content.index(b"\x5c\x00\x70\x00")
    path.write_bytes(content[:start] + b"\x2f\x00" + content[start + 2 :])
    assert "is protected with a password" in refusal(path)


# --- round trips -------------------------------------------------------------------------------

WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co"]), max_size=12
).filter(lambda word: word == word.strip())
TABLES = st.lists(st.tuples(WORDS, WORDS, WORDS, WORDS), max_size=8)
ROUND_TRIP = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def as_read(rows: Sequence[Sequence[str]]) -> dict[int, tuple[str | None, ...]]:
    return {
        number: tuple(cell or None for cell in row)
        for number, row in enumerate(rows, 2)
        if any(row)
    }


@ROUND_TRIP
@given(
    rows=TABLES,
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    end=st.sampled_from(["\r\n", "\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_is_written_as_text_is_read_back(
    tmp_path: Path,
    rows: list[tuple[str, ...]],
    encoding: str,
    delimiter: str,
    end: str,
    quoting: int,
) -> None:
    path = tmp_path / "a.csv"
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]  # drawn
        writer.writerows([HEADER, *rows])
    seen = see(path)
    assert seen.rows == as_read(rows)
    assert seen.table.delimiter == delimiter


@ROUND_TRIP
@given(rows=TABLES)
def test_what_openpyxl_writes_is_read_back(tmp_path: Path, rows: list[tuple[str, ...]]) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Sheet")
    for row in (HEADER, *rows):
        cells = [openpyxl.cell.WriteOnlyCell(sheet, value=cell or None) for cell in row]
        for cell in cells:
            cell.data_type = "s" if cell.value else "n"
        sheet.append(cells)
    book.save(tmp_path / "a.xlsx")
    assert see(tmp_path / "a.xlsx").rows == as_read(rows)


@ROUND_TRIP
@given(rows=TABLES)
def test_what_xlsxwriter_writes_is_read_back(tmp_path: Path, rows: list[tuple[str, ...]]) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for at, row in enumerate((HEADER, *rows)):
            for column, cell in enumerate(row):
                sheet.write_string(at, column, cell)
    assert see(path).rows == as_read(rows)
