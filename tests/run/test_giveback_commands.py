import openpyxl
from support.commands import Run
from support.runs import REJECTED, results
from support.sheets import balanced, lines, lock, record, rows, sheet
from support.zoho import StandIn


def test_only_the_open_rows_of_a_results_workbook_are_sent(org: StandIn, here: Run) -> None:
    content = [*rows(3), ("Leads", REJECTED, lock(8), "why"), ("Leeds", record(9), lock(9), "why")]
    first = here("run", sheet("in.csv", content), "--json", "-o", "first.xlsx").json
    assert results(first) == ["updated"] * 3 + ["rejected", "invalid"]
    book = openpyxl.load_workbook("first.xlsx")
    page = book["Results"]
    titles = [cell.value for cell in page[1]]
    page.cell(row=3, column=titles.index("Reason") + 1).value = "another"
    page.cell(row=5, column=titles.index("Record Id") + 1).value = record(8)
    page.cell(row=6, column=titles.index("Module") + 1).value = "Leads"
    book.save("first.xlsx")
    book.close()
    puts = org.state()["calls"]["put"]
    again = here("run", "first.xlsx", "--json", "-o", "second.xlsx").json
    table = lines("second.xlsx")
    assert [line["Result"] for line in table] == [
        "unchanged",
        "updated",
        "unchanged",
        "updated",
        "updated",
    ]
    assert list(table[0]) == titles
    assert org.state()["calls"]["put"] == puts + 3
    assert org.locks()[f"Leads/{record(2)}"]["reason"] == "another"
    assert balanced(again) == {"updated": 3, "unchanged": 2}


def test_only_the_open_rows_of_csv_results_are_sent(org: StandIn, here: Run) -> None:
    content = [*rows(2), ("Leads", REJECTED, lock(8), "=why")]
    here("run", sheet("in.csv", content), "-o", "first.csv")
    again = here("run", "first.csv", "--json", "-o", "second.csv").json
    assert balanced(again) == {"unchanged": 2, "rejected": 1}
    assert org.state()["calls"]["put"] == 4
