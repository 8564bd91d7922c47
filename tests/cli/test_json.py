import os
import subprocess
from pathlib import Path

import pytest
from support.commands import POSIX, TIMEOUT_SECONDS, RunCommand, command
from support.inputs import case_id, write_inputs
from support.sheets import balanced, rows, sheet

from batchlock.core.results import Result
from batchlock.plan import run_info

PREVIEW_KEYS = {"action", "read_as", "notes", "finished_before"}
RUN_KEYS = PREVIEW_KEYS | {
    "run_id",
    "file",
    "sheet",
    "output",
    "exit_code",
    "message",
    "rows",
    "counts",
    "causes",
    "requests",
    "credits_used",
    "in_flight_peak",
    "seconds",
    "resume",
}
CHECK_KEYS = PREVIEW_KEYS | {
    "output",
    "plan",
    "causes",
    "file",
    "sheet",
    "rows",
    "valid",
    "invalid",
    "duplicate",
    "problems",
    "encoding",
    "delimiter",
    "exit_code",
    "message",
}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["in.csv", "--simulate"], 0),
        (["bad.csv", "--simulate"], 3),
        (["bad.csv", "--simulate", "--strict"], 3),
        (["empty.csv", "--simulate"], 0),
        (["in.csv"], 2),
        (["none.csv", "--simulate"], 4),
        (["page.pdf", "--simulate"], 4),
        ([".", "--simulate"], 4),
        (["odd.csv", "--simulate"], 4),
        (["in.csv", "--simulate", "--column", "record_id=Foo"], 2),
        (["in.csv", "--simulate", "--column", "record_id"], 2),
        (["in.csv", "--simulate", "--column", "colour=Foo"], 2),
        (["in.csv", "--simulate", "--sheet", "Foo"], 2),
        (["in.csv", "--simulate", "--in-flight", "none"], 2),
        (["in.csv", "--simulate", "--per-second", "0"], 2),
        (["in.csv", "--simulate", "--max-runtime", "long"], 2),
        (["in.csv", "--simulate", "--until", "25:00"], 2),
        (["in.csv", "--simulate", "-o", "out.pdf"], 2),
        (["in.csv", "--simulate", "-o", "in.csv"], 2),
        (["in.csv", "--simulate", "-c", "none.yaml"], 2),
        (["in.csv", "--simulate", "-c", "bad.yaml"], 2),
        (["in.csv", "--simulate", "--bad"], 2),
        (["in.csv", "more.csv"], 2),
        ([], 2),
    ],
    ids=case_id,
)
def test_run_prints_one_object_with_every_key(
    run_in_process: RunCommand, arguments: list[str], code: int
) -> None:
    write_inputs()
    completed = run_in_process("run", *arguments, "--json")
    result = completed.json
    assert (completed.code, result["exit_code"]) == (code, code)
    assert set(result) == RUN_KEYS
    assert set(result["counts"]) == {member.value for member in Result}
    assert result["message"]
    balanced(result)
    assert bool(result["run_id"]) is bool(result["output"]) is (code in (0, 3))
    assert result["file"] is None or Path(result["file"]).is_absolute()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["in.csv"], 0),
        (["bad.csv"], 3),
        (["empty.csv"], 0),
        (["none.csv"], 4),
        (["page.pdf"], 4),
        (["odd.csv"], 4),
        (["in.csv", "--column", "record_id=Foo"], 2),
        (["in.csv", "-c", "bad.yaml"], 2),
        (["in.csv", "--bad"], 2),
        ([], 2),
    ],
    ids=case_id,
)
def test_check_prints_one_object_with_every_key(
    run_in_process: RunCommand, arguments: list[str], code: int
) -> None:
    write_inputs()
    completed = run_in_process("check", *arguments, "--json")
    result = completed.json
    assert (completed.code, result["exit_code"]) == (code, code)
    assert set(result) == CHECK_KEYS
    assert result["valid"] + result["invalid"] + result["duplicate"] == result["rows"]
    assert result["file"] is None or Path(result["file"]).is_absolute()


@POSIX
@pytest.mark.parametrize("name", ["run", "check"])
@pytest.mark.parametrize("file", ["pipe.csv", os.devnull])
def test_a_pipe_or_device_is_refused_without_reading_it(
    run_in_process: RunCommand, name: str, file: str
) -> None:
    os.mkfifo("pipe.csv")
    completed = run_in_process(name, file, "--json")
    assert completed.code == 4
    assert "is a pipe or device" in completed.json["message"]


@POSIX
def test_standard_input_is_refused_even_when_it_is_a_file() -> None:
    with sheet("in.csv", rows(1)).open() as file:
        completed = subprocess.run(
            command("check", "/dev/stdin"),
            stdin=file,
            capture_output=True,
            encoding="utf-8",
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    assert completed.returncode == 4
    assert "is a pipe or device" in completed.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", ""],
        ["check", ""],
        ["run", "in.csv", "--simulate", "-c", ""],
        ["run", "in.csv", "--simulate", "-o", ""],
        ["template", ""],
    ],
    ids=case_id,
)
def test_an_empty_file_name_is_refused(run_in_process: RunCommand, arguments: list[str]) -> None:
    write_inputs()
    completed = run_in_process(*arguments)
    assert (completed.code, completed.out) == (2, "")
    assert "The name is empty." in completed.err


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("resume", [], 0),
        ("resume", ["20260101-000000-abcd"], 2),
        ("retry", ["20260101-000000-abcd"], 2),
        ("retry", [], 2),
        ("report", ["20260101-000000-abcd"], 2),
        ("report", ["*"], 2),
        ("show", ["20260101-000000-abcd"], 2),
    ],
)
def test_an_unknown_run_is_reported_with_every_key(
    run_in_process: RunCommand, name: str, arguments: list[str], code: int
) -> None:
    completed = run_in_process(name, *arguments, "--json")
    assert (completed.code, completed.json["exit_code"]) == (code, code)
    family_keys = {"family", "story"} if name == "show" else set()
    assert set(completed.json) == RUN_KEYS | family_keys


def test_an_unknown_command_is_reported_as_json(run_in_process: RunCommand) -> None:
    completed = run_in_process("frobnicate", "--json")
    assert (completed.code, completed.json["exit_code"]) == (2, 2)


def test_all_bad_settings_are_reported_together(run_in_process: RunCommand) -> None:
    write_inputs()
    result = run_in_process(
        "run", "in.csv", "--simulate", "--until", "25:00", "-c", "bad.yaml", "--json"
    ).json
    assert "limits.per_secnd" in result["message"]
    assert "per_second" in result["message"]
    assert "--until" in result["message"]


def test_the_traceback_of_an_unexpected_error_is_in_the_log(
    run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> str:
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr(run_info, "sha256_of", broken)
    completed = run_in_process("run", sheet("in.csv", rows(1)), "--simulate", "--json")
    (log,) = Path(os.environ["HOME"]).rglob("batchlock.log")
    assert (completed.code, completed.json["exit_code"]) == (1, 1)
    assert set(completed.json) == RUN_KEYS
    assert str(log) in completed.json["message"]
    assert "Traceback" not in completed.out + completed.err
    assert "nobody thought of this" in log.read_text("utf-8")
