import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.commands import POSIX, TIMEOUT_SECONDS, RunCommand, command, started
from support.forked_command import ForkedProcess, run_on
from support.inputs import write_inputs
from support.sheets import balanced, rows, sheet
from support.terminal import open_terminal, read_until
from support.zoho import Start


@POSIX
def test_after_a_second_signal_the_run_can_be_resumed(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--faults", "hang=1")
    # So few credits are not spent on questions about the org, which would hang too.
    zoho.config(state_directory="state", limits={"max_credits": 40})
    with started("run", sheet("in.csv", rows(3)), "--json") as process:
        assert process.stderr is not None
        assert "Reading" in process.stderr.readline()
        while "Sending" not in process.stderr.readline():
            pass  # what the file is read as
        while zoho.state()["calls"]["put"] < 3:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert "Ending" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 130
    (listed,) = run_in_process("runs", "--json").json["runs"]
    assert (listed["state"], listed["rows"]) == ("unfinished", 3)
    assert balanced(run_in_process("show", listed["run_id"], "--json").json) == {"unknown": 3}


def test_a_terminal_shows_a_progress_bar() -> None:
    write_inputs()
    ours, theirs = open_terminal()
    try:
        process = subprocess.Popen(
            command("run", "in.csv", "--simulate", "--json"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=theirs,
        )
        os.close(theirs)
        screen = read_until(ours, None)
        out, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    finally:
        os.close(ours)
    result: dict[str, Any] = json.loads(out)
    assert "2/2 rows" in screen
    assert balanced(result) == {"updated": 2}


@contextmanager
def pipe_without_reader() -> Iterator[int]:
    """Yield the writing end of a pipe whose reading end is closed."""
    read, write = os.pipe()
    os.close(read)
    try:
        yield write
    finally:
        os.close(write)


@POSIX
def test_a_closed_standard_error_does_not_stop_a_run() -> None:
    with pipe_without_reader() as pipe:
        run = ["run", sheet("in.csv", rows(30)), "--simulate", "-v", "--json"]
        with Path("out.json").open("w") as out:
            code = run_on(run, stdout=out.fileno(), stderr=pipe)
    result: dict[str, Any] = json.loads(Path("out.json").read_bytes())
    assert code == result["exit_code"] == 0
    assert balanced(result) == {"updated": 30}


@POSIX
def test_a_run_without_a_standard_error_prints_only_its_json() -> None:
    closed = ["sh", "-c", 'exec "$@" 2>&-', "sh"]
    completed = subprocess.run(
        [*closed, *command("run", sheet("in.csv", rows(3)), "--simulate", "-v", "--json")],
        stdout=subprocess.PIPE,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert completed.returncode == 0
    assert balanced(json.loads(completed.stdout)) == {"updated": 3}


@POSIX
def test_a_closed_standard_output_does_not_change_the_exit_code(run_in_process: RunCommand) -> None:
    write_inputs()
    with pipe_without_reader() as pipe:
        code = run_on(["run", "bad.csv", "--simulate", "-v"], stdout=pipe, stderr=pipe)
        other_code = run_on(["run", "none.csv", "--simulate"], stdout=pipe, stderr=pipe)
    assert (code, other_code) == (3, 4)
    (result,) = run_in_process("runs", "--json").json["runs"]
    assert (result["state"], result["settled"], result["exit_code"]) == ("finished", 1, 3)
    assert Path(result["output"]).exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_standard_output_is_reported_and_does_not_change_the_exit_code() -> None:
    write_inputs()
    run = ["run", "bad.csv", "--simulate", "--json", "-q"]
    with Path("/dev/full").open("w") as full, Path("errors").open("w") as errors:
        assert run_on(run, stdout=full.fileno(), stderr=errors.fileno()) == 3
    text = Path("errors").read_text("utf-8")
    assert text == "Standard output cannot be written: No space left on device.\n"


@POSIX
def test_a_closed_terminal_interrupts_a_run_like_sighup(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--latency", "50ms")
    zoho.config(state_directory="state")
    ours, theirs = open_terminal()
    run = ["run", str(sheet("in.csv", rows(200))), "--in-flight", "2"]
    process = ForkedProcess(run, theirs, theirs, theirs)
    os.close(theirs)
    read_until(ours, "/200 rows")
    os.close(ours)
    process.send_signal(signal.SIGHUP)
    assert process.wait(TIMEOUT_SECONDS) == 129
    (result,) = run_in_process("runs", "--json").json["runs"]
    assert (result["state"], result["exit_code"]) == ("unfinished", 129)
    assert Path(result["output"]).exists()
    assert "Traceback" not in Path("state/logs/batchlock.log").read_text("utf-8")
