"""`--module`, `--reason` and `--visible-only` at the command line."""

import csv
from pathlib import Path

from support.commands import RunCommand

TEXT = (
    "Record Id,Deal Owner.id,Deal Owner,Deal Name,Locked\n"
    "zcrm_5843104000000425565,zcrm_5843104000000200013,Anna Berg,Renewal A,true\n"
    "zcrm_5843104000000425566,zcrm_5843104000000200013,Anna Berg,Renewal B,false\n"
)


def test_an_export_is_sent_with_one_module_and_reason(run_in_process: RunCommand) -> None:
    Path("deals.csv").write_text(TEXT)
    refused = run_in_process("check", "deals.csv", "--reason", "Year end")
    assert refused.code == 4
    assert "If all rows are Deals, add --module Deals." in refused.err
    arguments = ("deals.csv", "--module", "deals", "--reason", "Year end")
    checked = run_in_process("check", *arguments, "--json").json
    assert (checked["valid"], checked["invalid"]) == (1, 1)
    assert checked["problems"][0]["code"] == "not_locked"
    sent = run_in_process("run", *arguments, "--simulate", "-o", "r.csv")
    assert sent.code == 3
    with Path("r.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["Result"] for row in csv.DictReader(file)] == ["updated", "invalid"]


def test_a_filled_column_and_one_value_for_all_rows_are_refused(
    run_in_process: RunCommand,
) -> None:
    Path("a.csv").write_text("Module,Record Id,Reason\n,1,x\nLeads,5843104000000425565,x\n")
    refused = run_in_process("check", "a.csv", "--module", "Deals")
    assert refused.code == 2
    assert "row 3 of the column Module has one already" in refused.err


def test_another_value_for_all_rows_makes_another_run(run_in_process: RunCommand) -> None:
    Path("deals.csv").write_text(TEXT)
    arguments = ("run", "deals.csv", "--module", "Deals", "--simulate", "--json", "-o", "r.csv")
    first = run_in_process(*arguments, "--reason", "Year end").json
    other = run_in_process(*arguments, "--reason", "Audit").json
    assert (first["counts"]["updated"], other["counts"]["updated"]) == (1, 1)


def test_a_reason_that_another_one_has_replaced_is_sent_again(run_in_process: RunCommand) -> None:
    Path("deals.csv").write_text(TEXT)
    arguments = ("run", "deals.csv", "--module", "Deals", "--simulate", "--json", "-o", "r.csv")
    sent = [
        run_in_process(*arguments, "--reason", reason).json["counts"]["updated"]
        for reason in ("Year end", "Audit", "Year end", "Year end")
    ]
    assert sent == [1, 1, 1, 0]


def test_a_row_is_done_however_the_file_was_read(run_in_process: RunCommand) -> None:
    Path("a.csv").write_text(
        "Module,Record Id,Lock Id,Reason\nDeals,5843104000000425565,5843104000000574434,ok\n"
    )
    arguments = ("run", "a.csv", "--simulate", "--json")
    assert run_in_process(*arguments, "--visible-only").json["counts"]["updated"] == 1
    for option in ("--no-progress", "--encoding=utf-8", "--delimiter=comma"):
        again = run_in_process(*arguments, option).json
        assert (again["requests"], again["counts"]["unchanged"]) == (0, 1)
        assert again["finished_before"] is not None


def test_a_fresh_run_of_results_sends_the_done_rows_too(run_in_process: RunCommand) -> None:
    Path("a.csv").write_text(
        "Module,Record Id,Lock Id,Reason\nDeals,5843104000000425565,5843104000000574434,ok\n"
    )
    run_in_process("run", "a.csv", "--simulate", "-o", "r.csv")
    arguments = ("run", "r.csv", "--simulate", "--json", "-o", "r2.csv")
    assert run_in_process(*arguments).json["counts"]["unchanged"] == 1
    assert run_in_process(*arguments, "--fresh").json["counts"]["updated"] == 1
