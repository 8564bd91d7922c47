import shutil
from pathlib import Path

import pytest
from support.commands import RunCommand
from support.forked_command import forked
from support.runs import STATE, journals, results, wait_until
from support.sheets import balanced, lines, rows, sheet
from support.zoho import StandIn, Start

from batchlock.core.results import Result


def test_report_writes_the_same_results_again(org: StandIn, run_in_process: RunCommand) -> None:
    result = run_in_process("run", sheet("in.csv", [*rows(2), ("x", "1", "2", "")]), "--json").json
    before = lines(result["output"])
    Path(result["output"]).unlink()
    completed = run_in_process("report", result["run_id"], "--json")
    assert completed.code == completed.json["exit_code"] == 3
    assert lines(completed.json["output"]) == before
    assert completed.json["output"] == result["output"]
    assert {**completed.json, "seconds": 0} == {**result, "seconds": 0}
    as_csv = run_in_process("report", result["run_id"], "--json", "-o", "again.csv").json
    assert [line["Result"] for line in lines(as_csv["output"])] == ["updated", "updated", "invalid"]


def test_a_run_can_be_reported_while_it_sends(stand_in: Start, run_in_process: RunCommand) -> None:
    zoho = stand_in("--latency", "5ms", "--in-flight-cap", "none")
    zoho.config(state_directory=str(STATE))
    with forked("run", sheet("in.csv", rows(2000)), "--in-flight", 20) as process:
        wait_until(lambda: zoho.state()["updates"] > 0, process)
        (journal,) = journals()
        for _ in range(3):
            result = run_in_process("report", journal.stem, "--json", "-o", "now.csv").json
            assert balanced(result).keys() <= {"updated", "not_sent", "unknown"}
            assert sorted(results(result)) == sorted(
                result for result, count in result["counts"].items() for _ in range(count)
            )
        process.kill()


def test_results_go_where_the_settings_say(org: StandIn, run_in_process: RunCommand) -> None:
    Path("out").mkdir()
    org.config(state_directory=str(STATE), results={"directory": "out", "format": "csv"})
    result = run_in_process("run", sheet("in.csv", rows(1)), "--json").json
    assert Path(result["output"]) == Path("out").absolute() / f"in-results-{result['run_id']}.csv"
    assert lines(result["output"])[0]["Result"] == Result.UPDATED


def test_a_refused_output_is_not_stored(org: StandIn, run_in_process: RunCommand) -> None:
    file = sheet("in.csv", rows(2))
    run_in_process("run", file, "--max-runtime", "1ms")
    refused = run_in_process("resume", "-o", file)
    assert refused.code == 2
    assert "would overwrite the input" in refused.err
    assert balanced(run_in_process("resume", "--json").json) == {"updated": 2}


def test_results_go_beside_the_input_by_default(org: StandIn, run_in_process: RunCommand) -> None:
    Path("deep").mkdir()
    result = run_in_process("run", sheet("deep/in.csv", rows(1)), "--json").json
    name = f"in-results-{result['run_id']}.xlsx"
    assert Path(result["output"]) == Path("deep").absolute() / name


def test_results_that_cannot_be_written_there_go_to_the_state_folder(
    org: StandIn, run_in_process: RunCommand
) -> None:
    completed = run_in_process(
        "run", sheet("in.csv", rows(1)), "--json", "-o", "no/such/folder/out.xlsx"
    )
    assert completed.code == 0
    assert STATE.absolute() in Path(completed.json["output"]).absolute().parents
    assert "cannot be written" in completed.err
    assert lines(completed.json["output"])[0]["Result"] == Result.UPDATED


@pytest.mark.parametrize("name", ["mine.csv", "mine.xlsx", "template.xlsx"])
def test_a_file_of_somebody_else_is_overwritten_only_on_request(
    org: StandIn, run_in_process: RunCommand, name: str
) -> None:
    if name == "template.xlsx":
        run_in_process("template", name)
    else:
        Path(name).write_text("Name,Result\nAnn,1\n")
    before = Path(name).read_bytes()
    file = sheet("in.csv", rows(1))
    refused = run_in_process("run", file, "-o", name)
    assert refused.code == 2
    assert "is not a results file of batchlock" in refused.err
    assert "--overwrite" in refused.err
    assert Path(name).read_bytes() == before
    assert sum(org.state()["calls"].values()) == 0
    done = run_in_process("run", file, "-o", name, "--overwrite", "--json")
    assert (done.code, done.json["output"]) == (0, str(Path(name).absolute()))
    again = run_in_process("report", done.json["run_id"], "-o", name, "--json")
    assert again.json["output"] == str(Path(name).absolute())
    Path(name).write_text("mine")
    for command in (("report", done.json["run_id"]), ("resume",)):
        code = run_in_process(*command, "-o", name).code
        assert code == (2 if command[0] == "report" else 0)  # nothing is left to resume
    assert Path(name).read_text() == "mine"


@pytest.mark.parametrize("extension", ["xlsx", "csv"])
def test_the_name_of_results_does_not_grow_when_they_are_given_back(
    org: StandIn, run_in_process: RunCommand, extension: str
) -> None:
    org.config(state_directory=str(STATE), results={"format": extension})
    file: str | Path = sheet("locks.csv", rows(1))
    for _ in range(3):
        result = run_in_process("run", file, "--json").json
        file = result["output"]
        assert Path(file).name == f"locks-results-{result['run_id']}.{extension}"


def test_the_message_says_why_results_are_elsewhere(
    org: StandIn, run_in_process: RunCommand
) -> None:
    result = run_in_process("run", sheet("in.csv", rows(1)), "--json", "-o", "no/out.xlsx").json
    assert result["output"] in result["message"]
    assert "No such file or directory" in result["message"]


@pytest.mark.parametrize("name", ["folder", "folder.xlsx"])
def test_a_folder_is_no_output(org: StandIn, run_in_process: RunCommand, name: str) -> None:
    Path(name).mkdir()
    file = sheet("in.csv", rows(1))
    refused = run_in_process("run", file, "-o", name)
    assert refused.code == 2
    assert refused.err.startswith(f"{name} is a folder, and --output names a file.")


def test_results_that_cannot_be_written_at_all_hide_nothing(
    org: StandIn, run_in_process: RunCommand
) -> None:
    org.config(state_directory=str(STATE), results={"format": "csv"})
    STATE.mkdir()
    (STATE / "results").write_text("a file in place of the folder")
    folder = Path("gone")
    folder.mkdir()
    file = sheet("gone/in.csv", rows(2))
    run = run_in_process("run", file, "--max-runtime", "1ms", "--json").json
    shutil.rmtree(folder)
    refused = run_in_process("resume", run["run_id"], "--json")
    assert refused.code == 1
    assert org.state()["calls"]["put"] == 0
