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
