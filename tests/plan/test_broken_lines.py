from pathlib import Path

import pytest
from support.plans import open_plan_of
from support.tables import write_text

RECORD, LOCK = "5843104000000425504", "5843104000000574404"


def problems_of(tmp_path: Path, text: str) -> dict[int, list[tuple[str, str]]]:
    """Return the column and code of the problems of each row that is invalid."""
    path = write_text(tmp_path, text)
    problems: dict[int, list[tuple[str, str]]] = {}
    with open_plan_of(path, tmp_path / "plan.journal") as journal:
        for problem in journal.problems():
            problems.setdefault(problem.row, []).append((problem.column, problem.code))
    return problems


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("line_break", ["\n", "\r", "\r\n", "\n\n"])
def test_both_parts_of_an_unquoted_cell_with_a_line_break_are_problems(
    tmp_path: Path, end: str, line_break: str
) -> None:
    lines = (
        "Module,Record Id,Lock Id,Reason",
        f"Deals,{RECORD},{LOCK},Do not edit until{line_break}legal has signed",
        "Deals,5843104000000425505,5843104000000574405,ok",
    )
    problems = problems_of(tmp_path, "".join(line + end for line in lines))
    assert list(problems.values()) == [[("Reason", "broken_line")], [("Module", "broken_line")]]
    assert min(problems) == 2


def test_a_cell_in_the_middle_that_is_broken_in_three(tmp_path: Path) -> None:
    text = (
        "Module,Record Id,Reason,Lock Id,Note\n"
        f"Deals,{RECORD},one\ntwo\nthree, {LOCK},n\n"
        f"Deals,5843104000000425505,ok,5843104000000574405,n\n"
    )
    problems = problems_of(tmp_path, text)
    assert {row: [code for _, code in problems] for row, problems in problems.items()} == {
        2: ["broken_line"],
        3: ["broken_line"],
        4: ["broken_line"],
    }
    assert problems[2][0][0] == "Reason"


def test_a_part_with_a_lock_id_where_record_ids_stand(tmp_path: Path) -> None:
    text = (
        "Module,Record Id,Reason,Lock Id,Note\n"
        f"Deals,{RECORD},one\ntwo,{LOCK},n\n"
        "Deals,5843104000000425505,ok,5843104000000574405,n\n"
    )
    problems = problems_of(tmp_path, text)
    assert problems == {2: [("Reason", "broken_line")], 3: [("Module", "broken_line")]}


def test_a_part_that_begins_with_a_date_is_a_continuation(tmp_path: Path) -> None:
    text = f"Module,Record Id,Lock Id,Reason\nDeals,{RECORD},{LOCK},locked until\n31.12.2026\n"
    assert set(problems_of(tmp_path, text)) == {2, 3}


def test_the_first_row_of_a_chunk_continues_the_chunk_before(tmp_path: Path) -> None:
    rows = "".join(f"Deals,{10**18 + n},{2 * 10**18 + n},why\n" for n in range(1, 2001))
    problems = problems_of(tmp_path, f"Module,Record Id,Lock Id,Reason\n{rows}the rest\n")
    assert problems == {2001: [("Reason", "broken_line")], 2002: [("Module", "broken_line")]}


@pytest.mark.parametrize(
    "short",
    [
        "Deals,5843104000000425505",  # the reason is missing
        "Deals",
        "Dealz,5.8E+18,,",
        ",5843104000000425505",
        "Dealz,5843104000000425505,",
        "Dealz,58431,x",
    ],
)
def test_a_short_row_of_its_own_says_nothing_about_the_row_above(
    tmp_path: Path, short: str
) -> None:
    text = f"Module,Record Id,Lock Id,Reason\nDeals,{RECORD},{LOCK},why\n{short}\n"
    problems = problems_of(tmp_path, text)
    assert list(problems) == [3]
    assert "broken_line" not in {code for _, code in problems[3]}


def test_rows_that_end_before_their_blank_cells_are_valid(tmp_path: Path) -> None:
    text = f"Module,Record Id,Reason,Lock Id,Note\nDeals,{RECORD},why\nLeads,{LOCK},why,\n"
    assert problems_of(tmp_path, text) == {}


@pytest.mark.parametrize(
    "rest",
    [
        "legal, sales, finance, HR have signed",
        "legal, sales, finance, HR, audit have signed",
        "legal, sales, finance, HR have\nsigned, dated, filed, copied",
    ],
)
def test_a_continuation_with_as_many_cells_as_titles(tmp_path: Path, rest: str) -> None:
    text = (
        "Module,Record Id,Lock Id,Reason\n"
        f"Deals,{RECORD},{LOCK},Do not edit until\n{rest}\n"
        "Deals,5843104000000425505,5843104000000574405,ok\n"
    )
    problems = problems_of(tmp_path, text)
    continuations = range(3, 4 + rest.count("\n"))
    assert problems[2] == [("Reason", "broken_line")]
    assert list(problems) == [2, *continuations]
    assert all(problems[row][0] == ("Module", "broken_line") for row in continuations)


def test_a_continuation_of_full_width_below_a_row_that_lacks_its_last_cell(tmp_path: Path) -> None:
    text = (
        "Module,Record Id,Reason,Lock Id\n"
        f"Deals,{RECORD},one\ntwo, three, four,{LOCK}\n"
        "Deals,5843104000000425505,ok,5843104000000574405\n"
    )
    problems = problems_of(tmp_path, text)
    assert problems == {2: [("Reason", "broken_line")], 3: [("Module", "broken_line")]}


@pytest.mark.parametrize(
    "damaged",
    [
        "Dealz,abc,def,why",
        "Dealz, N/A,,why",
        "Deals, N/A, none, why",
        "Dealz, 5843104000000425505, 5843104000000574405, why",
        ", see above, see above, why",
    ],
)
def test_a_damaged_row_of_full_width_says_nothing_about_the_row_above(
    tmp_path: Path, damaged: str
) -> None:
    text = f"Module,Record Id,Lock Id,Reason\nDeals,{RECORD},{LOCK},why\n{damaged}\n"
    assert list(problems_of(tmp_path, text)) == [3]


def test_a_damaged_row_in_a_file_with_spaces_behind_its_commas(tmp_path: Path) -> None:
    text = f"Module, Record Id, Lock Id, Reason\nDeals, {RECORD}, {LOCK}, x\nDealz, no, no, y\n"
    assert list(problems_of(tmp_path, text)) == [3]


@pytest.mark.parametrize(
    "footer",
    [
        "Total: 12 rows",
        "Total,12",
        "Grand Total: 1,204",
        "Summe: 3 Zeilen",
        "(12 rows affected)",
        "12 records exported.",
        "Report generated 2026-11-27 14:05",
        "Exported from Zoho CRM on 27 Nov 2026, 14:05",
        "Page 1 of 3",
        "*** End of report ***",
        "\nTotal: 12 rows\nReport generated by Anna on 2026-11-27\n",
    ],
)
def test_a_line_that_programs_write_below_a_table_is_the_only_problem(
    tmp_path: Path, footer: str
) -> None:
    text = f"Module,Record Id,Lock Id,Reason\nDeals,{RECORD},{LOCK},why\n{footer}\n"
    problems = problems_of(tmp_path, text)
    assert 2 not in problems
    assert problems
    assert "broken_line" not in {code for row in problems.values() for _, code in row}


@pytest.mark.parametrize(
    "rest",
    [
        "legal has signed",
        "total: 12 rows are open",
        "Total of 12 invoices is open",
        "Created 12 duplicates",
        "12 rows are missing",
        "exported on 27 Nov 2026",
        "Total: 12\nand more",
    ],
)
def test_a_last_line_that_is_like_one_below_a_table(tmp_path: Path, rest: str) -> None:
    text = f"Module,Record Id,Lock Id,Reason\nDeals,{RECORD},{LOCK},why\n{rest}\n"
    assert problems_of(tmp_path, text)[2] == [("Reason", "broken_line")]


def test_a_total_below_a_row_that_lacks_a_cell_may_be_its_rest(tmp_path: Path) -> None:
    text = f"Module,Record Id,Reason,Lock Id\nDeals,{RECORD},why\nTotal: 12 rows\n"
    assert problems_of(tmp_path, text)[2] == [("Reason", "broken_line")]


def test_a_total_in_the_middle_of_a_file_may_be_the_rest_of_a_cell(tmp_path: Path) -> None:
    text = (
        f"Module,Record Id,Lock Id,Reason\nDeals,{RECORD},{LOCK},why\nTotal: 12 rows\n"
        "Deals,5843104000000425505,5843104000000574405,ok\n"
    )
    assert problems_of(tmp_path, text)[2] == [("Reason", "broken_line")]
