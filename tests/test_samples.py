import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import openpyxl
import pytest
from support.forked_command import run_forked
from support.paths import ROOT
from support.readme import readme_commands

from batchlock.core.results import Result
from batchlock.core.rows import MODULES
from batchlock.simulator import MAGIC_RECORDS


def test_the_samples_are_the_output_of_their_script(isolated: Path) -> None:
    script = ROOT / "samples" / "make.py"
    subprocess.run([sys.executable, script, isolated], check=True)
    names = sorted(path.name for path in isolated.iterdir())
    assert names == [
        f"{stem}.{suffix}"
        for stem in ("lock_updates", "problem_rows")
        for suffix in ("csv", "xlsx")
    ]
    for name in names:
        assert content_of(isolated / name) == content_of(script.with_name(name)), name


def content_of(path: Path) -> object:
    if path.suffix == ".csv":
        return path.read_text("utf-8-sig")
    sheet = openpyxl.load_workbook(path).worksheets[0]
    return [[(cell.value, cell.data_type, cell.number_format) for cell in row] for row in sheet]


def test_the_good_sample_has_every_module_and_ids_as_text() -> None:
    sheet = openpyxl.load_workbook(ROOT / "samples" / "lock_updates.xlsx").worksheets[0]
    _, *rows = sheet.iter_rows()
    assert len(rows) == 200
    assert {row[0].value for row in rows} == set(MODULES)
    for cell in (cell for row in rows for cell in row[1:3]):
        assert (cell.data_type, cell.number_format) == ("s", "@")
        assert re.fullmatch(r"\d{19}", str(cell.value))


def test_the_good_sample_has_no_problem_as_csv(samples_copy: Path) -> None:
    completed = run_forked(["check", "samples/lock_updates.csv"])
    assert completed.returncode == 0, completed.stdout


@pytest.mark.parametrize("suffix", [".xlsx", ".csv"])
def test_each_row_of_the_problem_sample_has_the_result_that_it_names(
    suffix: str, samples_copy: Path
) -> None:
    sample = "samples/problem_rows.xlsx"
    (typed,) = (arguments for arguments in readme_commands() if sample in arguments)
    arguments = [argument.replace(".xlsx", suffix) for argument in typed]
    completed = run_forked(
        [*arguments, "--json"], BATCHLOCK_RETRY__FIRST_WAIT="20ms"
    )  # the only difference from the command of the README
    summary = json.loads(completed.stdout)
    assert (completed.returncode, summary["exit_code"]) == (3, 3), completed.stderr
    titles, *rows = openpyxl.load_workbook(summary["output"])["Results"].iter_rows(values_only=True)
    lines = [dict(zip(map(str, titles), row, strict=True)) for row in rows]
    for line in lines:
        promise, _, _ = str(line["What this row shows"]).partition(":")
        result, _, code = promise.partition(", ")
        assert line["Result"] == result, line
        if result == "invalid":
            assert line["Code"] == code, line
    # Neither of these is a result of an update that was sent.
    others = {Result.NOT_SENT, Result.UNKNOWN, Result.LOCKED, Result.UNLOCKED}
    assert {line["Result"] for line in lines} == set(Result) - others


def test_the_problem_sample_has_every_problem_code_and_every_answer() -> None:
    with (ROOT / "samples" / "problem_rows.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    codes = {
        match[1]
        for row in rows
        if (match := re.match(r"invalid, (\w+)", row["What this row shows"]))
    }
    assert codes == {
        "unknown_module",
        "missing_value",
        "bad_id",
        "lossy_number",
        "rounded_id",
        "reason_too_long",
        "bad_value",
        "conflict",
    }
    slow, ends_the_run = {207, 209, 307}, range(500, 600)
    expected = {
        magic.record_id
        for magic in MAGIC_RECORDS
        if (number := int(magic.record_id[-3:])) not in slow and number not in ends_the_run
    }
    assert expected <= {row["Record Id"] for row in rows}


def test_each_org_of_a_stand_in_gets_a_file_of_its_own(isolated: Path) -> None:
    script = ROOT / "samples" / "make_org_files.py"
    options = ("--orgs", "2", "--rows", "3")
    subprocess.run([sys.executable, script, isolated / "files", *options], check=True)
    files = sorted((isolated / "files").iterdir())
    assert [file.name for file in files] == ["org-001.csv", "org-002.csv"]
    with files[1].open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {
        "module": "Leads",
        "record_id": "990000200300000007",
        "lock_id": "990000200300999992",
        "reason": "Audit hold 002-00001",
    }
    assert len({row["record_id"] for row in rows}) == 3
