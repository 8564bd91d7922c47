from pathlib import Path

import openpyxl
from support.commands import Run
from support.inputs import write_inputs
from support.sheets import rows, sheet
from support.zoho import StandIn


def test_run_prints_the_result_and_logs_to_stderr(cli: Run) -> None:
    write_inputs()
    done = cli("run", "bad.csv", "--simulate", "-o", "out.xlsx")
    assert done.code == 3
    assert "2 rows: 1 updated, 1 invalid." in done.out
    assert "out.xlsx" in done.out
    assert "unknown_module" in done.out
    assert "Leeds" in done.out
    assert "Reading bad.csv." in done.err
    assert "Reading" not in done.out


def test_quiet_prints_the_result_only(cli: Run) -> None:
    write_inputs()
    done = cli("run", "in.csv", "--simulate", "-q", "--no-progress")
    assert (done.code, done.err) == (0, "")
    assert "2 updated" in done.out


def test_check_prints_every_problem_with_its_cell(here: Run) -> None:
    content = [
        ("Leeds", "12", "x", ""),
        ("Leads", "5.8431E+18", "", "why"),
        *rows(1),
        *rows(1),
    ]
    done = here("check", sheet("in.csv", content), "--json")
    result = done.json
    assert [result[key] for key in ("rows", "valid", "invalid", "duplicate")] == [4, 1, 2, 1]
    problems = {(each["row"], each["column"], each["code"]) for each in result["problems"]}
    assert problems == {
        (2, "Module", "unknown_module"),
        (2, "Record Id", "bad_id"),
        (2, "Lock Id", "bad_id"),
        (2, "Reason", "missing_value"),
        (3, "Record Id", "lossy_number"),
    }
    assert (result["encoding"], result["delimiter"]) == ("utf-8", ",")
    text = here("check", "in.csv")
    assert text.code == 3
    assert "row 3, Record Id: " in text.out
    assert "5.8431E+18" in text.out


def test_check_needs_no_network_and_leaves_no_run(here: Run) -> None:
    Path("config.yaml").write_text(
        "state_directory: state\nzoho:\n  api_url: http://127.0.0.1:9\n", "utf-8"
    )
    assert here("check", sheet("in.csv", rows(2))).code == 0
    assert sorted(path.name for path in Path().iterdir()) == ["config.yaml", "in.csv", "state"]
    assert list(Path("state").rglob("*.journal*")) == []
    assert here("runs", "--json").json["runs"] == []
    assert here("resume").out == "There is no unfinished run to resume.\n"


def test_columns_and_sheets_can_be_named(here: Run) -> None:
    book = openpyxl.Workbook()
    for page in (book.active, book.create_sheet("Two")):
        assert page is not None
        page.append(("Mod", "Nr", "Lock Id", "Why"))
        page.append(rows(1)[0])
    book.save("in.xlsx")
    named = ["--column", "module=Mod", "--column", "record-id=Nr", "--column", "reason=Why"]
    both = here("check", "in.xlsx", "--json", *named)
    second = here("check", "in.xlsx", "--json", "--sheet", "Two", *named)
    assert both.code == 2
    assert "Two" in both.json["message"]
    assert (second.code, second.json["sheet"], second.json["valid"]) == (0, "Two", 1)


def test_runs_and_show_print_the_history(org: StandIn, here: Run) -> None:
    assert here("runs").out == "There are no runs yet.\n"
    assert set(here("runs", "--json").json) >= {"runs", "exit_code", "message"}
    real = here("run", sheet("in.csv", rows(2)), "--json").json
    rehearsed = here("run", "in.csv", "--simulate", "--json").json
    listed = here("runs", "--json").json["runs"]
    assert [(item["run_id"], item["org"]) for item in listed] == [
        (real["run_id"], "default"),
        (rehearsed["run_id"], "simulator"),
    ]
    assert {item["state"] for item in listed} == {"finished"}
    text = here("runs").out
    assert real["run_id"] in text
    assert rehearsed["run_id"] in text
    summary = here("show", real["run_id"], "--json").json
    assert summary == {**real, "seconds": summary["seconds"]}
    assert real["output"] in here("show", rehearsed["run_id"]).out.replace(
        rehearsed["output"], real["output"]
    )
    assert org.state()["calls"]["put"] == 2


def test_show_has_the_exit_code_of_the_command_not_of_the_run(here: Run) -> None:
    write_inputs()
    result = here("run", "bad.csv", "--simulate", "--json").json
    done = here("show", result["run_id"])
    assert done.code == 0
    assert "1 invalid" in done.out
