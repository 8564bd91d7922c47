from collections.abc import Sequence
from pathlib import Path

import pytest
from support.commands import Done, Run

from batchlock.core.errors import UnreadableFile
from batchlock.plan.read import ReadOptions
from batchlock.plan.read import read_table as read

TITLES = ("Module", "Record Id", "Lock Id", "Reason")
A = ("Leads", "5843104000000425565", "5843104000000574434", "Under review")
B = ("Deals", "5843104000000425566", "5843104000000574433", "Prüfung läuft: 5 €")


def table(*rows: Sequence[str], delimiter: str = ",", end: str = "\r\n") -> str:
    return "".join(delimiter.join(row) + end for row in (TITLES, *rows))


def reasons(path: Path) -> list[object]:
    """Return what stands in the column of the reason."""
    found = read(path, ReadOptions())
    at = {field.value: position for field, position in found.fields.items()}["reason"]
    return [cell for chunk in found.chunks for cell in chunk[at].tolist()]


def file_of(content: str | bytes, name: str = "orders.csv") -> Path:
    path = Path(name)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(done: Done) -> str:
    """Return the sentence of a file that is no table."""
    assert done.code == done.json["exit_code"] == 4
    assert done.err.splitlines()[-1] == done.json["message"]
    return str(done.json["message"])


PLAIN = table(A, B)
READ_RIGHT: dict[str, tuple[bytes, list[str], str, str]] = {
    "utf-8": (PLAIN.encode(), [A[3], B[3]], "utf-8", ","),
    "utf-8 with its mark": (PLAIN.encode("utf-8-sig"), [A[3], B[3]], "utf-8", ","),
    "utf-16, little end first": (
        b"\xff\xfe" + table(A, B, delimiter="\t").encode("utf-16-le"),
        [A[3], B[3]],
        "utf-16",
        "\t",
    ),
    "utf-16, big end first": (
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
    "sep= after a mark": (
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
    "all line ends in one": (
        f"{','.join(TITLES)}\r{','.join(A)}\n{','.join(B)}\r\n{','.join(A)}".encode(),
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
        f"\n,,,\n{','.join(TITLES)}\n\n,,,\n{','.join(A)}\n,,,,,,\n\n{','.join(B)}\n\n".encode(),
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


@pytest.mark.parametrize("what", READ_RIGHT)
def test_text_is_read_right(here: Run, what: str) -> None:
    content, expected, encoding, delimiter = READ_RIGHT[what]
    path = file_of(content)
    assert reasons(path) == expected
    done = here("check", path, "--json")
    assert (done.code, done.json["problems"]) == (0, [])
    told = {key: done.json[key] for key in ("rows", "encoding", "delimiter", "sheet")}
    assert told == {
        "rows": len(expected),
        "encoding": encoding,
        "delimiter": delimiter,
        "sheet": None,
    }


def test_one_odd_byte_in_the_last_row_of_a_large_file(here: Run) -> None:
    many = [("Leads", str(n), "", "plain") for n in range(5843104000000000001, 5843104000000030001)]
    path = file_of(table(*many).encode() + b"Leads,5843104000000990001,,caf\xe9")
    assert reasons(path)[-1] == "café"
    done = here("check", path, "--json")
    assert (done.code, done.json["valid"], done.json["encoding"]) == (0, 30_001, "windows-1252")


@pytest.mark.parametrize("length", [131_073, 1 << 20])
@pytest.mark.parametrize("marks", ["{}", '"{}"', '"{}" '])
def test_a_reason_past_every_limit_is_a_problem_of_its_row(
    here: Run, length: int, marks: str
) -> None:
    path = file_of(table((*A[:3], marks.format("x" * length)), B))
    done = here("check", path, "--json")
    assert (done.code, done.json["valid"]) == (3, 1)
    (problem,) = done.json["problems"]
    assert (problem["row"], problem["code"]) == (2, "reason_too_long")
    assert len(problem["message"]) < 300


def test_a_control_character_that_some_take_for_a_line_end_stays_in_its_row(here: Run) -> None:
    done = here("check", file_of(table((*A[:3], "a\u0085b"), B)), "--json")
    assert (done.code, done.json["rows"], done.json["valid"]) == (3, 2, 1)
    assert [(one["row"], one["code"]) for one in done.json["problems"]] == [(2, "bad_value")]


def test_an_unquoted_delimiter_is_a_problem_and_no_shorter_reason(here: Run) -> None:
    done = here("check", file_of(table((*A[:3], "Held, says Legal"), B)), "--json")
    assert (done.code, done.json["valid"]) == (3, 1)
    (problem,) = done.json["problems"]
    assert (problem["row"], problem["column"], problem["code"]) == (2, "column E", "bad_value")
    assert "says Legal" in problem["message"]


def test_what_stands_beyond_the_last_title_is_told_beside_other_problems(here: Run) -> None:
    done = here("check", file_of(table(("Leeds", "12", "", "Held", "says Legal"))), "--json")
    assert [one["code"] for one in done.json["problems"]] == [
        "unknown_module",
        "bad_id",
        "bad_value",
    ]


REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "orders.csv is empty"),
    "only the mark": (b"\xef\xbb\xbf", "orders.csv: there are no rows in it"),
    "a nul": (table(A).encode() + b"Leads,58431\x0004,,x\r\n", "line 3: holds a NUL character"),
    "utf-16 without its mark": (table(A).encode("utf-16-le"), "line 1: holds a NUL character"),
    "half and half, by lines": (
        table(B).encode() + ",".join(B).encode("cp1252"),
        "line 3: this line is not in UTF-8, unlike line 2",
    ),
    "half and half, the other way": (
        table(B).encode("cp1252") + ",".join(B).encode(),
        "line 3: this line is in UTF-8, unlike line 2",
    ),
    "half and half, in one line": (
        table(A).encode() + "Leads,5843104000000425567,Prüfung,".encode() + b"f\xfcr uns\r\n",
        "line 3: this line is partly in UTF-8 and partly not",
    ),
    "half and half, cyrillic": (
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
    "a cell without an end": (
        table((*A[:3], "x" * 1_100_000)).encode(),
        "line 2: a cell in the row that begins here has more than 1,048,576 characters",
    ),
    "a line without an end": (b"x" * (1 << 24), "line 1: the line does not end"),
    "more cells than columns": (
        table((*A, *["x"] * 16_384)).encode(),
        "line 2: the row has 16,388 cells",
    ),
    "a header too far down": (
        b"a\r\n" * 20 + table(A).encode(),
        "no column for the module and the record id and the reason",
    ),
    "a missing column": (
        b"Module,ID-Nr,Raeson\r\nLeads,5843104000000425565,x\r\n",
        'ID-Nr, Raeson. Name them with --column record_id="ID-Nr" --column reason="Raeson".',
    ),
    "two columns that fit": (
        b"Module,Record Id,Record ID,Reason\r\nLeads,5843104000000425565,1,x\r\n",
        "more than one column fits the record id",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_table_is_refused_in_one_sentence(here: Run, what: str) -> None:
    content, expected = REFUSED[what]
    message = refused(here("check", file_of(content), "--json"))
    assert expected in message
    assert message.startswith("orders.csv")
    assert len(message.splitlines()) == 1


def test_blanks_beyond_the_last_column_of_a_spreadsheet_are_none(here: Run) -> None:
    done = here("check", file_of(table((*A, *[""] * 20_000), B)), "--json")
    assert (done.code, done.json["valid"]) == (0, 2)


def test_a_space_that_delimits_is_none_after_a_quotation_mark() -> None:
    path = file_of('Module Record_Id Lock_Id Reason\n"Leads" 5843104000000425565 \'\' "a b"\n')
    found = read(path, ReadOptions(delimiter=" "))
    assert [chunk[3].tolist() for chunk in found.chunks] == [["a b"]]
    path.write_text('Module Record_Id Lock_Id Reason\n"Leads" 1  "a "b" c"\n', "utf-8")
    with pytest.raises(UnreadableFile, match="line 2: a quotation mark"):
        list(read(path, ReadOptions(delimiter=" ")).chunks)


IDS = [
    "'{}", "\t{}\t", "\xa0{}\xa0", "\u200b{}\ufeff", "\u202a{}\u202c", "\u2066{}\u2069",
    '"=""{}"""', "zcrm_{}", "ZCRM_{}", "'zcrm_{}",
]  # fmt: skip


def test_what_stands_around_an_id_goes(here: Run) -> None:
    rows = [
        ("Leads", form.format(5843104000000425565 + n), form.format(5843104000000574434 + n), "x")
        for n, form in enumerate(IDS)
    ]
    done = here("check", file_of(table(*rows)), "--json")
    assert (done.code, done.json["valid"]) == (0, len(IDS))


NEVER_REPAIRED = {
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


def test_a_damaged_id_is_never_repaired(here: Run) -> None:
    for place in (1, 2):
        rows = [list(A) for _ in NEVER_REPAIRED]
        for row, damaged in zip(rows, NEVER_REPAIRED, strict=True):
            row[place] = damaged
            row[3 - place] = ""
        found = here("check", file_of(table(*rows)), "--json").json["problems"]
        title = TITLES[place]
        assert [one["code"] for one in found if one["column"] == title] == [
            *NEVER_REPAIRED.values()
        ]
        assert {one["row"] for one in found} == set(range(2, len(rows) + 2))
