"""The lines of the log."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from support.commands import RunCommand
from support.runs import NOT_LOCKED
from support.sheets import lock, record, rows, sheet
from support.zoho import StandIn

from batchlock.cli.logs import log_to


def test_no_text_looks_like_another_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "a\r\n2026-11-27 10:00:00,000 1 INFO Anna signed in\x1b[2J\u2028.csv"
    with log_to(tmp_path, quiet=False) as path:
        logging.getLogger("batchlock").error("reading %s", name, exc_info=ValueError(name))
    assert path is not None
    for text in (path.read_text("utf-8"), capsys.readouterr().err):
        first, *others = text.splitlines()
        assert first.endswith("reading a\\r")
        assert others
        assert all(line.startswith("    ") for line in others)
        assert "\\x1b[2J\\u2028.csv" in others[0]


LOG = Path("state/logs/batchlock.log")
CONTENT = [*rows(3), ("Leads", NOT_LOCKED, lock(99), "a secret reason")]


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("verbose", [(), ("-v",)])
def test_the_file_has_row_numbers_and_no_record_ids(
    org: StandIn, run_in_process: RunCommand, verbose: tuple[str, ...]
) -> None:
    result = run_in_process("run", sheet("in.csv", CONTENT), *verbose)
    log = LOG.read_text("utf-8")
    assert record(1) in result.err  # the samples, for the person at the terminal
    assert "row 5 rejected" in log
    assert "4 rows: 3 updated, 1 rejected." in log
    for part in (record(1), lock(1), lock(99), NOT_LOCKED, "reason 1", "a secret reason"):
        assert part not in log


def test_lines_of_json_have_the_run_and_the_row(org: StandIn, run_in_process: RunCommand) -> None:
    file = sheet("in.csv", CONTENT)
    result = run_in_process("run", file, "--json", "-v", "--log-format", "json")
    lines = objects(result.err)
    assert objects(LOG.read_text("utf-8")) == lines
    run_id = result.json["run_id"]
    assert {line["org"] for line in lines} == {"default"}
    assert {line["run_id"] for line in lines} == {None, run_id}
    done = {line["row"]: line for line in lines if line["event"] == "row"}
    assert sorted(done) == [2, 3, 4, 5]
    assert done[2]["result"] == "updated"
    (rejected,) = (line for line in lines if line["event"] == "row.not_done")
    assert (rejected["row"], rejected["result"], rejected["level"]) == (5, "rejected", "warning")
    (end,) = (line for line in lines if line["event"] == "run.ended")
    assert (end["run_id"], end["exit_code"]) == (run_id, 3)
    for part in (record(1), lock(1), NOT_LOCKED, "reason 1", "a secret reason"):
        assert part not in result.err


def test_the_setting_holds_for_errors_and_tracebacks_too(
    org: StandIn, run_in_process: RunCommand, tmp_path: Path
) -> None:
    org.config(state_directory="state", log={"format": "json"})
    Path("in.csv").write_bytes(b"%PDF-1.4")
    result = run_in_process("run", "in.csv")
    *_, error = objects(result.err)
    assert (error["level"], error["event"], error["exit_code"]) == ("error", "command.failed", 4)
    with log_to(tmp_path, quiet=True, is_json=True) as path:
        logging.getLogger("batchlock").error("odd\nrow", exc_info=ValueError(record(1)))
    assert path is not None
    (line,) = objects(path.read_text("utf-8"))
    assert line["message"] == "odd\nrow"
    assert "ValueError" in str(line["exception"])
    assert record(1) not in str(line)


@pytest.mark.parametrize("option", [("--log-format", "json"), ("--log-format=json",)])
def test_an_error_before_the_configuration_is_read_is_an_object_too(
    run_in_process: RunCommand, option: tuple[str, ...]
) -> None:
    result = run_in_process("run", "in.csv", "--config", "missing.yaml", *option)
    (line,) = objects(result.err)
    assert (line["event"], line["exit_code"]) == ("command.failed", 2)
