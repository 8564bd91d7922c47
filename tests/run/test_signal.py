"""Runs that get a signal at any moment, in processes of their own."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import POSIX, TIMEOUT_SECONDS, RunCommand, command
from support.forked_command import forked
from support.processes import EXIT_CODES, STATE, check_results, signal_number, wait_until
from support.sheets import balanced, rows, sheet
from support.zoho import StandIn, Start

pytestmark = POSIX


@pytest.mark.parametrize("name", EXIT_CODES)
def test_a_signal_ends_a_run_with_true_results(
    stand_in: Start, run_in_process: RunCommand, name: str
) -> None:
    zoho = stand_in("--latency", "100ms", "--jitter", "50ms")
    zoho.config(state_directory=str(STATE))
    file = sheet("in.csv", rows(400))  # 5 seconds of work: the signal comes long before its end
    with forked("run", file, "--json", "--in-flight", 8) as process:
        wait_until(lambda: zoho.state()["updates"] >= 20, process)
        process.send_signal(signal_number(name))
        out, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    summary = json.loads(out)
    counts = check_results(summary, zoho)
    assert process.returncode == summary["exit_code"] == EXIT_CODES[name]
    assert set(counts) == {"updated", "not_sent"}
    assert counts["updated"] == zoho.state()["updates"]
    assert name in summary["message"]
    resumed = run_in_process(*summary["resume"].split()[1:], "--json", "--in-flight", 25)
    assert (resumed.code, check_results(resumed.json, zoho)) == (0, {"updated": 400})
    assert zoho.state()["calls"]["put"] == 400


@pytest.mark.parametrize("name", EXIT_CODES)
def test_the_second_signal_ends_at_once(
    stand_in: Start, run_in_process: RunCommand, name: str
) -> None:
    zoho = stand_in("--faults", "hang=1")
    # So few credits are not spent on questions about the org, which would hang too.
    zoho.config(state_directory=str(STATE), limits={"max_credits": 40})
    with forked("run", sheet("in.csv", rows(3)), "--json") as process:
        wait_until(lambda: zoho.state()["calls"]["put"] == 3, process)
        process.send_signal(signal_number(name))
        assert process.stderr is not None
        while "Ending" not in process.stderr.readline():
            pass
        process.send_signal(signal_number(name))
        out, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    assert (process.returncode, out) == (EXIT_CODES[name], "")
    (run,) = run_in_process("runs", "--json").json["runs"]
    summary = run_in_process("report", run["run_id"], "--json").json
    assert check_results(summary, zoho) == {"unknown": 3}


@pytest.mark.parametrize("name", EXIT_CODES)
@pytest.mark.parametrize("words", ["", "Reading", "Sending"], ids=["start", "plan", "send"])
def test_a_signal_at_any_moment_has_its_exit_code_and_no_traceback(
    org: StandIn, name: str, words: str
) -> None:
    file = sheet("in.csv", rows(2_000))
    with forked("run", file, "--json", "--per-second", 50) as process:
        assert process.stderr is not None
        if words:
            while words not in (line := process.stderr.readline()):
                assert line
        else:
            wait_until(lambda: handles_signals(process.pid), process)
        process.send_signal(signal_number(name))
        out, err = process.communicate(timeout=TIMEOUT_SECONDS)
    summary = json.loads(out)
    assert process.returncode == summary["exit_code"] == EXIT_CODES[name], err
    assert "Traceback" not in err
    assert org.state()["updates"] == summary["counts"]["updated"]


def handles_signals(process_id: int) -> bool:
    """Return whether a process has handlers for the signals that end a command."""
    try:
        status = Path(f"/proc/{process_id}/status").read_text()
    except FileNotFoundError:
        pytest.skip("needs /proc")
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    numbers = [signal_number(name) for name in EXIT_CODES]
    return all(caught >> (number - 1) & 1 for number in numbers)


SIGNALLED_WHILE_LOADING = """
import os, sys
from batchlock.cli import main

class SendSignal:
    sent = False

    def find_spec(self, name, path=None, target=None):
        if name == module and not self.sent:
            self.sent = True
            os.kill(os.getpid(), int(number))

_, module, number, *sys.argv[1:] = sys.argv
sys.meta_path.insert(0, SendSignal())
main()
"""


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("click", "SIGTERM"),
        ("batchlock.cli.output", "SIGINT"),
        ("asyncio", "SIGHUP"),
        ("batchlock.engine", "SIGINT"),
    ],
)
def test_a_signal_while_the_program_loads_has_its_exit_code_and_no_traceback(
    org: StandIn, name: str, module: str
) -> None:
    file = sheet("in.csv", rows(2))
    number = signal_number(name).value
    completed = subprocess.run(
        [sys.executable, "-c", SIGNALLED_WHILE_LOADING, module, str(number), "run", file, "--json"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert completed.returncode == json.loads(completed.stdout)["exit_code"] == EXIT_CODES[name], (
        completed.stderr
    )
    assert "Traceback" not in completed.stderr
    assert org.state()["calls"]["put"] == 0


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT"])
def test_a_signal_that_was_ignored_from_the_start_stays_ignored(stand_in: Start, name: str) -> None:
    zoho = stand_in("--latency", "50ms")
    zoho.config(state_directory=str(STATE))
    ignoring = ["sh", "-c", f'trap "" {name.removeprefix("SIG")}; exec "$@"', "sh"]
    process = subprocess.Popen(
        [*ignoring, *command("run", sheet("in.csv", rows(40)), "--json", "--in-flight", 4)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    wait_until(lambda: zoho.state()["updates"] >= 4, process)
    process.send_signal(signal_number(name))
    out, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 0
    assert balanced(json.loads(out)) == {"updated": 40}


def test_a_signal_while_the_results_are_written_leaves_them_complete(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--in-flight-cap", "none")
    zoho.config(state_directory=str(STATE), limits={"in_flight": 50})
    with forked("run", sheet("in.csv", rows(1500)), "--json") as process:
        wait_until(lambda: zoho.state()["updates"] >= 1500, process)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    summary = json.loads(out)
    assert process.returncode == summary["exit_code"]
    assert process.returncode in {0, 143}  # 0: the signal came after the last row had ended
    assert check_results(summary, zoho) == {"updated": 1500}
    again = run_in_process("resume", "--json")
    assert again.code == 0
    assert zoho.state()["calls"]["put"] == 1500
