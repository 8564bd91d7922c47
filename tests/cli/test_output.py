from pathlib import Path

import openpyxl
from support.commands import RunCommand
from support.inputs import write_inputs
from support.sheets import rows, sheet
from support.zoho import StandIn


def test_run_prints_the_result_and_logs_to_stderr(run_in_process: RunCommand) -> None:
    write_inputs()
    completed = run_in_process("run", "bad.csv", "--simulate", "-o", "out.xlsx")
    assert completed.code == 3
    assert "2 rows: 1 updated, 1 invalid." in completed.out
    assert "out.xlsx" in completed.out
    assert "unknown_module" in completed.out
    assert "Leeds" in completed.out
    assert "Reading bad.csv." in completed.err
    assert "Reading" not in completed.out


def test_quiet_prints_the_result_only(run_in_process: RunCommand) -> None:
    write_inputs()
    completed = run_in_process("run", "in.csv", "--simulate", "-q", "--no-progress")
    assert (completed.code, completed.err) == (0, "")
    assert "2 updated" in completed.out


def test_check_prints_every_problem_with_its_cell(run_in_process: RunCommand) -> None:
    content = [
        ("Leeds", "12", "x", ""),
        ("Leads", "5.8431E+18", "", "why"),
        *rows(1),
        *rows(1),
    ]
    completed = run_in_process("check", sheet("in.csv", content), "--json")
    result = completed.json
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
    text = run_in_process("check", "in.csv")
    assert text.code == 3
    assert "row 3, Record Id: " in text.out
    assert "5.8431E+18" in text.out


def test_check_needs_no_network_and_leaves_no_run(run_in_process: RunCommand) -> None:
    Path("config.yaml").write_text(
        "state_directory: state\nzoho:\n  api_url: http://127.0.0.1:9\n", "utf-8"
    )
    assert run_in_process("check", sheet("in.csv", rows(2))).code == 0
    assert sorted(path.name for path in Path().iterdir()) == ["config.yaml", "in.csv", "state"]
    assert list(Path("state").rglob("*.journal*")) == []
    assert run_in_process("runs", "--json").json["runs"] == []
    assert run_in_process("resume").out == "There is no unfinished run to resume.\n"


def test_columns_and_sheets_can_be_named(run_in_process: RunCommand) -> None:
    book = openpyxl.Workbook()
    for page in (book.active, book.create_sheet("Two")):
        assert page is not None
        page.append(("Mod", "Nr", "Lock Id", "Why"))
        page.append(rows(1)[0])
    book.save("in.xlsx")
    named = ["--column", "module=Mod", "--column", "record-id=Nr", "--column", "reason=Why"]
    both = run_in_process("check", "in.xlsx", "--json", *named)
    second = run_in_process("check", "in.xlsx", "--json", "--sheet", "Two", *named)
    assert both.code == 2
    assert "Two" in both.json["message"]
    assert (second.code, second.json["sheet"], second.json["valid"]) == (0, "Two", 1)


def test_runs_and_show_print_the_history(org: StandIn, run_in_process: RunCommand) -> None:
    assert run_in_process("runs").out == "There are no runs yet.\n"
    assert set(run_in_process("runs", "--json").json) >= {"runs", "exit_code", "message"}
    real = run_in_process("run", sheet("in.csv", rows(2)), "--json").json
    rehearsed = run_in_process("run", "in.csv", "--simulate", "--json").json
    listed = run_in_process("runs", "--json").json["runs"]
    assert [(item["run_id"], item["org"]) for item in listed] == [
        (real["run_id"], "default"),
        (rehearsed["run_id"], "simulator"),
    ]
    assert {item["state"] for item in listed} == {"finished"}
    text = run_in_process("runs").out
    assert real["run_id"] in text
    assert rehearsed["run_id"] in text
    shown = run_in_process("show", real["run_id"], "--json").json
    family, story = shown.pop("family"), shown.pop("story")
    assert shown == {**real, "seconds": shown["seconds"]}
    assert family == [listed[0]]
    counts = {name: count for name, count in story.pop("counts").items() if count}
    assert counts == {"updated": 2}
    assert story == {
        "runs": 1,
        "rows": 2,
        "settled": 2,
        "undone": 0,
        "requests": 4,
        "credits_used": 4,
    }
    assert real["output"] in run_in_process("show", rehearsed["run_id"]).out.replace(
        rehearsed["output"], real["output"]
    )
    assert org.state()["calls"]["put"] == 2


def test_runs_say_what_to_do_about_rows_of_a_finished_run(run_in_process: RunCommand) -> None:
    bad = sheet("bad.csv", [("Leads", "12", "", "why")])
    run_id = run_in_process("run", bad, "--simulate", "--json").json["run_id"]
    text = run_in_process("runs").out
    assert "rows done:         0 of         1" in text
    assert f"`batchlock show {run_id}` says why, and `batchlock retry {run_id}`" in text


def test_show_has_the_exit_code_of_the_command_not_of_the_run(run_in_process: RunCommand) -> None:
    write_inputs()
    result = run_in_process("run", "bad.csv", "--simulate", "--json").json
    completed = run_in_process("show", result["run_id"])
    assert completed.code == 0
    assert "1 invalid" in completed.out
