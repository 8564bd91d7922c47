import signal
import socket
from pathlib import Path

import pytest
from support.commands import POSIX, TIMEOUT_SECONDS, RunCommand, started
from support.inputs import case_id
from support.sheets import balanced, rows, sheet
from support.zoho import ORG_CALLS, Start

from batchlock import __version__

COMMANDS = (
    "check",
    "login",
    "report",
    "resume",
    "retry",
    "run",
    "runs",
    "show",
    "simulate",
    "template",
)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_begins_with_an_example(run_in_process: RunCommand, name: str) -> None:
    completed = run_in_process(name, "--help")
    assert completed.code == 0
    assert completed.out.startswith(f"Example: batchlock {name}")


def test_help_lists_the_commands_and_version_prints_the_version(run_subprocess: RunCommand) -> None:
    completed = run_subprocess("--help")
    assert completed.code == 0
    assert all(f"  {name} " in completed.out for name in COMMANDS)
    assert run_subprocess("--version").out.strip().endswith(__version__)


def test_without_a_command_there_is_help(run_in_process: RunCommand) -> None:
    completed = run_in_process()
    assert (completed.code, completed.out) == (2, "")
    assert "Commands:" in completed.err
    assert "See `" not in completed.err


def test_a_template_can_be_checked_and_is_not_overwritten(run_in_process: RunCommand) -> None:
    assert run_in_process("template", "locks.xlsx").code == 0
    assert run_in_process("check", "locks.xlsx", "--json").json["rows"] == 0
    before = Path("locks.xlsx").stat().st_mtime_ns
    again = run_in_process("template", "locks.xlsx")
    assert (again.code, Path("locks.xlsx").stat().st_mtime_ns) == (2, before)
    assert run_in_process("template", "locks.xlsx", "--force").code == 0


@pytest.mark.parametrize(
    ("name", "expected"), [("locks.csv", ".xlsx"), ("none/locks.xlsx", "cannot be written")]
)
def test_a_template_that_cannot_be_written_is_refused(
    run_in_process: RunCommand, name: str, expected: str
) -> None:
    completed = run_in_process("template", name)
    assert completed.code == 2
    assert expected in completed.err


@POSIX
def test_ctrl_c_ends_simulate_with_exit_code_0() -> None:
    with started("simulate") as process:
        assert process.stdout is not None
        assert "listens on http://127.0.0.1:" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 0


def test_simulate_refuses_a_port_in_use(run_in_process: RunCommand) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        completed = run_in_process("simulate", "--port", listener.getsockname()[1])
    assert completed.code == 2
    assert "--port" in completed.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--faults", "flood=0.1"],
        ["--faults", "hang=2"],
        ["--faults", "hang"],
        ["--latency", "long"],
        ["--in-flight-cap", "0"],
        ["--throttle-at", "x"],
        ["--credits", "-1"],
        ["--port", "99999"],
    ],
    ids=case_id,
)
def test_simulate_refuses_values_that_are_not_valid(
    run_in_process: RunCommand, arguments: list[str]
) -> None:
    assert run_in_process("simulate", *arguments).code == 2


def test_simulate_follows_its_options(stand_in: Start, run_in_process: RunCommand) -> None:
    zoho = stand_in("--credits", 3 + ORG_CALLS, "--in-flight-cap", "none", "--token-lifetime", "1h")
    zoho.config(retry={"first_wait": 0.05, "give_up_after": 0.5})
    completed = run_in_process("run", sheet("in.csv", rows(9)), "--json")
    assert completed.code == 6
    assert balanced(completed.json) == {"updated": 3, "not_sent": 6}
    assert zoho.state()["credits_left"] == 0
