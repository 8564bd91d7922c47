"""Text files, from their bytes to the rows of the plan."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from support.commands import RunCommand
from support.journals import problem_keys
from support.plans import open_plan_of, plan_of_file
from support.tables import HEADER

from batchlock.core.errors import UnreadableFile, UsageError
from batchlock.core.results import Result
from batchlock.core.rows import Field
from batchlock.plan.read import ReadOptions, read_table
from batchlock.store.journal import Journal

A = ("Leads", "5843104000000425565", "5843104000000574434", "Under review")
B = ("Deals", "5843104000000425566", "5843104000000574433", "Prüfung läuft: 5 €")


def table(*rows: Sequence[str], delimiter: str = ",", end: str = "\r\n") -> str:
    return "".join(delimiter.join(row) + end for row in (HEADER, *rows))


def write(content: str | bytes) -> Path:
    path = Path("orders.csv")
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def reasons(path: Path) -> list[object]:
    """Return the cells of the column with the reasons."""
    loaded = read_table(path, ReadOptions())
    position = loaded.fields[Field.REASON]
    return [cell for chunk in loaded.chunks for cell in chunk[position].tolist()]


def plan(content: str | bytes) -> Journal:
    return open_plan_of(write(content), Path("journal"))


def number_of_valid_rows(journal: Journal) -> int:
    return journal.counts()[Result.NOT_SENT]


PLAIN = table(A, B)
READABLE: dict[str, tuple[bytes, list[str], str, str]] = {
    "utf-8": (PLAIN.encode(), [A[3], B[3]], "utf-8", ","),
    "utf-8 with a byte order mark": (PLAIN.encode("utf-8-sig"), [A[3], B[3]], "utf-8", ","),
    "utf-16, little-endian": (
        b"\xff\xfe" + table(A, B, delimiter="\t").encode("utf-16-le"),
        [A[3], B[3]],
        "utf-16",
        "\t",
    ),
    "utf-16, big-endian": (
        b"\xfe\xff" + table(A, B, delimiter="\t").encode("utf-16-be"),
        [A[3], B[3]],
        "utf-16",
        "\t",
    ),
    "windows-1252": (PLAIN.encode("cp1252"), [A[3], B[3]], "windows-1252", ","),
    "semicolons and more commas": (
        table((*A[:3], "a, b, c, d, e, f"), delimiter=";").encode(),
        ["a, b, c, d, e, f"],
        "utf-8",
        ";",
    ),
    "bars": (table(A, delimiter="|").encode(), [A[3]], "utf-8", "|"),
    "sep= after a byte order mark": (
        ("sep=;\r\n" + table(A, B, delimiter=";")).encode("utf-8-sig"),
        [A[3], B[3]],
        "utf-8",
        ";",
    ),
    "sep= in utf-16": (
        ("sep=\t\r\n" + table(A, B, delimiter="\t")).encode("utf-16"),
        [A[3], B[3]],
        "utf-16",
        "\t",
    ),
    "carriage returns": (table(A, B, end="\r").encode(), [A[3], B[3]], "utf-8", ","),
    "line feeds": (table(A, B, end="\n").encode(), [A[3], B[3]], "utf-8", ","),
    "every kind of line end": (
        f"{','.join(HEADER)}\r{','.join(A)}\n{','.join(B)}\r\n{','.join(A)}".encode(),
        [A[3], B[3], A[3]],
        "utf-8",
        ",",
    ),
    "cells of many lines": (
        table((*A[:3], '"one\r\ntwo\n\nfour"'), B).encode(),
        ["one\r\ntwo\n\nfour", B[3]],
        "utf-8",
        ",",
    ),
    "doubled quotation marks": (
        table((*A[:3], '"say ""no"", ""never"""'), (*B[:3], '5" disk')).encode(),
        ['say "no", "never"', '5" disk'],
        "utf-8",
        ",",
    ),
    "blanks after quotation marks": (
        table(tuple(f'"{cell}"  ' for cell in A), (*B[:3], '"a ""b"" , c\nd" ')).encode(),
        [A[3], 'a "b" , c\nd'],
        "utf-8",
        ",",
    ),
    "no line end at the end": (table(A, B).rstrip("\r\n").encode(), [A[3], B[3]], "utf-8", ","),
    "blank lines and lines of delimiters": (
        f"\n,,,\n{','.join(HEADER)}\n\n,,,\n{','.join(A)}\n,,,,,,\n\n{','.join(B)}\n\n".encode(),
        [A[3], B[3]],
        "utf-8",
        ",",
    ),
    "ragged rows": (table((*A, "", " "), B).encode(), [A[3], B[3]], "utf-8", ","),
    "other line separators in a cell": (
        table((*A[:3], "a\u2028b\u2029c"), B).encode(),
        ["a\u2028b\u2029c", B[3]],
        "utf-8",
        ",",
    ),
    "french quotation marks in windows-1252": (
        table((*A[:3], "du café\xa0»"), (*B[:3], "« Spaß…")).encode("cp1252"),
        ["du café\xa0»", "« Spaß…"],
        "windows-1252",
        ",",
    ),
}


@pytest.mark.parametrize("name", READABLE)
def test_text_is_read_as_it_was_meant(name: str) -> None:
    content, expected, encoding, delimiter = READABLE[name]
    with plan(content) as journal:
        assert reasons(Path("orders.csv")) == expected
        assert list(journal.problems()) == []
        assert sum(journal.counts().values()) == len(expected)
        info = journal.info
    assert (info.encoding, info.delimiter, info.sheet) == (encoding, delimiter, None)


def test_check_reports_what_a_text_file_was_read_as(run_in_process: RunCommand) -> None:
    content, expected, encoding, delimiter = READABLE["utf-16, big-endian"]
    completed = run_in_process("check", write(content), "--json")
    assert (completed.code, completed.json["problems"], completed.json["rows"]) == (
        0,
        [],
        len(expected),
    )
    assert (completed.json["encoding"], completed.json["delimiter"]) == (encoding, delimiter)
    assert completed.json["sheet"] is None


def test_one_byte_in_the_last_row_of_a_large_file_decides_its_encoding() -> None:
    first = 5843104000000000001
    rows = [("Leads", str(number), "", "plain") for number in range(first, first + 30_000)]
    content = table(*rows).encode() + b"Leads,5843104000000990001,,caf\xe9"
    with plan(content) as journal:
        assert reasons(Path("orders.csv"))[-1] == "café"
        assert (number_of_valid_rows(journal), journal.info.encoding) == (30_001, "windows-1252")


@pytest.mark.parametrize("length", [131_073, 1 << 20])
@pytest.mark.parametrize("form", ["{}", '"{}"', '"{}" '])
def test_a_reason_longer_than_the_limit_of_csv_reader_is_a_problem_of_its_row(
    length: int, form: str
) -> None:
    with plan(table((*A[:3], form.format("x" * length)), B)) as journal:
        assert number_of_valid_rows(journal) == 1
        (problem,) = journal.problems()
    assert (problem.row, problem.code) == (2, "reason_too_long")
    assert len(problem.message) < 300


def test_a_control_character_that_python_takes_for_a_line_end_stays_in_its_row() -> None:
    with plan(table((*A[:3], "a\u0085b"), B)) as journal:
        assert (sum(journal.counts().values()), number_of_valid_rows(journal)) == (2, 1)
        assert problem_keys(journal) == [(2, "Reason", "bad_value")]


def test_an_unquoted_delimiter_in_a_reason_is_a_problem() -> None:
    with plan(table((*A[:3], "Held, says Legal"), B)) as journal:
        assert number_of_valid_rows(journal) == 1
        (problem,) = journal.problems()
    assert (problem.row, problem.column, problem.code) == (2, "column E", "bad_value")
    assert "says Legal" in problem.message


def test_a_cell_beyond_the_last_title_is_reported_beside_other_problems() -> None:
    with plan(table(("Leeds", "12", "", "Held", "says Legal"))) as journal:
        codes = [problem.code for problem in journal.problems()]
    assert codes == ["unknown_module", "bad_id", "bad_value"]


REFUSED: dict[str, tuple[bytes, str]] = {
    "empty file": (b"", "orders.csv is empty"),
    "only a byte order mark": (b"\xef\xbb\xbf", "orders.csv: there are no rows in it"),
    "a nul": (table(A).encode() + b"Leads,58431\x0004,,x\r\n", "line 3: holds a NUL character"),
    "utf-16 without a byte order mark": (
        table(A).encode("utf-16-le"),
        "line 1: holds a NUL character",
    ),
    "mixed encodings, utf-8 first": (
        table(B).encode() + ",".join(B).encode("cp1252"),
        "line 3: this line is not in UTF-8, unlike line 2",
    ),
    "mixed encodings, windows-1252 first": (
        table(B).encode("cp1252") + ",".join(B).encode(),
        "line 3: this line is in UTF-8, unlike line 2",
    ),
    "mixed encodings in one line": (
        table(A).encode() + "Leads,5843104000000425567,Prüfung,".encode() + b"f\xfcr uns\r\n",
        "line 3: this line is partly in UTF-8 and partly not",
    ),
    "mixed encodings, cyrillic first": (
        table((*A[:3], "проверка")).encode() + ",".join(B).encode("cp1252"),
        "line 3: this line is not in UTF-8, unlike line 2",
    ),
    "an unclosed quotation mark": (
        table(A, (*A[:3], '"never closed'), *[B] * 500).encode(),
        "line 3: a quotation mark in the row that begins here is not closed",
    ),
    "an unclosed quotation mark in a large file": (
        table(A, (*A[:3], '"never closed'), *[B] * 50_000).encode(),
        "line 3: a quotation mark in the row that begins here is not closed",
    ),
    "an unclosed quotation mark after blanks after others": (
        table(('"Leads" ', *A[1:]), (*A[:3], '"never closed'), B).encode(),
        "line 3: a quotation mark in the row that begins here is not closed",
    ),
    "a quotation mark that is not doubled": (
        table(A, (*A[:3], '"say "no" to it"')).encode(),
        "line 3: a quotation mark in the row that begins here is not closed",
    ),
    "a cell that does not end": (
        table((*A[:3], "x" * 1_100_000)).encode(),
        "line 2: a cell in the row that begins here has more than 1,048,576 characters",
    ),
    "a line that does not end": (b"x" * (1 << 24), "line 1: the line does not end"),
    "more cells than columns": (
        table((*A, *["x"] * 16_384)).encode(),
        "line 2: the row has 16,388 cells",
    ),
    "a header below row 20": (
        b"a\r\n" * 20 + table(A).encode(),
        "no column for the module, the record id and the reason",
    ),
    "a missing column": (
        b"Module,ID-Nr,Raeson\r\nLeads,5843104000000425565,x\r\n",
        'ID-Nr, Raeson. Name them with --column record_id="ID-Nr" --column reason="Raeson".',
    ),
    "two columns for one field": (
        b"Module,Record Id,Record ID,Reason\r\nLeads,5843104000000425565,1,x\r\n",
        "more than one column fits the record id",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_text_without_a_table_is_refused_in_one_sentence(name: str) -> None:
    content, expected = REFUSED[name]
    with pytest.raises(UnreadableFile) as info:
        plan(content)
    message = str(info.value)
    assert expected in message
    assert message.startswith("orders.csv")
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("name", ["empty file", "an unclosed quotation mark in a large file"])
def test_a_refusal_is_the_message_of_the_command(run_in_process: RunCommand, name: str) -> None:
    content, expected = REFUSED[name]
    completed = run_in_process("check", write(content), "--json")
    assert completed.code == completed.json["exit_code"] == 4
    assert completed.err.splitlines()[-1] == completed.json["message"]
    assert expected in completed.json["message"]


def test_blanks_beyond_the_last_column_of_a_spreadsheet_are_ignored() -> None:
    with plan(table((*A, *[""] * 20_000), B)) as journal:
        assert list(journal.problems()) == []
        assert number_of_valid_rows(journal) == 2


def test_a_space_as_delimiter_ends_a_quoted_cell() -> None:
    path = write('Module Record_Id Lock_Id Reason\n"Leads" 5843104000000425565 \'\' "a b"\n')
    loaded = read_table(path, ReadOptions(delimiter=" "))
    assert [chunk[3].tolist() for chunk in loaded.chunks] == [["a b"]]
    path.write_text('Module Record_Id Lock_Id Reason\n"Leads" 1  "a "b" c"\n', "utf-8")
    with pytest.raises(UnreadableFile, match="line 2: a quotation mark"):
        list(read_table(path, ReadOptions(delimiter=" ")).chunks)


IDS = [
    "'{}", "\t{}\t", "\xa0{}\xa0", "\u200b{}\ufeff", "\u202a{}\u202c", "\u2066{}\u2069",
    '"=""{}"""', "zcrm_{}", "ZCRM_{}", "'zcrm_{}",
]  # fmt: skip


def test_characters_around_an_id_are_removed() -> None:
    rows = [
        ("Leads", form.format(5843104000000425565 + n), form.format(5843104000000574434 + n), "x")
        for n, form in enumerate(IDS)
    ]
    with plan(table(*rows)) as journal:
        assert list(journal.problems()) == []
        assert number_of_valid_rows(journal) == len(IDS)


DAMAGED_IDS = {
    "5843104000000425565.0": "bad_id",
    "5.843104E+18": "lossy_number",
    '"5,843104E+18"': "lossy_number",
    "+5843104000000425565": "bad_id",
    "-5843104000000425565": "bad_id",
    "5843104 000000425565": "bad_id",
    "5843104-000000425565": "bad_id",
    '"5,843,104,000,000,425,565"': "bad_id",
    "5.843.104.000.000.425.565": "bad_id",
    "\uff15\uff18\uff14\uff13\uff11\uff10\uff14\uff10\uff10\uff10\uff10": "bad_id",
    "\u0665\u0668\u0664\u0663\u0661\u0660\u0664\u0660\u0660\u0660\u0660": "bad_id",
}


@pytest.mark.parametrize("column", [1, 2])
def test_a_damaged_id_is_never_repaired(column: int) -> None:
    rows = [list(A) for _ in DAMAGED_IDS]
    for row, damaged_id in zip(rows, DAMAGED_IDS, strict=True):
        row[column] = damaged_id
        row[3 - column] = ""
    with plan(table(*rows)) as journal:
        problems = list(journal.problems())
    codes = [problem.code for problem in problems if problem.column == HEADER[column]]
    assert codes == [*DAMAGED_IDS.values()]
    assert {problem.row for problem in problems} == set(range(2, len(rows) + 2))


@pytest.mark.parametrize(("delimiter", "shown"), [("x", '"x"'), ("e", '"e"'), ("tab", "tabs")])
def test_a_delimiter_that_does_not_separate_the_titles_is_named(
    tmp_path: Path, delimiter: str, shown: str
) -> None:
    path = tmp_path / "in.csv"
    path.write_text(table(A, delimiter=";"))
    with pytest.raises(UsageError) as caught:
        plan_of_file(path, delimiter=delimiter)
    assert str(caught.value) == (
        f"in.csv: the titles are not separated by {shown}, which --delimiter or input.delimiter "
        'names, but by ";" (semicolon). Name that one, or leave it out.'
    )
